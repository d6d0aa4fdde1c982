"""The ledger of a window: what engines did and drew, and what it cost, row by row."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.company.ledger import LedgerEntry
from tokenergy.company.usage import UsageRow
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD, TOKENS_PER_MTOK

POLICY: Final = "as_observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRow:
    """What of one engine's window goes into the ledger; None leaves no row, never a 0.

    Attributes:
        joules: by part (gpu, host, idle, overhead), at the facility.
        usd: full cost by part (energy, gpu_rent, facility, staff).
    """

    engine: str
    start: datetime
    end: datetime
    site: str
    model: str
    accelerator: str
    workload: str
    tier: str
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    energy_tier: str
    reason: str
    joules: Mapping[str, float | None]
    usd: Mapping[str, float | None]


def engine_entries(run_id: str, row: EngineRow) -> Iterator[LedgerEntry]:
    """Yield the rows of one engine's window.

    - `interval`: `serve` with its output Mtok, `input` and `cached_input` likewise, and one row
      for each part of the full cost, in nano-dollars, rounded once;
    - `meter`: the microjoules of each part at the facility.
    """
    shared: dict[str, Any] = {
        "run_id": run_id,
        "source": "observe",
        "start": row.start,
        "end": row.end,
        "site": row.site,
        "model": row.model,
        "accelerator": row.accelerator,
        "workload": row.workload,
        "tier": row.tier,
        "part": row.engine,
        "policy": POLICY,
    }
    tokens = {
        "serve": row.output_tokens,
        "input": row.input_tokens,
        "cached_input": row.cached_tokens,
    }
    for component, count in tokens.items():
        if count is not None:
            yield LedgerEntry(
                kind="interval",
                component=component,
                quantity=count / TOKENS_PER_MTOK,
                unit="Mtok",
                **shared,
            )
    for component, usd in row.usd.items():
        if usd is not None:
            yield LedgerEntry(
                kind="interval",
                component=component,
                amount_nano_usd=round(usd * NANO_USD_PER_USD),
                **shared,
            )
    for component, energy_j in row.joules.items():
        if energy_j is not None:
            yield LedgerEntry(
                kind="meter",
                component=component,
                quantity=energy_j,
                unit="J",
                energy_microjoules=round(energy_j * MICROJOULES_PER_J),
                energy_tier=row.energy_tier,
                boundary="facility",
                reason=row.reason,
                **shared,
            )


def usage_entries(run_id: str, rows: Iterator[UsageRow]) -> Iterator[LedgerEntry]:
    """Yield a row for each row of usage: the output of one tenant, as its bill tells it.

    A row is known again by what it says, wherever in whatever file it stands: an export that
    overlaps another one adds nothing twice. Rows of one file that say the same are different.
    """
    seen: Counter[UsageRow] = Counter()
    for row in rows:
        said = replace(row, source="")
        seen[said] += 1
        yield LedgerEntry(
            run_id=run_id,
            source="observe",
            kind="request",
            request_id=f"{_digest(said)}:{seen[said]}",
            reason=row.source,
            start=row.start,
            end=row.end,
            tenant=row.tenant,
            tier=row.tier,
            model=row.model,
            component="serve",
            quantity=row.output_tokens / TOKENS_PER_MTOK,
            unit="Mtok",
            policy=POLICY,
        )


def _digest(row: UsageRow) -> str:
    return sha256(repr(row).encode()).hexdigest()[:20]


def finding_entries(
    run_id: str, findings: tuple[Finding, ...], *, start: datetime, end: datetime
) -> Iterator[LedgerEntry]:
    """Yield a row for each finding of a window."""
    for number, finding in enumerate(findings, start=1):
        yield LedgerEntry(
            run_id=run_id,
            source="observe",
            kind="finding",
            part=f"{number}: {finding.path}",
            start=start,
            end=end,
            component=finding.code,
            reason=finding.reason,
            policy=POLICY,
        )
