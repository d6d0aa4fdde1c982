"""Rates of tariffs and contracts: a figure for another unit than its key's costs millions."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts


class Span(NamedTuple):
    """Between which sizes a rate is its own unit's, and which other unit it may be in."""

    least_quantity: float
    most_quantity: float
    unit: str
    below: str
    above: str


PER_KW_MONTH: Final = Span(
    0.1, 75.0, "USD/kW-month", "USD/W or per day", "USD/kW-year or USD/MW-month"
)
"""More than 10,000 US tariffs of the rate database (NREL, A Survey of U.S. Demand Charges, 2017)
lie within: a quarter of customers may pay above 15 USD/kW, few above 40. Both ends are ours,
generous: 75 x 12 = 900 USD/kW-year is nobody's, 0.1 is a rider's."""
PER_KW_YEAR: Final = Span(10.0, 400.0, "USD/kW-year", "USD/kW-month", "USD/MW-year")
"""Transmission by coincident peak was 25 in ERCOT in 2013 and is 50 to 150 now (contracts sheet,
section 9); a twelfth of it would be a monthly rate. Both ends are ours."""
PER_MW_DAY: Final = Span(15.0, 1_000.0, "USD/MW-day", "USD/kW-month", "USD/MW-month or -year")
"""PJM cleared between 16 (2012/13) and 444 (2025/26, Dominion), MISO 667 in the summer of 2025:
capacity auctions as told by secondary pages; a rate of 10 is one by the kW and month."""
PER_MWH: Final = Span(1.0, 1_000.0, "USD/MWh", "USD/kWh or cents per kWh", "cents or mills")
"""As strikes: no supply costs 0.1 or 2,000 USD/MWh all hours of a period."""


def check_rates(parts: Parts) -> Iterator[Finding]:
    """Yield rates that look like another unit's."""
    for path, contract in parts.placed("contracts"):
        if contract.kind == "colocation":
            field = "standby_usd_per_kw_month"
            yield from _held(f"{path}.{field}", contract.standby_usd_per_kw_month, PER_KW_MONTH)
        if contract.kind == "demand_response":
            field = "availability_usd_per_kw_month"
            rate = contract.availability_usd_per_kw_month
            yield from _held(f"{path}.{field}", rate, PER_KW_MONTH)
    for path, tariff in parts.placed("tariffs"):
        for at, item in enumerate(tariff.demand):
            where = f"{path}.demand[{at}].usd_per_kw_month"
            yield from _held(where, item.usd_per_kw_month, PER_KW_MONTH)
        field = "standby_usd_per_kw_month"
        yield from _held(f"{path}.{field}", tariff.standby_usd_per_kw_month, PER_KW_MONTH)
        for at, peak in enumerate(tariff.coincident):
            where = f"{path}.coincident[{at}]"
            yield from _held(f"{where}.usd_per_kw_year", peak.usd_per_kw_year, PER_KW_YEAR)
            yield from _held(f"{where}.usd_per_mw_day", peak.usd_per_mw_day, PER_MW_DAY)
        if tariff.energy is not None:
            supply = tariff.energy.settles == "supply"
            for at, period in enumerate(tariff.energy.periods):
                where = f"{path}.energy.periods[{at}].usd_per_mwh"
                yield from _energy(where, period.usd_per_mwh, supply=supply)
        for at, rate in enumerate(tariff.tiers.usd_per_mwh if tariff.tiers else ()):
            yield from _energy(f"{path}.tiers.usd_per_mwh[{at}]", rate, supply=False)


def _energy(path: str, quantity: float, *, supply: bool) -> Iterator[Finding]:
    """A delivery rate may be a fraction of a dollar; a supply is the whole price of power."""
    span = PER_MWH if supply else PER_MWH._replace(least_quantity=0.01)
    yield from _held(path, quantity, span)


def _held(path: str, quantity: float | None, span: Span) -> Iterator[Finding]:
    """Hold a rate against its span; 0 is a statement of its own."""
    if not quantity or span.least_quantity <= abs(quantity) <= span.most_quantity:
        return
    above = abs(quantity) > span.most_quantity
    yield Finding(
        code="UNIT_AMBIGUOUS",
        path=path,
        value=f"{quantity:g}",
        limit=f"{span.least_quantity:g} to {span.most_quantity:,.0f}",
        unit=span.unit,
        reason=f"no rate in {span.unit} is so {'high' if above else 'low'}: it looks like one in "
        f"{span.above if above else span.below}",
        remedy=f"State it in {span.unit}",
    )
