"""A company file opened for the present: its structure always, its prices where they reach now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tokenergy.api.observed.world import cut
from tokenergy.api.opened import OpenCompany, load
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.observe import Observe
from tokenergy.dispatch.explain import market_findings
from tokenergy.errors import FindingsError
from tokenergy.files import company_file
from tokenergy.units import H_PER_DAY

HISTORY_DAYS: Final = 7.0
"""What forecasts need before the first interval; a live feed is asked for no more."""
OUT_OF_REACH: Final = ("SERIES_SHORT", "SERIES_GAP", "SERIES_MISALIGNED")
"""What a series says that does not reach the present."""

Prices = Mapping[str, Mapping[str, Any]]
"""By site, a price as the company file would write it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ObservedCompany:
    """A company as it stands, and as it is priced now.

    Attributes:
        path: the file.
        company: what it says.
        structure: the company on the file's own horizon: who reaches whom, watts and rates.
        present: first moment of the present interval.
        now: the company on the present interval alone; None where a series does not reach it.
        past: the company on the intervals before it, as many as have prices; None likewise.
        findings: warnings of the file, and why there are no prices.
    """

    path: Path
    company: Company
    structure: OpenCompany
    present: datetime
    now: OpenCompany | None
    past: OpenCompany | None
    findings: tuple[Finding, ...]

    @property
    def observe(self) -> Observe:
        """What the file wants watched."""
        return self.company.observe or Observe()


def present_of(company: Company, at: datetime) -> datetime:
    """Return the start of the interval that holds `at`: intervals are counted from midnight UTC."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    step = timedelta(hours=company.horizon.step_h)
    return midnight + step * ((at - midnight) // step)


def open_observed(
    path: str | Path,
    *,
    at: datetime,
    past_count: int,
    prices: Callable[[Company, datetime, datetime], tuple[Prices, list[Finding]]] | None = None,
) -> ObservedCompany:
    """Open a company file for the interval that holds `at`, and those before it.

    Demand comes from what is observed, so the file's arrivals need not reach the present.

    Args:
        path: the YAML file.
        at: this moment.
        past_count: intervals before the present one that a saving is told about; a day at least.
        prices: returns live prices by site for a span, and what there is to say of them.

    Raises:
        FindingsError: with every error of the file.
    """
    structure = load(path)
    company = structure.company
    step_h = company.horizon.step_h
    present = present_of(company, at)
    start = present - timedelta(hours=past_count * step_h)
    end = present + timedelta(hours=step_h)
    live: Prices = {}
    findings = list(structure.warnings)
    if prices is not None:
        live, told = prices(company, start - timedelta(days=HISTORY_DAYS), end)
        findings += told
    whole, count, faults = _longest(path, structure, present, past_count, live)
    for error in faults:
        tell = _not_so_far if whole is not None else _not_current
        findings += [tell(finding, present, count * step_h) for finding in error.findings]
    return ObservedCompany(
        path=Path(path),
        company=company,
        structure=structure,
        present=present,
        now=None if whole is None else cut(whole, first=count, count=1),
        past=None if whole is None else cut(whole, first=0, count=count),
        findings=tuple(dict.fromkeys(findings)),
    )


def _longest(
    path: str | Path, structure: OpenCompany, present: datetime, past_count: int, live: Prices
) -> tuple[OpenCompany | None, int, list[FindingsError]]:
    """Open the file for the present, with as much of the past as its series reach.

    Returns:
        The company and how many intervals before the present it has, or None if nothing reaches
        the present; and why it is no more.

    Raises:
        FindingsError: for whatever is no matter of reach.
    """
    step_h = structure.company.horizon.step_h
    day, week = (round(days * H_PER_DAY / step_h) for days in (1.0, HISTORY_DAYS))
    faults: list[FindingsError] = []
    for count in dict.fromkeys((max(past_count, day), max(day, min(past_count, week)), day)):
        start = present - timedelta(hours=count * step_h)
        try:
            days = (count + 1) * step_h / H_PER_DAY
            return _priced(path, structure, start, days, live), count, faults
        except FindingsError as error:
            if not all(finding.code in OUT_OF_REACH for finding in error.findings):
                raise
            faults = [error]
    return None, 0, faults


def _priced(
    path: str | Path, structure: OpenCompany, start: datetime, days: float, live: Prices
) -> OpenCompany:
    """Open the file on another span, with live prices and without its arrivals."""

    def edit(tree: dict[str, Any]) -> dict[str, Any]:
        edited = tree | {"history_days": HISTORY_DAYS}
        edited["sites"] = [_with_price(site, live) for site in tree["sites"]]
        edited["workloads"] = [
            load | {"arrivals": {"mean_requests_per_s": 1.0}} for load in tree["workloads"]
        ]
        return edited

    company, inputs, catalogue, warnings = company_file.load(
        path, start=start, days=days, edit=edit
    )
    opened = OpenCompany(
        path=Path(path), company=company, inputs=inputs, catalogue=catalogue, warnings=warnings
    )
    if unbounded := market_findings(opened.world):
        raise FindingsError(company_file.placed(unbounded, path))
    return opened


def _with_price(site: dict[str, Any], live: Prices) -> dict[str, Any]:
    if site["name"] not in live:
        return site
    return site | {"market": site["market"] | {"price": dict(live[site["name"]])}}


def _not_current(finding: Finding, present: datetime, _past_h: float) -> Finding:
    return replace(
        finding,
        code="PRICE_NOT_CURRENT",
        severity="warning",
        reason=f"this series does not reach {present:%Y-%m-%dT%H:%MZ}: {finding.reason}; tokens "
        "and joules are told, and nothing in USD that hangs on a price of power",
        remedy="Name a live price in observe.price_feeds, or write one with `tokenergy fetch`",
    )


def _not_so_far(finding: Finding, present: datetime, past_h: float) -> Finding:
    return replace(
        finding,
        code="PRICE_HISTORY_SHORT",
        severity="warning",
        reason=f"only {past_h:g} h before the present are priced: {finding.reason}",
        remedy="Name a series or a live price that reaches back for weeks, to be told a saving",
    )
