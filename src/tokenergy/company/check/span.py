"""The horizon, and what happens to contracts and connections inside it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.company.horizon import Horizon
from tokenergy.company.noun import midnight_utc
from tokenergy.company.parts import Parts
from tokenergy.units import H_PER_DAY, S_PER_H

STEPS_H: Final = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0)
WINDOW_H: Final = 48.0
"""The window that a dispatch looks ahead (dispatch sheet, section 5)."""
EARLIEST_YEAR: Final = 1990
LATEST_YEAR: Final = 2100
MOST_INTERVALS: Final = 4 * 8784 * 3
"""Three years of quarter hours."""


def check_span(parts: Parts) -> Iterator[Finding]:
    """Yield what is wrong with the horizon, and terms that it does not meet or outlives."""
    horizon = parts.horizon
    if horizon is None:
        return
    faults = list(_horizon(horizon))
    yield from faults
    if horizon.step_h in STEPS_H:
        yield from _history(parts, horizon)
    for path, contract in parts.placed("contracts"):
        yield from _term(path, contract, horizon)
    for path, site in parts.placed("sites"):
        if site.energised_on and midnight_utc(site.energised_on) > horizon.start:
            yield Finding(
                code="ENERGISED_IN_HORIZON",
                path=f"{path}.energised_on",
                value=site.energised_on.isoformat(),
                limit=_moment(horizon.start),
                reason=f"site {site.name!r} has no grid connection until then: it imports 0 MW",
                remedy="Nothing, if that is meant; else correct the date",
                severity="warning",
            )


def _horizon(horizon: Horizon) -> Iterator[Finding]:
    if horizon.step_h not in STEPS_H:
        yield Finding(
            code="HORIZON_STEP",
            path="horizon.step_h",
            value=f"{horizon.step_h:g}",
            limit=", ".join(f"{step:g}" for step in STEPS_H),
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


def _term(path: str, contract: Any, horizon: Horizon) -> Iterator[Finding]:
    start = midnight_utc(contract.start) if contract.start else None
    end = midnight_utc(contract.end) if contract.end else None
    limit = f"{_moment(horizon.start)} to {_moment(horizon.end)}"
    value = f"{contract.start or 'always'} to {contract.end or 'for ever'}"
    if (start and start >= horizon.end) or (end and end <= horizon.start):
        when = "after the horizon" if start and start >= horizon.end else "before it"
        yield Finding(
            code="CONTRACT_OUTSIDE_HORIZON",
            path=f"{path}.{'start' if start and start >= horizon.end else 'end'}",
            value=value,
            limit=limit,
            reason=f"contract {contract.id!r} delivers nothing in the horizon: its term lies "
            f"{when}",
            remedy="Correct its dates, or leave the contract out",
        )
        return
    late, early = start and start > horizon.start, end and end < horizon.end
    if late or early:
        spot = contract.kind == "spot"
        yield Finding(
            code="CONTRACT_EXPIRED_IN_HORIZON",
            path=f"{path}.{'end' if early else 'start'}",
            value=value,
            limit=limit,
            reason=f"contract {contract.id!r} covers only part of the horizon"
            + (": the site cannot buy or sell for the rest" if spot else ""),
            remedy="Correct its dates" + ("" if spot else ", or expect spot prices for the rest"),
            severity="error" if spot else "warning",
        )


def _moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%MZ")
