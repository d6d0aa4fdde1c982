"""The weeks of T9: three sites, a part of whose tokens may wait, with and without curtailment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.thesis.three_company import SITES_COUNT, Layout, Terms
from tokenergy.thesis.three_sites import BATCH_SHARE, Scene, warm

WEEK_H: Final = 168
LEAST_MW: Final = 1e-3
"""A limit stays this much above the load that nothing can move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curtailment:
    """What one part of energy curtailed did, with one part of the tokens that may wait.

    Attributes:
        curtailed_share: part of each site's energy that was asked for.
        deferrable_share: part of the tokens that may wait.
        asked_share: part of all energy that the limits took away in the end.
        hours_h: site-hours of curtailment.
        lost_share: value refused beyond what was refused anyway, of all value.
        priority_share: part of the priority tier's work that was served, likewise.
        cost_share: what power and the rest cost more, of the cost without curtailment.
        other_lost_share: part of the lost value that is not the priority tier's.
    """

    curtailed_share: float
    deferrable_share: float
    asked_share: float
    hours_h: float
    lost_share: float
    priority_share: float
    cost_share: float
    other_lost_share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weeks:
    """Weeks of one part of the tokens that may wait, dispatched without curtailment.

    Attributes:
        windows: the weeks, known in full.
        free: their optima.
        depth_share: how deep a curtailment cuts what a site would draw.
    """

    world: World
    model: WindowModel
    deferrable_share: float
    depth_share: float
    windows: tuple[Window, ...]
    free: tuple[Optimum, ...]

    @classmethod
    def of(
        cls,
        scene: Scene,
        terms: Terms,
        starts: Sequence[int],
        *,
        deferrable_share: float,
        depth_share: float,
        room_share: float,
    ) -> "Weeks":
        """Size the fleets for the busiest hour without any waiting, and solve the weeks."""
        layout = sized(scene, starts, room_share=room_share)
        hours = scene.hours_count - scene.hours_count % WEEK_H
        world = scene.world(layout, terms, first=0, hours_count=hours, history_h=0)
        windows = tuple(
            mixed(true_window(world, begin=at, count=WEEK_H), deferrable_share) for at in starts
        )
        model = WindowModel(world, windows[0], warm(world))
        return cls(
            world=world,
            model=model,
            deferrable_share=deferrable_share,
            depth_share=depth_share,
            windows=windows,
            free=tuple(model.solve(each, warm(world)) for each in windows),
        )

    def drawn_mw(self) -> FloatArray:
        """Return what each site draws without curtailment, the weeks one after another [S, n]."""
        return np.concatenate([each.value("meter_import").T for each in self.free], axis=1)

    def unmoved_mw(self) -> FloatArray:
        """Return what each site would draw if no work ever waited, likewise [S, n]."""
        loads = tuple(replace(load, defer_count=0) for load in self.world.workloads)
        strict = replace(self.world, workloads=loads)
        model = WindowModel(strict, self.windows[0], warm(strict))
        rows = [model.solve(each, warm(strict)).value("meter_import").T for each in self.windows]
        return np.concatenate(rows, axis=1)

    def limits_mw(self, curtailed_share: float, drawn: FloatArray) -> FloatArray:
        """Return the limits that take that part of each site's energy away [S, n].

        The hours with the highest prices of a site's own zone are cut first: they are taken for
        the peaks of its system. A limit never lies below what nothing can move.

        Args:
            curtailed_share: part of each site's energy.
            drawn: what is curtailed: MW by site and hour [S, n].
        """
        standing = np.concatenate([each.pue for each in self.windows], axis=1)
        standing = standing * self.world.standing_mw()[:, None] + LEAST_MW
        limits = np.concatenate([each.import_limit_mw for each in self.windows], axis=1)
        price = np.concatenate([each.buy_usd_per_mwh for each in self.windows], axis=1)
        for site in range(SITES_COUNT):
            cut_mw = np.maximum((1.0 - self.depth_share) * drawn[site], standing[site])
            asked = np.maximum(0.0, drawn[site] - cut_mw)
            order = np.argsort(-price[site], kind="stable")
            enough = np.cumsum(asked[order]) >= curtailed_share * drawn[site].sum()
            count = int(np.argmax(enough)) + 1 if enough.any() else order.size
            hours = order[:count]
            hours = hours[asked[hours] > 0.0]
            limits[site, hours] = cut_mw[hours]
        return np.asarray(limits)

    def curtailed(
        self, curtailed_share: float, baseline_mw: FloatArray | None = None
    ) -> Curtailment:
        """Solve the weeks under limits that are announced and known in full.

        Args:
            curtailed_share: part of each site's energy that is asked for.
            baseline_mw: what is curtailed [S, n]; None: what each site would draw by itself.
        """
        drawn = self.drawn_mw() if baseline_mw is None else baseline_mw
        limits = self.limits_mw(curtailed_share, drawn)
        ample = np.concatenate([each.import_limit_mw for each in self.windows], axis=1)
        held = [
            self.model.solve(replace(each, import_limit_mw=part), warm(self.world))
            for each, part in zip(
                self.windows, np.split(limits, len(self.windows), axis=1), strict=True
            )
        ]
        value = np.array([load.value_usd_per_mtok for load in self.world.workloads])
        lost = sum(
            (now.value("refused") - free.value("refused")).sum(axis=0)
            for now, free in zip(held, self.free, strict=True)
        )
        asked_mtok = sum(each.arrivals_mtok.sum(axis=1) for each in self.windows)
        lost_usd, all_usd = float(value @ lost), float(value @ asked_mtok)
        chat_usd = float(value[:SITES_COUNT] @ lost[:SITES_COUNT])
        more_usd = sum(
            now.objective_usd - free.objective_usd
            for now, free in zip(held, self.free, strict=True)
        )
        refused_usd = sum(float(value @ each.value("refused").sum(axis=0)) for each in self.free)
        cost_usd = sum(each.objective_usd for each in self.free) - refused_usd
        return Curtailment(
            curtailed_share=curtailed_share,
            deferrable_share=self.deferrable_share,
            asked_share=float(np.maximum(0.0, drawn - limits).sum() / drawn.sum()),
            hours_h=float((limits < ample).sum()),
            lost_share=_tidy(lost_usd / all_usd),
            priority_share=1.0
            - _tidy(float(lost[:SITES_COUNT].sum() / asked_mtok[:SITES_COUNT].sum())),
            cost_share=_tidy((more_usd - lost_usd) / cost_usd),
            other_lost_share=_tidy(1.0 - chat_usd / lost_usd) if _tidy(lost_usd) > 0.0 else 0.0,
        )


def _tidy(share: float) -> float:
    """Return a share without the solver's rounding."""
    return 0.0 if abs(share) < 1e-9 else float(share)


def sized(scene: Scene, starts: Sequence[int], *, room_share: float) -> Layout:
    """Return GPUs for each region's busiest hour if none of its tokens could wait, and some room.

    The same fleet for every part that may wait: only that differs.
    """
    hours = np.concatenate([np.arange(at, at + WEEK_H) for at in starts])
    peak = scene.gpus_by_hour()[:SITES_COUNT, hours].max(axis=1) / (1.0 - BATCH_SHARE)
    counts = tuple(int(np.ceil((1.0 + room_share) * each)) for each in peak)
    return Layout(gpus_count=counts, import_limit_mw=tuple(scene.ample_mw(each) for each in counts))


def mixed(window: Window, deferrable_share: float) -> Window:
    """Return a window with the same tokens, that part of them batch work that arrives evenly."""
    chat = window.arrivals_mtok[:SITES_COUNT] / (1.0 - BATCH_SHARE)
    batch = np.full((1, window.count), deferrable_share * chat.sum() / window.count)
    return replace(window, arrivals_mtok=np.vstack([(1.0 - deferrable_share) * chat, batch]))
