"""PyPSA solves an exported plan, as its users would.

`python pypsa_plan_peer.py NETWORK.nc ANSWER.json METHOD` runs in the peer's own interpreter and
knows nothing of Tokenergy but the file. METHOD is a solver of HiGHS: simplex, ipm (with
crossover), hipo, hipo-crossover, or ipm-loose (no crossover, 1e-4: what PyPSA-Eur's users take
for large years).
The answer says what each step took, the objective, and how far primal and dual objective lie
apart, as HiGHS knows them.
"""

import json
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

OPTIONS: dict[str, dict[str, Any]] = {
    "simplex": {"solver": "simplex"},
    "ipm": {"solver": "ipm", "run_crossover": "on"},
    "hipo": {"solver": "hipo", "run_crossover": "off"},
    "hipo-crossover": {"solver": "hipo", "run_crossover": "on"},
    "ipm-loose": {
        "solver": "ipm",
        "run_crossover": "off",
        "ipm_optimality_tolerance": 1e-4,
        "primal_feasibility_tolerance": 1e-5,
        "dual_feasibility_tolerance": 1e-5,
    },
}


def main() -> None:
    """Read, build, solve; write what it took."""
    began = time.perf_counter()
    import pypsa

    warnings.simplefilter("ignore")
    pypsa.options.api.legacy_string_dtype = False
    for name in ("pypsa", "linopy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    imported = time.perf_counter()
    net = pypsa.Network(sys.argv[1])
    read = time.perf_counter()
    model = net.optimize.create_model(include_objective_constant=False)
    built = time.perf_counter()
    built_mb = peak_mb()
    options = OPTIONS[sys.argv[3]] | {"output_flag": False}
    status = net.optimize.solve_model(solver_name="highs", io_api="direct", **options)
    solved = time.perf_counter()
    info = getattr(model, "solver_model", None)
    answer = {
        "status": list(status),
        "objective_usd": float(net.objective) if net.objective is not None else None,
        "rows_count": int(model.constraints.ncons),
        "columns_count": int(model.variables.nvars),
        "import_s": imported - began,
        "read_s": read - imported,
        "build_s": built - read,
        "solve_s": solved - built,
        "rss_built_mb": built_mb,
        "rss_mb": peak_mb(),
        "gap_share": gap(info),
        "sizes": sizes(net),
    }
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")


def sizes(net: Any) -> dict[str, float]:
    """Return the size of every candidate, as the export says which component holds it."""
    held = net.meta["tokenergy"]["sizes"]
    return {name: float(net.c[c].static.p_nom_opt[of]) for name, (c, of) in held.items()}


def gap(solver: Any) -> float | None:
    """Return how far HiGHS says that its primal and dual objective lie apart, as a share."""
    if solver is None:
        return None
    found = solver.getInfo()
    return float(found.primal_dual_objective_error)


def peak_mb() -> float:
    """Return the most memory that this process ever held."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return float(line.split()[1]) / 1024.0
    raise SystemExit("no VmHWM in /proc/self/status")


if __name__ == "__main__":
    main()
