"""The demand of the last weeks, from the best source there is, and what it would have saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from tokenergy.api.observed.company import ObservedCompany
from tokenergy.api.observed.joules import mtok_per_interval
from tokenergy.api.observed.saving import Basis, ObservedSaving, observed_saving
from tokenergy.api.observed.seen import One, energy_ratios
from tokenergy.api.observed.usage import hourly_mtok, whole_days
from tokenergy.api.observed.world import Placed, cut, observed_world, placed
from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.company.finding import Finding
from tokenergy.company.usage import UsageRow
from tokenergy.dispatch.world import FloatArray
from tokenergy.errors import InfeasibleProgram, InputError
from tokenergy.feeds.engine_history import engine_history
from tokenergy.feeds.http import Http
from tokenergy.simulate.interval import LimitBroken
from tokenergy.units import H_PER_DAY, TOKENS_PER_MTOK

HISTORY_MOST_DAYS: Final = 31
HELD_DAYS: Final = 7
"""Without any history, the present rate is held over the prices of this many days."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Past:
    """Demand by engine on a horizon of whole days that ends before the present interval."""

    opened: OpenCompany
    basis: Basis
    mtok: dict[str, FloatArray]
    findings: tuple[Finding, ...] = ()


def past_saving(
    held: ObservedCompany,
    ones: Sequence[One],
    usage: Sequence[UsageRow],
    *,
    http: Http,
    on_progress: Progress | None = None,
) -> tuple[ObservedSaving | None, tuple[Finding, ...]]:
    """Return what dispatch would have saved, or findings that say why nobody knows.

    The demand comes from a usage file where there is one, else from a Prometheus server that
    keeps the engines' history, else the present rate is held over a week of prices.
    """
    if held.past is None:
        return None, ()
    places, _ = placed(held.past.world, [one.place.engine for one in ones])
    step_h = held.past.world.step_h
    rates = {one.place.engine.name: mtok_per_interval(held.past.world, one.watched) for one in ones}
    known = {name: rate for name, rate in rates.items() if rate is not None}
    unread: list[Finding] = []
    past = (
        _from_usage(held, held.past, places, usage, known, unread)
        or _from_prometheus(held, held.past, places, unread, http=http)
        or _from_rate(held.past, known, step_h=step_h)
    )
    if not any(values.any() for values in past.mtok.values()):
        nothing = _no_saving("no engine showed a token, so there is nothing to place elsewhere")
        return None, (*unread, *past.findings, nothing)
    try:
        observed = observed_world(past.opened, places, past.mtok, energy_ratio=energy_ratios(ones))
        saving = observed_saving(
            observed, basis=past.basis, seed=held.company.seed, on_progress=on_progress
        )
    except (InfeasibleProgram, LimitBroken) as error:
        return None, (*unread, *past.findings, _no_saving(str(error)))
    return saving, (*unread, *past.findings, *observed.findings)


def _from_usage(
    held: ObservedCompany,
    past: OpenCompany,
    places: Sequence[Placed],
    usage: Sequence[UsageRow],
    rates: dict[str, float],
    unread: list[Finding],
) -> _Past | None:
    """Read a usage file, for the days that have prices; what keeps it out goes into `unread`."""
    if not usage:
        return None
    step_h = past.company.horizon.step_h
    days = whole_days(usage, present=held.present, step_h=step_h, most_days=HISTORY_MOST_DAYS)
    per_day = round(H_PER_DAY / step_h)
    first = count = 0
    if days is not None:
        start, count = days
        first = round((start - past.company.horizon.start) / timedelta(hours=step_h))
        while first < 0:  # there are no prices so early
            first, count, start = first + per_day, count - per_day, start + timedelta(days=1)
    if days is None or count < per_day:
        unread.append(_short_usage(usage, past))
        return None
    mtok = hourly_mtok(usage, places, rates, start=start, count=count, step_h=step_h)
    return _Past(opened=cut(past, first=first, count=count), basis="usage", mtok=mtok)


def _from_prometheus(
    held: ObservedCompany,
    past: OpenCompany,
    places: Sequence[Placed],
    unread: list[Finding],
    *,
    http: Http,
) -> _Past | None:
    """Read the engines' own history, where all of them stand behind Prometheus servers.

    What keeps it from being read goes into `unread`.
    """
    if not places or any(each.engine.selector is None for each in places):
        return None
    horizon = past.company.horizon
    begin, end = _full_hours(horizon.start, held.present)
    tokens, findings = dict[str, FloatArray](), list[Finding]()
    for each in places:
        try:
            told = engine_history(http, each.engine, start=begin, end=end)
        except InputError as error:
            unread.append(_no_history(each.engine.name, error))
            return None
        findings += told.findings
        hours = [hour.output_tokens for hour in told.hours]
        tokens[each.engine.name] = np.array([np.nan if h is None else float(h) for h in hours])
    laid = {name: _in_steps(values, horizon.step_h) for name, values in tokens.items()}
    first, count = _last_days(laid, per_day=round(H_PER_DAY / horizon.step_h))
    if count < 1:
        unread += [*findings, _short_history(held.present)]
        return None
    lead = round((begin - horizon.start) / timedelta(hours=horizon.step_h))
    span = slice(first, first + count)
    return _Past(
        opened=cut(past, first=lead + first, count=count),
        basis="prometheus",
        mtok={name: values[span] / TOKENS_PER_MTOK for name, values in laid.items()},
        findings=tuple(findings),
    )


def _full_hours(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the full hours within a span: servers are asked by the hour."""
    hour = timedelta(hours=1)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + -(-(start - midnight) // hour) * hour, midnight + (
        (end - midnight) // hour
    ) * hour


def _in_steps(hours: FloatArray, step_h: float) -> FloatArray:
    """Return tokens by interval: hours added up, or spread evenly over their quarters."""
    if step_h < 1.0:
        per_hour = round(1.0 / step_h)
        return np.repeat(hours, per_hour) / per_hour
    per_step = round(step_h)
    whole = hours[: hours.size - hours.size % per_step]
    return np.asarray(whole.reshape(-1, per_step).sum(axis=1))


def _last_days(laid: Mapping[str, FloatArray], *, per_day: int) -> tuple[int, int]:
    """Return first and count of the last whole days of which every engine's tokens are known."""
    size = min(values.size for values in laid.values())
    known = ~np.isnan(np.array([values[:size] for values in laid.values()])).any(axis=0)
    if not known.any():
        return 0, 0
    end = int(np.flatnonzero(known)[-1]) + 1
    holes = np.flatnonzero(~known[:end])
    begin = int(holes[-1]) + 1 if holes.size else 0
    count = (end - begin) - (end - begin) % per_day
    return end - count, count


def _short_usage(usage: Sequence[UsageRow], past: OpenCompany) -> Finding:
    first, last = min(row.start for row in usage), max(row.end for row in usage)
    horizon = past.company.horizon
    return Finding(
        code="USAGE_SHORT",
        path="usage",
        value=f"{first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}",
        limit=f"{horizon.start:%Y-%m-%dT%H:%MZ} to {horizon.end:%Y-%m-%dT%H:%MZ}",
        severity="warning",
        reason="the usage covers no whole day of those that have prices, so the saving is not "
        "about it",
        remedy="Give the usage of some of the last weeks, or prices of its days",
    )


def _short_history(present: datetime) -> Finding:
    return Finding(
        code="HISTORY_SHORT",
        path="observe.engines",
        severity="warning",
        reason=f"the servers do not hold a whole day of every engine before "
        f"{present:%Y-%m-%dT%H:%MZ}, so the present rate stands in for it",
        remedy="Wait a day, or let the server keep its samples for longer",
    )


def _no_history(engine: str, error: InputError) -> Finding:
    return Finding(
        code="HISTORY_UNREADABLE",
        path=f"observe.engines.{engine}",
        severity="warning",
        reason=f"the server's history cannot be read, so the present rate stands in for it: "
        f"{error}",
        remedy="Ask the server for a range query yourself, and see what it says",
    )


def _from_rate(past: OpenCompany, rates: dict[str, float], *, step_h: float) -> _Past:
    count = min(round(HELD_DAYS * H_PER_DAY / step_h), past.company.horizon.intervals_count)
    opened = cut(past, first=past.company.horizon.intervals_count - count, count=count)
    mtok = {name: np.full(count, rate) for name, rate in rates.items()}
    return _Past(opened=opened, basis="rate_held", mtok=mtok)


def _no_saving(reason: str) -> Finding:
    return Finding(
        code="SAVING_UNKNOWN",
        path="saving",
        severity="warning",
        reason=f"nobody knows what dispatch would have saved: {reason}",
        remedy="Give a usage file of the last weeks, or correct what the findings name",
    )
