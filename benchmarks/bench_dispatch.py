"""Does somebody else's program find the same cost, and how long does it take?

Goals, in this order:
1. No silent wrong answers: on three small companies, which between them use every row of the
   program, PyPSA's optimum of an independently written network equals ours to 1e-6 (relative);
   else this exits with 1.
2. The optima stay: `results/dispatch.json` keeps PyPSA's objectives, and
   tests/dispatch/test_pypsa_objectives.py holds our program to them where PyPSA is not installed.
3. Building and solving takes less time than in PyPSA: ratio = (its model + its solve) / ours.
   Both use HiGHS, simplex and one thread; ours starts from the company's arrays and includes the
   check of residuals and of the duality gap; theirs starts from the finished network, whose
   making stands beside. The fourth company, ten sites x 48 h, is there for its size.

PyPSA is installed into benchmarks/.peers/pypsa (ignored) at the first run.
"""

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from companies import Case, small_cases, ten_sites
from record import ROOT, show, spread, write

from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.world import Deployment, State, World

PEER = ROOT / "benchmarks" / ".peers" / "pypsa"
PEER_RELEASES = ("pypsa==1.4.0", "linopy==0.10.1", "highspy==1.16.0", "numpy==2.4.6")
EQUAL_SHARE = 1e-6
PARTS = ("network_s", "model_s", "solve_s")


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


def digest(case: Case) -> str:
    """Return a short name of a company's figures: other figures, another name."""
    figures = json.loads(json.dumps(as_json(case)), parse_float=lambda text: round(float(text), 9))
    return hashlib.sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest()[:16]


def as_json(case: Case) -> dict[str, Any]:
    """Return a company's own figures (no rows, no columns), as the peer reads them."""
    world, state = case.world, case.state
    span = slice(world.first, world.last)
    sites = [
        {
            "name": name,
            "spot_usd_per_mwh": world.spot_usd_per_mwh[s, span].tolist(),
            "loss_share": float(world.loss_share[s]),
            "adder_usd_per_mwh": float(world.adder_usd_per_mwh[s]),
            "resale_spread_usd_per_mwh": float(world.resale_spread_usd_per_mwh[s]),
            "import_limit_mw": world.import_limit_mw[s, span].tolist(),
            "export_limit_mw": world.export_limit_mw[s, span].tolist(),
            "pue": world.pue[s, span].tolist(),
            "fixed_mw": float(world.fixed_mw[s]),
        }
        for s, name in enumerate(world.site_names)
    ]
    return {
        "name": case.name,
        "count": world.count,
        "step_h": world.step_h,
        "floor_share": list(world.floor_share),
        "sites": sites,
        "contracts": _contracts(world),
        "batteries": [
            battery.model_dump(exclude={"site"})
            | {"site": world.site_names[site], "energy_mwh": float(energy)}
            for battery, site, energy in zip(
                world.batteries, world.battery_site, state.energy_mwh, strict=True
            )
        ],
        "fleets": [
            {
                "name": fleet.name,
                "site": world.site_names[fleet.site],
                "sleep_mw_per_gpu": fleet.sleep_mw_per_gpu,
                "gpus_count": fleet.gpus_count,
                "lease_usd_per_gpu_hour": fleet.lease_usd_per_gpu_hour,
            }
            for fleet in world.fleets
        ],
        "deployments": [
            _deployment(world, deployment) | {"awake_count": float(awake)}
            for deployment, awake in zip(world.deployments, state.awake, strict=True)
        ],
        "workloads": [
            {
                "name": load.name,
                "tier": load.tier_index,
                "defer_count": load.defer_count,
                "value_usd_per_mtok": load.value_usd_per_mtok,
                "asked_quality_share": load.asked_quality_share,
                "arrivals_mtok": world.arrivals_mtok[w, span].tolist(),
                "backlog_mtok": state.backlog_mtok[w].tolist(),
            }
            for w, load in enumerate(world.workloads)
        ],
        "routes": [
            {
                "workload": world.workloads[route.workload].name,
                "deployment": world.deployments[route.deployment].name,
                "rate_mtok_per_h": route.rate_mtok_per_h,
                "marginal_mwh_per_mtok": route.marginal_mwh_per_mtok,
                "quality_share": route.quality_share,
                "network_usd_per_mtok": route.network_usd_per_mtok,
                "api_usd_per_mtok": route.api_usd_per_mtok,
            }
            for route in world.routes
        ],
    }


def _deployment(world: World, deployment: Deployment) -> dict[str, Any]:
    if deployment.external:
        limit = deployment.limit_mtok_per_h
        return {"name": deployment.name, "fleet": None, "limit_mtok_per_h": limit}
    fleet = world.fleets[deployment.fleet]
    return {
        "name": deployment.name,
        "fleet": fleet.name,
        "site": world.site_names[deployment.site],
        "gpus_count": deployment.gpus_count,
        "base_mw": deployment.base_mw,
        "wake_h": deployment.wake_h,
        "wake_mwh": deployment.wake_mwh,
    }


def _contracts(world: World) -> list[dict[str, Any]]:
    span = slice(world.first, world.last)
    takes = [
        {
            "name": take.contract_id,
            "site": world.site_names[take.site],
            "behind_the_meter": take.behind_the_meter,
            "available_mw": take.available_mw[span].tolist(),
            "floor_mw": take.floor_mw[span].tolist(),
            "usd_per_mwh": take.take_usd_per_mwh[span].tolist(),
        }
        for take in world.takes
    ]
    blocks = [
        {
            "name": block.contract_id,
            "site": world.site_names[block.site],
            "behind_the_meter": block.behind_the_meter,
            "available_mw": block.delivery_mw[span].tolist(),
            "floor_mw": block.delivery_mw[span].tolist(),
            "usd_per_mwh": np.zeros(world.count).tolist(),  # paid for anyway
        }
        for block in world.blocks
    ]
    return takes + blocks


def peer_python() -> Path:
    """Return the peer's interpreter; make its environment if it is not there."""
    python, ready = PEER / "bin" / "python", PEER / ".ready"
    wanted = "\n".join(PEER_RELEASES)
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {', '.join(PEER_RELEASES)} into {PEER.relative_to(ROOT)}", flush=True)
    if shutil.which("uv"):
        subprocess.run(
            ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(PEER)], check=True
        )
        install = ["uv", "pip", "install", "--quiet", "--python", str(python)]
    else:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEER)], check=True)
        install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*install, *PEER_RELEASES], check=True)
    ready.write_text(wanted, encoding="utf-8")
    return python


def solve_ours(case: Case) -> tuple[float, int, float]:
    """Return our objective, the number of rows, and seconds to build and solve."""
    began = time.process_time()
    window = case.window
    model = WindowModel(case.world, window, case.state)
    objective_usd = model.solved(window).objective_usd
    took_s = time.process_time() - began
    return objective_usd, model.program.rows_per_slot * case.world.count, took_s


def measure(every: tuple[Case, ...], *, rounds: int, runs: int) -> dict[str, dict[str, Any]]:
    """Solve every case here and in the peer, in turns; return times and objectives by case."""
    python, script = peer_python(), ROOT / "benchmarks" / "pypsa_peer.py"
    found: dict[str, dict[str, Any]] = {
        case.name: {"ours_s": [], "network_s": [], "model_s": [], "solve_s": []} for case in every
    }
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder) / "cases.json", Path(folder) / "answers.json"
        asked.write_text(json.dumps([as_json(case) for case in every]), encoding="utf-8")
        for _ in range(rounds):
            for case in every:
                here = found[case.name]
                for _ in range(runs + 1):
                    here["ours_usd"], here["our_rows_count"], took_s = solve_ours(case)
                    here["ours_s"].append(took_s)
                here["ours_s"].pop(-runs - 1)  # the first one warms up, as the peer's does
            command = [str(python), str(script), str(asked), str(told), str(runs)]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode:
                raise SystemExit(f"the peer failed:\n{answer.stderr[-3000:]}")
            for name, theirs in json.loads(told.read_text(encoding="utf-8")).items():
                found[name]["pypsa_usd"] = theirs["objective_usd"]
                found[name]["pypsa_rows_count"] = theirs["rows_count"]
                for part in PARTS:
                    found[name][part] += theirs[part]
    return found


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
            for part in PARTS
        },
        "ratio": round(statistics.median(whole_s) / statistics.median(found["ours_s"]), 1),
    }


def main() -> int:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of ours and PyPSA's")
    parser.add_argument("--runs", type=int, default=2, help="timed runs of a case in one turn")
    asked = parser.parse_args()
    every = cases()
    found = measure(every, rounds=asked.rounds, runs=asked.runs)
    kept = {case.name: summary(case, found[case.name]) for case in every}
    show(
        "One window: built and solved here, and in PyPSA (median ms of processor time)",
        [
            "company",
            "our USD",
            "PyPSA's USD",
            "differ",
            "rows",
            "ours",
            "network",
            "model",
            "solve",
            "PyPSA/ours",
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
    wrong = [name for name, case in kept.items() if not case["difference_share"] <= EQUAL_SHARE]
    if wrong:
        print(f"objectives differ by more than {EQUAL_SHARE}: {', '.join(wrong)}", file=sys.stderr)
        return 1
    write("dispatch", {"peer": list(PEER_RELEASES), "equal_share": EQUAL_SHARE, "cases": kept})
    return 0


if __name__ == "__main__":
    sys.exit(main())
