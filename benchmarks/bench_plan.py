"""What does a plan take, and what does PyPSA take for the same?

Goals, in this order:
1. No silent wrong answers: on three small companies with batteries, power purchase agreements,
   demand charges and deferral both find the same optimum to 1e-6 (relative); and on every larger
   one PyPSA's objective lies within our certified bounds. Else this exits with 1.
2. 20 sites x 8,736 h: a certified gap of 1e-3 in at most a tenth of PyPSA's time and at most half
   of its memory. 10 sites x 8,736 h in 60 s.

Every figure comes from a process of its own. Ours: laying out the program, then the search until
its bounds are within 1e-3: simplex where it is small, interior points (`plan/long`) where it is
not. What numba compiles is compiled before, once for the machine (`--cold` counts it).
PyPSA: reading the network that `tokenergy export pypsa` writes, making the model, solving it with
HiGHS as PyPSA's users do (HiPO without crossover on both cores; its own gap beside it; where
HiPO ends with `unknown`, with crossover, and only that time counts). Imports
count for neither. Memory is the largest sum over a process and its children, shared pages once.
Where PyPSA would not finish in its time (`--peer-limit-s`), by its own growth from 672 to 2,184 h,
it is not started, and the reason is in the results.
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

from plan_jobs import GAP_SHARE, SMALL, job_command
from plan_watch import done, peer_command, run
from record import show, write

EQUAL_SHARE = 1e-6
SITES, HOURS = (3, 10, 20), (672, 2184, 8736)
GOAL_SECONDS_RATIO, GOAL_MEMORY_RATIO = 0.1, 0.5


def main() -> int:
    """Compare on small companies, then measure both on large ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", help="e.g. 3x672,10x2184; default: all nine")
    parser.add_argument("--peer-limit-s", type=float, default=900.0, help="most of PyPSA's time")
    parser.add_argument("--limit-s", type=float, default=1200.0, help="most of our time")
    parser.add_argument("--method", default="hipo", help="PyPSA's solver: hipo, ipm, simplex")
    parser.add_argument("--without-peer", action="store_true", help="measure ours alone")
    asked = parser.parse_args()
    wanted = [(s, h) for h in HOURS for s in SITES]
    if asked.sizes:
        wanted = [tuple(map(int, each.split("x"))) for each in asked.sizes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        equal = [] if asked.without_peer else equalities(Path(folder))
        if any(each["difference_share"] > EQUAL_SHARE for each in equal):
            print(f"objectives differ by more than {EQUAL_SHARE}", file=sys.stderr)
            return 1
        rows: list[dict[str, Any]] = []
        for sites, hours in wanted:
            rows.append(measured(Path(folder), sites, hours, asked, known=rows))
            tell(rows[-1])
    growth = [growth_of(rows, sites) for sites in SITES]
    table(rows, [each for each in growth if each])
    results = {
        "clock": "time on the wall",
        "equal": equal,
        "sizes": rows,
        "growth": [each for each in growth if each],
        "goal_gap_share": GAP_SHARE,
        "goal_seconds_ratio": GOAL_SECONDS_RATIO,
        "goal_memory_ratio": GOAL_MEMORY_RATIO,
    }
    write("plan", results, "psutil")
    outside = [row for row in rows if row["pypsa_within_bounds"] is False]
    for row in outside:
        print(f"{name_of(row)}: PyPSA's objective is outside our bounds", file=sys.stderr)
    return 1 if outside else 2 if missed(rows) else 0


def equalities(folder: Path) -> list[dict[str, Any]]:
    """Solve three small companies both ways, whole and exact."""
    kept = []
    names = {**{str(at): each[0] for at, each in enumerate(SMALL)}, "startup": "startup.yaml"}
    for which, name in names.items():
        file, ours, theirs = folder / "small.nc", folder / "ours.json", folder / "theirs.json"
        done(job_command("small", which, file, ours))
        done(peer_command(file, theirs, "simplex"))
        mine, other = (json.loads(path.read_text()) for path in (ours, theirs))
        apart = abs(mine["objective_usd"] - other["objective_usd"]) / abs(mine["objective_usd"])
        kept.append(
            {
                "name": name,
                "objective_usd": mine["objective_usd"],
                "pypsa_objective_usd": other["objective_usd"],
                "difference_share": apart,
            }
        )
    show(
        "The same optimum, whole and exact",
        ["company", "ours, USD", "PyPSA, USD", "difference"],
        [
            [
                each["name"],
                f"{each['objective_usd']:,.2f}",
                f"{each['pypsa_objective_usd']:,.2f}",
                f"{each['difference_share']:.1e}",
            ]
            for each in kept
        ],
    )
    return kept


def measured(
    folder: Path, sites: int, hours: int, asked: argparse.Namespace, *, known: list[dict[str, Any]]
) -> dict[str, Any]:
    """Measure both at one size, each in a process of its own."""
    answer = folder / "ours.json"
    ours_mb, fault = run(job_command("ours", sites, hours, answer), asked.limit_s)
    mine = {} if fault else json.loads(answer.read_text())
    row: dict[str, Any] = {
        "sites": sites,
        "hours": hours,
        "rows_count": mine.get("rows_count"),
        "method": mine.get("method"),
        "iterations_count": mine.get("iterations_count"),
        "build_seconds": mine.get("build_s"),
        "seconds": mine["build_s"] + mine["solve_s"] if mine else None,
        "gap_share": mine.get("gap_share"),
        "lower_usd": mine.get("lower_usd"),
        "cost_usd": mine.get("cost_usd"),
        "rss_mb": ours_mb if mine else None,
        "why_not": fault,
    }
    return row | peer_at(folder, row, asked, known)


def peer_at(
    folder: Path, row: dict[str, Any], asked: argparse.Namespace, known: list[dict[str, Any]]
) -> dict[str, Any]:
    """Measure PyPSA at one size, or say why not."""
    none: dict[str, Any] = {
        f"pypsa_{name}": None
        for name in ("seconds", "build_seconds", "rss_mb", "gap_share", "objective_usd",
                     "rows_count", "within_bounds")
    }  # fmt: skip
    sites, hours = row["sites"], row["hours"]
    if asked.without_peer:
        return none | {"pypsa_why_not": "not asked for", "pypsa_predicted_seconds": None}
    grown = growth_of(known, sites)
    predicted_s = predicted(grown, hours)
    none |= {"pypsa_predicted_seconds": predicted_s}
    if predicted_s is not None and predicted_s > asked.peer_limit_s:
        reason = f"would take {predicted_s:,.0f} s by its growth; the limit is "
        return none | {"pypsa_why_not": reason + f"{asked.peer_limit_s:,.0f} s"}
    shorter = [r for r in known if r["sites"] == sites and r["hours"] < hours]
    unfinished = [r["hours"] for r in shorter if r["pypsa_seconds"] is None]
    if unfinished:
        reason = f"did not finish {max(unfinished):,} h in {asked.peer_limit_s:,.0f} s"
        return none | {"pypsa_why_not": reason}
    network, answer = folder / "peer.nc", folder / "theirs.json"
    done(job_command("export", sites, hours, network))
    methods = [asked.method, *(["hipo-crossover"] if asked.method == "hipo" else [])]
    faults = []
    for method in methods:
        theirs_mb, fault = run(peer_command(network, answer, method), asked.peer_limit_s)
        if fault:
            faults.append(f"{method}: {fault}")
            continue
        told = json.loads(answer.read_text())
        if told["status"][1] == "optimal":
            break
        faults.append(f"{method}: HiGHS says {told['status'][1]}")
    else:
        return none | {"pypsa_why_not": "; ".join(faults)}
    lower, upper = row["lower_usd"], row["cost_usd"]
    slack = EQUAL_SHARE * abs(told["objective_usd"])
    return {
        "pypsa_seconds": told["read_s"] + told["build_s"] + told["solve_s"],
        "pypsa_build_seconds": told["read_s"] + told["build_s"],
        "pypsa_rss_mb": theirs_mb,
        "pypsa_gap_share": told["gap_share"],
        "pypsa_objective_usd": told["objective_usd"],
        "pypsa_rows_count": told["rows_count"],
        "pypsa_within_bounds": None
        if lower is None
        else lower - slack <= told["objective_usd"] <= upper + slack,
        "pypsa_why_not": None,
        "pypsa_method": method,
        "pypsa_failed_before": faults,
        "pypsa_predicted_seconds": predicted_s,
    }


def growth_of(rows: list[dict[str, Any]], sites: int) -> dict[str, Any] | None:
    """Return how PyPSA's time and memory grow from 672 to 2,184 hours at a number of sites."""
    found = {
        row["hours"]: row for row in rows if row["sites"] == sites and row.get("pypsa_seconds")
    }
    if 672 not in found or 2184 not in found:
        return None
    ratio = math.log(2184 / 672)
    power = {
        name: math.log(found[2184][f"pypsa_{name}"] / found[672][f"pypsa_{name}"]) / ratio
        for name in ("seconds", "rss_mb")
    }
    scale = 8736 / 2184
    return {
        "sites": sites,
        "seconds_power": power["seconds"],
        "rss_power": power["rss_mb"],
        "at_2184_seconds": found[2184]["pypsa_seconds"],
        "predicted_8736_seconds": found[2184]["pypsa_seconds"] * scale ** power["seconds"],
        "predicted_8736_rss_mb": found[2184]["pypsa_rss_mb"] * scale ** power["rss_mb"],
    }


def predicted(grown: dict[str, Any] | None, hours: int) -> float | None:
    """Return the seconds that PyPSA's growth promises; None where nothing is known of it."""
    if grown is None or hours <= 2184:
        return None
    return float(grown["at_2184_seconds"] * (hours / 2184) ** grown["seconds_power"])


def missed(rows: list[dict[str, Any]]) -> bool:
    """Say which goals are missed at the largest size."""
    found = False
    for row in rows:
        if (row["sites"], row["hours"]) != (20, 8736):
            continue
        if row["gap_share"] is None or row["gap_share"] > GAP_SHARE:
            print(f"{name_of(row)}: the gap is {row['gap_share']}, the goal {GAP_SHARE}")
            found = True
        theirs = row["pypsa_seconds"] or row["pypsa_predicted_seconds"]
        if theirs and row["seconds"] and row["seconds"] > GOAL_SECONDS_RATIO * theirs:
            print(f"{name_of(row)}: {row['seconds'] / theirs:.2f} of PyPSA's time")
            found = True
        grown = growth_of(rows, row["sites"])
        theirs_mb = row["pypsa_rss_mb"] or (grown and grown["predicted_8736_rss_mb"])
        if theirs_mb and row["rss_mb"] and row["rss_mb"] > GOAL_MEMORY_RATIO * theirs_mb:
            print(f"{name_of(row)}: {row['rss_mb'] / theirs_mb:.2f} of PyPSA's memory")
            found = True
    return found


def name_of(row: dict[str, Any]) -> str:
    """Return what a size is called."""
    return f"{row['sites']} x {row['hours']:,}"


def tell(row: dict[str, Any]) -> None:
    """Say what one size took, as soon as it is known."""
    theirs = row["pypsa_why_not"] or f"{row['pypsa_seconds']:.1f} s"
    ours = row["why_not"] or f"{row['seconds']:.1f} s, gap {row['gap_share']:.1e}"
    print(f"{name_of(row)}: ours {ours}; PyPSA {theirs}", flush=True)


def table(rows: list[dict[str, Any]], growth: list[dict[str, Any]]) -> None:
    """Print all sizes, and PyPSA's growth."""

    def cell(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    show(
        "A plan to a gap of 1e-3, and PyPSA",
        ["sites x h", "build s", "all s", "gap", "MB", "PyPSA build", "all s", "gap", "MB", "x"],
        [
            [
                name_of(row),
                cell(row["build_seconds"], ".1f"),
                cell(row["seconds"], ".1f"),
                cell(row["gap_share"], ".1e"),
                cell(row["rss_mb"], ".0f"),
                cell(row["pypsa_build_seconds"], ".1f"),
                cell(row["pypsa_seconds"], ".1f"),
                cell(row["pypsa_gap_share"], ".1e"),
                cell(row["pypsa_rss_mb"], ".0f"),
                cell(
                    row["pypsa_seconds"] / row["seconds"]
                    if row["pypsa_seconds"] and row["seconds"]
                    else None,
                    ".1f",
                ),
            ]
            for row in rows
        ],
    )
    for each in growth:
        print(
            f"PyPSA, {each['sites']} sites: time grows as hours^{each['seconds_power']:.2f}, "
            f"memory as hours^{each['rss_power']:.2f}; 8,736 h would take "
            f"{each['predicted_8736_seconds']:,.0f} s and {each['predicted_8736_rss_mb']:,.0f} MB"
        )


if __name__ == "__main__":
    sys.exit(main())
