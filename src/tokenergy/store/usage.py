"""Who used how much: the tokens that a ledger's requests were served, by tier and user.

Today a tenant is a user. Once the gateway keeps users apart, they come as hashes, and only the
column that is grouped by changes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tokenergy.units import H_PER_MONTH

UNIT: Final = "Mtok"
"""The one unit that users are told apart by."""
USAGE_QUERY: Final = """
SELECT unit, tier, tenant, sum(quantity), min("start"), max("end") FROM ledger
WHERE kind = 'request' AND source IN ('serve', 'observe') AND component = 'serve'
AND tenant <> ''"""
USAGE_GROUPS: Final = " GROUP BY unit, tier, tenant ORDER BY unit, tier, tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens by tier and user over one span of time.

    Attributes:
        mtok_by_tier: one figure for each user of a tier, in the order of the users' names; a
            user of two tiers stands in both. Who asked for nothing is not in it.
        other_units: units other than Mtok that requests of users were served in: they are in no
            figure.
        start, end: from the first start of a request to the last end; None without requests.
    """

    mtok_by_tier: Mapping[str, tuple[float, ...]]
    other_units: tuple[str, ...]
    start: datetime | None
    end: datetime | None

    @property
    def months(self) -> float:
        """Length of the span, 0 without requests."""
        if self.start is None or self.end is None:
            return 0.0
        return (self.end - self.start) / timedelta(hours=H_PER_MONTH)


def as_usage(rows: Iterable[tuple[Any, ...]]) -> Usage:
    """Return what the rows of `USAGE_QUERY` tell."""
    found: dict[str, list[float]] = {}
    others: list[str] = []
    starts, ends = [], []
    for unit, tier, _, mtok, start, end in rows:
        if unit != UNIT:
            others.append(unit)
            continue
        found.setdefault(tier, []).append(mtok)
        starts.append(start)
        ends.append(end)
    return Usage(
        mtok_by_tier={tier: tuple(mtok) for tier, mtok in found.items()},
        other_units=tuple(dict.fromkeys(others)),
        start=datetime.fromisoformat(min(starts)) if starts else None,
        end=datetime.fromisoformat(max(ends)) if ends else None,
    )
