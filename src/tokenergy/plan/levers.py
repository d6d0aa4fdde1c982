"""What would have to change for a site to win: one stated input at a time, by solving again.

A lever is a price of one site: of its power, of a contract there, of its facility, of its GPUs. It
moves costs of the plan's program and nothing else, so that every question is a hot solve; what is
needed is found by halving the span between what the file says and the lever's end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tokenergy.lp.program import FloatArray, IntArray
from tokenergy.lp.solution import Solution
from tokenergy.plan.held import Held
from tokenergy.plan.program import PlanProgram

NEAR_SHARE: Final = 2e-3
"""How near the change that is found lies to the least that is enough, over the lever's span."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lever:
    """One input of the file that could be lower.

    Attributes:
        name: what it is, in words.
        unit: of the input.
        stated_quantity: what the file says (of a series: its mean).
        end_quantity: as low as it is asked about.
        columns, usd_per_unit: by how much the cost of columns changes for one unit less [m].
    """

    name: str
    unit: str
    stated_quantity: float
    end_quantity: float
    columns: IntArray
    usd_per_unit: FloatArray

    def costs(self, costs: FloatArray, less_quantity: float) -> FloatArray:
        """Return the costs of all columns with the input lower by so much."""
        moved = costs.copy()
        np.add.at(moved, self.columns, less_quantity * self.usd_per_unit)
        return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What one input would have to be for a site to win.

    Attributes:
        lever, unit, stated_quantity: the input, and what the file says.
        needed_quantity: what it would have to be; None: not even at `end_quantity`.
        end_quantity: as low as was asked.
        displaced: sites that would be smaller then.
    """

    lever: str
    unit: str
    stated_quantity: float
    needed_quantity: float | None
    end_quantity: float
    displaced: tuple[str, ...] = ()

    @property
    def change_share(self) -> float | None:
        """The change over what the file says; None where it is not enough, or the file says 0."""
        if self.needed_quantity is None or not self.stated_quantity:
            return None
        return self.needed_quantity / self.stated_quantity - 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return the need as a JSON-ready mapping."""
        return {
            "lever": self.lever,
            "unit": self.unit,
            "stated_quantity": self.stated_quantity,
            "needed_quantity": self.needed_quantity,
            "end_quantity": self.end_quantity,
            "change_share": self.change_share,
            "displaced": list(self.displaced),
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """Say it in a sentence."""
        unit = f" {self.unit}" if self.unit else ""
        if self.needed_quantity is None:
            return (
                f"{self.lever}: not by this alone, not even at {self.end_quantity:,.4g}{unit} "
                f"(now {self.stated_quantity:,.4g})."
            )
        text = (
            f"{self.lever}: {self.needed_quantity:,.4g}{unit} instead of "
            f"{self.stated_quantity:,.4g}"
        )
        if self.displaced:
            text += f", in the place of {' and '.join(self.displaced)}"
        return text + "."


def levers_of(plan: PlanProgram, site: str) -> Iterator[Lever]:
    """Yield the inputs of one site that could be lower: power, strikes, facility, GPUs."""
    yield _power(plan, plan.world.site_names.index(site))
    yield from _strikes(plan, plan.world.site_names.index(site))
    words = {"site": f"facility cost of {site}", "fleet": f"GPU price at {site}"}
    for kind, name in words.items():
        lever = _annuities(plan, site, kind, name)
        if lever is not None:
            yield lever


def in_slots(plan: PlanProgram, block: str, at: int) -> IntArray:
    """Return the numbers of one column of a block in every slot."""
    found = plan.program.columns[block]
    slots = np.arange(plan.program.slots_count, dtype=np.int64)
    return slots * plan.program.columns_per_slot + found.offset + at


def _power(plan: PlanProgram, site: int) -> Lever:
    """Spot prices lower by one figure in every hour: bought, with losses, and sold."""
    world, window = plan.world, plan.window
    buy, sell = in_slots(plan, "buy", site), in_slots(plan, "sell", site)
    losses = np.full(buy.size, -(1.0 + float(world.loss_share[site])))
    return Lever(
        name=f"price of power at {world.site_names[site]}",
        unit="USD/MWh",
        stated_quantity=float(window.buy_usd_per_mwh[site].mean()),
        end_quantity=min(0.0, float(window.buy_usd_per_mwh[site].mean())),
        columns=np.concatenate((buy, sell)),
        usd_per_unit=np.concatenate((losses, np.ones(sell.size))),
    )


def _strikes(plan: PlanProgram, site: int) -> Iterator[Lever]:
    """Yield the strike of each as-produced contract at the site that is paid as it is taken."""
    for at, take in enumerate(plan.world.takes):
        paid = plan.window.take_usd_per_mwh[at]
        if take.site != site or not np.all(paid > 0.0):
            continue
        yield Lever(
            name=f"strike of {take.contract_id}",
            unit="USD/MWh",
            stated_quantity=float(paid.mean()),
            end_quantity=0.0,
            columns=in_slots(plan, "take", at),
            usd_per_unit=np.full(paid.size, -1.0),
        )


def _annuities(plan: PlanProgram, site: str, kind: str, name: str) -> Lever | None:
    """Return what a unit of a site's candidates of one kind costs, scaled; None: nothing there."""
    pairs = [
        (int(column), each.usd_per_unit_year)
        for each, column in zip(plan.candidates, plan.columns_of("unbuilt"), strict=True)
        if each.site == site and each.kind == kind and each.usd_per_unit_year > 0.0
    ]
    if not pairs:
        return None
    usd = np.array([each for _, each in pairs]) * plan.years
    # In shares of what the file says: what is unbuilt saves less where a unit costs less.
    return Lever(
        name=name,
        unit="of what the file says",
        stated_quantity=1.0,
        end_quantity=0.0,
        columns=np.array([column for column, _ in pairs]),
        usd_per_unit=usd,
    )


def needed(
    held: Held,
    lever: Lever,
    *,
    wins: Callable[[Solution], bool],
    displaced: Callable[[Solution], tuple[str, ...]],
) -> Needed:
    """Return what an input would have to be for `wins` to hold, to 0.2 % of its span.

    The answer is a figure at which it was seen to hold.

    Raises:
        SolverFailure: if no answer of the solver passes our check.
    """
    span = lever.stated_quantity - lever.end_quantity
    low, high = 0.0, span
    last = held.solved(lever.costs(held.costs, high))
    if span <= 0.0 or not wins(last):
        return Needed(
            lever=lever.name,
            unit=lever.unit,
            stated_quantity=lever.stated_quantity,
            needed_quantity=None,
            end_quantity=lever.end_quantity,
        )
    while high - low > NEAR_SHARE * span:
        middle = 0.5 * (low + high)
        found = held.solved(lever.costs(held.costs, middle), onward=True)
        if wins(found):
            high, last = middle, found
        else:
            low = middle
    return Needed(
        lever=lever.name,
        unit=lever.unit,
        stated_quantity=lever.stated_quantity,
        needed_quantity=lever.stated_quantity - high,
        end_quantity=lever.end_quantity,
        displaced=displaced(last),
    )
