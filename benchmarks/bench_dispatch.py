"""How fast is a window, what does a year of dispatch save, and does somebody else agree?

Three parts, each with its goals; in all of them no silent wrong answers come first:
1. Small companies: on three of them, which together use the rows of the program, PyPSA's optimum
   of an independently written network equals ours to 1e-6 (relative), else this exits with 1.
   `results/dispatch.json` keeps PyPSA's objectives, and tests/dispatch/test_pypsa_objectives.py
   holds our program to them where PyPSA is not installed. The fourth, ten sites x 48 h, is there
   for its size. Ours starts from the company's arrays and includes the check of residuals and of
   the duality gap; theirs starts from the finished network, whose making stands beside.
2. A window that moves (`rolling.py`): objectives equal to 1e-8 on every window, else exit 1; hot
   at most 15 ms and at least 100 times faster than PyPSA's rolling horizon, 50 sites at most
   150 ms, else exit 2.
3. A year of real prices (`year.py`): no policy below the bound that duality proves, greedy equal
   to the program to 1e-9 in the plain world, else exit 1; regret of mpc at most 1.5 %, at most
   4 % without day-ahead prices, 90 % of the gap from greedy_battery captured, else exit 2. Where
   ../shared/data is not, this part is left out, and says so.

`--parts window` runs some of them; the others keep what the file holds, each with its own date.
"""

import argparse
import json
import statistics
import sys
import time
from typing import Any

import rolling
import year
from companies import Case, small_cases, ten_sites
from peer import PEER_RELEASES, as_json, ask_peer, digest
from record import RESULTS, environment, show, spread, write

from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.world import State

__all__ = ["cases", "digest"]

EQUAL_SHARE = 1e-6
TIMES = ("network_s", "model_s", "solve_s")
PARTS = ("cases", "window", "year")


def cases() -> tuple[Case, ...]:
    """Return the three small companies, and a large one for timing."""
    made = ten_sites(48)
    large = Case(
        name="ten_sites",
        says="10 sites x 48 h, a battery each, 30 % of the work may wait a day",
        world=made,
        state=State.initial(made),
    )
    return (*small_cases(), large)


def solve_ours(case: Case) -> tuple[float, int, float]:
    """Return our objective, the number of rows, and seconds to build and solve."""
    began = time.process_time()
    window = case.window
    model = WindowModel(case.world, window, case.state)
    objective_usd = model.solved(window).objective_usd
    took_s = time.process_time() - began
    return objective_usd, model.program.rows_per_slot * case.world.count, took_s


def measure_cases(*, rounds: int, runs: int) -> dict[str, dict[str, Any]]:
    """Solve every case here and in the peer, in turns; return what is kept by case."""
    every = cases()
    found: dict[str, dict[str, Any]] = {
        case.name: {"ours_s": [], "network_s": [], "model_s": [], "solve_s": []} for case in every
    }
    for _ in range(rounds):
        for case in every:
            here = found[case.name]
            for _ in range(runs + 1):
                here["ours_usd"], here["our_rows_count"], took_s = solve_ours(case)
                here["ours_s"].append(took_s)
            here["ours_s"].pop(-runs - 1)  # the first one warms up, as the peer's does
        answers = ask_peer("pypsa_peer.py", [as_json(case) for case in every], str(runs))
        for name, theirs in answers.items():
            found[name]["pypsa_usd"] = theirs["objective_usd"]
            found[name]["pypsa_rows_count"] = theirs["rows_count"]
            for part in TIMES:
                found[name][part] += theirs[part]
    return {case.name: summary(case, found[case.name]) for case in every}


def summary(case: Case, found: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a case."""
    whole_s = [m + s for m, s in zip(found["model_s"], found["solve_s"], strict=True)]
    ours_usd, pypsa_usd = found["ours_usd"], found["pypsa_usd"]
    return {
        "says": case.says,
        "digest": digest(case),
        "pypsa_objective_usd": pypsa_usd,
        "our_objective_usd": ours_usd,
        "difference_share": abs(ours_usd - pypsa_usd) / max(1.0, abs(pypsa_usd)),
        "our_rows_count": found["our_rows_count"],
        "pypsa_rows_count": found["pypsa_rows_count"],
        "ours": spread(found["ours_s"]),
        "pypsa": spread(whole_s),
        "pypsa_parts_ms": {
            part.removesuffix("_s"): round(1e3 * statistics.median(found[part]), 1)
            for part in TIMES
        },
        "ratio": round(statistics.median(whole_s) / statistics.median(found["ours_s"]), 1),
    }


def show_cases(kept: dict[str, Any]) -> None:
    """Print the small companies."""
    show(
        "One window: built and solved here, and in PyPSA (median ms of processor time)",
        [
            "company",
            "our USD",
            "PyPSA's",
            "differ",
            "rows",
            "ours",
            "network",
            "model",
            "solve",
            "x",
        ],
        [
            [
                name,
                f"{case['our_objective_usd']:.3f}",
                f"{case['pypsa_objective_usd']:.3f}",
                f"{case['difference_share']:.0e}",
                f"{case['our_rows_count']}/{case['pypsa_rows_count']}",
                case["ours"]["median_ms"],
                *case["pypsa_parts_ms"].values(),
                case["ratio"],
            ]
            for name, case in kept.items()
        ],
    )


def show_window(kept: dict[str, Any]) -> None:
    """Print the window that moves."""
    show(
        f"A window of {kept['says']} (ms of processor time)",
        ["way", "median ms", "p99 ms", "x hot", "windows"],
        rolling.rows(kept),
    )
    print(
        f"objectives differ by at most {kept['max_relative_objective_difference']:.1e}; "
        f"PyPSA / hot {kept['ratio_to_pypsa']:g}, cold / hot {kept['ratio_to_cold']:g}"
    )


def show_year(kept: dict[str, Any]) -> None:
    """Print policies x regret."""
    says, bound = kept["says"], kept["bound"]
    show(
        f"{says['days']} days of real prices from {says['begin'][:10]} on, USD",
        ["policy", "cost USD", "below nearest", "regret", "captured", "ms a decision"],
        year.rows(kept),
    )
    print(
        f"at least {bound['lower_usd']:,.0f} USD, proved by duality over {bound['windows_count']} "
        f"windows; the best dispatch found costs {bound['gap_share']:.1e} more. "
        f"{kept['unmoved_share']:.1%} of the best policy's cost is moved by nobody. "
        f"Plain world: greedy and the program differ by "
        f"{kept['plain_greedy_difference_share']:.0e}"
    )


def wrong(kept: dict[str, Any]) -> list[str]:
    """Return answers that do not hold."""
    found = [
        f"{name}: objectives differ by more than {EQUAL_SHARE}"
        for name, case in kept.get("cases", {}).items()
        if not case["difference_share"] <= EQUAL_SHARE
    ]
    if "window" in kept and not (
        kept["window"]["max_relative_objective_difference"] <= rolling.EQUAL_SHARE
    ):
        found.append(f"window: objectives differ by more than {rolling.EQUAL_SHARE}")
    return found + (year.wrong(kept["year"]) if "policies" in kept.get("year", {}) else [])


def missed(kept: dict[str, Any]) -> list[str]:
    """Return goals of speed and of regret that were not reached."""
    found = list(rolling.missed(kept["window"])) if "window" in kept else []
    return found + (year.missed(kept["year"]) if "policies" in kept.get("year", {}) else [])


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Run what is asked for, and print it."""
    kept: dict[str, Any] = {}
    if "cases" in asked.parts:
        kept["cases"] = measure_cases(rounds=asked.rounds, runs=asked.runs)
        show_cases(kept["cases"])
    if "window" in asked.parts:
        kept["window"] = rolling.measure_windows(steps=asked.steps, peer_steps=asked.peer_steps)
        show_window(kept["window"])
    if "year" in asked.parts:
        kept["year"] = _year(asked)
    return kept


def _year(asked: argparse.Namespace) -> dict[str, Any]:
    reason = year.missing()
    if reason:
        print(f"the year is left out: {reason}")
        return {"left_out": reason}
    kept = year.run_year(
        year.Asked(
            days=asked.days,
            from_day=asked.from_day,
            size_ratio=asked.size_ratio,
            export_limit_mw=asked.export_mw,
        )
    )
    show_year(kept)
    return kept


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3, help="turns of ours and PyPSA's")
    parser.add_argument("--runs", type=int, default=2, help="timed runs of a case in one turn")
    parser.add_argument("--steps", type=int, default=240, help="hours that the window moves")
    parser.add_argument("--peer-steps", type=int, default=24, help="of them, in PyPSA too")
    parser.add_argument("--days", type=int, default=year.LONGEST_DAYS, help="days of the year")
    parser.add_argument("--from-day", type=int, default=0, help="first of these days")
    parser.add_argument("--size-ratio", type=float, default=1.0, help="of each site, to 100 MW")
    parser.add_argument("--export-mw", type=float, default=0.0, help="each site may feed in")
    return parser.parse_args()


def main() -> int:
    """Compare, print, write."""
    asked = arguments()
    kept = measure(asked)
    faults = wrong(kept)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        return 1
    file = RESULTS / "dispatch.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    where = {key: environment()[key] for key in ("command", "date", "load_average")}
    parts = {name: before.get(name, {}) for name in PARTS}
    if "left_out" in kept.get("year", {}) and "policies" in parts["year"]:
        kept.pop("year")  # what was measured with the prices stays, with its date
    ran = before.get("ran", {}) | {name: where for name in kept}
    write(
        "dispatch",
        {"peer": list(PEER_RELEASES), "equal_share": EQUAL_SHARE, "ran": ran} | parts | kept,
    )
    late = missed(kept)
    for goal in late:
        print(f"below its goal: {goal}", file=sys.stderr)
    return 2 if late else 0


if __name__ == "__main__":
    sys.exit(main())
