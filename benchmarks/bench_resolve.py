"""What does it save to keep the window's program in the solver while time passes?

Goals, in this order:
1. No silent wrong answers: at every step all ways find the same optimum to 1e-9 (relative);
   else this exits with 1. Every answer passes the product's own check of residuals and gap.
2. In place is at least 5 times faster than anew (ratio of medians).
3. Where the gain comes from: `in place, cold` changes the same program but forgets the basis, so
   the step from it to `anew` is building, and the step to `in place` is the warm start.

Ten sites x 48 h, a battery of 25 MW / 100 MWh each, 30 % of the work may wait a day, wakes. The
window moves by one hour and the state follows the optimum. `forecast`: windows as `mpc` believes
them (published prices, then a blend or a ridge; demand from last week), so every step changes
most figures of the window. `true`: windows that know the future, of which one hour is new.
Making the windows themselves takes the same for all ways and is shown, not counted.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from companies import moved_on, ten_sites
from record import show, spread, write

from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import State, World

WINDOW_COUNT = 48
EQUAL_SHARE = 1e-9
GOAL_RATIO = 5.0
WAYS = ("in place", "in place, cold", "anew")
Way = Callable[[Window, State], Optimum]


def ways(world: World, window: Window, state: State) -> dict[str, Way]:
    """Return the ways to solve a window; those in place are built here, outside the clock."""
    warm, cold = (WindowModel(world, window, state) for _ in range(2))
    warm.solved(window)

    def forgetting(window: Window, state: State) -> Optimum:
        cold.model._highs.clearSolver()  # the product never wants this, so it has no name there
        return cold.solve(window, state)

    def anew(window: Window, state: State) -> Optimum:
        return WindowModel(world, window, state).solved(window)

    return dict(zip(WAYS, (warm.solve, forgetting, anew), strict=True))


def windows(world: World, kind: str, steps: int) -> Iterator[tuple[Window, float]]:
    """Yield a window for each hour, and the seconds it took to make it."""
    forecaster = Forecaster(world)
    for at in range(world.first, world.first + steps):
        began = time.process_time()
        if kind == "true":
            window = true_window(world, begin=at, count=WINDOW_COUNT)
        else:
            window = forecaster.window(at, WINDOW_COUNT)
        yield window, time.process_time() - began


def roll(world: World, kind: str, steps: int) -> dict[str, Any]:
    """Move the window `steps` times; return times, iterations and the largest difference."""
    state = State.initial(world)
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    iterations: dict[str, list[int]] = {name: [] for name in WAYS}
    made_s: list[float] = []
    worst_share = 0.0
    every: dict[str, Way] = {}
    for step, (window, window_s) in enumerate(windows(world, kind, steps + 1)):
        every = every or ways(world, window, state)
        order = WAYS[step % 3 :] + WAYS[: step % 3]  # no way always follows the same other
        found: dict[str, Optimum] = {}
        for name in order:
            began = time.process_time()
            found[name] = every[name](window, state)
            took_s = time.process_time() - began
            if step:  # the first step is the same window again: nothing moved
                times[name].append(took_s)
                iterations[name].append(found[name].solution.iterations_count)
        made_s.append(window_s)
        objectives_usd = [optimum.objective_usd for optimum in found.values()]
        apart = (max(objectives_usd) - min(objectives_usd)) / max(1.0, abs(objectives_usd[0]))
        worst_share = max(worst_share, apart)
        state = moved_on(world, found["in place"], state)
    return {
        "windows": kind,
        "steps": steps,
        "largest_difference_share": worst_share,
        "window_made": spread(made_s[1:]),
        "ways": {
            name: spread(times[name]) | {"iterations_median": statistics.median(iterations[name])}
            for name in WAYS
        },
        "ratio_anew_to_in_place": round(_ratio(times, "anew"), 2),
        "ratio_cold_to_in_place": round(_ratio(times, "in place, cold"), 2),
    }


def _ratio(times: dict[str, list[float]], name: str) -> float:
    return statistics.median(times[name]) / statistics.median(times["in place"])


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=240, help="hours that the window moves")
    asked = parser.parse_args()
    world = ten_sites(asked.steps + 2 * WINDOW_COUNT)
    rolls = [roll(world, kind, asked.steps) for kind in ("forecast", "true")]
    rows_count, columns_count = size(world)
    show(
        f"A window of 10 sites x 48 h ({rows_count} rows), moved {asked.steps} times by an hour",
        ["windows", "way", "median ms", "p99 ms", "iterations", "x in place"],
        [
            [
                kept["windows"],
                name,
                way["median_ms"],
                way["p99_ms"],
                way["iterations_median"],
                way["median_ms"] / kept["ways"]["in place"]["median_ms"],
            ]
            for kept in rolls
            for name, way in kept["ways"].items()
        ],
    )
    for kept in rolls:
        print(
            f"{kept['windows']}: objectives differ by at most "
            f"{kept['largest_difference_share']:.1e}; making a window took "
            f"{kept['window_made']['median_ms']:.2f} ms"
        )
    wrong = [kept for kept in rolls if not kept["largest_difference_share"] <= EQUAL_SHARE]
    if wrong:
        print(f"objectives differ by more than {EQUAL_SHARE}", file=sys.stderr)
        return 1
    goal = {"goal_ratio": GOAL_RATIO, "rows_count": rows_count, "columns_count": columns_count}
    write("resolve", goal | {"rolls": rolls})
    slow = [kept for kept in rolls if kept["ratio_anew_to_in_place"] < GOAL_RATIO]
    for kept in slow:
        print(f"{kept['windows']}: below the goal of {GOAL_RATIO:g} times", file=sys.stderr)
    return 2 if slow else 0


def size(world: World) -> tuple[int, int]:
    """Return rows and columns of the window's program."""
    window = true_window(world, begin=world.first, count=WINDOW_COUNT)
    program = WindowModel(world, window, State.initial(world)).program
    return program.rows_per_slot * WINDOW_COUNT, program.columns_per_slot * WINDOW_COUNT


if __name__ == "__main__":
    sys.exit(main())
