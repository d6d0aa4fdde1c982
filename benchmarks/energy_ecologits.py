"""EcoLogits on the same rows: as it ships, told the true batch and GPUs, and its form refitted.

EcoLogits (MPL-2.0) is installed in an environment of its own and asked by its own functions; none
of its code is here. Its board energy alone is compared, since the measurements are of boards. It
aims at closed models, whose batch and hardware nobody knows, and it was calibrated on older
software; so the clean comparison is of forms: its own (a number of GPUs times alpha exp(beta B)
P_act + gamma) fitted by us with the loss and the folds that our form gets.
"""

import subprocess
import sys
from typing import Any

import numpy as np
from energy_fit import held_out
from energy_folds import errors
from energy_form import Form
from energy_rows import Column, Rows
from peer import ask_peer, installed
from record import ROOT

RELEASES = ("ecologits==0.11.3",)
PEER = ROOT / "benchmarks" / ".peers" / "ecologits"

FAIRNESS = (
    "EcoLogits aims at closed APIs, where batch and hardware are unknown, and was calibrated on "
    "older software; the fair comparison of forms is its own refitted on these rows, family held "
    "out, against ours"
)


def refitted_j_per_token(logs: Column, rows: Rows) -> Column:
    """Return n (alpha exp(-beta B) P_act + gamma), J of all boards."""
    alpha, beta, gamma = np.exp(logs)
    return rows.gpus_count * (alpha * np.exp(-beta * rows.batch_count) * rows.active_b + gamma)


REFITTED = Form(
    name="the form of EcoLogits, refitted",
    parameters=("alpha", "beta", "gamma"),
    start_logs=(np.log(1.1665e-6 * 3600), np.log(0.011206), np.log(4.0529e-5 * 3600)),
    j_per_token=refitted_j_per_token,
)
"""Starts at its own numbers (Wh to J)."""


def figures(rows: Rows, *, installs: bool = True) -> dict[str, Any]:
    """Return MAPE in % of the three variants, all rows and H100 above batch 60.

    Args:
        rows: with the facts that both sides get.
        installs: False leaves EcoLogits itself out, and what needs it.
    """
    refitted = held_out(REFITTED, rows)
    told: dict[str, Any] = {
        "refitted_form_mape_percent": _mape(refitted, rows),
        "refitted_form_median_percent": _median(refitted, rows),
        "fairness": FAIRNESS,
    }
    answer = _asked(rows) if installs else "left out"
    if isinstance(answer, str):
        return told | {"absent": answer}
    large = (rows.gpu == "H100") & (rows.batch_count >= 60)
    told["version"] = answer["version"]
    for name in ("as_shipped", "true_batch"):
        said = np.array([row[f"{name}_j"] for row in answer["rows"]])
        told[f"{name}_mape_percent"] = _mape(said, rows)
        told[f"{name}_median_percent"] = _median(said, rows)
        told[f"{name}_h100_large_batch_mape_percent"] = _mape(said[large], rows.where(large))
    return told


def _asked(rows: Rows) -> dict[str, Any] | str:
    """Return EcoLogits' answers, or why there are none."""
    try:
        python = installed(PEER, RELEASES)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"EcoLogits could not be installed ({type(error).__name__})", file=sys.stderr)
        return "could not be installed"
    cases = [
        {"total_b": total, "active_b": active, "gpus_count": count, "batch_count": batch}
        for total, active, count, batch in zip(
            rows.total_b.tolist(), rows.active_b.tolist(),
            rows.gpus_count.tolist(), rows.batch_count.tolist(), strict=True,
        )
    ]  # fmt: skip
    answer: dict[str, Any] = ask_peer("ecologits_peer.py", cases, python=python)
    return answer


def _mape(said: Column, rows: Rows) -> float:
    return round(100.0 * float(np.mean(errors(said, rows.j_per_token))), 2)


def _median(said: Column, rows: Rows) -> float:
    return round(100.0 * float(np.median(errors(said, rows.j_per_token))), 2)
