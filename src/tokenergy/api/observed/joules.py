"""The joules of an engine's window at the facility: metered, else by the model's own line."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tokenergy.api.observed.observation import SeenJoules
from tokenergy.api.observed.watching import Watched
from tokenergy.api.observed.world import Placed, board_mw
from tokenergy.dispatch.world import World
from tokenergy.energy.measured_point import MEASURED_HIGH_SHARE, MEASURED_LOW_SHARE
from tokenergy.metering.boundary import HostByPower, at_facility
from tokenergy.metering.reading import Reading
from tokenergy.units import J_PER_MWH, S_PER_H, TOKENS_PER_MTOK, W_PER_MW

UNKNOWN_TIER: Final = "unknown"
STATED_BAND: Final = (0.5, 2.0)
"""Of watts that somebody stated: as of an unmeasured GPU, at least (energy sheet, section 8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineJoules:
    """Joules of one engine's window.

    Attributes:
        seen: at the facility, in its four parts.
        modelled_gpu_j: what the model's line says for the boards; None without a route.
        energy_ratio: metered boards over modelled ones; None where nothing was measured, or
            where a meter of working boards did not move.
    """

    seen: SeenJoules
    modelled_gpu_j: float | None
    energy_ratio: float | None


def engine_joules(world: World, place: Placed, watched: Watched, *, pue: float) -> EngineJoules:
    """Return the joules of a window: boards as metered or modelled, host and cooling added.

    The host's watts are the site's `host_w_per_gpu`; what boards draw while no request runs is
    told apart as idle. By hand: one board, 60 s, 24,000 J metered, 150 W of host, a request
    running half of the time, 70 W asleep, PUE 1.2: idle 2,100 J, gpu 21,900, host 9,000,
    overhead 0.2 x 33,000 = 6,600 J.
    """
    done = watched.done
    if done is None or done.span_s <= 0.0:
        return _nothing("the engine did not answer twice in the window")
    site = world.company.sites[place.site]
    fleet = world.fleets[place.fleet]
    modelled_j = _modelled_gpu_j(world, place, watched)
    reading = watched.reading
    metered_j = None if reading is None else reading.energy_j
    band = STATED_BAND
    if metered_j is None and modelled_j is None:
        return _nothing("no meter, and no line of power: the model cannot be reached there")
    if reading is None or metered_j is None:
        # a clock that was set moves the window's end: its length goes by the monotonic one
        reading = Reading(
            start=done.start,
            end=done.start + timedelta(seconds=done.span_s),
            energy_j=modelled_j,
            tier="modelled",
            boundary="gpu",
            reason="no meter: the line of the operating point",
        )
        band = _line_band(world, place)
    elif reading.tier == "measured":
        band = MEASURED_LOW_SHARE, MEASURED_HIGH_SHARE
    boards_j = reading.energy_j or 0.0
    asleep_j = fleet.sleep_mw_per_gpu * W_PER_MW * place.gpus_count * done.span_s
    host = HostByPower(host_w=site.host_w_per_gpu * place.gpus_count)
    energy = at_facility(
        reading,
        idle_j=min(boards_j, asleep_j * _idle_share(watched)),
        pue_ratio=pue,
        host=host if reading.boundary == "gpu" else None,
    )
    low_share, high_share = band
    total_j = energy.total_j
    # a meter of the whole rack has the host in it: it says nothing of boards alone
    measured = metered_j is not None and reading.tier == "measured" and reading.boundary == "gpu"
    return EngineJoules(
        seen=SeenJoules(
            gpu_j=energy.gpu_j,
            host_j=energy.host_j,
            idle_j=energy.idle_j,
            overhead_j=energy.overhead_j,
            total_j=total_j,
            low_j=None if total_j is None else total_j * low_share,
            high_j=None if total_j is None else total_j * high_share,
            tier=reading.tier,
            reason=energy.reason,
        ),
        modelled_gpu_j=modelled_j,
        energy_ratio=boards_j / modelled_j if measured and boards_j and modelled_j else None,
    )


def _modelled_gpu_j(world: World, place: Placed, watched: Watched) -> float | None:
    """Return what the awake replicas' line says for their boards; None without a route."""
    done = watched.done
    if place.route is None or place.deployment is None or done is None:
        return None
    if done.output_tokens is None:
        return None
    route, deployment = world.routes[place.route], world.deployments[place.deployment]
    base_w = board_mw(world, deployment) * W_PER_MW
    base_j = base_w * place.engine.replicas_count * done.span_s
    mtok = done.output_tokens / TOKENS_PER_MTOK
    return base_j + route.marginal_mwh_per_mtok * mtok * J_PER_MWH


def _idle_share(watched: Watched) -> float:
    """Return the part of the window in which no request ran, by the mean of the gauge below 1."""
    running = None if watched.done is None else watched.done.running_count
    return 0.0 if running is None else max(0.0, 1.0 - running)


def _line_band(world: World, place: Placed) -> tuple[float, float]:
    if place.route is None:
        return STATED_BAND
    route = world.routes[place.route]
    return route.energy_low_share, route.energy_high_share


def _nothing(reason: str) -> EngineJoules:
    return EngineJoules(
        seen=SeenJoules(
            gpu_j=None,
            host_j=None,
            idle_j=None,
            overhead_j=None,
            total_j=None,
            low_j=None,
            high_j=None,
            tier=UNKNOWN_TIER,
            reason=reason,
        ),
        modelled_gpu_j=None,
        energy_ratio=None,
    )


def mtok_per_interval(world: World, watched: Watched) -> float | None:
    """Return the output of an interval at the window's rate, Mtok; None where it is unknown."""
    done = watched.done
    if done is None or done.output_tokens is None or done.span_s <= 0.0:
        return None
    return done.output_tokens / TOKENS_PER_MTOK / done.span_s * S_PER_H * world.step_h
