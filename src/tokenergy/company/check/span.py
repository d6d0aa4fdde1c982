"""The horizon, and what happens to connections inside it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from tokenergy.company.check.terms import midnight, moment_text
from tokenergy.company.finding import Finding
from tokenergy.company.fleet import Fleet
from tokenergy.company.horizon import FIVE_MINUTES_H, Horizon
from tokenergy.company.parts import Parts
from tokenergy.company.site import Site
from tokenergy.units import H_PER_DAY, S_PER_H

STEPS_H: Final = (FIVE_MINUTES_H, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0)
WINDOW_H: Final = 48.0
"""The window that a dispatch looks ahead (dispatch sheet, section 5)."""
EARLIEST_YEAR: Final = 1990
LATEST_YEAR: Final = 2100
MOST_INTERVALS: Final = 4 * 8784 * 3
"""Three years of quarter hours."""


def check_span(parts: Parts) -> Iterator[Finding]:
    """Yield what is wrong with the horizon, and connections that begin inside it."""
    horizon = parts.horizon
    if horizon is None:
        return
    faults = list(_horizon(horizon))
    yield from faults
    if horizon.step_h in STEPS_H:
        yield from _history(parts, horizon)
    for path, site in parts.placed("sites"):
        zone = ZoneInfo(site.market.time_zone)
        if site.energised_on and midnight(site.energised_on, zone) > horizon.start:
            yield Finding(
                code="ENERGISED_IN_HORIZON",
                path=f"{path}.energised_on",
                value=site.energised_on.isoformat(),
                limit=moment_text(horizon.start),
                reason=f"site {site.name!r} has no grid connection until then: it imports 0 MW",
                remedy="Nothing, if that is meant; else correct the date",
                severity="warning",
            )
        yield from _ramp(path, site, zone, horizon)
    for path, fleet in parts.placed("fleets"):
        yield from _delivery(path, fleet, parts, horizon)


def _ramp(path: str, site: Site, zone: ZoneInfo, horizon: Horizon) -> Iterator[Finding]:
    for position, step in enumerate(site.ramp):
        if midnight(step.start, zone) > horizon.start:
            before_mw = site.ramp[position - 1].mw if position else 0.0
            yield Finding(
                code="RAMP_IN_HORIZON",
                path=f"{path}.ramp[{position}].start",
                value=step.start.isoformat(),
                limit=moment_text(horizon.start),
                reason=f"site {site.name!r} imports {before_mw:g} MW at most until then, and "
                f"{step.mw:g} MW from then on",
                remedy="Nothing, if that is meant; else correct the date",
                severity="warning",
            )


def _delivery(path: str, fleet: Fleet, parts: Parts, horizon: Horizon) -> Iterator[Finding]:
    site = parts.find("sites", fleet.site)
    if fleet.delivered_on is None or site is None:
        return
    if midnight(fleet.delivered_on, ZoneInfo(site.market.time_zone)) > horizon.start:
        yield Finding(
            code="DELIVERED_IN_HORIZON",
            path=f"{path}.delivered_on",
            value=fleet.delivered_on.isoformat(),
            limit=moment_text(horizon.start),
            reason=f"fleet {fleet.name!r} has no GPUs until then",
            remedy="Nothing, if that is meant; else correct the date",
            severity="warning",
        )


def _horizon(horizon: Horizon) -> Iterator[Finding]:
    if horizon.step_h not in STEPS_H:
        yield Finding(
            code="HORIZON_STEP",
            path="horizon.step_h",
            value=f"{horizon.step_h:g}",
            limit=", ".join(f"{step:.3g}" for step in STEPS_H),
            unit="h",
            reason="an interval must divide a day",
            remedy="Choose one of the steps in the list",
        )
        return
    if not EARLIEST_YEAR <= horizon.start.year <= LATEST_YEAR:
        yield Finding(
            code="HORIZON_YEAR",
            path="horizon.start",
            value=horizon.start.isoformat(),
            limit=f"{EARLIEST_YEAR} to {LATEST_YEAR}",
            reason="no market that we know has prices for that year",
            remedy="Write the start as a moment, e.g. 2026-03-02T00:00Z, not as a number",
        )
        return
    hours = horizon.days * H_PER_DAY
    count = hours / horizon.step_h
    if abs(count - round(count)) > 1e-9:
        yield Finding(
            code="HORIZON_NOT_WHOLE",
            path="horizon.days",
            value=f"{horizon.days:g}",
            unit="days",
            reason=f"the horizon holds {count:g} intervals of {horizon.step_h:g} h: no whole "
            "number",
            remedy="Change days or step_h so that the last interval is whole",
        )
    grain_s = round(min(horizon.step_h, 1.0) * S_PER_H)
    since_s = (horizon.start - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds()
    if since_s % grain_s:
        yield Finding(
            code="HORIZON_MISALIGNED",
            path="horizon.start",
            value=horizon.start.isoformat(),
            limit=f"a multiple of {grain_s // 60} min",
            reason="series are kept by whole hours, and this start cuts one",
            remedy="Start on a whole interval",
        )
    yield from _length(horizon)


def _length(horizon: Horizon) -> Iterator[Finding]:
    hours = horizon.days * H_PER_DAY
    count = hours / horizon.step_h
    if hours < H_PER_DAY or hours < WINDOW_H:
        short = hours < H_PER_DAY
        yield Finding(
            code="HORIZON_TOO_SHORT",
            path="horizon.days",
            value=f"{horizon.days:g}",
            limit=f"{1 if short else WINDOW_H / H_PER_DAY:g}",
            unit="days",
            reason="a horizon below one day holds no daily cycle"
            if short
            else "a dispatch looks 48 h ahead and sees the end of this horizon at once",
            remedy="Lengthen the horizon",
            severity="error" if short else "warning",
        )
    if count > MOST_INTERVALS:
        yield Finding(
            code="HORIZON_TOO_LONG",
            path="horizon.days",
            value=f"{round(count)}",
            limit=f"{MOST_INTERVALS}",
            unit="intervals",
            reason="no program of ours holds that many intervals",
            remedy="Shorten the horizon, or lengthen step_h",
        )


def _history(parts: Parts, horizon: Horizon) -> Iterator[Finding]:
    count = parts.history_days * H_PER_DAY / horizon.step_h
    if abs(count - round(count)) > 1e-9 or parts.history_days < 7.0:
        yield Finding(
            code="HISTORY_DAYS",
            path="history_days",
            value=f"{parts.history_days:g}",
            limit="7 or more, a whole number of intervals",
            unit="days",
            reason="forecasts look back a week, interval by interval",
            remedy="Use 28 days, or at least 7",
        )
