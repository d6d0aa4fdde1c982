"""Replay: requests through `decide` and the replicas, hour by hour with the board of each interval.

Four steps, each in a file of its own: the policy plans and `decide` answers every request
(`request_decisions`); what was sent to a deployment is played on its replicas (`request_play`); the
meters see what they drew (`request_meters`); and the same hours with perfect foresight say what
could have been kept (`request_value`). What the fluid run of the same policy promised stands beside
it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tokenergy.dispatch.world import Action, FloatArray, IntArray, State, World
from tokenergy.errors import InputError
from tokenergy.simulate.boards import Promise
from tokenergy.simulate.foreseen import Foreseen
from tokenergy.simulate.replay import replay
from tokenergy.simulate.replicas import Spread
from tokenergy.simulate.request_case import RequestCase
from tokenergy.simulate.request_decisions import Decided, decided
from tokenergy.simulate.request_machines import Machines
from tokenergy.simulate.request_meters import Metered, metered, sent_of
from tokenergy.simulate.request_play import Played, Sent, play
from tokenergy.simulate.request_value import Hindsight, Kept, kept, worth_usd
from tokenergy.simulate.run import Run
from tokenergy.units import S_PER_H

SPARE_SHARE: Final = 0.15
"""Part of every replica's operating point that dispatch leaves free for requests that come
unevenly: a place takes its whole share up to a load of 0.9 (`routing/capacity`), and shares of a
replica promise up to a tenth too much where unlike workloads meet on it (docs/requests.md). An
assumption."""

Progress = Callable[[str, int, int], None]
"""Told (what, done, of)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestRun:
    """What became of the requests of a case under one policy.

    Attributes:
        policy: its name.
        case: the requests.
        decided: what was decided, on the operating lines.
        sent, rows: what went to deployments by the moment it was sent, and the requests' numbers.
        played: how it fared on replicas.
        machines: the replicas of deployments, and why some have none.
        metered: joules and meters.
        worth_usd: of each request, served as it asks [n].
        kept: what of that was kept.
        promised: the fluid run of the same policy on the same arrivals.
    """

    policy: str
    case: RequestCase
    decided: Decided
    sent: Sent
    rows: IntArray
    played: Played
    machines: Machines
    metered: Metered
    worth_usd: FloatArray
    kept: Kept
    promised: Run


def with_spare(world: World, spare_share: float) -> World:
    """Return the world in which no replica is planned beyond a part of its operating point.

    Its line of power stays: a replica draws its base, and each token its own.

    Raises:
        InputError: if the share is not from 0 to below 1.
    """
    if not 0.0 <= spare_share < 1.0:
        raise InputError(f"a spare share of {spare_share:g}: it must lie from 0 to below 1")
    routes = tuple(
        route
        if world.deployments[route.deployment].external
        else replace(route, rate_mtok_per_h=route.rate_mtok_per_h * (1.0 - spare_share))
        for route in world.routes
    )
    return replace(world, routes=routes)


def replay_requests(
    world: World,
    case: RequestCase,
    policy: str,
    promises: Sequence[Promise],
    *,
    machines: Machines,
    bound: Hindsight | None = None,
    spare_share: float = SPARE_SHARE,
    seed: int = 0,
    spread: Spread = map,
    on_progress: Progress | None = None,
) -> RequestRun:
    """Return what a policy, `decide` and the replicas make of the requests of a case.

    Args:
        world: the company as arrays, its arrivals those of the case.
        case: the requests.
        policy: a policy that ships.
        promises: of every workload.
        machines: the replicas of its deployments.
        bound: of `request_value.hindsight`.
        spare_share: part of every operating point that dispatch leaves free.
        seed: of the thinning of a sample.
        spread: maps a function over parts of the replicas.
        on_progress: told what is done.
    """
    planned = with_spare(world, spare_share)
    tell = on_progress or _untold
    made = decided(
        planned, case, policy, promises,
        spare_share=spare_share, context_tokens=machines.context_tokens,
        on_progress=lambda done, of: tell(f"{policy}: requests", done, of),
    )  # fmt: skip
    sent, rows = sent_of(case, made.outcomes)
    tell(f"{policy}: replicas", 0, 1)
    played = play(
        sent, made.run.awake, machines.by_deployment,
        step_s=world.step_h * S_PER_H, sampled=case.sampled, seed=seed, spread=spread,
    )  # fmt: skip
    tell(f"{policy}: replicas", 1, 1)
    worth = worth_usd(world, case, tuple(promises))
    return RequestRun(
        policy=policy,
        case=case,
        decided=made,
        sent=sent,
        rows=rows,
        played=played,
        machines=machines,
        metered=metered(planned, made.run, case, made.outcomes, sent, rows, played),
        worth_usd=worth,
        kept=kept(world, made.run, case, made.outcomes, worth, bound),
        promised=replay(planned, _Fluid(policy, planned)),
    )


def _untold(what: str, done: int, of: int) -> None:
    """Tell nobody."""


class _Fluid:
    """A policy of the fluid run, made as the replay makes its own."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self._foreseen = Foreseen(name, world)

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at`."""
        return self._foreseen.decide(at, state)[0]
