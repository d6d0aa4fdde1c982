"""The draws behind T5: single days on which one site's megawatts are cut.

Drawn on their own: the day; the worth of a token and the mean price of power over the three zones
(log-uniform in their sourced ranges); the cut, the room of the fleets over the busiest hour of the
day, and the part of the tokens that may wait (uniform in ranges of our own). The site that draws
most without limits is cut from its own peak of the day. Tested is the rent alone: its mean in the
bound hours against the site's mean price over the series at the drawn level.
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
from tokenergy.thesis.three_company import SITES_COUNT, Terms
from tokenergy.thesis.three_sites import (
    Scene,
    bound_hours,
    mw_rent_usd_per_mwh,
    warm,
)
from tokenergy.thesis.thresholds import MW_RENT_LEAST_RATIO

OWN_RANGES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"cut_share": (0.1, 0.5), "room_share": (0.0, 0.3), "batch_share": (0.0, 0.5)}
)
"""About the base of 0.3, 0.1 and 0.3; assumptions of the experiment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoatDraws:
    """In what part of the drawn days the rent is high.

    Attributes:
        count: how many days.
        holds_share: part in which the mean rent in bound hours is at least the threshold.
        scarce_holds_share: the same where what is cut exceeds the room of all three sites
            (cut / 3 > room / (1 + room)); None: nowhere.
        ample_holds_share: where it does not.
        scarce_count: days of the former.
        median_ratio: median of the mean rent over the price.
    """

    count: int
    holds_share: float
    scarce_count: int
    scarce_holds_share: float | None
    ample_holds_share: float | None
    median_ratio: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a JSON-ready mapping."""
        return asdict(self)


def drawn(
    scene: Scene, terms: Terms, *, ranges: Mapping[str, Range], seed: int, count: int
) -> MoatDraws:
    """Solve `count` drawn days without limits, and again with one site cut.

    Raises:
        InputError: if a zone's mean price is not above 0: it cannot be scaled to a level.
    """
    dice = np.random.default_rng([seed, 50])
    days = DrawnDays.of(scene, terms, ranges, dice, count=count)
    cut, room, batch = (dice.uniform(*ends, size=count) for ends in OWN_RANGES.values())
    price_usd_per_mwh = scene.mean_usd_per_mwh()[:, None] * days.price_ratio
    model, ratio = days.model, np.empty(count)
    for at in range(count):
        known = days.window(at)
        shares = {"room_share": float(room[at]), "batch_share": float(batch[at])}
        window = replace(known, arrivals_mtok=_arrivals_mtok(scene, known, **shares))
        free_mwh = model.solve(window, warm(days.world)).value("meter_import")
        place = int(np.argmax(free_mwh.sum(axis=0)))
        limits = window.import_limit_mw.copy()
        limits[place] = (1.0 - cut[at]) * free_mwh[:, place].max()
        rent_usd_per_mwh = _rent_usd_per_mwh(model, window, limits, place)
        ratio[at] = rent_usd_per_mwh / price_usd_per_mwh[place, at]
    scarce = cut / SITES_COUNT > room / (1.0 + room)
    holds = ratio >= MW_RENT_LEAST_RATIO
    return MoatDraws(
        count=count,
        holds_share=float(holds.mean()),
        scarce_count=int(scarce.sum()),
        scarce_holds_share=float(holds[scarce].mean()) if scarce.any() else None,
        ample_holds_share=float(holds[~scarce].mean()) if not scarce.all() else None,
        median_ratio=float(np.median(ratio)),
    )


def _arrivals_mtok(
    scene: Scene, known: Window, *, room_share: float, batch_share: float
) -> FloatArray:
    """Return a day's demand with that part of it batch, its busiest hour filling the rest [4, n].

    The busiest hour is that of each region with a third of the batch; `room_share` is what all
    GPUs could do beyond the three of them.
    """
    chat = known.arrivals_mtok[:SITES_COUNT]
    batch = np.full(known.count, batch_share / (1.0 - batch_share) * chat.sum() / known.count)
    busy = chat / scene.chat_mtok_per_h + batch / SITES_COUNT / scene.batch_mtok_per_h
    whole = GPUS_COUNT / (1.0 + room_share) / busy.max(axis=1).sum()
    return np.asarray(np.vstack([chat, batch]) * whole)


def _rent_usd_per_mwh(
    model: WindowModel, window: Window, limits_mw: FloatArray, place: int
) -> float:
    """Return the mean MW rent of the hours in which a new limit binds; 0 if it never does."""
    optimum = model.solve(replace(window, import_limit_mw=limits_mw), warm(model.world))
    bound = bound_hours(optimum, place)
    return float(mw_rent_usd_per_mwh(optimum)[bound, place].mean()) if bound.any() else 0.0
