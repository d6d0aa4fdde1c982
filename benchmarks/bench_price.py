"""What does a price with both its ends cost, and how often are they two different numbers?

Goals, in this order:
1. No silent wrong answers: for a sample of prices (all of the first hour among them) both ends
   equal the quotient of optima of a program built anew, at the board's own step, to 1 %;
   low <= high for all; else this exits with 1. A price that the board could not settle, and an
   end that moves by more than 1 % when the step shrinks to a quarter, are counted and printed.
2. A price end costs a small part of a cold solve (ratio cold / end).
3. Figures: how many prices are an interval wider than 1 % of the price, in the first hour and in
   all 48; how often the step had to be halved, and how far.

Boards of 48 h x 2 workloads on ten sites, every 11 hours of a week in which the state follows
`mpc`: carried-over states are where duals are degenerate (dispatch sheet, section 4).
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from companies import moved_on, ten_sites
from record import show, spread, write

from tokenergy.dispatch.duals import FIRST_STEP_SHARE, PriceBoard, PriceEnds
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.errors import SolverFailure

WINDOW_COUNT = 48
EVERY_COUNT = 11
WIDE_SHARE = 0.01
SAMPLE_EVERY = 37
QUOTIENT_SHARE = 0.01
SMALLER_STEP_SHARE = 0.25


@dataclass(slots=True)
class Tally:
    """What the boards showed; a price is (interval, width as a share of its larger end)."""

    cold_s: list[float] = field(default_factory=list)
    end_s: list[float] = field(default_factory=list)
    halvings: list[int] = field(default_factory=list)
    widths: list[tuple[int, float]] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    inverted_count: int = 0
    checked_count: int = 0
    moved_count: int = 0
    wrong: list[str] = field(default_factory=list)


class Counter:
    """Counts the solves of a board's model: more than one for an end is a halving."""

    def __init__(self, board: PriceBoard) -> None:
        """Stand between the board and its model."""
        self.solves_count = 0
        self._solve = board._held.model.solve
        board._held.model.solve = self.solve  # type: ignore[method-assign]

    def solve(self) -> Any:
        """Solve, and count."""
        self.solves_count += 1
        return self._solve()


def states(world: World, boards: int) -> Iterator[tuple[Window, State]]:
    """Yield windows as `mpc` believes them, with the state that its optima lead to."""
    forecaster, state = Forecaster(world), State.initial(world)
    held: WindowModel | None = None
    for step in range((boards - 1) * EVERY_COUNT + 1):
        window = forecaster.window(world.first + step, WINDOW_COUNT)
        if step % EVERY_COUNT == 0:
            yield window, state
        held = held or WindowModel(world, window, state)
        state = moved_on(world, held.solve(window, state), state)


def price(world: World, window: Window, state: State, tally: Tally) -> None:
    """Price every workload in every interval of a window."""
    began = time.process_time()
    board = PriceBoard(world, window, state)
    tally.cold_s.append(time.process_time() - began)
    counter = Counter(board)
    for at in range(window.count):
        for workload in range(len(world.workloads)):
            before, began = counter.solves_count, time.process_time()
            try:
                ends = board.ends(workload=workload, at=at)
            except SolverFailure as failure:
                tally.unsettled.append(str(failure))
                continue
            took_s = time.process_time() - began
            low, high = ends.low_usd_per_mtok, ends.high_usd_per_mtok
            ends_count = 1 if low is None else 2
            halvings = counter.solves_count - before - ends_count
            tally.end_s.append(took_s / ends_count)
            tally.halvings.append(halvings)
            if low is None:
                continue
            larger = max(abs(low), abs(high), 1e-9)
            tally.widths.append((at, max(0.0, high - low) / larger))
            tally.inverted_count += low > high + 1e-6 * larger
            if at == 0 or len(tally.end_s) % SAMPLE_EVERY == 0:
                check(board, state, at, workload, ends, halvings, tally)


def check(
    board: PriceBoard,
    state: State,
    at: int,
    workload: int,
    ends: PriceEnds,
    halvings: int,
    tally: Tally,
) -> None:
    """Compare both ends with quotients of optima of programs that are built anew."""
    asked = float(board.window.arrivals_mtok[workload, at])
    first_mtok = FIRST_STEP_SHARE * asked  # of this company's work: far above the least step
    low_halvings = halvings - round(math.log2(first_mtok / ends.step_mtok))
    for published, step_mtok in (
        (ends.high_usd_per_mtok, ends.step_mtok),
        (ends.low_usd_per_mtok, -first_mtok / 2.0**low_halvings),
    ):
        far, near = (
            _quotient(board, state, at, workload, share * step_mtok)
            for share in (1.0, SMALLER_STEP_SHARE)
        )
        tally.checked_count += 1
        tally.moved_count += _apart(near, published)
        if _apart(far, published):
            tally.wrong.append(
                f"{board.world.workloads[workload].name} in interval {at} of the window from "
                f"{board.window.begin}: published {published:.6g}, quotient {far:.6g} USD/Mtok"
            )


def _quotient(board: PriceBoard, state: State, at: int, workload: int, step_mtok: float) -> float:
    anew = WindowModel(board.world, board.window, state)
    anew.ask_more(board.window, at=at, workload=workload, more_mtok=step_mtok)
    more_usd = anew.solved(board.window).objective_usd - board.optimum.objective_usd
    return more_usd / step_mtok


def _apart(one: float, other: float) -> bool:
    return abs(one - other) > QUOTIENT_SHARE * max(abs(one), abs(other), 1e-9)


def summary(tally: Tally) -> dict[str, Any]:
    """Return the figures that are kept."""
    wide = [width > WIDE_SHARE for _, width in tally.widths]
    first = [width for at, width in tally.widths if at == 0]
    wide_first = [width for width in first if width > WIDE_SHARE]
    widths = [width for _, width in tally.widths if width > WIDE_SHARE]
    halved = [count for count in tally.halvings if count]
    return {
        "boards": len(tally.cold_s),
        "prices": len(tally.end_s),
        "unsettled": len(tally.unsettled),
        "cold_solve": spread(tally.cold_s),
        "price_end": spread(tally.end_s),
        "ratio_cold_to_end": round(
            statistics.median(tally.cold_s) / statistics.median(tally.end_s), 1
        ),
        "wide_share": round(float(np.mean(wide)), 4),
        "wide_first_hour_share": round(len(wide_first) / len(first), 4),
        "width_mean_of_wide_share": round(float(np.mean(widths)) if widths else 0.0, 4),
        "width_largest_share": round(max((w for _, w in tally.widths), default=0.0), 4),
        "halved_share": round(len(halved) / len(tally.halvings), 4),
        "halvings_most": max(tally.halvings),
        "low_above_high": tally.inverted_count,
        "checked_by_quotient": tally.checked_count,
        "wrong_by_quotient": len(tally.wrong),
        "moved_at_a_quarter_of_the_step": tally.moved_count,
    }


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, default=16)
    asked = parser.parse_args()
    world = ten_sites(asked.boards * EVERY_COUNT + 2 * WINDOW_COUNT)
    tally = Tally()
    for window, state in states(world, asked.boards):
        price(world, window, state, tally)
    kept = summary(tally)
    show(
        f"{kept['boards']} boards of 48 h x {len(world.workloads)} workloads, 10 sites",
        ["what", "figure"],
        [
            ["cold solve, ms (median / p99)", _pair(kept["cold_solve"])],
            ["a price end, ms (median / p99)", _pair(kept["price_end"])],
            ["cold solve / price end", f"{kept['ratio_cold_to_end']:g} times"],
            ["prices wider than 1 %", f"{kept['wide_share']:.1%}"],
            ["the same, first hour", f"{kept['wide_first_hour_share']:.1%}"],
            [
                "width of those (mean / largest)",
                f"{kept['width_mean_of_wide_share']:.1%} / {kept['width_largest_share']:.1%}",
            ],
            ["prices whose step was halved", f"{kept['halved_share']:.1%}"],
            ["most halvings of one price (both ends)", kept["halvings_most"]],
            ["unsettled prices", f"{kept['unsettled']} of {kept['prices'] + kept['unsettled']}"],
            [
                "ends that a new program's quotient refutes",
                f"{kept['wrong_by_quotient']} of {kept['checked_by_quotient']}",
            ],
            [
                "ends that move by 1 % at a quarter of the step",
                f"{kept['moved_at_a_quarter_of_the_step']} of {kept['checked_by_quotient']}",
            ],
        ],
    )
    for line in tally.wrong + tally.unsettled[:10]:
        print(line, file=sys.stderr)
    if tally.wrong or tally.inverted_count:
        print("wrong prices: nothing is written", file=sys.stderr)
        return 1
    write("price", kept)
    return 0


def _pair(times: dict[str, float]) -> str:
    return f"{times['median_ms']:.3g} / {times['p99_ms']:.3g}"


if __name__ == "__main__":
    sys.exit(main())
