"""Purchases as a meter nets them, for rows that count them: a MWh in a circle is none.

A program may buy and sell in one interval, where a meter shows the difference alone. A row that
counts a share of what is bought would pay for the circle. So it counts what is bought in net,

    ... <= clean[t] + grid share[t] x (buy[t] - sell[t] + sold[t])

with sold[t] for what is sold in net, which must not count against it:

    sold[t] <= sell[t]
    sold[t] <= delivered[t] beside the sources: other takes, blocks, plants, batteries
    sold[t] <= most sold x sells[t]
    buy[t] <= most bought x (1 - sells[t]),  sells[t] is 0 or 1

The second row cuts off nothing: where more is sold than that, sources cover the load, and the row
holds nobody back. So whole numbers are chosen only where other power than the sources' could be
sold; and where a site has no such power there are no columns for it.
"""

from typing import TYPE_CHECKING

import numpy as np

from tokenergy.dispatch.columns import INFINITY, ColumnNumbers, ColumnRule
from tokenergy.dispatch.rows import RowRule
from tokenergy.dispatch.supply import FloatArray
from tokenergy.dispatch.terms.periods import believed
from tokenergy.dispatch.terms.term import Added, block_name, following
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.lp.program import Program

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.matching import Matching

ROOM_COUNT = 2.0
"""By how much the most that is bought and sold is overstated: these rows never bind where the
connection does, and the rent of a megawatt stays the connection's."""
ROUNDING_MW = 1e-9


def net_of_sales(term: "Matching", program: Program, world: World) -> Added:
    """Take what is sold off what `term`'s row of clean power counts; nothing if it counts none."""
    if not term.grid_share.any():
        return Added(columns={}, rows={})
    clean, at = block_name(term, "clean"), [term.site]

    def share(seen: Window) -> FloatArray:
        return term.bought_share(seen, world)[:, None]

    sell = following(program.link(clean, "sell", column_at=at, values=1.0), share)
    if sells_sources_alone(term, world):
        return Added(columns={}, rows={}, moving=(sell,))
    sold, sells = block_name(term, "sold"), block_name(term, "sells")
    within, beside, selling, buying = (
        block_name(term, part) for part in ("within", "beside", "selling", "buying")
    )
    for column in (sold, sells):
        program.add_columns(column, 1)
    for row in (within, beside, selling, buying):
        program.add_rows(row, 1)
    for row in (within, beside, selling):
        program.link(row, sold, values=1.0)
    program.link(within, "sell", column_at=at, values=-1.0)
    _link_others(term, program, world, beside)
    program.link(buying, "buy", column_at=at, values=1.0)
    moving = (
        sell,
        following(program.link(clean, sold, values=-1.0), lambda seen: -share(seen)),
        following(program.link(selling, sells, values=-1.0), lambda w: -_most_sold(w, term, world)),
        following(program.link(buying, sells, values=1.0), lambda w: _most_bought(w, term)),
    )
    return Added(
        columns={sold: _sold_rule(), sells: _sells_rule(term, world)},
        rows={
            within: _below_nothing,
            beside: _beside_rule(term, world),
            selling: _below_nothing,
            buying: _buying_rule(term),
        },
        moving=moving,
        integers=(sells,),
    )


def sells_sources_alone(term: "Matching", world: World) -> bool:
    """Return whether a site has no power to sell but that of a contract's sources."""
    blocks_mw = sum(block.delivery_mw for block in world.blocks if block.site == term.site)
    return not (
        any(plant.site == term.site for plant in world.generators)
        or term.site in world.battery_site
        or _other_takes(term, world)
        or np.any(blocks_mw > term.clean_mw + ROUNDING_MW)
    )


def known_clean_mw(term: "Matching", window: Window, world: World) -> FloatArray:
    """Return what the sources that are no takes deliver, as a window believes it [n].

    What blocks deliver is known; where they are all among the sources it is no less than that.
    """
    mw = believed(term.clean_mw, window, world)
    if not term.grid_share.any() or not sells_sources_alone(term, world):
        return mw
    return np.maximum(mw, _blocks_mw(window, term))


def _other_takes(term: "Matching", world: World) -> list[int]:
    """Return the indices of the takes at the site that are none of the sources."""
    there = [at for at, take in enumerate(world.takes) if take.site == term.site]
    return [at for at in there if at not in term.takes]


def _link_others(term: "Matching", program: Program, world: World, row: str) -> None:
    """Let no more be sold in net than takes, plants and batteries give that are no sources."""
    others = {
        "take": _other_takes(term, world),
        "generate": [at for at, plant in enumerate(world.generators) if plant.site == term.site],
        "discharge": [at for at, site in enumerate(world.battery_site) if site == term.site],
    }
    for column, there in others.items():
        program.link(row, column, row_at=[0] * len(there), column_at=there, values=-1.0)


def _blocks_mw(window: Window, term: "Matching") -> FloatArray:
    return np.asarray(window.grid_block_mw[term.site] + window.meter_block_mw[term.site])


def _most_bought(window: Window, term: "Matching") -> FloatArray:
    """Return more MWh than can be bought in net [n, 1]: all that comes in at the meter."""
    mwh = window.import_limit_mw[term.site] * window.live_h()
    return np.asarray(ROOM_COUNT * mwh)[:, None]


def _most_sold(window: Window, term: "Matching", world: World) -> FloatArray:
    """Return more MWh than can be sold in net [n, 1]: exports, and all that the grid delivers."""
    mw = window.export_limit_mw[term.site] + window.grid_block_mw[term.site]
    for at, take in enumerate(world.takes):
        if take.site == term.site and not take.behind_the_meter:
            mw = mw + window.available_mw[at]
    return np.asarray(ROOM_COUNT * mw * window.live_h())[:, None]


def _sold_rule() -> ColumnRule:
    def numbers(window: Window, state: State) -> ColumnNumbers:
        """sold[t] >= 0."""
        none = np.zeros((window.count, 1))
        return ColumnNumbers(costs=none, lower=none, upper=np.full_like(none, INFINITY))

    return numbers


def _sells_rule(term: "Matching", world: World) -> ColumnRule:
    def numbers(window: Window, state: State) -> ColumnNumbers:
        """sells[t] is 0 or 1; 0 where nothing can be sold, or no purchase counts."""
        none = np.zeros((window.count, 1))
        counts = term.bought_share(window, world)[:, None] > 0.0
        may = counts & (_most_sold(window, term, world) > 0.0)
        return ColumnNumbers(costs=none, lower=none, upper=may.astype(float))

    return numbers


def _beside_rule(term: "Matching", world: World) -> RowRule:
    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        clean_mw = known_clean_mw(term, window, world)
        other_mw = np.maximum(0.0, _blocks_mw(window, term) - clean_mw)
        upper = (other_mw * window.live_h())[:, None]
        return np.full_like(upper, -INFINITY), upper

    return rule


def _buying_rule(term: "Matching") -> RowRule:
    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        upper = _most_bought(window, term)
        return np.full_like(upper, -INFINITY), upper

    return rule


def _below_nothing(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
    none = np.zeros((window.count, 1))
    return np.full_like(none, -INFINITY), none
