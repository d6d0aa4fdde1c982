"""Single days of three sites, at drawn prices of power: what the draws of T5 and T9 share.

Drawn on their own: the day; the mean price of power over the three zones, and the worth of a token
(log-uniform in their sourced ranges).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tokenergy.company.preset import Range
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.thesis.draws import within
from tokenergy.thesis.three_company import Terms
from tokenergy.thesis.three_sites import Scene, warm
from tokenergy.units import H_PER_DAY

DAY_H: Final = int(H_PER_DAY)
GPUS_COUNT: Final = 4_500
"""Any number: demand is scaled to it."""
DRAWN: Final = ("usd_per_mwh", "token_price_usd_per_mtok")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnDays:
    """Drawn days, and the program of one of them in the solver.

    Attributes:
        begins: first hour of each draw's day.
        price_ratio: what multiplies the prices of power in each draw.
    """

    world: World
    model: WindowModel
    begins: tuple[int, ...]
    price_ratio: FloatArray

    @classmethod
    def of(
        cls,
        scene: Scene,
        terms: Terms,
        ranges: Mapping[str, Range],
        dice: np.random.Generator,
        *,
        count: int,
    ) -> "DrawnDays":
        """Draw `count` days; more may be drawn from the same dice afterwards.

        Raises:
            InputError: if a zone's mean price is not above 0: it cannot be scaled to a level.
        """
        day = dice.integers(0, scene.hours_count // DAY_H, size=count)
        level = within(dice, ranges["usd_per_mwh"], count=count)
        worth = within(dice, ranges["token_price_usd_per_mtok"], count=count)
        hours = scene.hours_count - scene.hours_count % DAY_H
        layout = scene.three(GPUS_COUNT)
        world = scene.world(layout, terms, first=0, hours_count=hours, history_h=0)
        return cls(
            world=world,
            model=WindowModel(world, true_window(world, begin=0, count=DAY_H), warm(world)),
            begins=tuple((day * DAY_H).tolist()),
            # All money is in proportion: a token worth twice as much is power at half the price.
            price_ratio=level / scene.mean_usd_per_mwh().mean() * terms.token_usd_per_mtok / worth,
        )

    def window(self, at: int) -> Window:
        """Return the day of a draw, known in full, at its prices."""
        known = true_window(self.world, begin=self.begins[at], count=DAY_H)
        return replace(
            known,
            buy_usd_per_mwh=known.buy_usd_per_mwh * self.price_ratio[at],
            sell_usd_per_mwh=known.sell_usd_per_mwh * self.price_ratio[at],
        )
