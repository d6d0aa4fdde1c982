"""What the benchmark of the plan asks of us, each in a process of its own.

`python plan_jobs.py small WHICH NETWORK ANSWER` writes a small company as a network and its exact
optimum; `export SITES HOURS NETWORK` writes a large one; `ours SITES HOURS ANSWER` plans it.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from plan_case import plan_case
from record import ROOT

from tokenergy.api import load
from tokenergy.api.plan_search import WHOLE_ROWS
from tokenergy.api.side_by_side import side_by_side
from tokenergy.files.pypsa import network_parts, write_network
from tokenergy.plan.long import LongPlan
from tokenergy.plan.program import PlanProgram, plan_program
from tokenergy.plan.whole import solve_whole

GAP_SHARE = 1e-3
SMALL = (("two sites", 2, 168, False), ("three sites, deferral", 3, 336, True))
"""Name, sites, hours, and whether work may wait."""
STARTUP = ROOT / "examples" / "startup.yaml"
STARTUP_H = 336.0
THREADS_COUNT = 2


def job_command(kind: str, *words: object) -> list[str]:
    """Return how a process of its own is asked for a job."""
    return [sys.executable, __file__, kind, *map(str, words)]


def main() -> None:
    """Do one job."""
    kind, *words = sys.argv[1:]
    {"small": small, "export": export, "ours": ours}[kind](*words)


def small(which: str, network: str, answer: str) -> None:
    """Write a small company as a network, and its optimum."""
    if which == "startup":
        opened = load(STARTUP, days=STARTUP_H / 24.0)
        plan = plan_program(opened.company, opened.inputs, opened.catalogue, hours=STARTUP_H)
    else:
        _, sites, hours, waits = SMALL[int(which)]
        plan = plan_case(sites, hours, waits=waits)
    write_network(network_parts(plan), Path(network))
    write(answer, {"objective_usd": solve_whole(plan).solution.objective_usd})


def export(sites: str, hours: str, network: str) -> None:
    """Write a large company as a network."""
    write_network(network_parts(plan_case(int(sites), int(hours))), Path(network))


def ours(sites: str, hours: str, answer: str) -> None:
    """Plan a large company to the gap; write the bounds and what it took."""
    began = time.perf_counter()
    plan = plan_case(int(sites), int(hours))
    laid = time.perf_counter()
    found = whole(plan) if plan.program.rows_count <= WHOLE_ROWS else inside(plan)
    solved = time.perf_counter()
    rows = {"build_s": laid - began, "solve_s": solved - laid}
    write(answer, rows | {"rows_count": plan.program.rows_count} | found)


def whole(plan: PlanProgram) -> dict[str, Any]:
    """Solve it as one program."""
    found = solve_whole(plan)
    return told("whole", found.lower_usd, found.solution.objective_usd, 1, dict(found.sizes))


def inside(plan: PlanProgram) -> dict[str, Any]:
    """Solve it by interior points on both cores."""
    with side_by_side(THREADS_COUNT) as each:
        found = LongPlan(plan, each).solve(gap_share=GAP_SHARE, told=say)
    return told("interior", found.lower_usd, found.upper_usd, found.steps_count, dict(found.sizes))


def told(
    method: str, lower_usd: float, cost_usd: float, iterations: int, sizes: dict[str, float]
) -> dict[str, Any]:
    """Return an answer as the benchmark reads it."""
    return {
        "method": method,
        "lower_usd": lower_usd,
        "cost_usd": cost_usd,
        "gap_share": max(0.0, cost_usd - lower_usd) / max(1.0, abs(cost_usd)),
        "iterations_count": iterations,
        "sizes": sizes,
    }


def say(lower_usd: float, upper_usd: float) -> bool:
    """Print both bounds, and go on."""
    print(f"{lower_usd:,.0f} to {upper_usd:,.0f}", flush=True)
    return True


def write(file: str, answer: dict[str, Any]) -> None:
    """Write an answer."""
    Path(file).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
