"""A rolling horizon as PyPSA's users run it: one network, another window of snapshots each hour.

Runs in the peer's own interpreter: `python pypsa_rolling.py CASE.json ANSWER.json`. The loop is the
body of PyPSA's `optimize_with_rolling_horizon` (1.4): set the charge of stores and storage units,
then `n.optimize(snapshots)`. Three things differ. The states come from the case file, so that both
programs solve the same windows: an optimum is often not the only one, and another one leads to
other windows. The worth of stored energy at the window's end, and that nothing may wait past it,
are written into the network's series for each window, as a hand-written loop does. And the model
goes to HiGHS in memory (`io_api="direct"`), which is faster than the default of a file.
"""

import json
import logging
import sys
import time
from pathlib import Path

import numpy as np
import pypsa
from pypsa_peer import EXACT, Case, add_rows, network


def main() -> None:
    """Move the window, and write objectives and times."""
    pypsa.options.api.legacy_string_dtype = False
    for name in ("pypsa", "linopy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    case = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    net = network(case)
    most_waiting = net.stores_t.e_min_pu.copy()
    windows = case["windows"]
    place(net, case, windows[0])
    optimise(net, case, windows[0])  # the first one warms up imports and caches
    objectives_usd, times_s = [], []
    for window in windows:
        began = time.process_time()
        place(net, case, window)
        optimise(net, case, window)
        times_s.append(time.process_time() - began)
        objectives_usd.append(float(net.objective))
        net.stores_t.e_min_pu.loc[:] = most_waiting
    answer = {
        "objectives_usd": objectives_usd,
        "times_s": times_s,
        "rows_count": int(net.model.constraints.ncons),
    }
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")


def place(net: pypsa.Network, case: Case, window: Case) -> None:
    """Write what the past left, and what the end of the window is worth."""
    last = window["begin"] + case["window_count"] - 1
    net.c.storage_units.static["state_of_charge_initial"] = window["energy_mwh"]
    net.c.stores.static["e_initial"] = [-mtok for mtok in window["waiting_mtok"]]
    net.stores_t.e_min_pu.loc[last] = 0.0
    worth = -np.array(window["stored_usd_per_mwh"]) / case["step_h"]
    net.storage_units_t.marginal_cost_storage.loc[:] = 0.0
    net.storage_units_t.marginal_cost_storage.loc[last] = worth


def optimise(net: pypsa.Network, case: Case, window: Case) -> None:
    """Solve one window."""
    begin = window["begin"]

    def rows(net: pypsa.Network, snapshots: object) -> None:
        add_rows(net, net.model, case, awake_count=window["awake_count"])

    status = net.optimize(
        net.snapshots[begin : begin + case["window_count"]],
        extra_functionality=rows,
        include_objective_constant=False,
        solver_name="highs",
        io_api="direct",
        **EXACT,
    )
    if status[1] != "optimal":
        raise SystemExit(f"window from {begin}: PyPSA says {status}")


if __name__ == "__main__":
    main()
