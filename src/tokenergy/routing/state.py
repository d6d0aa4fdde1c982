"""The state: what the decisions so far leave to the next one.

Frozen, in small parts: `admitted`, `settled`, `refreshed` and `at` return new ones, and a change
copies a few words. One loop owns one state, so that it needs no locks. Whatever is counted by
place is counted by the index of `Board.places`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple, Self

from tokenergy.company.board import Board
from tokenergy.company.decision import Decision
from tokenergy.routing.affinity import LastPlace, Sessions
from tokenergy.routing.cost import Usage
from tokenergy.routing.pacing import Lease, Pacer
from tokenergy.routing.ties import Wheel, corrected, fresh_wheel, left_by, turned

Members = tuple[str, ...]
"""Deployments that share a tie, in the order of their wheel."""
Wheels = Mapping[Members, Wheel]
WHEELS_LIMIT: Final = 64
"""Ties remembered of a workload; the one that was begun first goes first."""
RESERVE: Final = "reserve"
"""Policy of decisions by a stale board."""


class Counts(NamedTuple):
    """What is under way, by place and by workload.

    Attributes:
        in_flight: our own requests at each place.
        scraped: running and waiting requests that the engines tell, by place.
        busy: the larger of both.
        served_tokens: expected output served in the board's interval, by workload.
        held_tokens: deferred output by workload and begin of the interval it waits for.
        wheels: ties by workload and members.
    """

    in_flight: tuple[int, ...]
    scraped: tuple[int, ...]
    busy: tuple[int, ...]
    served_tokens: tuple[float, ...]
    held_tokens: Mapping[tuple[int, float], float]
    wheels: tuple[Wheels, ...]

    def moved(self, place: int, requests_count: int) -> "Counts":
        """Return the counts with so many more requests of ours at a place."""
        mine = max(0, self.in_flight[place] + requests_count)
        busy = max(mine, self.scraped[place])
        return Counts(
            _with(self.in_flight, place, mine), self.scraped, _with(self.busy, place, busy),
            self.served_tokens, self.held_tokens, self.wheels,
        )  # fmt: skip


class State(NamedTuple):
    """Where requests, budgets and sessions stand at a moment.

    Attributes:
        now_s: the moment, seconds since the Unix epoch: a decision reads no clock.
        places: those of the board it was refreshed with.
        workloads: names of that board's workloads, in its order.
        start_s: begin of the interval that `served_tokens` is about.
        counts: what is under way.
        sessions: where each conversation was last.
        pacers: shadow price of each budget.
        leases: what makes a budget impossible to exceed; a budget may have none.
        down: places that are down, or whose circuit is open.
        limited: tenants whose rate limit is used up.
        safe_mode: whether prices are not to be trusted: then nobody is refused or deferred by one.
    """

    now_s: float
    places: tuple[str, ...]
    workloads: tuple[str, ...]
    start_s: float
    counts: Counts
    sessions: Sessions
    pacers: Mapping[str, Pacer]
    leases: Mapping[str, Lease]
    down: frozenset[int]
    limited: frozenset[str]
    safe_mode: bool

    @classmethod
    def opened(
        cls,
        board: Board,
        *,
        now_s: float,
        pacers: Iterable[Pacer] = (),
        leases: Iterable[Lease] = (),
        sessions: Sessions | None = None,
    ) -> Self:
        """Return the state before the first request: nothing under way, nobody remembered."""
        none = (0,) * len(board.places)
        counts = Counts(
            in_flight=none,
            scraped=none,
            busy=none,
            served_tokens=(0.0,) * len(board.workloads),
            held_tokens=MappingProxyType({}),
            wheels=tuple(MappingProxyType({}) for _ in board.workloads),
        )
        return cls(
            now_s=now_s,
            places=board.places,
            workloads=tuple(load.name for load in board.workloads),
            start_s=board.start_s,
            counts=counts,
            sessions=Sessions() if sessions is None else sessions,
            pacers=MappingProxyType({pacer.pacing.budget: pacer for pacer in pacers}),
            leases=MappingProxyType({lease.budget: lease for lease in leases}),
            down=frozenset(),
            limited=frozenset(),
            safe_mode=False,
        )

    def at(self, now_s: float) -> "State":
        """Return the state at another moment."""
        return State(
            now_s, self.places, self.workloads, self.start_s, self.counts, self.sessions,
            self.pacers, self.leases, self.down, self.limited, self.safe_mode,
        )  # fmt: skip

    def admitted(self, decision: Decision) -> "State":
        """Return the state after a decision: served, deferred or refused.

        A deferred request moves no budget: it is decided again, and counted then.
        """
        counts, sessions = self.counts, self.sessions
        request, place = decision.request, decision.candidate
        index = decision.workload_index
        if place is not None:
            counts = _served(counts, decision, index, place.place)
            if request.session is not None:
                last = LastPlace(place.deployment, request.input_tokens + decision.output_tokens)
                sessions = sessions.with_last(request.tenant, request.session, last)
        elif decision.release_s is not None:
            held = dict(counts.held_tokens)
            key = (index, decision.release_s)
            held[key] = held.get(key, 0.0) + decision.output_tokens
            counts = counts._replace(held_tokens=MappingProxyType(held))
        pacers, leases = self.pacers, self.leases
        if request.budgets and decision.action != "defer":
            pacers, leases = self._budgets_after(decision)
        return State(
            self.now_s, self.places, self.workloads, self.start_s, counts, sessions,
            pacers, leases, self.down, self.limited, self.safe_mode,
        )  # fmt: skip

    def settled(self, usage: Usage) -> "State":
        """Return the state after the answer: the true tokens stand where expected ones did."""
        decision = usage.decision
        place, request = decision.candidate, decision.request
        if place is None:
            return self
        counts = self.counts
        if place.deployment in self.places:  # a board may have come without it since
            at = self.places.index(place.deployment)
            counts = counts.moved(at, -1)
        if request.workload in self.workloads:
            counts = _corrected(counts, usage, self.workloads.index(request.workload))
        sessions = self.sessions
        if request.session is not None:
            last = LastPlace(place.deployment, usage.input_tokens + usage.output_tokens)
            sessions = sessions.with_last(request.tenant, request.session, last)
        pacers, leases = self.pacers, self.leases
        if request.budgets:
            pacers, leases = self._budgets_settled(usage)
        return State(
            self.now_s, self.places, self.workloads, self.start_s, counts, sessions,
            pacers, leases, self.down, self.limited, self.safe_mode,
        )  # fmt: skip

    def released(self, decision: Decision) -> "State":
        """Return the state after a deferred request is held no more: its interval has room again.

        Whatever came of it: it is decided again, or has left.
        """
        request, counts = decision.request, self.counts
        if decision.release_s is None or request.workload not in self.workloads:
            return self
        key = (self.workloads.index(request.workload), decision.release_s)
        if key not in counts.held_tokens:  # its interval has begun
            return self
        held = dict(counts.held_tokens)
        held[key] -= decision.output_tokens
        if held[key] <= 0.0:
            del held[key]
        return self._replace(counts=counts._replace(held_tokens=MappingProxyType(held)))

    def refreshed(self, board: Board) -> "State":
        """Return the state under another board.

        Of places that are gone the credits go back to those they shared with.
        """
        names = tuple(load.name for load in board.workloads)
        counts, down = self.counts, self.down
        if board.places != self.places or names != self.workloads:
            counts = _renumbered(self, board, names)
            gone = {self.places[at] for at in self.down}
            down = frozenset(at for at, name in enumerate(board.places) if name in gone)
        if board.start_s != self.start_s:
            held = {key: each for key, each in counts.held_tokens.items() if key[1] > board.start_s}
            counts = counts._replace(
                served_tokens=(0.0,) * len(names), held_tokens=MappingProxyType(held)
            )
        return self._replace(
            places=board.places,
            workloads=names,
            start_s=board.start_s,
            counts=counts,
            down=down,
        )

    def with_scraped(self, requests_count: Mapping[str, int]) -> "State":
        """Return the state after the engines told what runs and waits, by deployment."""
        scraped = tuple(requests_count.get(name, 0) for name in self.places)
        busy = tuple(max(pair) for pair in zip(self.counts.in_flight, scraped, strict=True))
        return self._replace(counts=self.counts._replace(scraped=scraped, busy=busy))

    def with_down(self, deployments: Iterable[str]) -> "State":
        """Return the state with these deployments down and all others up."""
        names = frozenset(deployments)
        down = frozenset(at for at, name in enumerate(self.places) if name in names)
        return self._replace(down=down)

    def with_limited(self, tenants: Iterable[str]) -> "State":
        """Return the state with the rate limits of these tenants used up, and no others."""
        return self._replace(limited=frozenset(tenants))

    def with_safe_mode(self, *, safe_mode: bool) -> "State":
        """Return the state with prices trusted or not."""
        return self._replace(safe_mode=safe_mode)

    def _budgets_after(self, decision: Decision) -> tuple[Mapping[str, Pacer], Mapping[str, Lease]]:
        """Return pacers and leases after a decision; lambda stands still on a stale board."""
        served = decision.candidate is not None
        pacers, leases = dict(self.pacers), dict(self.leases)
        for name in decision.request.budgets:
            if (pacer := pacers.get(name)) is None:
                continue
            money = pacer.pacing.unit == "usd"
            use = (decision.cost_usd if money else decision.use_j) if served else 0.0
            after = pacer.admitted(use, now_s=self.now_s)
            if decision.policy == RESERVE:
                after = replace(after, lambda_usd_per_unit=pacer.lambda_usd_per_unit)
            pacers[name] = after
            if served and (lease := leases.get(name)) is not None:
                worst = decision.worst_usd if money else decision.worst_j
                leases[name] = lease.reserved(worst)
        return MappingProxyType(pacers), MappingProxyType(leases)

    def _budgets_settled(self, usage: Usage) -> tuple[Mapping[str, Pacer], Mapping[str, Lease]]:
        """Return pacers and leases with what was really used in the place of what was expected."""
        decision = usage.decision
        pacers, leases = dict(self.pacers), dict(self.leases)
        for name in decision.request.budgets:
            if (pacer := pacers.get(name)) is None:
                continue
            money = pacer.pacing.unit == "usd"
            actual = usage.cost_usd if money else usage.use_j
            expected = decision.cost_usd if money else decision.use_j
            pacers[name] = pacer.settled(expected_quantity=expected, actual_quantity=actual)
            if (lease := leases.get(name)) is not None:
                worst = decision.worst_usd if money else decision.worst_j
                leases[name] = lease.settled(worst_quantity=worst, actual_quantity=actual)
        return MappingProxyType(pacers), MappingProxyType(leases)


def _with(values: tuple[int, ...], at: int, value: int) -> tuple[int, ...]:
    return values[:at] + (value,) + values[at + 1 :]  # noqa: RUF005 - twice as fast


def _served(counts: Counts, decision: Decision, index: int, place: int) -> Counts:
    """Return the counts after a request went to a place."""
    tokens = float(decision.output_tokens)
    wheels = counts.wheels
    if len(decision.tied) > 1:
        mine = wheels[index]
        wheel = mine.get(decision.tied) or fresh_wheel(len(decision.tied))
        chosen = decision.tied.index(decision.deployment)
        after = turned(wheel, decision.tied_share, chosen=chosen, tokens_count=tokens)
        wheels = _with_wheel(wheels, index, decision.tied, after)
    served = counts.served_tokens
    mine_busy = counts.in_flight[place] + 1
    return Counts(
        _with(counts.in_flight, place, mine_busy),
        counts.scraped,
        _with(counts.busy, place, max(mine_busy, counts.scraped[place])),
        (*served[:index], served[index] + tokens, *served[index + 1 :]),
        counts.held_tokens,
        wheels,
    )


def _with_wheel(
    wheels: tuple[Wheels, ...], index: int, members: Members, wheel: Wheel
) -> tuple[Wheels, ...]:
    mine = dict(wheels[index])
    mine[members] = wheel
    if len(mine) > WHEELS_LIMIT:
        del mine[next(iter(mine))]
    return (*wheels[:index], MappingProxyType(mine), *wheels[index + 1 :])


def _corrected(counts: Counts, usage: Usage, index: int) -> Counts:
    """Return the counts with the true tokens in the wheel that turned."""
    decision = usage.decision
    members = decision.tied
    wheel = counts.wheels[index].get(members)
    if wheel is None or usage.output_tokens == decision.output_tokens:
        return counts
    after = corrected(
        wheel,
        decision.tied_share,
        chosen=members.index(decision.deployment),
        expected_tokens=float(decision.output_tokens),
        true_tokens=float(usage.output_tokens),
    )
    return counts._replace(wheels=_with_wheel(counts.wheels, index, members, after))


def _renumbered(state: State, board: Board, names: tuple[str, ...]) -> Counts:
    """Return the counts in the numbers of another board's places and workloads."""
    counts, old = state.counts, {name: at for at, name in enumerate(state.places)}
    was = {name: at for at, name in enumerate(state.workloads)}
    now = frozenset(board.places)

    def by_place(values: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(values[old[name]] if name in old else 0 for name in board.places)

    wheels: list[Wheels] = []
    for name in names:
        mine: dict[Members, Wheel] = {}
        for members, wheel in counts.wheels[was[name]].items() if name in was else ():
            stay, left = list(members), wheel
            for place in members:
                if place not in now:
                    left = left_by(left, stay.index(place))
                    stay.remove(place)
            if len(stay) > 1:
                mine[tuple(stay)] = left
        wheels.append(MappingProxyType(mine))
    held = {
        (names.index(state.workloads[index]), release_s): tokens
        for (index, release_s), tokens in counts.held_tokens.items()
        if state.workloads[index] in names
    }
    return Counts(
        in_flight=by_place(counts.in_flight),
        scraped=by_place(counts.scraped),
        busy=by_place(counts.busy),
        served_tokens=tuple(
            counts.served_tokens[was[name]] if name in was else 0.0 for name in names
        ),
        held_tokens=MappingProxyType(held),
        wheels=tuple(wheels),
    )
