"""A policy and `decide` through a horizon: plan an interval, price it, decide each request.

The policy sees the world as it is: what waits is what `decide` let wait, what is awake is what was
awake. Its plan of the interval becomes a board; every request is decided by the board; and what
the requests came to, not what the plan had in mind, is what the meters of the interval see.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tokenergy.company.board import Board
from tokenergy.company.board_findings import board_findings
from tokenergy.company.finding import errors_of
from tokenergy.dispatch.event_path import mender
from tokenergy.dispatch.world import Action, FloatArray, State, World
from tokenergy.errors import UnexpectedError
from tokenergy.simulate.advance import advance_contracts
from tokenergy.simulate.boards import Boards, Promise
from tokenergy.simulate.foreseen import Foreseen, Seen
from tokenergy.simulate.interval import Mechanics, Step
from tokenergy.simulate.price_sheets import PriceSheet, PriceSheets
from tokenergy.simulate.replay import laid_out
from tokenergy.simulate.request_case import RequestCase
from tokenergy.simulate.request_outcomes import Outcomes
from tokenergy.simulate.request_router import Router
from tokenergy.simulate.request_windows import BudgetUse
from tokenergy.simulate.run import Run
from tokenergy.simulate.whole_replicas import WholeReplicas
from tokenergy.units import TOKENS_PER_MTOK

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decided:
    """What became of every request of a case under one policy, before any replica is simulated.

    Attributes:
        policy: its name.
        run: what the meters saw, joules by the operating lines that dispatch reckons with.
        outcomes: what each request came to.
        boards: of each interval.
        decisions: how often each (workload, action, reason) was decided, by weight; a request
            that waited was decided more than once.
        broken: by interval of the world, what requests wanted of a thing beyond what it gives.
        ends_missed_count: prices whose two ends the solver did not tell apart.
        from_duals_share: intervals whose prices are duals.
        budgets: what was used of each window of the company's budgets.
    """

    policy: str
    run: Run
    outcomes: Outcomes
    boards: tuple[Board, ...]
    decisions: Mapping[tuple[int, str, str], float]
    broken: tuple[tuple[int, str], ...]
    ends_missed_count: int
    from_duals_share: float
    budgets: tuple[BudgetUse, ...] = ()


def decided(
    world: World,
    case: RequestCase,
    policy_name: str,
    promises: Sequence[Promise],
    *,
    spare_share: float = 0.0,
    context_tokens: Mapping[int, int] | None = None,
    on_progress: Progress | None = None,
) -> Decided:
    """Return what a policy and `decide` make of the requests of a case.

    Args:
        world: the company as arrays; its rates leave `spare_share` free.
        case: its requests.
        policy_name: a policy that ships.
        promises: of every workload.
        spare_share: part of every replica's operating point that nothing is planned on.
        context_tokens: most tokens of one request by deployment; what is not in it has no limit.
        on_progress: told of the intervals that are done.
    """
    boards = Boards(world, promises, spare_share=spare_share, context_tokens=context_tokens or {})
    walk = _Walk(world, case, policy_name, promises, boards)
    for at in range(world.first, world.last):
        walk.interval(at)
        if on_progress is not None:
            on_progress(at + 1 - world.first, world.count)
    return walk.told()


class _Walk:
    """One policy on its way through the horizon."""

    def __init__(
        self,
        world: World,
        case: RequestCase,
        policy_name: str,
        promises: Sequence[Promise],
        boards: Boards,
    ) -> None:
        self.world, self.case = world, case
        self.policy = Foreseen(policy_name, world)
        self.mend = mender(world)
        self.whole = None if case.sampled else WholeReplicas(world)
        self.mechanics = Mechanics(world, lenient=True)
        self.sheets = PriceSheets(world)
        self.boards = boards
        self.outcomes = Outcomes.blank(case.count)
        self.router = Router(world=world, case=case, promises=promises, outcomes=self.outcomes)
        self.state = self.initial = State.initial(world)
        self.steps: list[Step] = []
        self.sources: list[str] = []
        self.made: list[Board] = []
        self.missed = self.duals = 0
        self.names = [deployment.name for deployment in world.deployments]
        tokens = [load.tokens_per_request_count for load in world.workloads]
        self.per_request_mtok = np.array(tokens) / TOKENS_PER_MTOK
        self.load_of = np.array([r.workload for r in world.routes], dtype=np.int64)
        self.deployment_of = np.array([r.deployment for r in world.routes], dtype=np.int64)
        self.lost_share = np.array(
            [min(d.wake_h, world.step_h) / world.step_h for d in world.deployments]
        )

    def interval(self, at: int) -> None:
        """Plan, price and decide one interval, and do what was decided."""
        action, seen = self.policy.decide(at, _copied(self.state))
        action = self.mend(at, self.state, action)
        if self.whole is not None:
            action = self.whole.made_whole(at, self.state, action)
        planned = self._planned(at, action)
        sheet = self._sheet(at, action, planned, seen)
        interval = at - self.world.first
        weight = self._weight_ratio(interval)
        board = self.boards.board(sheet, policy=action.source, weight_ratio=weight)
        self._check(board)
        self.router.begin(board, self._planned_count(sheet, weight))
        self.router.decide_interval(board, interval, last=at + 1 == self.world.last)
        self.made.append(board)
        self.sources.append(action.source)
        self._do(at, action, planned)

    def _planned(self, at: int, action: Action) -> Step:
        """Return what the plan itself would do, as far as what waits allows it.

        What a plan made once forgets of what is due is left out here, not refused: its requests
        are decided like all others.
        """
        told = len(self.mechanics.broken)
        step = self.mechanics.execute(at, self.state, action)
        del self.mechanics.broken[told:]  # of the plan: the requests tell their own
        return step

    def _sheet(self, at: int, action: Action, planned: Step, seen: Seen | None) -> PriceSheet:
        """Return the prices of an interval, with the replicas that serve in it."""
        if seen is None:
            sheet = self.sheets.of_merit(at, action, planned)
        else:
            model = None if seen.state is None else (seen.world, seen.state)
            sheet = self.sheets.of_optimum(seen.optimum, at=seen.at, model=model)
            self.missed += sheet.ends_missed_count
            self.duals += 1
        serve = sheet.serve_mtok.copy()
        serve[0] = planned.serve_mtok
        serving = planned.awake - planned.wake * self.lost_share
        return replace(sheet, serve_mtok=serve, awake_count=np.maximum(0.0, serving))

    def _weight_ratio(self, interval: int) -> FloatArray | None:
        """Return how many requests one of each workload stands for in an interval [W]."""
        if not self.case.sampled:
            return None
        found = 1.0 / self.case.drawn_share
        first, last = np.searchsorted(self.case.interval, [interval, interval + 1]).tolist()
        loads, weights = self.case.trace.workload[first:last], self.case.weight_ratio[first:last]
        count = np.bincount(loads, minlength=found.size)
        total = np.bincount(loads, weights=weights, minlength=found.size)
        return np.asarray(np.where(count > 0, total / np.maximum(count, 1), found))

    def _planned_count(self, sheet: PriceSheet, weight: FloatArray | None) -> FloatArray:
        """Return the requests of a sample that the plan sends over each route [R]."""
        if weight is None:
            return np.zeros(self.load_of.size)
        per_request = (self.per_request_mtok * weight)[self.load_of]
        return np.asarray(sheet.serve_mtok[0] / per_request)

    def _check(self, board: Board) -> None:
        wrong = errors_of(board_findings(board, deployments=self.names))
        if wrong:
            raise UnexpectedError(f"board {board.board_id}: " + "; ".join(map(str, wrong)))

    def _do(self, at: int, action: Action, planned: Step) -> None:
        """Let the meters see what the requests of an interval came to."""
        interval = at - self.world.first
        done = replace(
            action,
            awake=planned.awake,
            serve_mtok=self._served_mtok(interval),
            refused_mtok=self._refused_mtok(interval),
        )
        waiting = self.router.backlog_mtok(interval + 1)
        step = self.mechanics.execute(at, self.state, done)
        after = replace(step.after, backlog_mtok=waiting)
        step = replace(
            step,
            refused_mtok=done.refused_mtok,
            backlog_mtok=waiting.sum(axis=1),
            after=after,
        )
        contracts = advance_contracts(self.world, at, self.state, step)
        step = replace(step, after=replace(after, contracts=contracts))
        self.steps.append(step)
        self.state = step.after

    def _served_mtok(self, interval: int) -> FloatArray:
        """Return the tokens that requests were sent for in an interval, by route [R]."""
        mine = self.outcomes.served & (self.outcomes.interval == interval)
        tokens = self.case.weight_ratio[mine] * self.outcomes.output_tokens[mine]
        return np.bincount(
            self.outcomes.route[mine],
            weights=tokens / TOKENS_PER_MTOK,
            minlength=len(self.world.routes),
        ).astype(np.float64)

    def _refused_mtok(self, interval: int) -> FloatArray:
        mine = self.outcomes.refused & (self.outcomes.interval == interval)
        tokens = self.case.weight_ratio[mine] * self.case.trace.output_tokens[mine]
        return np.bincount(
            self.case.trace.workload[mine],
            weights=tokens / TOKENS_PER_MTOK,
            minlength=len(self.world.workloads),
        ).astype(np.float64)

    def told(self) -> Decided:
        """Return what happened."""
        self.router.finish()
        run = laid_out(self.policy.name, self.initial, self.steps, tuple(self.sources))
        return Decided(
            policy=self.policy.name,
            run=run,
            outcomes=self.outcomes,
            boards=tuple(self.made),
            decisions=dict(self.router.decisions),
            broken=tuple(self.mechanics.broken),
            ends_missed_count=self.missed,
            from_duals_share=self.duals / len(self.steps),
            budgets=()
            if self.router.state is None
            else self.router.budgets.told(self.router.state),
        )


def _copied(state: State) -> State:
    """Return a state that a policy may scribble on."""
    return replace(
        state,
        awake=state.awake.copy(),
        energy_mwh=state.energy_mwh.copy(),
        backlog_mtok=state.backlog_mtok.copy(),
    )
