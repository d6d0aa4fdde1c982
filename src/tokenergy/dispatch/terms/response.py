"""Demand response: in an event, import is held below a baseline, or what is missing is paid."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tokenergy.dispatch.columns import INFINITY, ColumnNumbers, ColumnRule
from tokenergy.dispatch.rows import RowRule
from tokenergy.dispatch.supply import FloatArray
from tokenergy.dispatch.terms.term import Added, Rent, block_name, following
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.lp.program import Program

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.metered import Metered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AskedSpan:
    """An event on the world's intervals `[begin, begin + share.size)`.

    Attributes:
        announced: index of the interval from which on it is known.
        share: part of each interval that lies within the event; where events overlap, each asks.
    """

    begin: int
    announced: int
    share: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """What one demand response contract asks of a site's meter.

    Attributes:
        committed_mw: reduction below the baseline that is owed.
        baseline_mw: import that it is counted from [T]; data, never the plan's own.
        delivered_usd_per_mwh, penalty_usd_per_mwh: earned by a delivered MWh, paid by
            a missing one.
        spans: the events that bind.
    """

    contract_id: str
    site: int
    committed_mw: float
    baseline_mw: FloatArray
    delivered_usd_per_mwh: float
    penalty_usd_per_mwh: float
    spans: tuple[AskedSpan, ...]
    component: str = "response"
    rent: Rent = "energy"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """share import <= share (baseline - committed) h + short, MWh, in each interval."""
        short, rows = block_name(self, "short"), block_name(self, "event")
        program.add_columns(short, 1)
        program.add_rows(rows, 1)
        moved = program.link(rows, "meter_import", column_at=[self.site], values=1.0)
        program.link(rows, short, values=-1.0)
        return Added(
            columns={short: self._short_rule()},
            rows={rows: self._event_rule()},
            moving=(following(moved, lambda seen: self.asked_share(seen)[:, None]),),
        )

    def asked_share(self, window: Window) -> FloatArray:
        """Return the part of each interval in which an event that is known asks [n]."""
        now = window.known_at
        known = [span for span in self.spans if now is None or span.announced <= now]
        return window.mean(_shares(known, self.baseline_mw.size))

    def charged_usd(self, world: World, metered: "Metered") -> FloatArray:
        """Return penalty x short - delivered x (committed - short) of each interval [T], USD."""
        span = slice(world.first, world.last)
        share = _shares(list(self.spans), self.baseline_mw.size)[span]
        allowed_mwh = (self.baseline_mw[span] - self.committed_mw) * world.step_h
        over_mwh = np.maximum(0.0, metered.import_mwh[self.site] - allowed_mwh)
        short_mwh = share * over_mwh
        delivered_mwh = share * self.committed_mw * world.step_h - short_mwh
        paid = self.penalty_usd_per_mwh * short_mwh - self.delivered_usd_per_mwh * delivered_mwh
        return np.asarray(paid)

    def constant_usd(self, world: World) -> float:
        """Return what every committed MWh of the horizon's events would earn, below 0."""
        share = _shares(list(self.spans), self.baseline_mw.size)[world.first : world.last]
        committed_mwh = self.committed_mw * world.step_h * float(share.sum())
        return -self.delivered_usd_per_mwh * committed_mwh

    def _short_rule(self) -> ColumnRule:
        usd_per_mwh = self.delivered_usd_per_mwh + self.penalty_usd_per_mwh

        def numbers(window: Window, state: State) -> ColumnNumbers:
            """short[t] >= 0: what it would have earned is lost, and the penalty is paid."""
            asked = self.asked_share(window)[:, None] * window.live()[:, None]
            return ColumnNumbers(
                costs=np.full_like(asked, usd_per_mwh),
                lower=np.zeros_like(asked),
                upper=np.where(asked > 0.0, INFINITY, 0.0),
            )

        return numbers

    def _event_rule(self) -> RowRule:
        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            asked = self.asked_share(window) * window.live_h()
            allowed = asked * (window.mean(self.baseline_mw) - self.committed_mw)
            upper = np.where(asked > 0.0, allowed, INFINITY)[:, None]
            return np.full_like(upper, -INFINITY), upper

        return rule


def _shares(spans: list[AskedSpan], total: int) -> FloatArray:
    share = np.zeros(total)
    for span in spans:
        share[span.begin : span.begin + span.share.size] += span.share
    return share
