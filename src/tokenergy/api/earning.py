"""Does it pay: margins by tier and user, profit against users, levers, risk, in one result."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenergy.api.answer import answer
from tokenergy.api.earned import Earned, earned
from tokenergy.api.growing import Grown, grown
from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.own_ledger import refuse_foreign_requests
from tokenergy.api.simulating import Simulation, simulate
from tokenergy.api.table import to_html, to_polars
from tokenergy.company.finding import Finding
from tokenergy.company.preset import Preset, select
from tokenergy.economics.queueing import utilisation_table
from tokenergy.economics.unit_cost import NOT_MATERIAL_SHARE
from tokenergy.errors import FindingsError
from tokenergy.files.presets import load_presets

if TYPE_CHECKING:
    import polars as pl

POLICIES = ("greedy_battery", "mpc", "clairvoyant")
"""Whom economics simulates: the baseline, ours, and the bound."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Economics:
    """Whether a company pays, on both bases, with what its users, levers and contracts do to it.

    Attributes:
        heading: company, horizon, synthetic series, warnings.
        simulation: the runs behind it.
        earned: margins, users, waterfall, reconciliation, levers, savings and exposures of the
            run that is shown.
        grown: profit against users, with and without restraint, and the path of growth; None
            where no tier has users.
        presets: published figures that the company names.
        findings: what a reader must know beside the figures.
    """

    heading: Mapping[str, Any]
    simulation: Simulation
    earned: Earned
    grown: Grown | None
    presets: tuple[Preset, ...]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        """Say in sentences whether it pays."""
        return "\n".join((str(self.heading["company"]), *self.lines()))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as one JSON-ready object; keys carry units."""
        full, held, scale = self.simulation.full, self.earned, self.grown
        n_star_count = [] if scale is None else list(scale.n_star_count)
        return {
            **self.heading,
            "policy": self.simulation.shown,
            "hours_h": full.hours_h,
            "usd_per_mtok_full": full.allocation_usd_per_mtok,
            "usd_per_mtok_usage": full.usage_usd_per_mtok,
            "usd_per_mtok_marginal": held.marginal_usd_per_mtok,
            "usd_per_mtok_price": held.price_usd_per_mtok,
            "share_kwh": full.kwh_share,
            "share_powered_capacity": full.powered_capacity_share,
            "share_silicon": full.silicon_share,
            "message": self.simulation.message,
            "mw_binds_h": held.mw_binds_h,
            "mw_rent_usd_per_mwh": held.mw_rent_usd_per_mwh,
            "gpu_used_share": held.gpu_used_share,
            "margin_usd": held.company.margin_usd,
            "margin_by_tier": [tier.to_dict() for tier in held.tiers],
            "share_unprofitable": held.users.unprofitable_share,
            "share_unprofitable_marginal": held.users.marginal_unprofitable_share,
            "paid_share": None if scale is None else scale.paid_share,
            "break_even_conversion": None if scale is None else scale.break_even_share,
            "break_even_conversion_usage": (
                None if held.break_even is None else held.break_even.conversion_share
            ),
            "n_star": n_star_count,
            "n_star_count": n_star_count,
            "n_star_basis": "capacity as it stands",
            "unused_capacity_usd": full.unused_capacity_usd,
            "full_cost": full.to_dict(),
            "scale": None if scale is None else scale.to_dict(),
            "utilisation_slo": [cell.to_dict() for row in utilisation_table() for cell in row],
            "presets": [preset.to_dict() for preset in self.presets],
            "findings": [finding.to_dict() for finding in self.findings],
            "burn_says": self.burn_line(),
            "answer": list(self.lines()),
        } | held.to_dict()

    def to_polars(self) -> "pl.DataFrame":
        """Return one row per tier as a polars frame."""
        return to_polars([tier.to_dict() for tier in self.earned.tiers])

    def _repr_html_(self) -> str:
        names = ("tier", "users_count", "revenue_usd", "contribution_usd", "full_margin_usd")
        rows = [{name: tier.to_dict()[name] for name in names} for tier in self.earned.tiers]
        return to_html(rows, f"{self.heading['company']}: margin by tier")

    def burn_line(self) -> str | None:
        """Say what is burnt today for each unit of new revenue; None without a burn, or growth."""
        margin, currency = self.earned.company, str(self.heading["currency"])
        if margin.burn_multiple_ratio is None or margin.burn_usd_per_year == 0.0:
            return None
        return (
            f"Today {margin.burn_usd_per_year:,.0f} {currency} are burnt in a year, "
            f"{margin.burn_multiple_ratio:,.2f} for each {currency} that the first year of the "
            "path adds to a year's revenue."
        )

    def lines(self) -> Iterator[str]:
        """Yield the answer in five lines: token, margin, growth, levers, dispatch."""
        yield from answer(self.simulation, self.earned, self.grown)


def economics(
    company: OpenCompany,
    *,
    simulation: Simulation | None = None,
    split: bool = False,
    usage_ledger: str | Path | None = None,
    on_progress: Progress | None = None,
) -> Economics:
    """Answer whether a company pays, and what would change that.

    Args:
        company: an opened company.
        simulation: runs, if they have been made; they must hold `greedy_battery`, `mpc` and
            `clairvoyant` for every panel to be filled.
        split: also split the saving by geography, hour, deferral and storage.
        usage_ledger: a ledger whose requests tell tokens by user; without it, or where it holds
            none, the tails that the file states stand in.
        on_progress: told of what is done.

    Raises:
        FindingsError: if no dispatch satisfies the company's own limits, or a preset that it
            names is not known or not verified.
        InputError: if the ledger cannot be read, or holds requests of another company only.
    """
    refuse_foreign_requests(usage_ledger, company.company.company)
    horizon = company.company.horizon
    presets, told = select(
        load_presets(),
        company.company.presets,
        at=horizon.start,
        allow_unverified=company.allow_unverified,
    )
    if errors := [finding for finding in told if finding.severity == "error"]:
        raise FindingsError(errors)
    shown = simulation or simulate(company, policies=POLICIES, split=split, on_progress=on_progress)
    scale = grown(company, on_progress=on_progress)
    held = earned(
        company,
        shown,
        usage_ledger=usage_ledger,
        new_revenue_usd_per_year=None if scale is None else scale.new_revenue_usd_per_year,
    )
    findings = (
        *told,
        *held.findings,
        *(() if scale is None else scale.findings),
        *_not_material(shown, held),
    )
    return Economics(
        heading=shown.heading,
        simulation=shown,
        earned=held,
        grown=scale,
        presets=presets,
        findings=findings,
    )


def _not_material(shown: Simulation, held: Earned) -> Iterator[Finding]:
    """Warn where a saving on power alone is small beside everything else (sheet, section 1)."""
    share = shown.full.kwh_share
    if share is not None and share < NOT_MATERIAL_SHARE and held.mw_binds_h == 0.0:
        yield Finding(
            code="ENERGY_NOT_MATERIAL",
            path="economics.share_kwh",
            value=f"{share:.1%}",
            limit=f"{NOT_MATERIAL_SHARE:.0%}",
            unit="of full cost",
            severity="warning",
            reason="kWh are a small part of full cost and no megawatt binds, so that a saving on "
            "power alone decides little",
            remedy="Look at utilisation, throughput and the price of hardware first",
        )
