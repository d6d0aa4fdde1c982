"""What every policy is: a rule that turns the present into the next interval's action."""

from typing import Protocol

from tokenergy.dispatch.world import Action, State


class Policy(Protocol):
    """A rule for one interval after another.

    A policy is made for a world but may look only at what is public at interval `at`: prices
    up to `published_until`, everything before `at`, and the present arrivals.
    """

    name: str

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at` of the world."""
        ...
