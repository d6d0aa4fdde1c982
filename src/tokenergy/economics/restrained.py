"""The same company under its own restraint: what each tier is limited to, and who leaves.

Most limits are said in the company file's words: a world built from the restrained company has
them. Two are not: a cap on what one user may ask for, and the users who leave. Both are factors
on arrivals, applied to that world.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.restraint import Restraint, restrained_text
from tokenergy.company.tier import Tier, Workload
from tokenergy.dispatch.world import FloatArray, Route, WorkloadSpec, World
from tokenergy.economics.heavy_tail import Lognormal, ValueClass
from tokenergy.economics.heavy_tail import value_classes as classes_of
from tokenergy.errors import InputError

CLASSES_COUNT: Final = 10
"""Tenths of the requests by what they are worth."""
TAIL_COUNT: Final = 4
"""Parts of the most valuable tenth."""
CLASS_MARK: Final = "~"
"""Between the name of a workload and the number of its class; no name of a file holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is left of a tier's arrivals under a restraint.

    Attributes:
        tier: the tier.
        tokens_share: part of a user's mean tokens that a cap leaves.
        users_share: part of the users that stay; who leaves is taken to be as heavy as the mean.
    """

    tier: str
    tokens_share: float
    users_share: float

    @property
    def arrivals_share(self) -> float:
        """Part of the arrivals that are left."""
        return self.tokens_share * self.users_share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Restrained:
    """A company under restraint: `world(build(company))` is its world.

    Attributes:
        company: the file with other deadlines, ladders, promises and numbers of users.
        kept: what is left of the arrivals, by tier that is restrained.
        restraints: the limits.
    """

    company: Company
    kept: tuple[Kept, ...]
    restraints: tuple[Restraint, ...]

    def world(self, built: World) -> World:
        """Return the world of the restrained company with fewer arrivals.

        Args:
            built: the world of `company`, built from the series of the file.
        """
        left = {kept.tier: kept for kept in self.kept}
        shares = [
            left[load.tier].arrivals_share if load.tier in left else 1.0 for load in built.workloads
        ]
        tiers = {tier.name: tier for tier in built.company.tiers}
        return replace(
            built,
            arrivals_mtok=built.arrivals_mtok * np.array(shares)[:, None],
            workloads=tuple(
                _repriced(load, tiers[load.tier], share)
                for load, share in zip(built.workloads, shares, strict=True)
            ),
        )

    def says(self) -> tuple[str, ...]:
        """Say what each restraint changes, and what is assumed."""
        lines = []
        for restraint, kept in zip(self.restraints, self.kept, strict=True):
            line = restrained_text(restraint)
            if kept.tokens_share < 1.0:
                line += f", which leaves {kept.tokens_share:.1%} of what they ask for"
            leave = "nobody is taken to leave"
            if restraint.churn_share:
                leave = f"{restraint.churn_share:.1%} of its users leave"
            lines.append(f"{line}; {leave}.")
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the limits and what they leave as a JSON-ready mapping."""
        return {
            "restraint": [restraint.model_dump(mode="json") for restraint in self.restraints],
            "kept": [asdict(kept) | {"arrivals_share": kept.arrivals_share} for kept in self.kept],
            "says": list(self.says()),
        }


def restrained(company: Company) -> Restrained:
    """Return a company under its own restraint.

    Raises:
        InputError: if it states none, or a cap for a tier whose tail is not known.
    """
    if not company.restraint:
        raise InputError(
            f"company {company.company!r} states no restraint: add restraint: [{{tier: ...}}]"
        )
    limits = {restraint.tier: restraint for restraint in company.restraint}
    tiers = tuple(_limited_tier(tier, limits.get(tier.name)) for tier in company.tiers)
    workloads = tuple(_limited_work(load, limits.get(load.tier)) for load in company.workloads)
    by_name = {tier.name: tier for tier in company.tiers}
    return Restrained(
        company=company.model_copy(update={"tiers": tiers, "workloads": workloads}),
        kept=tuple(_kept(by_name[limit.tier], limit) for limit in company.restraint),
        restraints=company.restraint,
    )


def value_classes(
    world: World, *, count: int = CLASSES_COUNT, tail_count: int = TAIL_COUNT
) -> World:
    """Return a world in which requests of unequal value are told apart.

    A workload of a tier that may refuse and states `value_top_tenth_share` becomes one for each
    class of value, `name~1` the least valuable: the program itself then refuses what is worth
    less than it costs, hour by hour. Price, routes and deadline are those of the workload; what a
    class is worth averages to the tier's value. Classes are not cut again.

    Args:
        world: the company as arrays; its `company` keeps the workloads of the file.
        count: classes with as many requests each.
        tail_count: parts of the most valuable of them, each half of the one below it.
    """
    tails = {tier.name: tier.value_top_tenth_share for tier in world.company.tiers}
    loads: list[WorkloadSpec] = []
    arrivals: list[FloatArray] = []
    routes: list[Route] = []
    for at, load in enumerate(world.workloads):
        whole = not load.must_serve and CLASS_MARK not in load.name
        tail = tails.get(load.tier) if whole else None
        classes = [ValueClass(requests_share=1.0, value_ratio=1.0)]
        if tail is not None:
            classes = list(classes_of(tail, count, tail_count=tail_count))
        mine = [route for route in world.routes if route.workload == at]
        for number, each in enumerate(classes, start=1):
            name = load.name if tail is None else f"{load.name}{CLASS_MARK}{number}"
            value = load.value_usd_per_mtok * each.value_ratio
            routes += [replace(route, workload=len(loads)) for route in mine]
            loads.append(replace(load, name=name, value_usd_per_mtok=value))
            arrivals.append(world.arrivals_mtok[at] * each.requests_share)
    return replace(
        world,
        workloads=tuple(loads),
        arrivals_mtok=np.array(arrivals),
        routes=tuple(sorted(routes, key=lambda route: (route.workload, route.deployment))),
    )


def _kept(tier: Tier, restraint: Restraint) -> Kept:
    tokens_share = 1.0
    if restraint.cap_ratio is not None:
        if tier.users is None or tier.users.top_tenth_share is None:
            raise InputError(
                f"restraint of tier {tier.name!r} caps a user at {restraint.cap_ratio:g} times "
                "the mean, and how unevenly its users ask is not known: state "
                "users.top_tenth_share, or leave cap_ratio out"
            )
        usage = Lognormal.from_top_tenth_share(tier.users.top_tenth_share, mean_mtok=1.0)
        tokens_share = usage.kept_share(restraint.cap_ratio)
    return Kept(tier=tier.name, tokens_share=tokens_share, users_share=1.0 - restraint.churn_share)


def _limited_tier(tier: Tier, restraint: Restraint | None) -> Tier:
    if restraint is None:
        return tier
    changes: dict[str, Any] = {}
    if restraint.must_serve is not None:
        changes["must_serve"] = restraint.must_serve
    if restraint.deadline_s is not None:
        changes["deadline_s"] = restraint.deadline_s
    if tier.users is not None and restraint.churn_share:
        stay = max(1, round(tier.users.count * (1.0 - restraint.churn_share)))
        changes["users"] = tier.users.model_copy(update={"count": stay})
    return tier.model_copy(update=changes)


def _limited_work(workload: Workload, restraint: Restraint | None) -> Workload:
    if restraint is None or restraint.ladder is None:
        return workload
    return workload.model_copy(update={"ladder": restraint.ladder})


def _repriced(load: WorkloadSpec, tier: Tier, arrivals_share: float) -> WorkloadSpec:
    """Spread a subscription over fewer tokens; every other price is of a token already."""
    if tier.price_usd_per_user_month is None or arrivals_share == 1.0:
        return load
    price = load.price_usd_per_mtok / arrivals_share if arrivals_share else 0.0
    value = price if tier.value == "from_price" else load.value_usd_per_mtok
    return replace(load, price_usd_per_mtok=price, value_usd_per_mtok=value)
