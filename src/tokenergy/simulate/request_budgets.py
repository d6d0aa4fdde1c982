"""A company's budgets at the start of a window: what pacing and lease are opened with.

What is known beforehand is the forecast of the requests that a budget pays for, and the board's
prices. Lambda starts at the dual of the small program that they make: each kind of request takes
the rung that pays best at one price of the budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from tokenergy.company.board import Board, BoardWorkload
from tokenergy.company.budget import Budget
from tokenergy.errors import InputError
from tokenergy.routing.pacing import Lease, Pacer, Pacing, PacingRule, opened
from tokenergy.simulate.budget_world import FloatArray
from tokenergy.simulate.controller_loops import envelope_steps, price_from
from tokenergy.units import TOKENS_PER_MTOK

PLACES_COUNT: Final = 97
"""Points of the curve of arrivals: quarters of an hour of a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLoad:
    """What is forecast of one workload over one window.

    Attributes:
        workload: its name on the board.
        requests_count: requests that are expected in the window.
        output_tokens: mean output tokens of one, with their mean input.
        arrived_share: F, by equal parts of the window, from 0 to 1.
    """

    workload: str
    requests_count: float
    output_tokens: float
    arrived_share: tuple[float, ...] = (0.0, 1.0)


def opened_budget(
    budget: Budget,
    board: Board,
    loads: Sequence[BudgetLoad],
    *,
    at_s: float,
    rule: PacingRule | None = None,
) -> tuple[Pacer, Lease]:
    """Return pacing and lease of a budget for the window that a moment lies in.

    Args:
        budget: as the company file states it.
        board: the prices that are known.
        loads: forecast of every workload that it pays for.
        at_s: the moment, seconds since the Unix epoch; the budget is taken to be whole.
        rule: of pacing; None: its own.

    Raises:
        InputError: if nothing is expected that could use it, or a workload is not on the board.
    """
    gain_usd, use, value_usd = _rungs(budget, board, loads)
    counts = np.array([load.requests_count for load in loads])
    full_use = use[:, 0] if len(loads) else np.zeros(0)
    if not float((counts * full_use).sum()) > 0.0:
        raise InputError(
            f"budget {budget.name!r}: no request is expected in its window that uses any of it"
        )
    steps = envelope_steps(gain_usd * counts[:, None], use * counts[:, None])
    steps = steps[np.argsort(-steps[:, 0], kind="stable")]
    start, end = budget.window_at(datetime.fromtimestamp(at_s, tz=UTC))
    pacing = Pacing(
        budget=budget.name,
        unit=budget.unit,
        start_s=start.timestamp(),
        end_s=end.timestamp(),
        budget_quantity=budget.budget_quantity,
        requests_count=float(counts.sum()),
        mean_use_quantity=float((counts * full_use).sum() / counts.sum()),
        dual_usd_per_unit=price_from(steps, 0, budget.budget_quantity),
        worth_usd_per_unit=_median_worth(value_usd, full_use, counts),
        arrived_share=_together(loads),
        rule=PacingRule() if rule is None else rule,
    )
    return opened(pacing), Lease(budget=budget.name, limit_quantity=budget.budget_quantity)


def _rungs(
    budget: Budget, board: Board, loads: Sequence[BudgetLoad]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return gain and use of each rung for a mean request [loads, rungs], and its value [loads].

    A rung goes to its cheapest candidate; one that nobody serves, and one that a shorter ladder
    lacks, gains and uses nothing.
    """
    most = max((len(_on(board, load).rungs) for load in loads), default=0)
    gain, use = np.zeros((len(loads), most)), np.zeros((len(loads), most))
    value = np.zeros(len(loads))
    for at, load in enumerate(loads):
        held = _on(board, load)
        mtok = load.output_tokens / TOKENS_PER_MTOK
        per_request = held.value_usd_per_request
        value[at] = (held.value_usd_per_mtok or 0.0) * mtok if per_request is None else per_request
        for number, rung in enumerate(held.rungs):
            if not rung.candidates:
                continue
            tokens = min(load.output_tokens, rung.cap_tokens or load.output_tokens)
            place = rung.candidates[0]
            cost_usd = place.high_usd_per_mtok * tokens / TOKENS_PER_MTOK
            gain[at, number] = value[at] * rung.quality_share - cost_usd
            used = cost_usd if budget.unit == "usd" else place.j_per_token * tokens
            use[at, number] = max(0.0, used)
    return gain, use, value


def _on(board: Board, load: BudgetLoad) -> BoardWorkload:
    """Return the board's row of a workload."""
    if load.workload not in board.by_name:
        known = ", ".join(each.name for each in board.workloads)
        raise InputError(f"workload {load.workload!r} is not on the board; there are {known}")
    return board.by_name[load.workload]


def _median_worth(value_usd: FloatArray, use: FloatArray, counts: FloatArray) -> float:
    """Return the median of value over use of all requests that use something."""
    uses = (use > 0.0) & (counts > 0.0)
    ratio, weight = value_usd[uses] / use[uses], counts[uses]
    order = np.argsort(ratio, kind="stable")
    middle = int(np.searchsorted(np.cumsum(weight[order]), 0.5 * weight.sum()))
    return float(ratio[order][middle])


def _together(loads: Sequence[BudgetLoad]) -> tuple[float, ...]:
    """Return F of all loads, each by its requests."""
    grid = np.linspace(0.0, 1.0, PLACES_COUNT)
    total = np.zeros(PLACES_COUNT)
    for load in loads:
        own = np.linspace(0.0, 1.0, len(load.arrived_share))
        total += load.requests_count * np.interp(grid, own, load.arrived_share)
    share = total / total[-1]
    return (0.0, *(float(each) for each in share[1:-1]), 1.0)
