"""The ledger: one row of what happened and what it cost, simulated, served or observed."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, Literal

Source = Literal["simulate", "serve", "observe"]
EntryKind = Literal["interval", "settlement", "request", "meter", "finding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One row, append-only; the fields are the columns of the table, in its order.

    Words that do not apply are "", never null, so that `UNIQUE_KEY` can tell rows apart.

    Attributes:
        part: tells apart rows that agree in the rest of the key (a deployment, a battery).
        start, end: the span it is about, `[start, end)` in UTC.
        component: which part of the cost or of the bill it is.
        quantity: how much, in `unit`.
        rate_nano_usd: what one unit costs.
        amount_nano_usd: what the company pays (> 0) or receives (< 0), rounded once.
        energy_microjoules: energy at `boundary`.
        energy_tier: how the energy is known: measured or modelled.
        decision, reason: what was decided about the work, and why.
        policy: who decided.
    """

    run_id: str
    source: Source
    kind: EntryKind
    request_id: str = ""
    part: str = ""
    start: datetime
    end: datetime
    tenant: str = ""
    tier: str = ""
    workload: str = ""
    site: str = ""
    model: str = ""
    accelerator: str = ""
    contract_id: str = ""
    component: str = ""
    quantity: float = 0.0
    unit: str = ""
    rate_nano_usd: int = 0
    amount_nano_usd: int = 0
    energy_microjoules: int = 0
    energy_tier: str = ""
    boundary: str = ""
    decision: str = ""
    reason: str = ""
    board_id: str = ""
    price_version: str = ""
    policy: str = ""


COLUMNS: Final = tuple(field.name for field in fields(LedgerEntry))
"""Every column of the ledger, in order."""

UNIQUE_KEY: Final = (
    "run_id", "kind", "request_id", "start", "site", "model", "workload", "contract_id",
    "component", "part",
)  # fmt: skip
"""No two rows agree in all of these: appending a run twice changes nothing."""
