"""A policy that is made afresh every day, so that a stopped run can go on bit for bit.

What a solver holds from before decides between optima that cost the same: a basis, factors, the
options of a rung. A run that goes on after a stop has none of it. So nobody keeps it longer than
a day: at the beginning of each day of the horizon the policy is made anew and only what it says
that it remembers is carried over (`dispatch/policy`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.policy import Policy, Remembers
from tokenergy.dispatch.world import Action, State, World
from tokenergy.simulate.journal import begins_day, through_words

MakePolicy = Callable[[World, str], Policy]
"""Makes the policy of a name for a world."""


class Renewed:
    """A policy of a world, made afresh at the beginning of each day of the horizon."""

    def __init__(self, world: World, name: str, make: Callable[[World], Policy]) -> None:
        """Make nothing yet: a run that has been through already needs no policy."""
        self.name = name
        self._world, self._make = world, make
        self._policy: Policy | None = None
        self._memory: Mapping[str, Any] | None = None

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at`."""
        held = self._policy
        if held is None:
            held = self._made(self._memory)
        elif begins_day(self._world, at) and not getattr(held, "plans_once", False):
            held = self._made(self.memory())
        self._policy = held
        return held.decide(at, state)

    def memory(self) -> Mapping[str, Any]:
        """Return what the policy remembers; nothing where it remembers nothing."""
        if self._policy is None:
            return self._memory or {}
        return self._policy.memory() if isinstance(self._policy, Remembers) else {}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on with what an earlier process remembered; called before any decision."""
        self._policy, self._memory = None, memory

    def _made(self, memory: Mapping[str, Any] | None) -> Policy:
        policy = self._make(self._world)
        if memory and isinstance(policy, Remembers):
            policy.recall(through_words(memory))
        return policy


def renewed(world: World, name: str) -> Renewed:
    """Return a policy that ships, by its name, made afresh every day.

    Raises:
        UnknownName: at the first decision, naming the nearest policies.
    """
    return renewed_by(world, name, lambda where, policy: make_policy(policy, where))


def renewed_by(world: World, name: str, make: MakePolicy) -> Renewed:
    """Return a policy that `make` makes, made afresh every day."""
    return Renewed(world, name, lambda where: make(where, name))
