"""Make or buy: what APIs and awake leases take of a plan's work, and the price at which that turns.

Own is what is paid for whether it is used or not: GPUs bought, or reserved. The price of the other
side is scaled, all else kept and every size chosen again: from where on is a first own GPU built,
and from where on does nobody else get any work?
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, Literal

import numpy as np

from tokenergy.dispatch.columns import own_deployments
from tokenergy.dispatch.supply import FloatArray, IntArray
from tokenergy.lp.solution import Solution
from tokenergy.plan.held import Held
from tokenergy.plan.levers import in_slots
from tokenergy.plan.program import PlanProgram
from tokenergy.plan.ranking import relaxed_held
from tokenergy.plan.whole import WholeAnswer

MOST_RATIO: Final = 64.0
"""Prices are asked about up to so many times what the file says."""
NEAR_RATIO: Final = 1.01
"""How near the price that is found lies to the one at which it turns."""
NOTHING_SHARE: Final = 1e-6
"""Work below this share of all that is served is none."""
ONE_GPU: Final = 1.0
Source = Literal["api", "lease"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """One way to have work done without owning: external APIs, or GPUs leased while awake.

    Attributes:
        source: which.
        names: the APIs, or the leased fleets.
        served_mtok, served_share: its work over the horizon, and of all that is served.
        unit: of its price.
        price_quantity: mean price in the file.
        own_from_quantity: price from which on a first own GPU is built; None: not up to 64 times
            the price, or no own GPU may be built. 0: at any price.
        none_from_quantity: price from which on nobody buys; None: not up to 64 times the price.
    """

    source: Source
    names: tuple[str, ...]
    served_mtok: float
    served_share: float
    unit: str
    price_quantity: float
    own_from_quantity: float | None
    none_from_quantity: float | None

    def sentence(self) -> str:
        """Say it in a sentence."""
        who = " and ".join(self.names)
        text = f"{who} serve {self.served_share:.1%} of the work at {self.price_quantity:.4g} "
        text += f"{self.unit} on the mean"
        if self.own_from_quantity is None:
            text += "; own GPUs do not pay at any price asked about"
        elif self.own_from_quantity <= 0.0:
            text += "; own GPUs pay at any price"
        else:
            text += f"; own GPUs pay from {self.own_from_quantity:.4g} {self.unit} on"
        if self.none_from_quantity is not None and self.none_from_quantity > 0.0:
            text += f", and from {self.none_from_quantity:.4g} on nothing is bought"
        return text + "."


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeOrBuy:
    """What a plan makes and what it buys.

    Attributes:
        own_mtok, own_share: work on GPUs that are paid for anyway.
        bought: by source; empty where the company can only make.
    """

    own_mtok: float
    own_share: float
    bought: tuple[Bought, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return both sides as a JSON-ready mapping."""
        told = [asdict(each) | {"sentence": each.sentence()} for each in self.bought]
        return asdict(self) | {"bought": told}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """One source: its routes, and the part of the costs that is its price."""

    source: Source
    names: tuple[str, ...]
    unit: str
    price_quantity: float
    routes: tuple[int, ...]
    columns: IntArray
    usd: FloatArray


def make_or_buy(answer: WholeAnswer) -> MakeOrBuy:
    """Return what a plan makes and buys, and the prices at which that turns.

    Raises:
        SolverFailure: if no answer of the solver passes our check.
    """
    plan, held = answer.plan, relaxed_held(answer)
    sides = tuple(_sides(plan))
    total = sum(_served_mtok(plan, held.solution, at) for at in range(len(plan.world.routes)))
    bought = []
    for side in sides:
        mtok = sum(_served_mtok(plan, held.solution, at) for at in side.routes)
        bought.append(
            Bought(
                source=side.source,
                names=side.names,
                served_mtok=mtok,
                served_share=mtok / total if total > 0.0 else 0.0,
                unit=side.unit,
                price_quantity=side.price_quantity,
                own_from_quantity=_turns(held, side, partial(_own_gpus, plan)),
                none_from_quantity=_turns(held, side, partial(_nothing_bought, plan, side)),
            )
        )
    own = total - sum(each.served_mtok for each in bought)
    share = own / total if total > 0.0 else 0.0
    return MakeOrBuy(own_mtok=own, own_share=share, bought=tuple(bought))


def _sides(plan: PlanProgram) -> Iterator[_Side]:
    """Yield the external APIs, then the fleets that are paid while awake, where there are any."""
    world, own = plan.world, own_deployments(plan.world)
    apis = [at for at, r in enumerate(world.routes) if r.deployment >= own and r.api_usd_per_mtok]
    if apis:
        prices = [world.routes[at].api_usd_per_mtok for at in apis]
        slots = plan.program.slots_count
        yield _Side(
            source="api",
            names=_names(world.deployments[world.routes[at].deployment].name for at in apis),
            unit="USD/Mtok",
            price_quantity=float(np.mean(prices)),
            routes=tuple(apis),
            columns=np.concatenate([in_slots(plan, "serve", at) for at in apis]),
            usd=np.repeat(prices, slots),
        )
    leased = [
        at
        for at, each in enumerate(world.deployments[:own])
        if world.fleets[each.fleet].lease_usd_per_gpu_hour > 0.0
    ]
    if leased:
        fleets = [world.fleets[world.deployments[at].fleet] for at in leased]
        columns = np.concatenate([in_slots(plan, "awake", at) for at in leased])
        yield _Side(
            source="lease",
            names=_names(each.name for each in fleets),
            unit="USD/GPU-hour",
            price_quantity=float(np.mean([each.lease_usd_per_gpu_hour for each in fleets])),
            routes=tuple(at for at, r in enumerate(world.routes) if r.deployment in leased),
            columns=columns,
            usd=plan.numbers.costs[columns],
        )


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))


def _served_mtok(plan: PlanProgram, solution: Solution, route: int) -> float:
    return max(0.0, float(solution.columns[in_slots(plan, "serve", route)].sum()))


def _own_gpus(plan: PlanProgram, solution: Solution) -> bool:
    """Tell whether a GPU is built that is paid for whether it is used or not."""
    hourly = {f.name for f in plan.world.fleets if f.lease_usd_per_gpu_hour > 0.0}
    sizes = plan.sizes(solution.columns)
    own = [e.name for e in plan.candidates if e.kind == "fleet" and e.noun not in hourly]
    return sum(sizes[name] for name in own) >= ONE_GPU


def _nothing_bought(plan: PlanProgram, side: _Side, solution: Solution) -> bool:
    every = range(len(plan.world.routes))
    total = sum(_served_mtok(plan, solution, at) for at in every)
    return sum(_served_mtok(plan, solution, at) for at in side.routes) <= NOTHING_SHARE * total


def _turns(held: Held, side: _Side, is_so: Callable[[Solution], bool]) -> float | None:
    """Return the least price of a side at which something is so; 0: at any; None: at none asked."""

    def at(ratio: float) -> bool:
        costs = held.costs.copy()
        costs[side.columns] += (ratio - 1.0) * side.usd
        return is_so(held.solved(costs, onward=True))

    low, high = 1.0 / MOST_RATIO, MOST_RATIO
    if at(low):
        return 0.0
    if not at(high):
        return None
    while high > NEAR_RATIO * low:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if at(middle) else (middle, high)
    return high * side.price_quantity
