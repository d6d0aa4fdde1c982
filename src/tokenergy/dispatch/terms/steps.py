"""An import price in steps: what is bought costs more from level to level."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tokenergy.dispatch.columns import INFINITY, ColumnNumbers, ColumnRule
from tokenergy.dispatch.supply import FloatArray
from tokenergy.dispatch.terms.term import Added, Rent, block_name
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.lp.program import Program

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.metered import Metered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PriceSteps:
    """Adders on what a site buys, rising from step to step.

    Attributes:
        widths_mw: width of each step; the last is infinite.
        adder_usd_per_mwh: on top of the spot contract, for each MWh within the step.
    """

    contract_id: str
    site: int
    widths_mw: tuple[float, ...]
    adder_usd_per_mwh: tuple[float, ...]
    component: str = "import_step"
    rent: Rent = "energy"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """sum over steps = buy, MWh: rising adders fill the steps in order."""
        steps, rows = block_name(self, "steps"), block_name(self, "bought")
        count = len(self.widths_mw)
        program.add_columns(steps, count)
        program.add_rows(rows, 1)
        program.link(rows, steps, row_at=[0] * count, values=1.0)
        program.link(rows, "buy", column_at=[self.site], values=-1.0)

        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            none = np.zeros((window.count, 1))
            return none, none

        return Added(columns={steps: self._steps_rule()}, rows={rows: rule})

    def charged_usd(self, world: World, metered: "Metered") -> FloatArray:
        """Return the adders on what was bought in each interval [T], USD."""
        bought_mwh = metered.bought_mwh[self.site]
        charged, below_mwh = np.zeros_like(bought_mwh), 0.0
        for width_mw, adder in zip(self.widths_mw, self.adder_usd_per_mwh, strict=True):
            width_mwh = width_mw * world.step_h
            charged = charged + adder * np.clip(bought_mwh - below_mwh, 0.0, width_mwh)
            below_mwh += width_mwh
        return np.asarray(charged)

    def _steps_rule(self) -> ColumnRule:
        widths, adders = np.array(self.widths_mw), np.array(self.adder_usd_per_mwh)

        def numbers(window: Window, state: State) -> ColumnNumbers:
            """0 <= step[i,t] <= width x h, at its adder."""
            hours = window.live_h()[:, None]
            finite = np.where(np.isfinite(widths), widths, 0.0) * hours
            endless = np.where(hours > 0.0, INFINITY, 0.0)
            upper = np.where(np.isfinite(widths), finite, endless)
            return ColumnNumbers(
                costs=np.broadcast_to(adders, upper.shape), lower=np.zeros_like(upper), upper=upper
            )

        return numbers
