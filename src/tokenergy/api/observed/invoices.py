"""Invoices to tokens: what each tenant's tokens paid for, of what suppliers charged."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tokenergy.api.observed.company import ObservedCompany
from tokenergy.api.observed.observation import SiteSeen
from tokenergy.api.observed.world import Placed
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.supplier_invoice import SupplierInvoice
from tokenergy.company.usage import UsageRow
from tokenergy.economics.allocate import Allocation, Places, Work, allocate
from tokenergy.files.invoices import read_invoices
from tokenergy.units import (
    MICROJOULES_PER_J,
    MS_PER_S,
    NANO_USD_PER_USD,
    S_PER_H,
    TOKENS_PER_MTOK,
)

TENANTS_TOLD: Final = 1_000
SLACK: Final = timedelta(days=1)
"""By so much usage may begin later and end earlier than the invoices."""


def allocated(
    path: Path,
    held: ObservedCompany,
    places: Sequence[Placed],
    sites: Sequence[SiteSeen],
    usage: Sequence[UsageRow],
    *,
    time_zone: str | None,
) -> tuple[dict[str, Any] | None, tuple[Finding, ...]]:
    """Read invoices and spread them over the usage of their period.

    Returns:
        What became of them, JSON-ready, and findings: refused rows, usage that is missing, and
        an error where more than 0.1 % of the invoices found no place.
    """
    if not usage:
        return None, (_no_usage(path),)
    read = read_invoices(path, currency=held.company.currency, time_zone=time_zone)
    works = _works(held, places, sites, usage)
    found = allocate(read.invoices, works, _places(held.company))
    return _told(found), (*read.findings, *found.findings, *_longer(read.invoices, usage))


def _places(company: Company) -> Places:
    return Places(
        sites=frozenset(site.name for site in company.sites),
        fleets=frozenset(fleet.name for fleet in company.fleets),
        site_of_contract={owner.id: owner.site for owner in (*company.contracts, *company.tariffs)},
    )


def _works(
    held: ObservedCompany,
    places: Sequence[Placed],
    sites: Sequence[SiteSeen],
    usage: Sequence[UsageRow],
) -> list[Work]:
    """Return the work of every row at every engine of its model, and what stood by beside it.

    A usage file says nothing of sites: engines of a model share a row as they share the tokens
    of the window; a row whose model no engine serves stands at no place. Joules are those per
    token of the window; GPU time is that of a full replica.
    """
    share = _shares(places, sites)
    j_per_token = {
        name: model.j_per_token for site in sites for model in site.models for name in model.engines
    }
    works: list[Work] = []
    busy_ms = dict[str, int]()
    for row in usage:
        served_by = [each for each in places if each.engine.model == row.model]
        if not served_by:
            works.append(_nowhere(row))
        for place in served_by:
            name = place.engine.name
            work = _work(held, place, row, share[name], j_per_token.get(name))
            busy_ms[work.fleet] = busy_ms.get(work.fleet, 0) + work.gpu_ms
            works.append(work)
    start, end = min(row.start for row in usage), max(row.end for row in usage)
    for fleet in held.company.fleets:
        paid_ms = round(fleet.gpu_count * (end - start).total_seconds() * MS_PER_S)
        works.append(
            Work(
                start=start,
                end=end,
                site=fleet.site,
                fleet=fleet.name,
                tokens=0,
                gpu_ms=max(0, paid_ms - busy_ms.get(fleet.name, 0)),
            )
        )
    return works


def _work(
    held: ObservedCompany, place: Placed, row: UsageRow, share: float, j_per_token: float | None
) -> Work:
    """Return what an engine did of a row."""
    fleet = held.company.fleets[place.fleet]
    output = row.output_tokens * share
    gpu_ms = 0
    if place.route is not None:
        rate = held.structure.world.routes[place.route].rate_mtok_per_h
        per_replica = place.gpus_count / place.engine.replicas_count
        gpu_ms = round(output / TOKENS_PER_MTOK / rate * S_PER_H * MS_PER_S * per_replica)
    return Work(
        start=row.start,
        end=row.end,
        tenant=row.tenant,
        model=row.model,
        site=fleet.site,
        fleet=fleet.name,
        tokens=round((row.input_tokens + row.output_tokens) * share),
        energy_microjoules=None
        if j_per_token is None
        else round(j_per_token * output * MICROJOULES_PER_J),
        gpu_ms=gpu_ms,
    )


def _nowhere(row: UsageRow) -> Work:
    return Work(
        start=row.start,
        end=row.end,
        tenant=row.tenant,
        model=row.model,
        tokens=row.input_tokens + row.output_tokens,
        energy_microjoules=None,
    )


def _shares(places: Sequence[Placed], sites: Sequence[SiteSeen]) -> dict[str, float]:
    """Return the part of its model's tokens that each engine made in the window."""
    made = dict[str, float]()
    for site in sites:
        for model in site.models:
            for name in model.engines:
                answered = len(model.engines) - len(model.silent)
                made[name] = 0.0 if name in model.silent else (model.tokens.output or 0) / answered
    found = dict[str, float]()
    for place in places:
        mine = [each for each in places if each.engine.model == place.engine.model]
        total = sum(made.get(each.engine.name, 0.0) for each in mine)
        own = made.get(place.engine.name, 0.0)
        found[place.engine.name] = own / total if total > 0.0 else 1.0 / len(mine)
    return found


def _told(found: Allocation) -> dict[str, Any]:
    """Return the sums by tenant and component; single lines go to exports, not to a page."""
    by_tenant = dict[str, dict[str, int]]()
    for line in found.lines:
        who = "(unused capacity)" if line.unallocated else line.tenant or "(no tenant)"
        parts = by_tenant.setdefault(who, {})
        parts[line.component] = parts.get(line.component, 0) + line.amount_nano_usd
    tenants = [
        {
            "tenant": who,
            "usd": sum(parts.values()) / NANO_USD_PER_USD,
            "parts_usd": {name: nano / NANO_USD_PER_USD for name, nano in sorted(parts.items())},
        }
        for who, parts in sorted(by_tenant.items(), key=lambda item: -sum(item[1].values()))
    ]
    return {
        "says": found.sentence(),
        "allocated_share": found.allocated_share,
        "invoiced_usd": found.invoiced_nano_usd / NANO_USD_PER_USD,
        "tokens_usd": found.tokens_nano_usd / NANO_USD_PER_USD,
        "unused_capacity_usd": found.unallocated_nano_usd / NANO_USD_PER_USD,
        "residual_usd": found.residual_nano_usd / NANO_USD_PER_USD,
        "lines_count": len(found.lines),
        "tenants": tenants[:TENANTS_TOLD],
    }


def _longer(invoices: Sequence[SupplierInvoice], usage: Sequence[UsageRow]) -> Iterator[Finding]:
    """Yield a finding if invoices are about days of which there is no usage."""
    if not invoices:
        return
    first, last = min(row.start for row in usage), max(row.end for row in usage)
    start, end = min(each.start for each in invoices), max(each.end for each in invoices)
    if first - start <= SLACK and end - last <= SLACK:
        return
    yield Finding(
        code="USAGE_SHORTER_THAN_INVOICES",
        path="invoices",
        value=f"{first:%Y-%m-%d} to {last:%Y-%m-%d}",
        limit=f"{start:%Y-%m-%d} to {end:%Y-%m-%d}",
        severity="warning",
        reason="the usage does not cover the invoices' period: what they charge for other days "
        "is spread over the days that are there",
        remedy="Give the usage of the whole period",
    )


def _no_usage(path: Path) -> Finding:
    return Finding(
        code="INVOICES_WITHOUT_USAGE",
        path="invoices",
        value=path.name,
        severity="warning",
        reason="there is no usage to spread invoices over",
        remedy="Give the usage of the same period with --usage",
    )
