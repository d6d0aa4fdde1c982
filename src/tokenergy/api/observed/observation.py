"""What was observed: what a token costs here and now, by site, model and tenant."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tokenergy.api.observed.saving import ObservedSaving
from tokenergy.company.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTokens:
    """Tokens of one window; None where the engine does not tell."""

    input: int | None
    cached_input: int | None
    output: int | None
    requests: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenJoules:
    """Joules of one window at the facility, its four parts apart (energy sheet, section 7).

    Attributes:
        gpu_j, host_j, idle_j, overhead_j: boards; host; boards while nobody asked; cooling.
        total_j: their sum; None where nobody knows.
        low_j, high_j: between which measurements of such figures lie, 5th to 95th percentile.
        tier: measured, calibrated or modelled; the worst of what was added.
        reason: what they rest on, or why there are none.
    """

    gpu_j: float | None
    host_j: float | None
    idle_j: float | None
    overhead_j: float | None
    total_j: float | None
    low_j: float | None
    high_j: float | None
    tier: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSeen:
    """One model on one fleet over the window.

    Attributes:
        engines: names of its engines, those that did not answer too.
        silent: those of them whose tokens are not known: in none of the figures.
        replicas_count, gpus_count: behind the engines that answered.
        utilisation_share: tokens over what the replicas can make within their limits.
        idle_usd_per_h: what the unused part of replicas costs an hour: rent and idle power.
        full_usd_per_h: what the engines that answered cost an hour in full, at any load; None
            where a price is missing.
        usd_per_mtok_full: allocation basis, of output tokens, input included.
        usd_per_mtok_marginal: one Mtok more, here, in this hour: the program's price.
        usd_per_mtok_low: what the last Mtok cost, where dispatch would use it; else None.
        usd_per_mtok_elsewhere: one Mtok more where dispatch would send it: at most the marginal.
        usd_per_mtok_within_replica: below a full replica, where there are fewer than 20.
        parts: of the marginal cost, USD/Mtok; they sum to `usd_per_mtok_marginal`.
        full_parts: of the full cost, USD/Mtok; they sum to `usd_per_mtok_full`.
    """

    model: str
    fleet: str
    accelerator: str
    workload: str
    engines: tuple[str, ...]
    replicas_count: int
    gpus_count: int
    span_s: float
    tokens: SeenTokens
    joules: SeenJoules
    j_per_token: float | None
    utilisation_share: float | None
    running_count: float | None
    waiting_count: float | None
    idle_usd_per_h: float | None
    usd_per_mtok_full: float | None
    usd_per_mtok_marginal: float | None
    usd_per_mtok_low: float | None
    usd_per_mtok_elsewhere: float | None
    usd_per_mtok_within_replica: float | None
    parts: dict[str, float] | None
    full_parts: dict[str, float | None] | None
    full_usd_per_h: float | None = None
    silent: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a JSON-ready mapping; joules and their tier flat, for scripts."""
        row = asdict(self) | {
            "tokens": asdict(self.tokens),
            "joules": self.joules.total_j,
            "joules_tier": self.joules.tier,
            "joules_parts": asdict(self.joules),
        }
        row["engines"], row["silent"] = list(self.engines), list(self.silent)
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSeen:
    """One site over the window.

    Attributes:
        price_usd_per_mwh: spot price of the present interval; None where nobody knows it.
        price_source: where it comes from.
        price_at: start of the interval it is of.
        power_usd_per_mwh: mean of what the site's contracts charge at this load.
        unused_gpu_usd_per_h: rent of GPUs that no engine holds; never smeared over tokens.
    """

    site: str
    price_usd_per_mwh: float | None
    price_source: str
    price_at: datetime | None
    power_usd_per_mwh: float | None
    unused_gpu_usd_per_h: float
    models: tuple[ModelSeen, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the site as a JSON-ready mapping."""
        return {
            "site": self.site,
            "price_usd_per_mwh": self.price_usd_per_mwh,
            "price_source": self.price_source,
            "price_at": None if self.price_at is None else _minute(self.price_at),
            "power_usd_per_mwh": self.power_usd_per_mwh,
            "unused_gpu_usd_per_h": self.unused_gpu_usd_per_h,
            "models": [model.to_dict() for model in self.models],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSeen:
    """One tenant's tokens of one model, from the usage file, and their part of what they ran on.

    Attributes:
        energy_j, full_usd: their part of what the engines draw and cost over the hours of the
            usage, at the window's rate; the parts of all tenants add up to it.
    """

    tenant: str
    model: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    requests_count: int | None
    energy_j: float | None
    full_usd: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Observation:
    """What the engines, meters and prices of one window add up to.

    Attributes:
        heading: company, file, currency.
        start, end: the window.
        sites: in the order of the company file.
        tenants: where a usage file tells them.
        saving: what dispatch would have saved; None with a finding that says why.
        allocated: how much of the invoices found its tokens; None without invoices.
        findings: everything that somebody should know before relying on a figure.
        ledger: the file that keeps the windows, if any.
    """

    heading: dict[str, Any]
    start: datetime
    end: datetime
    sites: tuple[SiteSeen, ...]
    tenants: tuple[TenantSeen, ...]
    saving: ObservedSaving | None
    allocated: dict[str, Any] | None
    findings: tuple[Finding, ...]
    ledger: str | None

    @property
    def span_s(self) -> float:
        """Length of the window in seconds."""
        return (self.end - self.start).total_seconds()

    def models(self) -> Iterator[tuple[SiteSeen, ModelSeen]]:
        """Yield every model with its site."""
        for site in self.sites:
            for model in site.models:
                yield site, model

    def to_dict(self) -> dict[str, Any]:
        """Return the observation as one JSON-ready object; keys carry units."""
        return self.heading | {
            "source": "observe",
            "basis": {"usd_per_mtok_full": "allocation", "usd_per_mtok_marginal": "marginal"},
            "start": self.start.isoformat().replace("+00:00", "Z"),
            "end": self.end.isoformat().replace("+00:00", "Z"),
            "span_s": self.span_s,
            "sites": [site.to_dict() for site in self.sites],
            "tenants": [asdict(tenant) for tenant in self.tenants],
            "saving": None if self.saving is None else self.saving.to_dict(),
            "allocated": self.allocated,
            "findings": [finding.to_dict() for finding in self.findings],
            "ledger": self.ledger,
        }


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")
