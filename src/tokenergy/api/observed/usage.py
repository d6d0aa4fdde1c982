"""A usage file beside the engines: whose tokens they were, and how many in which hour."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from tokenergy.api.observed.observation import SiteSeen, TenantSeen
from tokenergy.api.observed.world import Placed
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.noun import nearest_names
from tokenergy.company.usage import UsageRow
from tokenergy.dispatch.world import FloatArray
from tokenergy.economics.allocate import largest_remainders
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD, S_PER_H, TOKENS_PER_MTOK

UNNAMED = "(no tenant)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage:
    """Usage under the company's own names of models.

    Attributes:
        rows: with the company's name of the model in the place of the source's.
        findings: models of the file that the company does not have.
    """

    rows: tuple[UsageRow, ...]
    findings: tuple[Finding, ...]


def own_models(
    company: Company, rows: Iterable[UsageRow], served: Mapping[str, Sequence[str]]
) -> ModelUsage:
    """Give every row the company's name of its model.

    Known are the company's names, those of the catalogue, and what the engines call themselves
    (`served`, by the company's name). Rows of other models are left out, and told.
    """
    known: dict[str, str] = {}
    for model in company.models:
        for name in (model.name, model.catalogue, *served.get(model.name, ())):
            known.setdefault(name.lower(), model.name)
    kept, lost = [], dict[str, int]()
    for row in rows:
        own = known.get(row.model.lower())
        if own is None:
            lost[row.model] = lost.get(row.model, 0) + row.output_tokens
        else:
            kept.append(replace(row, model=own))
    findings = tuple(
        Finding(
            code="USAGE_MODEL_UNKNOWN",
            path="usage",
            value=name,
            severity="warning",
            reason=f"{tokens:,} output tokens are of a model that the company file does not name",
            remedy="Did you mean "
            + (", ".join(map(repr, nearest_names(name, known))) or "another file")
            + "? Name the model in the company file as the usage file does",
        )
        for name, tokens in lost.items()
    )
    return ModelUsage(rows=tuple(kept), findings=findings)


def unwatched_models(rows: Iterable[UsageRow], engines: Iterable[Placed]) -> Iterator[Finding]:
    """Yield a finding for each model that usage names and no engine serves."""
    watched = {each.engine.model for each in engines}
    lost = dict[str, int]()
    for row in rows:
        if row.model not in watched:
            lost[row.model] = lost.get(row.model, 0) + row.output_tokens
    for model, tokens in lost.items():
        yield Finding(
            code="USAGE_WITHOUT_ENGINE",
            path="usage",
            value=model,
            severity="warning",
            reason=f"{tokens:,} output tokens are of a model that no engine here serves: they "
            "have no joules, no cost and no part in the saving",
            remedy="Add the engines that serve it",
        )


def hourly_mtok(
    rows: Sequence[UsageRow],
    engines: Sequence[Placed],
    weight: Mapping[str, float],
    *,
    start: datetime,
    count: int,
    step_h: float,
) -> dict[str, FloatArray]:
    """Spread usage over intervals and engines, output Mtok by engine [T].

    A row's tokens are spread evenly over its span; a usage file says nothing about sites, so
    the engines of a model share them as they share the present rate (`weight`, by engine; evenly
    where nothing runs now). An engine whose model has no rows did nothing.

    By hand: 6 Mtok from 00:30 to 02:00 with steps of an hour are 2, 4 and 0 Mtok.
    """
    by_model: dict[str, FloatArray] = {}
    for row in rows:
        values = by_model.setdefault(row.model, np.zeros(count))
        _spread(values, row, start=start, step_h=step_h)
    found = {each.engine.name: np.zeros(count) for each in engines}
    for model, values in by_model.items():
        mine = [each for each in engines if each.engine.model == model]
        total = sum(weight.get(each.engine.name, 0.0) for each in mine)
        for each in mine:
            share = weight.get(each.engine.name, 0.0) / total if total > 0.0 else 1.0 / len(mine)
            found[each.engine.name] = values * share
    return found


def _spread(values: FloatArray, row: UsageRow, *, start: datetime, step_h: float) -> None:
    step = timedelta(hours=step_h)
    begin, end = (row.start - start) / step, (row.end - start) / step
    mtok = row.output_tokens / TOKENS_PER_MTOK
    if end <= begin:  # a moment: all of it in its interval
        if 0.0 <= begin < values.size:
            values[int(begin)] += mtok
        return
    edges = np.arange(values.size + 1, dtype=np.float64)
    inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin)
    values += mtok * np.maximum(0.0, inside) / (end - begin)


def whole_days(
    rows: Sequence[UsageRow], *, present: datetime, step_h: float, most_days: int
) -> tuple[datetime, int] | None:
    """Return the start and the number of intervals of the whole days that usage covers.

    They end at the present interval or at the last full interval of the file; None below a day.
    """
    if not rows:
        return None
    step = timedelta(hours=step_h)
    midnight = present.replace(hour=0, minute=0, second=0, microsecond=0)
    last = max(row.end for row in rows)
    end = present if last >= present else midnight + ((last - midnight) // step) * step
    first = min(row.start for row in rows)
    days = min(most_days, (end - first) // timedelta(days=1))
    if days < 1:
        return None
    return end - timedelta(days=days), round(days * 24.0 / step_h)


def tenants_seen(
    rows: Sequence[UsageRow], sites: Sequence[SiteSeen], *, kappa_ratio: Mapping[str, float]
) -> tuple[TenantSeen, ...]:
    """Return tokens, joules and full cost by tenant and model, the dearest first.

    What a model's engines cost and draw an hour in the window, over the hours that the usage
    covers, is divided among the tenants by output tokens plus `kappa_ratio` times uncached input
    tokens (an input token's joules over an output token's): whole nano-dollars and microjoules,
    so that the tenants' parts add up to what the engines cost.

    Args:
        rows: usage, under the company's names of models.
        sites: what was seen in the window.
        kappa_ratio: by model.
    """
    groups: dict[str, dict[str, list[UsageRow]]] = {}
    for row in rows:
        groups.setdefault(row.model, {}).setdefault(row.tenant or UNNAMED, []).append(row)
    found: list[TenantSeen] = []
    for model, tenants in groups.items():
        every = [row for mine in tenants.values() for row in mine]
        start, end = min(row.start for row in every), max(row.end for row in every)
        hours = (end - start).total_seconds() / S_PER_H
        names = sorted(tenants)
        weights = [_weight(tenants[name], kappa_ratio.get(model, 0.0)) for name in names]
        joules, usd = (
            _divided(per_h, hours, weights, unit)
            for per_h, unit in zip(
                _hourly(model, sites), (MICROJOULES_PER_J, NANO_USD_PER_USD), strict=True
            )
        )
        for at, name in enumerate(names):
            found.append(_tenant(name, model, tenants[name], joules[at], usd[at]))
    return tuple(sorted(found, key=lambda one: (-(one.full_usd or 0.0), one.tenant, one.model)))


def _weight(rows: Sequence[UsageRow], kappa_ratio: float) -> int:
    """Return output tokens, and input tokens for what they are worth, in thousandths."""
    output = sum(row.output_tokens for row in rows)
    uncached = sum(max(0, row.input_tokens - row.cached_input_tokens) for row in rows)
    return round((output + kappa_ratio * uncached) * 1000)


def _divided(
    per_h: float | None, hours: float, weights: Sequence[int], unit: float
) -> list[float | None]:
    """Divide an hourly figure over some hours by weights, in whole units, none of them lost."""
    if per_h is None or hours <= 0.0 or not any(weights):  # rows of a moment have no hours
        return [None] * len(weights)
    return [part / unit for part in largest_remainders(round(per_h * hours * unit), weights)]


def _tenant(
    tenant: str,
    model: str,
    rows: Sequence[UsageRow],
    energy_j: float | None,
    full_usd: float | None,
) -> TenantSeen:
    counts = [row.requests_count for row in rows]
    known = [count for count in counts if count is not None]
    return TenantSeen(
        tenant=tenant,
        model=model,
        input_tokens=sum(row.input_tokens for row in rows),
        cached_input_tokens=sum(row.cached_input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        requests_count=sum(known) if len(known) == len(counts) else None,
        energy_j=energy_j,
        full_usd=full_usd,
    )


def _hourly(model: str, sites: Sequence[SiteSeen]) -> tuple[float | None, float | None]:
    """Return what a model's engines draw and cost an hour, J and USD; None where unknown."""
    seen = [each for site in sites for each in site.models if each.model == model]
    if not seen or any(each.silent or each.span_s <= 0.0 for each in seen):
        return None, None
    joules = [each.joules.total_j for each in seen]
    usd = [each.full_usd_per_h for each in seen]
    j_per_h = [
        total_j / each.span_s * S_PER_H
        for total_j, each in zip(joules, seen, strict=True)
        if total_j is not None
    ]
    usd_per_h = [each for each in usd if each is not None]
    return (
        sum(j_per_h) if len(j_per_h) == len(seen) else None,
        sum(usd_per_h) if len(usd_per_h) == len(seen) else None,
    )
