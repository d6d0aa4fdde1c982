"""Policies that leave the optimum behind each of their actions, where they solve a program."""

from collections.abc import Callable
from typing import NamedTuple

from tokenergy.dispatch.lp_policies import Clairvoyant, Mpc, MpcPerfectDayAhead
from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.policy import Policy
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.world import Action, State, World
from tokenergy.simulate.best_possible import Foresight, too_large


class Seen(NamedTuple):
    """What a policy solved to decide an interval.

    Attributes:
        optimum: the window.
        at: which of its intervals is now.
        world: as the policy plans in it.
        state: in which the window begins; None: not known.
    """

    optimum: Optimum
    at: int
    world: World
    state: State | None


class Foreseen:
    """A policy, and what it solved to decide each interval.

    Attributes:
        name: of the policy.
        policy: the policy itself.
    """

    def __init__(self, name: str, world: World) -> None:
        """Make the policy; the clairvoyant in windows where its program is too large."""
        self.name = name
        self._world = world
        self._last: Seen | None = None
        self.policy: Policy
        if name in _PLANNING:
            self.policy = _PLANNING[name](world, self._note)
        elif name == Clairvoyant.name and too_large(world):
            self.policy = Foresight(world)
        else:
            self.policy = make_policy(name, world)

    def decide(self, at: int, state: State) -> tuple[Action, Seen | None]:
        """Return what to do in interval `at`, and the optimum behind it; None: there is none.

        A policy that fell back to another one, whose action it is then, leaves none.
        """
        self._last = None
        action = self.policy.decide(at, state)
        if isinstance(self.policy, Clairvoyant):
            begun = State.initial(self._world)
            return action, Seen(self.policy.optimum, at - self._world.first, self._world, begun)
        if isinstance(self.policy, Foresight):
            piece = self.policy.piece_at(at)
            return action, Seen(piece.optimum, at - piece.begin, self._world, None)
        return action, self._last if action.source == self.name else None

    def _note(self, optimum: Optimum, world: World, state: State) -> None:
        self._last = Seen(optimum, 0, world, state)


Note = Callable[[Optimum, World, State], None]


class _SeenMpc(Mpc):
    """`mpc`, telling its windows."""

    def __init__(self, world: World, note: Note) -> None:
        super().__init__(world)
        self._note = note

    def plan(self, at: int, state: State) -> Optimum:
        """Return the whole window's optimum, and tell it."""
        optimum = super().plan(at, state)
        self._note(optimum, self._world, state)
        return optimum


class _SeenMpcPerfectDayAhead(MpcPerfectDayAhead):
    """`mpc_perfect_day_ahead`, likewise."""

    def __init__(self, world: World, note: Note) -> None:
        super().__init__(world)
        self._note = note

    def plan(self, at: int, state: State) -> Optimum:
        """Return the whole window's optimum, and tell it."""
        optimum = super().plan(at, state)
        self._note(optimum, self._world, state)
        return optimum


_PLANNING: dict[str, Callable[[World, Note], Policy]] = {
    "mpc": _SeenMpc,
    "mpc_perfect_day_ahead": _SeenMpcPerfectDayAhead,
}
