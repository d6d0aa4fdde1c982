"""The books of a year at a number of users: what comes in, what goes out, and what was served.

One window of the horizon is dispatched with perfect foresight and stands for the year. The
program is kept: another number of users is a change in place.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.economics.restrained import value_classes
from tokenergy.economics.scaled import at_any_price, has_users, scaled_window
from tokenergy.economics.unit_cost import capital_rent
from tokenergy.economics.window_power import left_out, moved_power_usd, sunk_usd
from tokenergy.units import H_PER_YEAR, MONTHS_PER_YEAR

WINDOW_H: Final = 48.0
"""Length of the window: 13 sizes of Meridian with their derivatives take 2 s at 48 h, 8 s at
96 h and 15 s at 168 h."""
BINDS_USD: Final = 1e-6
"""A limit binds where one more unit of it is worth more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a company is beside its file.

    Attributes:
        users_ratio: users over those of the file.
        capacity_ratio: GPUs, connections, batteries, plants on site and rate limits over those of
            the file; contracts stay as signed.
        tokens_ratio: what each user asks for over what the file says.
        tiers: the tiers whose users are meant; None: every tier that has users.
    """

    users_ratio: float = 1.0
    capacity_ratio: float = 1.0
    tokens_ratio: float = 1.0
    tiers: frozenset[str] | None = None

    def users_of(self, tier: str) -> float:
        """Return the factor on the users of a tier."""
        meant = self.tiers is None or tier in self.tiers
        return self.users_ratio if meant else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TierBooks:
    """One tier in a year: what was asked for, what became of it, and what it brought.

    `users_count` is None for a tier without users. `conversions_usd_per_year` is what its served
    work is worth in subscriptions to come, less what a lesser model loses of it: no revenue.
    `lost_value_usd_per_year` is the value of what was refused: no cost.
    """

    tier: str
    users_count: float | None
    asked_mtok_per_year: float
    served_share: float
    refused_share: float
    downgraded_share: float
    revenue_usd_per_year: float
    conversions_usd_per_year: float
    lost_value_usd_per_year: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """A year at one size, USD per year.

    Attributes:
        tiers: every tier.
        power_usd_per_year: the bill of all contracts, without charges by the month, the year or
            the event (`economics.window_power`), and what batteries end up short.
        lease_usd_per_year: GPUs that are paid for while awake.
        api_usd_per_year, network_usd_per_year, wear_usd_per_year: other people's models, egress,
            batteries.
        capital_usd_per_year: annuities and reserved leases; grow with the capacity.
        fixed_usd_per_year: staff and what is fixed for single tiers.
        mw_bound_share: share of all site-hours in which the grid connection binds.
        gpus_bound_share: share of all fleet-hours in which the GPUs bind.
    """

    tiers: tuple[TierBooks, ...]
    power_usd_per_year: float
    lease_usd_per_year: float
    api_usd_per_year: float
    network_usd_per_year: float
    wear_usd_per_year: float
    capital_usd_per_year: float
    fixed_usd_per_year: float
    mw_bound_share: float
    gpus_bound_share: float

    @property
    def users_count(self) -> float:
        """Users of all tiers that have some."""
        return sum(tier.users_count or 0.0 for tier in self.tiers)

    @property
    def revenue_usd_per_year(self) -> float:
        """What users pay and bring."""
        return sum(tier.revenue_usd_per_year for tier in self.tiers)

    @property
    def dispatch_usd_per_year(self) -> float:
        """What serving costs in cash: power, leases by the hour, APIs, network, wear."""
        return (
            self.power_usd_per_year
            + self.lease_usd_per_year
            + self.api_usd_per_year
            + self.network_usd_per_year
            + self.wear_usd_per_year
        )

    @property
    def cost_usd_per_year(self) -> float:
        """Everything that is paid."""
        return self.dispatch_usd_per_year + self.capital_usd_per_year + self.fixed_usd_per_year

    @property
    def profit_usd_per_year(self) -> float:
        """Pi: revenue less cost."""
        return self.revenue_usd_per_year - self.cost_usd_per_year

    @property
    def energy_share(self) -> float:
        """The power bill over the whole cost; 0 where nothing is paid."""
        return self.power_usd_per_year / self.cost_usd_per_year if self.cost_usd_per_year else 0.0

    @property
    def served_share(self) -> float:
        """What was served of all that was asked for."""
        asked = sum(tier.asked_mtok_per_year for tier in self.tiers)
        served = sum(tier.asked_mtok_per_year * tier.served_share for tier in self.tiers)
        return served / asked if asked else 1.0

    @property
    def lost_value_usd_per_year(self) -> float:
        """Value of what was refused."""
        return sum(tier.lost_value_usd_per_year for tier in self.tiers)

    @property
    def conversions_usd_per_year(self) -> float:
        """What served free work is worth in subscriptions to come."""
        return sum(tier.conversions_usd_per_year for tier in self.tiers)

    def to_dict(self) -> dict[str, Any]:
        """Return the books as a JSON-ready mapping, sums included."""
        sums = (
            "users_count", "revenue_usd_per_year", "dispatch_usd_per_year", "cost_usd_per_year",
            "profit_usd_per_year", "energy_share", "served_share", "lost_value_usd_per_year",
            "conversions_usd_per_year",
        )  # fmt: skip
        return asdict(self) | {name: getattr(self, name) for name in sums}


class BookKeeper:
    """Keeps the program of one window and opens the books at any size."""

    def __init__(self, world: World, *, window_h: float = WINDOW_H) -> None:
        """Lay out the first `window_h` hours of the horizon, at the horizon's mean demand.

        Each workload's arrivals in the window are multiplied so that their mean is that of the
        whole horizon: two weekdays have the day's shape, not the week's volume. Requests of a
        tier that may refuse are told apart by their value, where the tier states how unequal
        they are.
        """
        world = value_classes(world)
        count = max(1, min(round(window_h / world.step_h), world.count))
        window = true_window(world, begin=world.first, count=count)
        horizon = world.arrivals_mtok[:, world.first : world.last].mean(axis=1)
        mean = window.arrivals_mtok.mean(axis=1)
        level = np.divide(horizon, mean, out=np.ones_like(mean), where=mean > 0.0)
        self.world = world
        self.window_h = count * world.step_h
        self._window = scaled_window(window, arrivals_ratio=level)
        self._state = State.initial(world)
        self._promised = at_any_price(world)
        self._rent = capital_rent(world.company)
        self._with_users = has_users(world)
        self._lesser_usd_per_mtok = quality_loss_usd_per_mtok(world)
        self._model: WindowModel | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Prices of capital that the file does not state: left out of every figure."""
        return self._rent.missing

    @property
    def basis(self) -> str:
        """What one window stands for, in a sentence, and what is left out of its bill."""
        said = (
            f"The first {self.window_h:g} h of the horizon with perfect foresight, at the mean "
            "demand of the whole horizon, times the hours of a year; what must be served is "
            "served at any price; subscriptions and other revenue of a user count in the "
            "share of what the tier's users ask for that was served."
        )
        if missing := left_out(self.world):
            said += f" Not by the MWh, and left out: {', '.join(missing)}."
        return said

    def books(self, size: Size) -> Books:
        """Return the books at a size.

        Raises:
            InfeasibleProgram: if no dispatch keeps every limit at that size.
        """
        ratios = np.array([size.users_of(load.tier) for load in self.world.workloads])
        growth = np.where(self._with_users > 0.0, ratios * size.tokens_ratio, 1.0)
        window = scaled_window(
            self._window,
            arrivals_ratio=growth / size.capacity_ratio,
            contracts_ratio=1.0 / size.capacity_ratio,
        )
        if self._model is None:
            self._model = WindowModel(self._promised, window, self._state)
            return self._counted(self._model.solved(window), size)
        return self._counted(self._model.solve(window, self._state), size)

    def _counted(self, optimum: Optimum, size: Size) -> Books:
        """Count a solved window in the money of the world as it is."""
        world, window = self.world, optimum.window
        per_year = H_PER_YEAR / self.window_h
        grown = per_year * size.capacity_ratio  # the program is the company over its size
        served = np.maximum(0.0, optimum.value("serve")).sum(axis=0)
        refused = np.maximum(0.0, optimum.value("refused")).sum(axis=0)
        awake_h = window.lengths_h @ np.maximum(0.0, optimum.value("awake"))
        own = [d for d in world.deployments if not d.external]
        lease = np.array([d.gpus_count * world.fleets[d.fleet].lease_usd_per_gpu_hour for d in own])
        wear = np.array([b.cycle_usd_per_mwh_discharged for b in world.batteries])
        rent = self._rent
        standing = rent.gpu_usd_per_h + rent.facility_usd_per_h + rent.battery_usd_per_h
        return Books(
            tiers=self._tiers(served * grown, refused * grown, size),
            power_usd_per_year=grown * _power_usd(world, optimum, self._state)
            + per_year * self._signed_usd(),
            lease_usd_per_year=grown * float(lease @ awake_h),
            api_usd_per_year=grown * float(_of_routes(world, "api_usd_per_mtok") @ served),
            network_usd_per_year=grown * float(_of_routes(world, "network_usd_per_mtok") @ served),
            wear_usd_per_year=grown * float(wear @ optimum.value("discharge").sum(axis=0)),
            capital_usd_per_year=standing * H_PER_YEAR * size.capacity_ratio,
            fixed_usd_per_year=(rent.staff_usd_per_h + rent.tier_fixed_usd_per_h) * H_PER_YEAR,
            mw_bound_share=_bound_share(-optimum.reduced("meter_import")),
            gpus_bound_share=_bound_share(-optimum.dual("fleet")),
        )

    def _signed_usd(self) -> float:
        """Return what contracts cost whatever is done in the window, USD: blocks, and sunk."""
        span = slice(self._window.begin, self._window.begin + self._window.live_count)
        blocks = [
            float(b.strike_usd_per_mwh[span] @ b.delivery_mw[span]) for b in self.world.blocks
        ]
        return sum(blocks) * self.world.step_h + sunk_usd(self.world, span)

    def _tiers(self, served: FloatArray, refused: FloatArray, size: Size) -> tuple[TierBooks, ...]:
        """Sum routes [R] and workloads [W] of a year by tier."""
        return tuple(
            self._tier(at, served, refused, size) for at in range(len(self.world.company.tiers))
        )

    def _tier(self, at: int, served: FloatArray, refused: FloatArray, size: Size) -> TierBooks:
        tier, loads = self.world.company.tiers[at], self.world.workloads
        done = usage = worth = lesser = 0.0
        routes = zip(self.world.routes, served.tolist(), self._lesser_usd_per_mtok, strict=True)
        for route, mtok, less_usd_per_mtok in routes:
            load = loads[route.workload]
            if load.tier_index == at:
                done += mtok
                usage += mtok * load.price_usd_per_mtok
                worth += mtok * (load.value_usd_per_mtok - float(less_usd_per_mtok))
                lesser += mtok if route.quality_share < load.asked_quality_share else 0.0
        mine = [i for i, load in enumerate(loads) if load.tier_index == at]
        left = sum(float(refused[i]) for i in mine)
        lost = sum(float(refused[i]) * loads[i].value_usd_per_mtok for i in mine)
        asked = done + left
        share = done / asked if asked else 1.0
        users_count, by_user = None, 0.0
        if tier.users is not None:
            users_count = tier.users.count * size.users_of(tier.name)
            paid = tier.price_usd_per_user_month or 0.0
            by_user = (paid + tier.users.other_usd_per_user_month) * users_count * share
        by_use = 0.0 if tier.price_usd_per_user_month is not None else usage
        return TierBooks(
            tier=tier.name,
            users_count=users_count,
            asked_mtok_per_year=asked,
            served_share=share,
            refused_share=1.0 - share,
            downgraded_share=lesser / asked if asked else 0.0,
            revenue_usd_per_year=by_use + by_user * MONTHS_PER_YEAR,
            conversions_usd_per_year=worth if tier.from_conversion is not None else 0.0,
            lost_value_usd_per_year=lost,
        )


def _power_usd(world: World, optimum: Optimum, state: State) -> float:
    """Return what decisions cost at the meters, and what the batteries end up short, USD."""
    used_mwh = state.energy_mwh - optimum.value("energy")[-1]
    short_usd = float(used_mwh @ optimum.window.stored_usd_per_mwh)
    return moved_power_usd(world, optimum) + short_usd


def _of_routes(world: World, name: str) -> FloatArray:
    return np.array([getattr(route, name) for route in world.routes], dtype=np.float64)


def _bound_share(worth: FloatArray) -> float:
    return float((worth > BINDS_USD).mean()) if worth.size else 0.0
