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

    @property
    def currency(self) -> str:
        """The currency that every figure is in."""
        return str(self.heading.get("currency") or "USD")

    @property
    def synthetic(self) -> tuple[str, ...]:
        """Paths of the series that come from the synthetic feed."""
        return tuple(str(path) for path in self.heading.get("synthetic") or ())
