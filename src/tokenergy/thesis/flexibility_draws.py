"""The draws behind T9: single days on which all three sites are curtailed at their dearest hours.

Drawn on their own: the day; the worth of a token and the mean price of power (log-uniform in their
sourced ranges); the depth of the cut, the room of the fleets over the busiest hour of the day, the
length of the event, and the part of a year's energy that is curtailed (uniform in ranges of our
own). 30 % of the tokens may wait: the most that the claim allows. A day's loss is carried to the
year by the number of such days that it takes to curtail that part of its energy.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from tokenergy.company.preset import Range
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import FloatArray
from tokenergy.thesis.drawn_days import GPUS_COUNT, DrawnDays
from tokenergy.thesis.flexibility_weeks import LEAST_MW, mixed
from tokenergy.thesis.three_company import SITES_COUNT, Terms
from tokenergy.thesis.three_sites import Scene, warm
from tokenergy.thesis.thresholds import DEFERRABLE_MOST_SHARE, FLEXIBLE_LOST_MOST_SHARE

OWN_RANGES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "depth_share": (0.2, 0.6),
        "room_share": (0.0, 0.3),
        "event_h": (1.0, 5.0),
        "curtailed_share": (0.0025, 0.01),
    }
)
"""About the base of 0.3, 0.1, and what the weeks give; assumptions of the experiment."""
LEAST_LOST_SHARE: Final = 1e-9
"""Lost priority work below this share of what is asked is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexibleDraws:
    """In what part of the drawn days curtailment costs next to nothing.

    Attributes:
        count: how many days.
        holds_share: part in which both the value and the priority tier are kept.
        priority_share: part in which the priority tier is.
        median_lost_share, worst_lost_share: of the year's value.
        kept_depth_share, broken_depth_share: mean depth of the cut where it holds, and where not.
    """

    count: int
    holds_share: float
    priority_share: float
    median_lost_share: float
    worst_lost_share: float
    kept_depth_share: float | None
    broken_depth_share: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a JSON-ready mapping."""
        return asdict(self)


def drawn(
    scene: Scene, terms: Terms, *, ranges: Mapping[str, Range], seed: int, count: int
) -> FlexibleDraws:
    """Solve `count` drawn days without curtailment, and again with it.

    Raises:
        InputError: if a zone's mean price is not above 0: it cannot be scaled to a level.
    """
    dice = np.random.default_rng([seed, 90])
    days = DrawnDays.of(scene, terms, ranges, dice, count=count)
    depth, room, event_h, year = (dice.uniform(*ends, size=count) for ends in OWN_RANGES.values())
    lost, kept = np.empty(count), np.empty(count, dtype=bool)
    for at in range(count):
        day = mixed(days.window(at), DEFERRABLE_MOST_SHARE)
        window = busiest(scene, day, room_share=float(room[at]))
        day_share, asked_share, priority_share = _day(
            days.model, window, depth_share=float(depth[at]), hours_count=int(event_h[at])
        )
        lost[at] = day_share * year[at] / asked_share if asked_share > 0.0 else 0.0
        kept[at] = priority_share <= LEAST_LOST_SHARE
    holds = kept & (lost < FLEXIBLE_LOST_MOST_SHARE)
    return FlexibleDraws(
        count=count,
        holds_share=float(holds.mean()),
        priority_share=float(kept.mean()),
        median_lost_share=float(np.median(lost)),
        worst_lost_share=float(lost.max()),
        kept_depth_share=float(depth[holds].mean()) if holds.any() else None,
        broken_depth_share=float(depth[~holds].mean()) if not holds.all() else None,
    )


def busiest(scene: Scene, window: Window, *, room_share: float) -> Window:
    """Return a day's demand scaled so that its busiest hour fills all GPUs but the room."""
    chat = window.arrivals_mtok[:SITES_COUNT].sum(axis=0) / scene.chat_mtok_per_h
    batch = window.arrivals_mtok[SITES_COUNT] / scene.batch_mtok_per_h
    whole = GPUS_COUNT / (1.0 + room_share) / float((chat + batch).max())
    return replace(window, arrivals_mtok=window.arrivals_mtok * whole)


def _day(
    model: WindowModel, window: Window, *, depth_share: float, hours_count: int
) -> tuple[float, float, float]:
    """Curtail every site in its dearest hours.

    Returns:
        Parts of the day's value that are lost, of its energy that are asked for, and of its
        priority work that are lost.
    """
    world = model.world
    free = model.solve(window, warm(world))
    drawn_mw = free.value("meter_import").T
    least_mw = window.pue * world.standing_mw()[:, None] + LEAST_MW
    limits = window.import_limit_mw.copy()
    for site in range(SITES_COUNT):
        hours = np.argsort(-window.buy_usd_per_mwh[site], kind="stable")[:hours_count]
        cut_mw = (1.0 - depth_share) * drawn_mw[site, hours]
        limits[site, hours] = np.maximum(cut_mw, least_mw[site, hours])
    refused = free.value("refused").sum(axis=0)
    held = model.solve(replace(window, import_limit_mw=limits), warm(world))
    lost: FloatArray = np.maximum(0.0, held.value("refused").sum(axis=0) - refused)
    value = np.array([load.value_usd_per_mtok for load in world.workloads])
    asked = window.arrivals_mtok.sum(axis=1)
    return (
        float(value @ lost) / float(value @ asked),
        float(np.maximum(0.0, drawn_mw - limits).sum() / drawn_mw.sum()),
        float(lost[:SITES_COUNT].sum() / asked[:SITES_COUNT].sum()),
    )
