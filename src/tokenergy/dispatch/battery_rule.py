"""Greedy routing with batteries run by price: what a site operator does today.

Each battery has a small program of its own: published prices, the site's net load held at its
present level, nothing known beyond. It knows no routing, and the routing knows no future.
"""

from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.energy_cost import EnergyCosts
from tokenergy.dispatch.fill import Fill
from tokenergy.dispatch.interval import Intervals
from tokenergy.dispatch.order import merit_order
from tokenergy.dispatch.world import Action, FloatArray, State, World
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import Program

INERTIA_USD_PER_MWH = 1e-6
"""Cost of moving a MWh that makes a battery rest where moving gains nothing."""
LONGEST_H = 48.0
"""Published prices further ahead than this change nothing in the present."""


class GreedyBattery:
    """`greedy`, and every battery by its own small program on published prices.

    The interval is routed with batteries at rest; the net load that this gives is what each
    battery's program holds ahead. Then it is routed again with the batteries' power as given.
    Where charging leaves work out for want of import, the battery charges only what is left.
    """

    name = "greedy_battery"

    def __init__(self, world: World) -> None:
        """Build one program per battery, kept in the solver."""
        self._world = world
        self._intervals = Intervals(world)
        self._rules = [
            BatteryRule(world, self._intervals.costs, battery)
            for battery in range(len(world.batteries))
        ]

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at`."""
        fill, power_mw = self._intervals.begin(at, state)
        best = merit_order(fill)
        if self._rules:
            wanted_mw = self._wanted_mw(best, at, state)
            if any(wanted_mw):
                best, power_mw = self._routed(at, state, wanted_mw)
        return self._intervals.close(best, power_mw, at=at, state=state, source=self.name)

    def _wanted_mw(self, fill: Fill, at: int, state: State) -> list[float]:
        """Return what each battery would do: charge less discharge.

        Batteries of one site decide one after the other, each on the load that the ones before
        it plan to leave.
        """
        plans_mw: dict[int, FloatArray] = {}
        wanted = []
        for battery, (rule, site) in enumerate(
            zip(self._rules, self._world.battery_site, strict=True)
        ):
            curve = fill.present.curves[site]
            plan_mw = rule.plan_mw(
                at,
                energy_mwh=float(state.energy_mwh[battery]),
                flow_mw=curve.flow_mw(fill.load_mw[site]),
                position_mw=curve.position_mw(fill.load_mw[site]),
                others_mw=plans_mw.get(site),
            )
            plans_mw[site] = plan_mw + plans_mw.get(site, np.zeros(1))
            power_mw = float(plan_mw[0])
            most_mw = self._intervals.charge_limit_mw(battery, state)
            least_mw = -self._intervals.discharge_limit_mw(battery, state)
            wanted.append(min(max(power_mw, least_mw), most_mw))
        return wanted

    def _routed(self, at: int, state: State, wanted_mw: list[float]) -> tuple[Fill, list[float]]:
        """Route around the batteries; where they charge at the cost of work, they yield."""
        fill, power_mw = self._intervals.begin(at, state, battery_mw=wanted_mw)
        best = merit_order(fill)
        crowded = self._crowded_sites(best, power_mw)
        if not crowded:
            return best, power_mw
        homes = self._world.battery_site
        yielded_mw = [
            0.0 if homes[battery] in crowded and power > 0.0 else power
            for battery, power in enumerate(power_mw)
        ]
        fill, yielded_mw = self._intervals.begin(at, state, battery_mw=yielded_mw)
        best = merit_order(fill)
        for battery, site in enumerate(homes):
            if site in crowded and wanted_mw[battery] > yielded_mw[battery]:
                added_mw = min(wanted_mw[battery] - yielded_mw[battery], best.room_mw(site))
                yielded_mw[battery] += added_mw
                best.add_load(site, added_mw)
        return best, yielded_mw

    def _crowded_sites(self, fill: Fill, power_mw: list[float]) -> set[int]:
        """Return sites that charge up to their import limit while work in reach is left over."""
        charging = {
            site
            for site, power in zip(self._world.battery_site, power_mw, strict=True)
            if power > 0.0
        }
        left = [workload for workload, mtok in enumerate(fill.left_mtok) if mtok > 0.0]
        return charging & fill.crowded_sites(left)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """What a battery's program believes of the intervals ahead, each [n].

    Attributes:
        flow_mw: import less export of the site without this battery.
        position_mw: bought less sold without this battery.
        stored_usd_per_mwh: worth of a stored MWh at the end of what is known.
    """

    buy_usd_per_mwh: FloatArray
    sell_usd_per_mwh: FloatArray
    flow_mw: FloatArray
    position_mw: FloatArray
    import_limit_mw: float
    export_limit_mw: float
    stored_usd_per_mwh: float


class BatteryRule:
    """One battery's program over the published prices of its site, changed in place.

    Columns by interval, MWh: `spare` charges what would be sold, `bought` charges what has to
    be bought, `saved` discharges instead of buying, `sold` discharges into sales, and the
    `energy` that is stored after it. As selling never pays more than buying costs, the program
    takes the first of each pair first, and no column has to say which.
    """

    def __init__(self, world: World, costs: EnergyCosts, battery: int) -> None:
        """Build the program once, as long as the longest look ahead of the horizon."""
        self._world, self._costs = world, costs
        self._spec = world.batteries[battery]
        self._site = world.battery_site[battery]
        self._end_usd_per_mwh = float(world.end_value_usd_per_mwh()[battery])
        horizon = np.arange(world.first, world.last)
        ahead = np.minimum(world.published_until[self._site, horizon], world.last) - horizon
        self._longest = max(1, min(int(ahead.max()), round(LONGEST_H / world.step_h)))
        self._program = self._linked()
        self._row_lower = np.zeros((self._longest, 2))
        self._row_lower[:, 1] = -np.inf
        self._row_upper = np.zeros((self._longest, 2))
        self._row_upper[:, 1] = self._spec.power_mw * world.step_h
        self._model: LinearModel | None = None

    def plan_mw(
        self,
        at: int,
        *,
        energy_mwh: float,
        flow_mw: float,
        position_mw: float,
        others_mw: FloatArray | None = None,
    ) -> FloatArray:
        """Return charge less discharge from interval `at` on [n], the best of what is known.

        Args:
            at: index of the present interval.
            energy_mwh: what is stored before it.
            flow_mw: the site's import less export without the battery, now.
            position_mw: what the site buys less what it sells without the battery, now.
            others_mw: what other batteries of the site add to both [n].
        """
        outlook = self._outlook(at, flow_mw, position_mw, others_mw)
        costs, lower, upper = self._numbers(outlook)
        self._row_lower[0, 0] = self._row_upper[0, 0] = min(
            max(0.0, energy_mwh), self._spec.capacity_mwh
        )
        if self._model is None:
            self._model = LinearModel(
                self._program.matrix(),
                costs=costs,
                lower=lower,
                upper=upper,
                row_lower=self._row_lower.ravel(),
                row_upper=self._row_upper.ravel(),
            )
        else:
            self._model.set_costs_and_bounds(costs, lower, upper)
            self._model.set_row_bounds(self._row_lower.ravel(), self._row_upper.ravel())
        moved = self._model.solve().columns.reshape(self._longest, 5)
        plan_mw: FloatArray = (moved[:, :2].sum(axis=1) - moved[:, 2:4].sum(axis=1)) / (
            self._world.step_h
        )
        return np.where(np.abs(plan_mw) > 1e-9, plan_mw, 0.0)

    def _linked(self) -> Program:
        """Link the columns: what is stored, and one direction's power at a time."""
        program = Program(self._longest)
        for name in ("spare", "bought", "saved", "sold", "energy"):
            program.add_columns(name, 1)
        program.add_rows("stored", 1)
        program.add_rows("power", 1)
        program.link("stored", "energy", values=1.0)
        program.link("stored", "energy", values=-1.0, lag=1)
        for name in ("spare", "bought"):
            program.link("stored", name, values=-self._spec.charge_eff_share)
            program.link("power", name, values=1.0)
        for name in ("saved", "sold"):
            program.link("stored", name, values=1.0 / self._spec.discharge_eff_share)
            program.link("power", name, values=1.0)
        return program

    def _outlook(
        self, at: int, flow_mw: float, position_mw: float, others_mw: FloatArray | None
    ) -> Outlook:
        """Gather what is known in interval `at`: published prices, and the present load."""
        world, site = self._world, self._site
        until = min(int(world.published_until[site, at]), world.last, at + self._longest)
        count = max(1, until - at)
        buy = self._costs.buy_usd_per_mwh[site, at : at + count]
        others = np.zeros(count) if others_mw is None else _fitted(others_mw, count)
        mean_usd_per_mwh = float(buy.mean()) * self._spec.discharge_eff_share
        return Outlook(
            buy_usd_per_mwh=buy,
            sell_usd_per_mwh=self._costs.sell_usd_per_mwh[site, at : at + count],
            flow_mw=flow_mw + others,
            position_mw=position_mw + others,
            import_limit_mw=float(world.import_limit_mw[site, at]),
            export_limit_mw=float(world.export_limit_mw[site, at]),
            stored_usd_per_mwh=(self._end_usd_per_mwh if until >= world.last else mean_usd_per_mwh),
        )

    def _numbers(self, outlook: Outlook) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return costs and bounds of the columns; what lies beyond the outlook rests."""
        step_h, power_mw = self._world.step_h, self._spec.power_mw
        known = outlook.buy_usd_per_mwh.size
        costs, upper = np.zeros((self._longest, 5)), np.zeros((self._longest, 5))
        charge_mw = (outlook.import_limit_mw - outlook.flow_mw).clip(0.0, power_mw)
        discharge_mw = (outlook.export_limit_mw + outlook.flow_mw).clip(0.0, power_mw)
        spare_mw = np.minimum(charge_mw, (-outlook.position_mw).clip(min=0.0))
        saved_mw = np.minimum(discharge_mw, outlook.position_mw.clip(min=0.0))
        upper[:known, 0] = spare_mw * step_h
        upper[:known, 1] = (charge_mw - spare_mw) * step_h
        upper[:known, 2] = saved_mw * step_h
        upper[:known, 3] = (discharge_mw - saved_mw) * step_h
        upper[:, 4] = self._spec.capacity_mwh
        wear_usd_per_mwh = self._spec.cycle_usd_per_mwh_discharged + INERTIA_USD_PER_MWH
        costs[:known, 0] = outlook.sell_usd_per_mwh
        costs[:known, 1] = outlook.buy_usd_per_mwh
        costs[:known, 2] = wear_usd_per_mwh - outlook.buy_usd_per_mwh
        costs[:known, 3] = wear_usd_per_mwh - outlook.sell_usd_per_mwh
        costs[-1, 4] = -outlook.stored_usd_per_mwh
        return costs.ravel(), np.zeros(costs.size), upper.ravel()


def _fitted(plan_mw: FloatArray, count: int) -> FloatArray:
    """Return a plan cut or prolonged by rest to `count` intervals."""
    fitted = np.zeros(count)
    kept = min(count, plan_mw.size)
    fitted[:kept] = plan_mw[:kept]
    return fitted
