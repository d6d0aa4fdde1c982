"""What is told of a running fleet, as plain figures: whoever watches fills it in.

No user is in it: a figure belongs to a tenant and a tier at most. A figure that nobody knows is
None and is told as nothing, never as 0.
"""

from dataclasses import dataclass
from typing import Final, Literal

from tokenergy.metering.reading import Boundary, EnergyTier

Decided = Literal["served", "deferred", "downgraded", "capped", "refused"]
TokenType = Literal["input", "cached_input", "output"]
DECISIONS: Final[dict[str, Decided]] = {
    "admit": "served",
    "defer": "deferred",
    "downgrade": "downgraded",
    "cap": "capped",
    "refuse": "refused",
}
"""Decisions of the ledger, in the words of the metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFigure:
    """Tokens since the watch began, of one tenant, tier, model, site and type."""

    tenant: str = ""
    tier: str = ""
    model: str
    site: str
    token_type: TokenType
    tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyFigure:
    """Joules since the watch began, by who used them; `phase` prefill, decode, idle or all."""

    tenant: str = ""
    tier: str = ""
    model: str
    site: str
    phase: str = "all"
    energy_tier: EnergyTier
    boundary: Boundary
    energy_j: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFigure:
    """What was paid since the watch began, by component; it may fall where power earns."""

    component: str
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFigure:
    """One part of what one Mtok more costs here and now."""

    site: str
    model: str
    token_type: TokenType
    component: str
    usd_per_mtok: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFigure:
    """The price of power at a site now."""

    site: str
    usd_per_mwh: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFigure:
    """Requests since the watch began, by what was decided and why."""

    decision: Decided
    reason: str = ""
    requests: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All of it at one moment. Reasons are codes, few and fixed, never a sentence."""

    tokens: tuple[TokenFigure, ...] = ()
    energy: tuple[EnergyFigure, ...] = ()
    cost: tuple[CostFigure, ...] = ()
    prices: tuple[PriceFigure, ...] = ()
    power: tuple[PowerFigure, ...] = ()
    requests: tuple[RequestFigure, ...] = ()


OTHER: Final = "other"
"""Stands for the tenants beyond the limit; a tenant of that name is told with them."""
TENANTS_LIMIT_COUNT: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLabels:
    """Which tenants have a label of their own; the others are told together as `other`."""

    own: frozenset[str]
    other_count: int

    def of(self, tenant: str) -> str:
        """Return the label of a tenant."""
        return tenant if not tenant or tenant in self.own else OTHER


def tenant_labels(
    figures: Figures, *, limit_count: int = TENANTS_LIMIT_COUNT, known: frozenset[str] = frozenset()
) -> TenantLabels:
    """Return the labels of tenants: of those `known` before, then of those with most tokens.

    Who has a label keeps it, or a counter would fall: pass the labels of the time before.
    """
    tokens: dict[str, int] = {}
    for figure in figures.tokens:
        tokens[figure.tenant] = tokens.get(figure.tenant, 0) + (figure.tokens or 0)
    for joules in figures.energy:
        tokens.setdefault(joules.tenant, 0)
    seen = {tenant for tenant in tokens if tenant and tenant != OTHER}
    new = sorted(seen - known, key=lambda tenant: (-tokens[tenant], tenant))
    own = frozenset(known) | frozenset(new[: max(0, limit_count - len(known))])
    return TenantLabels(own=own, other_count=len(seen - own))
