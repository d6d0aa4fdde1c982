"""What was done with what was asked, and why: of a run by workload, of a ledger by request."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.simulate.run import Run, sum_rows, sums_by
from tokenergy.store.sqlite import SqliteLedger

LEAST_MTOK: Final = 1e-6
"""Work below this is the solver's rounding: no decision was taken about it."""
NO_REASON: Final = ""
"""Of a policy that prices nothing: it tells no reason."""


def decided(world: World, run: Run, ledger: str | Path | None = None) -> list[dict[str, Any]]:
    """Return what was decided in a run, then what a ledger says of requests.

    Rows of both have: source (run, or serve, simulate, observe of a ledger), outcome, tier,
    workload, decision, reason, unit, quantity, lost_usd. Those of a run have asked_share,
    value_usd_per_mtok and asked_usd_per_mtok (the mean of what one Mtok more cost where that was
    decided; null of a policy that prices nothing); those of a ledger requests_count and cost_usd.

    Raises:
        InputError: if the ledger cannot be read.
    """
    return [*_of_run(world, run), *_of_ledger(ledger)]


def _of_run(world: World, run: Run) -> Iterator[dict[str, Any]]:
    """Yield four decisions by workload, those that were taken; their quantities sum to all work."""
    served = run.served_mtok(world)
    downgraded, lost_usd = _downgraded(world, run)
    deferred = np.minimum(run.deferred_mtok(world), served - downgraded)
    work = {
        "serve": served - downgraded - deferred,
        "defer": deferred,
        "downgrade": downgraded,
        "refuse": run.refused_mtok,
    }
    prices = run.asked_usd_per_mtok
    for index, load in enumerate(world.workloads):
        whole = sum(float(mtok[index].sum()) for mtok in work.values())
        for decision, mtok in work.items():
            total = float(mtok[index].sum())
            if total <= LEAST_MTOK:
                continue
            price = None if prices is None else float(mtok[index] @ prices[index]) / total
            lost = {"downgrade": float(lost_usd[index]), "refuse": total * load.value_usd_per_mtok}
            yield {
                "source": "run",
                "outcome": "refused" if decision == "refuse" else "served",
                "tier": load.tier,
                "workload": load.name,
                "decision": decision,
                "reason": _reason(decision, price, load.value_usd_per_mtok, load.must_serve),
                "unit": "Mtok",
                "quantity": total,
                "asked_share": total / whole,
                "value_usd_per_mtok": load.value_usd_per_mtok,
                "asked_usd_per_mtok": price,
                "lost_usd": lost.get(decision, 0.0),
            }


def _downgraded(world: World, run: Run) -> tuple[FloatArray, FloatArray]:
    """Return the work done below the quality that was asked for [W, T], and its lost value [W]."""
    at, count = [route.workload for route in world.routes], len(world.workloads)
    asked = np.array([world.workloads[index].asked_quality_share for index in at])
    below = np.array([route.quality_share for route in world.routes]) < asked
    lost_usd = quality_loss_usd_per_mtok(world) * below * run.serve_mtok.sum(axis=1)
    mtok = sum_rows(run.serve_mtok * below[:, None], at, count)
    return mtok, sums_by(np.array(at, dtype=np.int64), lost_usd, count)


def _reason(decision: str, price: float | None, value: float, must_serve: bool) -> str:
    """Return why, in the words of `company.decision` where a price was seen."""
    if price is None:
        return NO_REASON
    if decision == "serve":
        return "must_serve" if must_serve and price > value else "value_above_cost"
    if decision == "refuse":
        return "marginal_cost_exceeds_value" if price >= value * (1.0 - 1e-6) else "overloaded"
    return {"defer": "cheaper_interval", "downgrade": "downgrade_pays"}[decision]


def _of_ledger(ledger: str | Path | None) -> Iterator[dict[str, Any]]:
    if ledger is None:
        return
    with SqliteLedger(Path(ledger), read_only=True) as held:
        for each in held.decisions():
            yield asdict(each)
