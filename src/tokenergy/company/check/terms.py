"""Terms: what begins and ends inside the horizon, and who follows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from tokenergy.company.finding import Finding
from tokenergy.company.horizon import Horizon
from tokenergy.company.parts import Parts


def check_terms(parts: Parts) -> Iterator[Finding]:
    """Yield terms that miss the horizon, or end in it with nobody named to follow."""
    horizon = parts.horizon
    if horizon is None:
        return
    followers = {contract.successor for contract in parts.contracts}
    chained = _chained(parts, horizon)
    for path, contract in parts.placed("contracts"):
        zone = clock_of(contract, parts)
        outside = list(_outside(path, f"contract {contract.id!r}", contract, zone, horizon))
        if outside and contract.id in chained:
            continue  # another link of its chain holds in the horizon, or tells that it does not
        yield from outside or _contract(path, contract, zone, parts, contract.id in followers)
    for path, tariff in parts.placed("tariffs"):
        zone = clock_of(tariff, parts)
        outside = list(_outside(path, f"tariff {tariff.id!r}", tariff, zone, horizon))
        yield from outside or _tariff(path, tariff, zone, parts)


def _chained(parts: Parts, horizon: Horizon) -> set[str]:
    """Return the ids of contracts in a chain of successors of which a link touches the horizon."""
    links = [{each.id, each.successor} for each in parts.contracts if each.successor is not None]
    chained = set()
    for contract in parts.contracts:
        start, end = span_of(contract, clock_of(contract, parts), horizon)
        if start < end:
            chained.add(contract.id)
    while grown := {name for link in links if link & chained for name in link} - chained:
        chained |= grown
    return chained


def clock_of(owner: Any, parts: Parts) -> tzinfo:
    """Return the zone whose midnights a contract or tariff begins and ends at.

    A tariff's own, else the market's of its site; UTC where that site could not be read.
    """
    if getattr(owner, "time_zone", None):
        return ZoneInfo(owner.time_zone)
    site = parts.find("sites", owner.site)
    return UTC if site is None else ZoneInfo(site.market.time_zone)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of a day on a zone's clock, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def span_of(owner: Any, zone: tzinfo, horizon: Horizon) -> tuple[datetime, datetime]:
    """Return the part of the horizon that a term covers; it ends before it starts if there is none.

    Moments are in UTC.
    """
    start = midnight(owner.start, zone) if owner.start else horizon.start
    end = midnight(owner.end, zone) if owner.end else horizon.end
    return max(start, horizon.start), min(end, horizon.end)


def _outside(path: str, name: str, owner: Any, zone: tzinfo, horizon: Horizon) -> Iterator[Finding]:
    start, end = span_of(owner, zone, horizon)
    if start < end:
        return
    after = owner.start is not None and midnight(owner.start, zone) >= horizon.end
    yield Finding(
        code="CONTRACT_OUTSIDE_HORIZON",
        path=f"{path}.{'start' if after else 'end'}",
        value=_term_text(owner),
        limit=span_text(horizon),
        reason=f"{name} delivers nothing in the horizon: its term lies "
        f"{'after the horizon' if after else 'before it'}",
        remedy="Correct its dates, or leave it out",
    )


def _contract(
    path: str, contract: Any, zone: tzinfo, parts: Parts, follows: bool
) -> Iterator[Finding]:
    horizon = parts.horizon
    assert horizon is not None  # the caller's condition
    start, end = span_of(contract, zone, horizon)
    late, early = start > horizon.start, end < horizon.end
    spot = contract.kind == "spot"
    said = ""
    if spot:
        said = "the site cannot buy or sell for the rest" if late or early else ""
    elif early:
        said = _without_follower(contract, parts)
    if said:
        yield Finding(
            code="CONTRACT_EXPIRED_IN_HORIZON",
            path=f"{path}.{'end' if early else 'start'}",
            value=_term_text(contract),
            limit=span_text(horizon),
            reason=f"contract {contract.id!r} covers only part of the horizon: {said}",
            remedy="Correct its dates: one spot contract settles the whole horizon"
            if spot
            else "Correct its dates, or name in successor the contract that follows (the site's "
            "spot contract, if prices do)",
        )
    elif late and not follows:
        yield Finding(
            code="CONTRACT_BEGINS_IN_HORIZON",
            path=f"{path}.start",
            value=_term_text(contract),
            limit=span_text(horizon),
            reason=f"contract {contract.id!r} covers only part of the horizon: before its first "
            "day the site lives without it",
            remedy="Nothing, if that is meant; else correct its dates, or name it as the "
            "successor of the contract before it",
            severity="warning",
        )


def _without_follower(contract: Any, parts: Parts) -> str:
    """Say why nobody follows a contract that ends; "" where somebody does."""
    if contract.successor is None:
        return "it ends, and no successor is named"
    after = parts.find("contracts", contract.successor)
    if after is None:
        return ""  # an unknown name, and told as such
    if after.start is not None and after.start > contract.end:
        return f"its successor {after.id!r} begins on {after.start}, and nothing holds until then"
    if after.end is not None and after.end <= contract.end:
        return f"its successor {after.id!r} ends on {after.end}, no later than it"
    return ""


def _tariff(path: str, tariff: Any, zone: tzinfo, parts: Parts) -> Iterator[Finding]:
    """Warn of charges that end and are taken over by no other tariff of the site."""
    horizon = parts.horizon
    assert horizon is not None  # the caller's condition
    _, end = span_of(tariff, zone, horizon)
    if end >= horizon.end:
        return
    others = (each for each in parts.tariffs if each.site == tariff.site and each is not tariff)
    if not any(_holds_at(each, tariff.end) for each in others):
        yield Finding(
            code="CONTRACT_EXPIRED_IN_HORIZON",
            path=f"{path}.end",
            value=_term_text(tariff),
            limit=span_text(horizon),
            reason=f"tariff {tariff.id!r} ends within the horizon, and no other tariff of site "
            f"{tariff.site!r} follows: the days after are free of its charges",
            remedy="Correct its dates, or add the tariff that follows",
            severity="warning",
        )


def _holds_at(tariff: Any, day: date) -> bool:
    begun = tariff.start is None or tariff.start <= day
    return begun and (tariff.end is None or tariff.end > day)


def _term_text(owner: Any) -> str:
    return f"{owner.start or 'always'} to {owner.end or 'for ever'}"


def span_text(horizon: Horizon) -> str:
    """Return from when to when a horizon runs, as people and files write it."""
    return f"{moment_text(horizon.start)} to {moment_text(horizon.end)}"


def moment_text(when: datetime) -> str:
    """Return a moment in UTC as people and files write it."""
    return when.strftime("%Y-%m-%dT%H:%MZ")
