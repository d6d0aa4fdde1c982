"""What a report is made of: the objects that the verbs print, nothing computed twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """The numbers of one report, as the verbs print them.

    Attributes:
        heading: company, file, currency, horizon (start, end, step_h), paths of the synthetic
            series, warnings (findings as mappings).
        policy: whose dispatch the balance shows.
        message: the sentence on what power is worth here.
        full_cost: `FullCost.to_dict()`.
        scorecard: `Scorecard.to_dict()`.
        balance: by interval and site: start, site, buy_usd_per_mwh, load_mw, import_mw,
            export_mw, take_mw, charge_mw, discharge_mw, stored_mwh, import_limit_mw.
        prices: `MarginalCost.to_dict()` by workload, deployment and interval.
        supply: by workload the segments of its supply curve, `Segment.to_dict()`.
        demand_mtok: by workload what is asked in the interval of the supply curve.
        value_changes: by tier and factor, what another value of the tier would change in the
            board's window, `ValueChange.to_dict()`.
        split: `Split.to_dict()`, if it was asked for.
        media: `ServedItem.to_dict()` of each shape and board; none without media.
        economics: `Economics.to_dict()`, if it was asked for: whether the company pays.
        plan: `Planned.to_dict()`, if it was asked for: what to build and what to sign.
        made: who made the report and when: version of Tokenergy, at (a moment), and the command.
        places: sites and origins of workloads: kind (site | origin), name, latitude_deg,
            longitude_deg, and the time_zone of a site.
        flows: from an origin to a site over the horizon: workload, tier, origin, site ("" for
            somebody else's API), served_mtok, share of the workload's served tokens, and means
            by token of rtt_ms, distance_km (null beyond our sites) and network_usd_per_mtok.
        hours: by interval and site that states its carbon: start, site, carbon_kg_per_mwh and the
            carbon_ledger that it is of.
        asked: by interval and workload: start, workload, usd_per_mtok (what one Mtok more cost as
            the policy saw it), usd_per_item (of media, else null) and arrived_mtok; none where
            the policy prices nothing.
        invoice: where the money of each invoice goes: kind of the invoice, site, model and tenant
            ("" for none, and for capacity that nothing used), usd; they sum to the invoices.
        settlement: the run's bill by contract and line, `Settled.to_dict()` with `rows` added up.
        decisions: what was done with what was asked, and why: source (run | ledger), tier,
            workload, decision, reason, quantity with its unit, and cost_usd and value_usd (null
            where not known).
        thesis: `Thesis.to_dict()`, if it was asked for: the claims against their thresholds.
        failed: what failed where a run did: step, error, findings as mappings; None where all
            was done. A report of a failed run shows this and what was computed before it.
    """

    heading: Mapping[str, Any]
    policy: str
    message: str
    full_cost: Mapping[str, Any]
    scorecard: Mapping[str, Any]
    balance: Sequence[Mapping[str, Any]]
    prices: Sequence[Mapping[str, Any]]
    supply: Mapping[str, Sequence[Mapping[str, Any]]]
    demand_mtok: Mapping[str, float]
    value_changes: Sequence[Mapping[str, Any]] = ()
    media: Sequence[Mapping[str, Any]] = ()
    split: Mapping[str, Any] | None = None
    economics: Mapping[str, Any] | None = None
    plan: Mapping[str, Any] | None = None
    made: Mapping[str, Any] | None = None
    places: Sequence[Mapping[str, Any]] = ()
    flows: Sequence[Mapping[str, Any]] = ()
    hours: Sequence[Mapping[str, Any]] = ()
    asked: Sequence[Mapping[str, Any]] = ()
    invoice: Sequence[Mapping[str, Any]] = ()
    settlement: Mapping[str, Any] | None = None
    decisions: Sequence[Mapping[str, Any]] = ()
    thesis: Mapping[str, Any] | None = None
    failed: Mapping[str, Any] | None = None

    @property
    def currency(self) -> str:
        """The currency that every figure is in."""
        return str(self.heading.get("currency") or "USD")

    @property
    def synthetic(self) -> tuple[str, ...]:
        """Paths of the series that come from the synthetic feed."""
        return tuple(str(path) for path in self.heading.get("synthetic") or ())
