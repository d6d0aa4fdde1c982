"""The three sites of T5: fleets sized to their peaks, limits cut from what they drew, MW rents."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.thesis.three_company import PLACES, SITES_COUNT, Layout, Terms
from tokenergy.thesis.three_sites import Scene, bound_hours, mw_rent_usd_per_mwh, warm
from tokenergy.thesis.thresholds import MW_TIGHTENED_SHARE

WINDOW_H: Final = 48
LEAST_MTOK: Final = 1e-6
"""Refused work below this is rounding."""

CaseName = Literal["base", "no_room", "much_room", "short"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rent:
    """What a cut limit did at one site, over all windows.

    Attributes:
        limit_mw: the limit after the cut.
        bound_h: hours in which it bound.
        rent_usd_per_mwh: mean MW rent of those hours; 0 where there were none.
        most_usd_per_mwh: largest.
        price_usd_per_mwh: mean price of power at the site, over all hours.
        scarce_h: bound hours in which work was refused somewhere.
    """

    place: str
    limit_mw: float
    bound_h: float
    rent_usd_per_mwh: float
    most_usd_per_mwh: float
    price_usd_per_mwh: float
    scarce_h: float

    @property
    def ratio(self) -> float:
        """Mean rent over mean price."""
        return self.rent_usd_per_mwh / self.price_usd_per_mwh


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to cut, with the rent at each site that was cut, and the work that was refused."""

    name: CaseName
    rents: tuple[Rent, ...]
    refused_share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sites:
    """Three sites of one room, their program of 48 h, and what they do without limits.

    Attributes:
        windows: each of them with limits that never bind.
        peak_mw: the most that each site draws in their optima [3].
        drawn_mwh: what each site draws in them in all [3].
    """

    world: World
    model: WindowModel
    windows: tuple[Window, ...]
    peak_mw: FloatArray
    drawn_mwh: FloatArray

    @classmethod
    def of(cls, scene: Scene, terms: Terms, starts: Sequence[int], *, room_share: float) -> "Sites":
        """Size the fleets for the busiest hour and that much more, and solve without limits."""
        layout = sized(scene, starts, room_share=room_share)
        hours = scene.hours_count - scene.hours_count % WINDOW_H
        world = scene.world(layout, terms, first=0, hours_count=hours, history_h=0)
        windows = tuple(true_window(world, begin=at, count=WINDOW_H) for at in starts)
        model = WindowModel(world, windows[0], warm(world))
        drawn_mwh = np.array(
            [model.solve(each, warm(world)).value("meter_import") for each in windows]
        )
        return cls(
            world=world,
            model=model,
            windows=windows,
            peak_mw=drawn_mwh.max(axis=(0, 1)),
            drawn_mwh=drawn_mwh.sum(axis=(0, 1)),
        )

    def cut_mw(self, places: Sequence[int]) -> FloatArray:
        """Return the limits with the named sites cut from their peak; the others' do not bind."""
        limits = self.windows[0].import_limit_mw[:, 0].copy()
        for at in places:
            limits[at] = (1.0 - MW_TIGHTENED_SHARE) * self.peak_mw[at]
        return limits

    def cut(self, window: Window, limits_mw: FloatArray) -> Window:
        """Return a window under other limits [3]."""
        rows = np.repeat(limits_mw[:, None], window.count, axis=1)
        return replace(window, import_limit_mw=rows)

    def case(self, name: CaseName, places: Sequence[int]) -> Case:
        """Cut the named sites together, and return the rent at each."""
        limits = self.cut_mw(places)
        optima = [
            self.model.solve(self.cut(each, limits), warm(self.world)) for each in self.windows
        ]
        refused = sum(float(each.value("refused").sum()) for each in optima)
        asked = sum(float(each.arrivals_mtok.sum()) for each in self.windows)
        return Case(
            name=name,
            rents=tuple(self._rent(optima, at, float(limits[at])) for at in places),
            refused_share=refused / asked,
        )

    def _rent(self, optima: Sequence[Optimum], place: int, limit_mw: float) -> Rent:
        bound = np.array([bound_hours(each, place) for each in optima])
        rents = np.array([mw_rent_usd_per_mwh(each)[:, place] for each in optima])
        scarce = np.array([each.value("refused").sum(axis=1) > LEAST_MTOK for each in optima])
        price = np.array([each.buy_usd_per_mwh[place] for each in self.windows])
        found = rents[bound]
        return Rent(
            place=PLACES[place].name,
            limit_mw=limit_mw,
            bound_h=float(bound.sum()),
            rent_usd_per_mwh=float(found.mean()) if found.size else 0.0,
            most_usd_per_mwh=float(found.max(initial=0.0)),
            price_usd_per_mwh=float(price.mean()),
            scarce_h=float((bound & scarce).sum()),
        )


def sized(scene: Scene, starts: Sequence[int], *, room_share: float) -> Layout:
    """Return GPUs for the busiest hour of the region beside each site, and some room."""
    hours = np.concatenate([np.arange(at, at + WINDOW_H) for at in starts])
    busy = scene.gpus_by_hour()[:, hours]
    peak = (busy[:SITES_COUNT] + busy[SITES_COUNT] / SITES_COUNT).max(axis=1)
    counts = tuple(int(np.ceil((1.0 + room_share) * each)) for each in peak)
    return Layout(gpus_count=counts, import_limit_mw=tuple(scene.ample_mw(each) for each in counts))


def busiest_share(scene: Scene, starts: Sequence[int], layout: Layout) -> float:
    """Return the part of all GPUs that the busiest hour keeps at work, batch as it arrives."""
    hours = np.concatenate([np.arange(at, at + WINDOW_H) for at in starts])
    return float(scene.gpus_by_hour()[:, hours].sum(axis=0).max()) / sum(layout.gpus_count)
