"""What every policy is: a rule that turns the present into the next interval's action."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from tokenergy.dispatch.world import Action, State


class Policy(Protocol):
    """A rule for one interval after another.

    A policy is made for a world but may look only at what is public at interval `at`: prices
    up to `published_until`, everything before `at`, and the present arrivals.

    Every 24 h of a horizon a replay makes the policy afresh, so that a run that was stopped goes
    on from its last day bit for bit: what a policy decides from then on may depend on the
    interval, the state and what `Remembers` carries over, never on what a solver happens to hold
    from before (a basis, factors, a plan). A policy whose decisions hang on the interval alone,
    and that is dear to make (the clairvoyant), says `plans_once = True`: it is kept.
    """

    name: str

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at` of the world."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """A policy that carries something of its own from one day to the next.

    What it tells must be all that its decisions hang on beside the interval and the state: a
    hedge's shadow state and trailing costs, say. It is plain JSON: maps with texts for keys,
    lists, texts, and Python floats, which survive it to the last bit.
    """

    def memory(self) -> Mapping[str, Any]:
        """Return what it remembers, as a JSON-ready mapping."""
        ...

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Remember what a policy of the same name told before; called before any decision."""
        ...
