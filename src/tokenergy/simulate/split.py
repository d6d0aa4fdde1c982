"""Where a saving comes from: geography, the hour, waiting, and storage, in both orders."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Final

from tokenergy.dispatch.world import World
from tokenergy.simulate.account import account
from tokenergy.simulate.run import Run

RunPolicy = Callable[[World, str], Run]
"""Runs the policy of that name on a world."""
PARTS: Final = ("geography", "hour", "deferral", "storage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The way from `nearest` to `clairvoyant` in one order: what a step saves depends on it.

    Attributes:
        steps: the parts, in their order.
        saving_usd: what each step saves.
        saving_share: the same over the cost of `nearest`; null where that is <= 0.
    """

    steps: tuple[str, ...]
    saving_usd: Mapping[str, float]
    saving_share: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The saving of the best possible over `nearest`, in four parts.

    Attributes:
        nearest_usd, clairvoyant_usd: cost at both ends.
        deferral_first, storage_first: the two orders; the parts lie between them.
    """

    nearest_usd: float
    clairvoyant_usd: float
    deferral_first: Order
    storage_first: Order

    def to_dict(self) -> dict[str, Any]:
        """Return the split as a JSON-ready mapping."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the split in one sentence, each part with its range over the two orders."""
        whole_usd = self.nearest_usd - self.clairvoyant_usd
        parts = ", ".join(f"{part} {self._range(part)}" for part in PARTS)
        of = ", of the cost of nearest" if self.nearest_usd > 0.0 else ""
        return f"From nearest to clairvoyant {whole_usd:,.0f} USD can be saved{of}: {parts}."

    def _range(self, part: str) -> str:
        orders = (self.deferral_first, self.storage_first)
        shares = [order.saving_share[part] for order in orders]
        known = [share for share in shares if share is not None]
        unit = "%" if known else "USD"
        figures = known or [order.saving_usd[part] for order in orders]
        texts = [f"{100 * x:.1f}" if known else f"{x:,.0f}" for x in sorted(figures)]
        return " to ".join(dict.fromkeys(texts)) + f" {unit}"


def split_saving(
    world: World, run_policy: RunPolicy, known: Mapping[str, Run] | None = None
) -> Split:
    """Return the split with deferral before storage, and with storage before deferral.

    Geography is `nearest` to `static`, hour is `static` to `greedy` (neither waits nor stores);
    then `clairvoyant` with one of the two alone, then with both (simulator sheet, section 8).
    Runs of this very world that are `known` by policy are not run again.
    """
    here = known or {}

    def cost_usd(where: World, policy: str) -> float:
        held = here.get(policy) if where is world else None
        return account(where, held or run_policy(where, policy)).cost_usd

    common = [cost_usd(world, policy) for policy in ("nearest", "static", "greedy")]
    best_usd = cost_usd(world, "clairvoyant")
    no_storage_usd = cost_usd(without_batteries(world), "clairvoyant")
    no_waiting_usd = cost_usd(without_deferral(world), "clairvoyant")
    return Split(
        nearest_usd=common[0],
        clairvoyant_usd=best_usd,
        deferral_first=_order(PARTS, [*common, no_storage_usd, best_usd]),
        storage_first=_order(
            ("geography", "hour", "storage", "deferral"), [*common, no_waiting_usd, best_usd]
        ),
    )


def _order(steps: tuple[str, ...], costs_usd: list[float]) -> Order:
    savings_usd = (before - after for before, after in pairwise(costs_usd))
    saving_usd = dict(zip(steps, savings_usd, strict=True))
    return Order(
        steps=steps,
        saving_usd=saving_usd,
        saving_share={
            step: usd / costs_usd[0] if costs_usd[0] > 0.0 else None
            for step, usd in saving_usd.items()
        },
    )


def without_batteries(world: World) -> World:
    """Return the same world with no battery anywhere."""
    return replace(world, batteries=(), battery_site=())


def without_deferral(world: World) -> World:
    """Return the same world in which no work may wait: its states hold one empty column."""
    workloads = tuple(replace(load, defer_count=0) for load in world.workloads)
    return replace(world, workloads=workloads)
