"""What was decided about the requests of a ledger, and why: counts, tokens and money."""

from dataclasses import dataclass
from typing import Any, Final

from tokenergy.units import NANO_USD_PER_USD

_WEIGHT: Final = "CASE WHEN part LIKE 'sample:%' THEN CAST(substr(part, 8) AS REAL) ELSE 1 END"
_SECOND: Final = len("2026-03-02T18:00:00")
DECISIONS_QUERY: Final = f"""
SELECT source, tier, workload, decision, reason, unit, component,
sum({_WEIGHT}), sum(quantity), sum(amount_nano_usd / 1000000), sum(amount_nano_usd % 1000000),
min("start"), max("end")
FROM ledger WHERE kind = 'request' AND decision <> '' AND unit <> 'request'
AND component NOT IN ('input', 'cached_input', 'moved')
GROUP BY source, tier, workload, decision, reason, unit, component
ORDER BY source, tier, workload, decision, reason, unit, component"""
"""One row of a request tells of its output: `serve` with its cost, `refused` with its value, or how
else it ended where no token flowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSum:
    """Requests of one workload about which the same was decided for the same reason.

    Attributes:
        source: serve, simulate or observe.
        outcome: served, refused, or how else it ended.
        requests_count: how many; of a sample, how many it stands for.
        quantity: what they were answered, or asked for where they were refused, in `unit`.
        cost_usd: at the prices that they were decided by; None where they were refused.
        lost_usd: value lost; None where they were served.
        start, end: when the first of them came and the last was done, UTC to the second.
    """

    source: str
    outcome: str
    tier: str
    workload: str
    decision: str
    reason: str
    unit: str
    requests_count: float
    quantity: float
    cost_usd: float | None
    lost_usd: float | None
    start: str
    end: str


def as_decision(row: tuple[Any, ...]) -> DecisionSum:
    """Return what a row of `DECISIONS_QUERY` tells."""
    source, tier, workload, decision, reason, unit, component, *sums, start, end = row
    count, quantity, high, low = sums
    usd = (high * 1_000_000 + low) / NANO_USD_PER_USD
    refused = component == "refused"
    return DecisionSum(
        source=source,
        outcome="served" if component == "serve" else component,
        tier=tier,
        workload=workload,
        decision=decision,
        reason=reason,
        unit=unit,
        requests_count=count,
        quantity=quantity,
        cost_usd=None if refused else usd,
        lost_usd=usd if refused else None,
        start=start[:_SECOND] + "Z",
        end=end[:_SECOND] + "Z",
    )
