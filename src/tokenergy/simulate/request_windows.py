"""The windows of a company's budgets in a replay: opened whole, with last week as the forecast."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from tokenergy.company.board import Board
from tokenergy.company.budget import Budget
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.errors import InputError
from tokenergy.routing.state import State
from tokenergy.simulate.request_budgets import BudgetLoad, opened_budget
from tokenergy.units import H_PER_WEEK, S_PER_H, TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUse:
    """What the requests of one window used of a budget, in `unit`.

    Attributes:
        budget: its name.
        unit: usd or j.
        start_s, end_s: the window, seconds since the Unix epoch.
        limit_quantity, used_quantity: of all that a sample stands for.
        lambda_usd_per_unit: its shadow price when the replay or the window ended.
    """

    budget: str
    unit: str
    start_s: float
    end_s: float
    limit_quantity: float
    used_quantity: float
    lambda_usd_per_unit: float


@dataclass(slots=True, kw_only=True, eq=False)
class BudgetWindows:
    """The budgets of a world while it is replayed.

    Attributes:
        world: the company as arrays.
        budgets: that it states.
        weight_ratio: how many requests one of each workload stands for [W]: a sample uses that
            much less of a budget.
        arrivals_share: part of the forecast requests that a budget pays for, by its name: one
            that pays for a single tenant's. Others pay for all of their tier's.
        used: windows that are over.
    """

    world: World
    budgets: Sequence[Budget]
    weight_ratio: FloatArray
    arrivals_share: Mapping[str, float] = field(default_factory=dict)
    used: list[BudgetUse] = field(default_factory=list)

    def names_for(self, tier: str) -> tuple[str, ...]:
        """Return the budgets that pay for a tier's requests."""
        return tuple(b.name for b in self.budgets if b.tier is None or b.tier == tier)

    def refreshed(self, state: State, board: Board) -> State:
        """Return the state with a new window of each budget whose last one is over.

        A budget of which nothing is expected to be used in a window is left out of it.
        """
        pacers, leases = dict(state.pacers), dict(state.leases)
        for budget in self.budgets:
            held = pacers.get(budget.name)
            if held is not None and board.start_s < held.pacing.end_s:
                continue
            if held is not None:
                self.used.append(self._use(budget, state))
                del pacers[budget.name], leases[budget.name]
            weight = self._weight(budget)
            try:
                opened = opened_budget(
                    _thinned(budget, weight), board, self._loads(budget, board), at_s=board.start_s
                )
            except InputError:
                continue
            pacers[budget.name], leases[budget.name] = opened
        return state._replace(pacers=pacers, leases=leases)

    def told(self, state: State) -> tuple[BudgetUse, ...]:
        """Return every window, the last one of each budget as it stands."""
        held = [self._use(b, state) for b in self.budgets if b.name in state.leases]
        return (*self.used, *held)

    def _use(self, budget: Budget, state: State) -> BudgetUse:
        lease, pacer = state.leases[budget.name], state.pacers[budget.name]
        weight = self._weight(budget)
        return BudgetUse(
            budget=budget.name,
            unit=budget.unit,
            start_s=pacer.pacing.start_s,
            end_s=pacer.pacing.end_s,
            limit_quantity=lease.limit_quantity * weight,
            used_quantity=lease.spent_quantity * weight,
            lambda_usd_per_unit=pacer.lambda_usd_per_unit,
        )

    def _mine(self, budget: Budget) -> Iterator[int]:
        for at, load in enumerate(self.world.workloads):
            if budget.tier is None or budget.tier == load.tier:
                yield at

    def _weight(self, budget: Budget) -> float:
        """Return what one request of a budget's workloads stands for, on average."""
        return float(np.mean(self.weight_ratio[list(self._mine(budget))]))

    def _loads(self, budget: Budget, board: Board) -> list[BudgetLoad]:
        """Return what last week lets one expect of each workload in the window that begins."""
        world = self.world
        start, end = budget.window_at(datetime.fromtimestamp(board.start_s, tz=UTC))
        step_s = world.step_h * S_PER_H
        first = round((start.timestamp() - world.start.timestamp()) / step_s)
        count = max(1, round((end.timestamp() - start.timestamp()) / step_s))
        week = round(H_PER_WEEK / world.step_h)
        indices = np.arange(first, first + count) - week
        known = np.clip(indices, 0, world.arrivals_mtok.shape[1] - 1)
        found = []
        for at in self._mine(budget):
            mtok = world.arrivals_mtok[at, known]
            if world.first < week:  # no such week: the window itself has to do
                own = np.clip(indices + week, 0, world.arrivals_mtok.shape[1] - 1)
                mtok = world.arrivals_mtok[at, own]
            tokens = world.workloads[at].tokens_per_request_count
            expected = float(mtok.sum()) * TOKENS_PER_MTOK / tokens / float(self.weight_ratio[at])
            expected *= self.arrivals_share.get(budget.name, 1.0)
            if expected <= 0.0:
                continue
            share = np.concatenate([[0.0], np.cumsum(mtok) / mtok.sum()])
            found.append(
                BudgetLoad(
                    workload=world.workloads[at].name,
                    requests_count=expected,
                    output_tokens=tokens,
                    arrived_share=(*(float(each) for each in share[:-1]), 1.0),
                )
            )
        return found


def _thinned(budget: Budget, weight_ratio: float) -> Budget:
    """Return a budget as large as a sample is."""
    amounts = {
        name: value / weight_ratio
        for name in ("usd", "mwh", "j")
        if (value := getattr(budget, name)) is not None
    }
    return budget.model_copy(update=amounts)
