"""Which plants on site run in an interval, for policies without a program.

A plant without a least output and without a cost of starting is a segment of the site's merit
order like any other. One that commits runs where carrying its whole capacity over the connection
would cost more than making it, its start included; power that the connection cannot carry is
worth what the site's best work is worth. Its least output must find the load that stands at the
site anyway: so no policy can be left with power that nobody uses. A permit ends all running.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.world import State, World

if TYPE_CHECKING:
    from tokenergy.dispatch.energy_cost import SiteCurve

NEARLY_SHARE = 1e-9
"""Part of an interval that is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPlant:
    """What a plant on site gives in an interval: its least while it runs, and what may be more."""

    plant: int
    floor_mw: float
    free_mw: float
    usd_per_mwh: float


CurveOf = Callable[[Sequence[RunningPlant]], "SiteCurve"]
"""The cost of load at a site where these plants run."""


def free_plants(world: World, site: int, at: int) -> list[RunningPlant]:
    """Return the plants of a site that run as they please: no least output, no cost of a start."""
    return [
        _running(world, plant, at, floor_mw=0.0, most_mw=float(spec.capacity_mw[at]))
        for plant, spec in enumerate(world.generators)
        if spec.site == site and not spec.commits
    ]


def running_plants(
    world: World,
    site: int,
    at: int,
    state: State,
    *,
    curve_of: CurveOf,
    standing_mw: float,
    scarce_usd_per_mwh: float,
) -> list[RunningPlant]:
    """Return the plants of a site that run in interval `at`.

    Args:
        world: the company as arrays.
        site: index of the site.
        at: index of the interval.
        state: what the past left: which plants run, and what is left of their permits.
        curve_of: the site's cost of load where some plants run.
        standing_mw: load at the meter before any work, batteries at rest.
        scarce_usd_per_mwh: worth of power beyond what the site can carry without them.
    """
    mine = [plant for plant, spec in enumerate(world.generators) if spec.site == site]
    running = []
    for plant in mine:
        if not world.generators[plant].commits:
            left_share = min(1.0, _left_h(world, plant, at, state) / world.step_h)
            most_mw = left_share * float(world.generators[plant].capacity_mw[at])
            running.append(_running(world, plant, at, floor_mw=0.0, most_mw=most_mw))
    committing = [plant for plant in mine if world.generators[plant].commits]
    for plant in sorted(
        committing, key=lambda each: world.generators[each].decided_usd_per_mwh(at)
    ):
        curve, spec = curve_of(running), world.generators[plant]
        most_mw = float(spec.capacity_mw[at])
        floor_mw = spec.min_load_share * most_mw
        fits = floor_mw <= standing_mw - curve.least_mw
        allowed = _left_h(world, plant, at, state) >= world.step_h * (1.0 - NEARLY_SHARE)
        if most_mw <= 0.0 or not fits or not allowed:
            continue
        saved_usd_per_h = _carried_usd_per_h(curve, standing_mw, most_mw, scarce_usd_per_mwh)
        made_usd_per_h = most_mw * spec.decided_usd_per_mwh(at)
        on = state.contracts.get(spec.contract_id, ContractState()).on
        start_usd = 0.0 if on else spec.start_usd
        gain_usd = (saved_usd_per_h - made_usd_per_h) * world.step_h - start_usd
        if gain_usd > 0.0 or standing_mw > curve.most_mw:
            running.append(_running(world, plant, at, floor_mw=floor_mw, most_mw=most_mw))
    return running


def _carried_usd_per_h(
    curve: "SiteCurve", standing_mw: float, more_mw: float, scarce_usd_per_mwh: float
) -> float:
    """Return what more load would cost without the plant; what cannot be carried is scarce."""
    end_mw = min(standing_mw + more_mw, max(standing_mw, curve.most_mw))
    carried = curve.usd_per_h(end_mw) - curve.usd_per_h(standing_mw)
    return carried + scarce_usd_per_mwh * (standing_mw + more_mw - end_mw)


def _running(world: World, plant: int, at: int, *, floor_mw: float, most_mw: float) -> RunningPlant:
    usd_per_mwh = world.generators[plant].decided_usd_per_mwh(at)
    return RunningPlant(
        plant=plant, floor_mw=floor_mw, free_mw=most_mw - floor_mw, usd_per_mwh=usd_per_mwh
    )


def _left_h(world: World, plant: int, at: int, state: State) -> float:
    """Return the hours that a plant's permit still allows in the present permit year."""
    spec = world.generators[plant]
    past = state.contracts.get(spec.contract_id, ContractState())
    same_year = past.period == f"{int(spec.permit_year[at]):04d}"
    return max(0.0, spec.permit_h - (past.running_h if same_year else 0.0))
