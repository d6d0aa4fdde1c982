"""A window of 48 h moved by an hour: PyPSA's rolling horizon, ours built anew, ours kept.

All three solve the same windows from the same states (those that the kept one leaves), with
foresight of the window; PUE coefficients change with the hour. `hot` is the persistent program: a
ring in which one slot and its break change. `lean and cold` builds the program from the world's
arrays and starts the simplex from nothing. Both times include making the window and our own check
of residuals and gap; PyPSA's are `n.optimize` with what has to be set before it, the network being
made once outside the clock. All use HiGHS, simplex, one thread.

Beside them `hot, as mpc believes`: forecast windows, of which most figures change each step, and
`hot, 50 sites`: five times as many.
"""

import statistics
import time
from collections.abc import Iterator
from typing import Any

from companies import Case, many_sites, moved_on, ten_sites
from peer import as_json, ask_peer
from record import spread

from tokenergy.dispatch.columns import own_deployments
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import State, World

WINDOW_COUNT = 48
MANY_SITES = 50
WAYS = ("PyPSA rolling", "lean and cold", "hot")
EQUAL_SHARE = 1e-8
GOAL_MS = 15.0
GOAL_RATIO = 100.0
GOAL_MANY_MS = 150.0


def roll(made: World, steps: int, *, kind: str = "true", cold: bool = True) -> dict[str, Any]:
    """Move the window `steps` times; return times and objectives by way, windows and states."""
    forecaster = Forecaster(made)
    state, model = State.initial(made), None
    found: dict[str, Any] = {"hot": [], "lean and cold": [], "windows": [], "usd": [], "apart": []}
    found["iterations"] = []
    for step in range(steps + 1):
        at = made.first + step
        began = time.process_time()
        if kind == "true":
            window = true_window(made, begin=at, count=WINDOW_COUNT)
        else:
            window = forecaster.window(at, WINDOW_COUNT)
        if model is None:
            model = WindowModel(made, window, state)
            optimum = model.solved(window)
        else:
            optimum = model.solve(window, state)
        hot_s = time.process_time() - began
        if step:  # the first one is built: nothing is hot yet
            found["hot"].append(hot_s)
            found["usd"].append(optimum.objective_usd)
            found["iterations"].append(optimum.solution.iterations_count)
            found["windows"].append(_told(made, window, state))
        if step and cold:
            began = time.process_time()
            window = true_window(made, begin=at, count=WINDOW_COUNT)
            anew = WindowModel(made, window, state).solved(window)
            found["lean and cold"].append(time.process_time() - began)
            found["apart"].append(_apart(anew.objective_usd, optimum.objective_usd))
        state = moved_on(made, optimum, state)
    found["rows_count"] = _rows_count(model)
    return found


def _rows_count(model: WindowModel | None) -> int:
    return 0 if model is None else model.program.rows_per_slot * WINDOW_COUNT


def _told(made: World, window: Window, state: State) -> dict[str, Any]:
    """Return what the peer has to know of a window beside the network."""
    return {
        "begin": window.begin - made.first,
        "stored_usd_per_mwh": window.stored_usd_per_mwh.tolist(),
        "energy_mwh": state.energy_mwh.tolist(),
        "waiting_mtok": [
            float(state.backlog_mtok[at].sum())
            for at, load in enumerate(made.workloads)
            if load.defer_count
        ],
        "awake_count": state.awake[: own_deployments(made)].tolist(),
    }


def _apart(usd: float, other_usd: float) -> float:
    return abs(usd - other_usd) / max(1.0, abs(other_usd))


def measure_windows(*, steps: int, peer_steps: int) -> dict[str, Any]:
    """Return times, ratios and the largest difference of objectives, as they are kept."""
    made = ten_sites(steps + 2 * WINDOW_COUNT)
    found = roll(made, steps)
    told = as_json(Case(name="rolling", says="", world=made, state=State.initial(made)))
    told |= {"window_count": WINDOW_COUNT, "windows": found["windows"][:peer_steps]}
    theirs = ask_peer("pypsa_rolling.py", told)
    apart = [
        _apart(usd, other_usd)
        for usd, other_usd in zip(theirs["objectives_usd"], found["usd"], strict=False)
    ]
    believed = roll(made, steps, kind="forecast", cold=False)
    many = roll(
        many_sites(steps + 2 * WINDOW_COUNT, sites_count=MANY_SITES), min(steps, 48), cold=False
    )
    ways = {"PyPSA rolling": theirs["times_s"]} | {name: found[name] for name in WAYS[1:]}
    median_s = {name: statistics.median(times_s) for name, times_s in ways.items()}
    hot = spread(found["hot"])
    return {
        "says": "10 sites x 48 h moved by 1 h, true windows, PUE changing with the hour",
        "ms_median": hot["median_ms"],
        "ms_p99": hot["p99_ms"],
        "ratio_to_pypsa": round(median_s["PyPSA rolling"] / median_s["hot"], 1),
        "ratio_to_cold": round(median_s["lean and cold"] / median_s["hot"], 2),
        "max_relative_objective_difference": max(*apart, *found["apart"]),
        "windows_count": {name: len(times_s) for name, times_s in ways.items()},
        "rows_count": {"ours": found["rows_count"], "pypsa": theirs["rows_count"]},
        "iterations_median": statistics.median(found["iterations"]),
        "ways": {name: spread(times_s) for name, times_s in ways.items()},
        "believed": spread(believed["hot"])
        | {"iterations_median": statistics.median(believed["iterations"])},
        "many_sites": spread(many["hot"])
        | {
            "sites_count": MANY_SITES,
            "rows_count": many["rows_count"],
            "iterations_median": statistics.median(many["iterations"]),
        },
    }


def rows(kept: dict[str, Any]) -> list[list[object]]:
    """Return the table: ways x ms."""
    hot_ms = kept["ms_median"]
    every = [
        *((name, kept["ways"][name], kept["windows_count"][name]) for name in WAYS),
        ("hot, as mpc believes", kept["believed"], kept["windows_count"]["hot"]),
        (f"hot, {MANY_SITES} sites", kept["many_sites"], ""),
    ]
    return [
        [name, each["median_ms"], each["p99_ms"], round(each["median_ms"] / hot_ms, 2), windows]
        for name, each, windows in every
    ]


def missed(kept: dict[str, Any]) -> Iterator[str]:
    """Tell which goals were not reached."""
    if kept["ms_median"] > GOAL_MS:
        yield f"hot window: {kept['ms_median']:.1f} ms, goal {GOAL_MS:g} ms"
    if kept["ratio_to_pypsa"] < GOAL_RATIO:
        yield f"PyPSA / hot: {kept['ratio_to_pypsa']:.0f}, goal {GOAL_RATIO:g}"
    if kept["many_sites"]["median_ms"] > GOAL_MANY_MS:
        yield f"{MANY_SITES} sites: {kept['many_sites']['median_ms']:.0f} ms, goal {GOAL_MANY_MS:g}"
