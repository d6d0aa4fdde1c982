"""The whole fleet as one place, and the few sites that are shown beside it where there are many."""

from collections.abc import Sequence
from typing import Final

from tokenergy.page.number import percent
from tokenergy.page.rows import SOURCES, Given, Row, sources_of, unique

FLEET: Final = "all sites"
"""What the sum of all sites is called in charts and tables."""
_SUMS: Final = (
    "load_mw", "import_mw", "export_mw", "take_mw", "charge_mw", "discharge_mw", "stored_mwh",
    "import_limit_mw",
)  # fmt: skip


def largest_sites(balance: Sequence[Given], most_count: int) -> list[str]:
    """Return the sites that draw most power, in the order of the balance: all where they fit."""
    sites = unique(row["site"] for row in balance)
    if len(sites) <= most_count:
        return sites
    load: dict[str, float] = dict.fromkeys(sites, 0.0)
    for row in balance:
        load[row["site"]] += row["load_mw"]
    kept = set(sorted(sites, key=lambda site: -load[site])[:most_count])
    return [site for site in sites if site in kept]


def fleet_rows(balance: Sequence[Given], *, sources: bool = False) -> list[Row]:
    """Return one row for each interval: powers of all sites added up, price weighted by load.

    Where nobody draws anything the price is the plain mean.

    Args:
        balance: the rows of all sites.
        sources: also tell where power comes from, site by site before it is added up: what one
            site's contract delivers covers no import of another.
    """
    names = (*_SUMS, *(SOURCES if sources else ()))
    sums: dict[str, list[float]] = {}
    for row in balance:
        held = sums.get(row["start"])
        if held is None:
            held = sums[row["start"]] = [0.0] * (len(names) + 3)
        for at, name in enumerate(_SUMS):
            held[at] += row[name]
        if sources:
            for at, power in enumerate(sources_of(row).values(), start=len(_SUMS)):
                held[at] += power
        held[-3] += row["load_mw"] * row["buy_usd_per_mwh"]
        held[-2] += row["buy_usd_per_mwh"]
        held[-1] += 1.0
    return [_priced(start, names, held) for start, held in sums.items()]


def _priced(start: str, names: Sequence[str], sums: Sequence[float]) -> Row:
    *powers, paid, plain, count = sums
    row: Row = {"start": start, "site": FLEET}
    row |= {name: round(mw, 4) for name, mw in zip(names, powers, strict=True)}
    price = paid / row["load_mw"] if row["load_mw"] > 0.0 else plain / count
    return row | {"buy_usd_per_mwh": round(price, 3)}


def by_site(balance: Sequence[Given]) -> dict[str, list[Given]]:
    """Return the rows of each site, in the order of the balance."""
    found: dict[str, list[Given]] = {}
    for row in balance:
        found.setdefault(row["site"], []).append(row)
    return found


def shown_words(balance: Sequence[Given], shown: Sequence[str]) -> str:
    """Say which sites are shown by themselves, and how much of the load they are; "" if all."""
    sites = unique(row["site"] for row in balance)
    if len(shown) == len(sites):
        return ""
    kept = set(shown)
    whole = sum(row["load_mw"] for row in balance)
    part = sum(row["load_mw"] for row in balance if row["site"] in kept)
    share = f", {percent(part / whole, 0)} of the load" if whole > 0.0 else ""
    return f"Of {len(sites)} sites the {len(shown)} that draw most are shown by themselves{share}."


def with_fleet(
    balance: Sequence[Given], shown: Sequence[str], *, sources: bool = False
) -> list[Given]:
    """Return the rows of all sites together, where there is more than one, then of those shown."""
    several = len({row["site"] for row in balance}) > 1
    kept = set(shown)
    fleet = fleet_rows(balance, sources=sources) if several else []
    return [*fleet, *(row for row in balance if row["site"] in kept)]
