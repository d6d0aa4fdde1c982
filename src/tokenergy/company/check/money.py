"""Money of price files: a column in another currency than the company's states its rate."""

import re
from collections.abc import Iterator
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.series import FileSeries, SyntheticSeries

CURRENCIES: Final = frozenset({
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HUF", "INR", "JPY", "KRW",
    "NOK", "NZD", "PLN", "SEK", "SGD", "USD", "ZAR",
})  # fmt: skip
"""ISO codes that a column or a file may carry in its name."""

MONEY_OF_ZONE: Final = {
    "America/New_York": "USD", "America/Chicago": "USD", "America/Denver": "USD",
    "America/Phoenix": "USD", "America/Los_Angeles": "USD", "America/Toronto": "CAD",
    "America/Edmonton": "CAD", "America/Vancouver": "CAD", "America/Sao_Paulo": "BRL",
    "Asia/Tokyo": "JPY", "Asia/Singapore": "SGD", "Asia/Kolkata": "INR", "Asia/Seoul": "KRW",
    "Asia/Shanghai": "CNY", "Pacific/Auckland": "NZD", "Europe/London": "GBP",
    "Europe/Zurich": "CHF",
}  # fmt: skip
"""Money that the market of a zone publishes its prices in."""
MONEY_OF_CONTINENT: Final = {"Europe": "EUR", "Australia": "AUD"}
"""The same where a zone is not listed: Nordic and eastern markets publish EUR too."""

SYNTHETIC_MONEY: Final = "USD"
SMALLEST_RATE: Final = 0.2
LARGEST_RATE: Final = 5.0
"""Between the two, `usd_per_unit` is a rate of exchange and not another unit of energy."""


def check_money(parts: Parts) -> Iterator[Finding]:
    """Yield price files that are read one to one and are perhaps in another currency."""
    for path, contract in parts.placed("contracts"):
        site = parts.find("sites", contract.site)
        for field in ("hub_price", "fuel_usd_per_mmbtu"):
            source = getattr(contract, field, None)
            if isinstance(source, FileSeries) and site is not None:
                of = f"{field} of contract {contract.id!r}"
                yield from _price(f"{path}.{field}", of, site, source, parts.currency)
    for path, site in parts.placed("sites"):
        price = site.market.price
        if isinstance(price, FileSeries):
            of = f"the price of site {site.name!r}"
            yield from _price(f"{path}.market.price", of, site, price, parts.currency)
        elif isinstance(price, SyntheticSeries) and parts.currency != SYNTHETIC_MONEY:
            yield Finding(
                code="SYNTHETIC_IN_USD",
                path=f"{path}.market.price",
                value=price.synthetic,
                limit=parts.currency,
                reason=f"synthetic prices have the size of {SYNTHETIC_MONEY} figures, and site "
                f"{site.name!r} reads them as {parts.currency}: nothing is converted",
                remedy=f"Name a file or a number in {parts.currency}",
                severity="warning",
            )


def _price(path: str, of: str, site: Any, price: FileSeries, currency: str) -> Iterator[Finding]:
    named = _named(price)
    if "usd_per_unit" in price.model_fields_set:
        rate = price.usd_per_unit
        if named == {currency} and rate != 1.0 and SMALLEST_RATE <= rate <= LARGEST_RATE:
            yield Finding(
                code="CURRENCY_TWICE",
                path=f"{path}.usd_per_unit",
                value=f"{rate:g}",
                limit="1",
                unit=f"{currency} per {currency}",
                reason=f"{of} is in {currency} by the name of its "
                "column or file, which is the company's money, and is multiplied by a rate",
                remedy="Remove usd_per_unit, or correct currency",
                severity="warning",
            )
        return
    other = sorted(named - {currency})
    if other and currency not in named:
        yield Finding(
            code="CURRENCY_WITHOUT_RATE",
            path=f"{path}.column",
            value=f"{price.column} in {price.file}",
            limit=currency,
            reason=f"{of} is in {other[0]} by the name of its column "
            f"or file, the company's money is {currency}, and no rate is stated",
            remedy=f"State usd_per_unit ({currency} per {other[0]}), with a rate_note; 1 if the "
            "column is converted already",
        )
        return
    local = money_of(site.market.time_zone)
    if not named and local not in (None, currency):
        yield Finding(
            code="CURRENCY_UNSTATED",
            path=path,
            value=local or "",
            limit=currency,
            reason=f"the market of site {site.name!r} publishes its prices in {local}, and this "
            f"file is read as {currency}",
            remedy=f"State usd_per_unit ({currency} per {local}); 1 if the file is in {currency}",
            severity="warning",
        )


def _named(price: FileSeries) -> set[str]:
    """Return the currencies that the names of a column and its file carry."""
    words = re.split(r"[^A-Za-z]+", f"{price.column} {price.file}")
    return {word.upper() for word in words} & CURRENCIES


def money_of(time_zone: str) -> str | None:
    """Return the money that markets of a time zone publish in, None where we do not know."""
    listed = MONEY_OF_ZONE.get(time_zone)
    return listed or MONEY_OF_CONTINENT.get(time_zone.partition("/")[0])
