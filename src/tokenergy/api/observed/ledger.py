"""Keeping an observation: its windows, its usage and its findings, in the one ledger."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenergy.api.observed.company import ObservedCompany
from tokenergy.api.observed.observation import Observation
from tokenergy.api.observed.seen import One
from tokenergy.company.finding import Finding
from tokenergy.company.ledger import LedgerEntry
from tokenergy.company.usage import UsageRow
from tokenergy.economics.observed_cost import full_parts
from tokenergy.metering.entries import (
    EngineRow,
    engine_entries,
    finding_entries,
    usage_entries,
)
from tokenergy.store.sqlite import SqliteLedger
from tokenergy.units import J_PER_MWH, S_PER_H


def keep(
    ledger: Path,
    held: ObservedCompany,
    ones: Sequence[One],
    observation: Observation,
    *,
    usage: Sequence[UsageRow],
    findings: Sequence[Finding],
) -> None:
    """Append the window's rows, all of them or none; a row that is there already stays.

    Args:
        ledger: the file.
        held: the company.
        ones: its engines.
        observation: the window.
        usage: rows of usage that are not in the ledger yet.
        findings: those that the window before did not have.

    Windows stand in the run `<company>/observe`, usage in `<company>/observe/usage`: the same
    tokens, told by two sources, are never added up.
    """
    run_id = f"{held.company.company}/observe"
    with SqliteLedger(ledger) as store:
        store.append(_entries(run_id, held, ones, observation, usage, findings))


def _entries(
    run_id: str,
    held: ObservedCompany,
    ones: Sequence[One],
    observation: Observation,
    usage: Sequence[UsageRow],
    findings: Sequence[Finding],
) -> Iterator[LedgerEntry]:
    power = {site.site: site.power_usd_per_mwh for site in observation.sites}
    for one in ones:
        if (row := _row(held, one, power)) is not None:
            yield from engine_entries(run_id, row)
    yield from usage_entries(f"{run_id}/usage", iter(usage))
    yield from finding_entries(
        run_id, tuple(findings), start=observation.start, end=observation.end
    )


def _row(
    held: ObservedCompany, one: One, power_usd_per_mwh: dict[str, float | None]
) -> EngineRow | None:
    done, place = one.watched.done, one.place
    if done is None or done.span_s <= 0.0:
        return None  # joules and rent of a window stand, also where a counter began anew in it
    company, seen = held.company, one.joules.seen
    fleet = company.fleets[place.fleet]
    parts = full_parts(
        company,
        fleet=place.fleet,
        gpus_count=place.gpus_count,
        span_h=done.span_s / S_PER_H,
        energy_mwh=None if seen.total_j is None else seen.total_j / J_PER_MWH,
        usd_per_mwh=power_usd_per_mwh.get(fleet.site),
    )
    workload = company.workloads[place.workload]
    return EngineRow(
        engine=place.engine.name,
        start=done.start,
        end=done.end,
        site=fleet.site,
        model=place.engine.model,
        accelerator=fleet.accelerator,
        workload=workload.name,
        tier=workload.tier,
        input_tokens=done.prompt_tokens,
        cached_tokens=done.cached_tokens,
        output_tokens=done.output_tokens,
        energy_tier=seen.tier,
        reason=seen.reason,
        joules={
            "gpu": seen.gpu_j,
            "host": seen.host_j,
            "idle": seen.idle_j,
            "overhead": seen.overhead_j,
        },
        usd={
            "energy": parts.energy_usd,
            "gpu_rent": parts.gpu_usd,
            "facility": parts.facility_usd,
            "staff": parts.staff_usd,
        },
    )
