"""The intervals of a company as its gateway lives them: plan, price, and a board of each.

The same steps as in `simulate/request_decisions`: the policy decides, its replicas are made whole,
both ends of every price are found, and what the plan does to batteries, queues and contracts is
the state in which the next interval begins. What differs: nobody tells what requests came to, so
the plan itself is believed; and replicas of servers that answer all the time are never asleep.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from tokenergy.api.live_company import LiveCompany
from tokenergy.api.opened import state_before
from tokenergy.api.outlook import Outlook, Priced, outlook_of
from tokenergy.company.board import Board
from tokenergy.company.board_findings import board_findings
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.serving.plan import WorkerPlan
from tokenergy.dispatch.event_path import mender
from tokenergy.dispatch.policy import Remembers
from tokenergy.dispatch.reserve import Reserve
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.errors import UnexpectedError
from tokenergy.routing.pacing import Pacing
from tokenergy.routing.state import State as RoutingState
from tokenergy.simulate.advance import advance_contracts
from tokenergy.simulate.boards import Boards, promises_of
from tokenergy.simulate.foreseen import Foreseen
from tokenergy.simulate.interval import Mechanics
from tokenergy.simulate.journal import state_of, state_words
from tokenergy.simulate.price_sheets import PriceSheets
from tokenergy.simulate.request_windows import BudgetWindows
from tokenergy.simulate.whole_replicas import WHOLE, WholeReplicas

POLICY: Final = "mpc"
PRICE_DIGITS: Final = 6
"""Digits of last week's prices: they are compared with, and nobody pays them."""
LEAST_SHARE: Final = 0.02
LEAST_USD_PER_MWH: Final = 0.5
"""A price of power that moved by less than either is no reason for a board at once; a guess."""

Words = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Begun:
    """What the past leaves to an interval: the state, and what the policy remembers."""

    state: State
    memory: Words


class BoardIntervals:
    """Plans, prices and writes boards of one company around the present."""

    def __init__(self, live: LiveCompany, plan: WorkerPlan) -> None:
        """Lay out what does not change between intervals; nothing is solved yet."""
        world = live.opened.world
        self.live, self.world = live, world
        self._refresh_s = plan.board_every_s
        self._deployments = frozenset(plan.deployments)
        self._policy = Foreseen(POLICY, world)
        self._mend = mender(world)
        self._whole = WholeReplicas(world)
        self._mechanics = Mechanics(world, lenient=True)
        self._sheets = PriceSheets(world)
        self._boards = Boards(world, promises_of(world))
        self._week = Reserve(world).week
        self._least_awake = _least_awake(world, plan)
        self._lost_share = np.array(
            [min(d.wake_h, world.step_h) / world.step_h for d in world.deployments]
        )
        self._windows = BudgetWindows(
            world=world,
            budgets=world.company.budgets,
            weight_ratio=np.ones(len(world.workloads)),
            arrivals_share=_tenants_share(world, plan),
        )
        self._begun: dict[int, _Begun] = {}
        self._solved: dict[int, Priced] = {}
        self._pacings: dict[str, Pacing] = {}

    def start_s(self, at: int) -> float:
        """Return when an interval begins, seconds since the Unix epoch."""
        return self.world.moment(at).timestamp()

    def board(self, at: int, *, made_at_s: float) -> tuple[Board, tuple[Pacing, ...]]:
        """Return the board of an interval, and the budgets of its time.

        Raises:
            InfeasibleProgram: if nothing keeps the company's limits in it.
            UnexpectedError: if the board has errors; they are in its text.
        """
        solved = self._solved.get(at) or self._solve(at)
        reservation = {
            load: [round(usd, PRICE_DIGITS) for usd in self._week.usd_per_mtok(load, at).tolist()]
            for load in range(len(self.world.workloads))
        }
        board = self._boards.board(
            solved.sheet,
            policy=solved.policy,
            made_at_s=made_at_s,
            refresh_s=self._refresh_s,
            reservation_usd_per_mtok=reservation,
        )
        wrong = errors_of(board_findings(board, deployments=self._deployments))
        if wrong:
            raise UnexpectedError(f"board {board.board_id}: " + "; ".join(map(str, wrong)))
        return board, self._paced(board)

    def outlook(self, at: int, board: Board, *, findings: Sequence[Finding] = ()) -> Outlook | None:
        """Return what a board of interval `at` says of the hours ahead.

        None: it was planned by another one, before the company was opened again.

        Args:
            at: the interval.
            board: made of it.
            findings: what there is to say beside it.
        """
        solved, opened = self._solved.get(at), self.live.opened
        if solved is None:
            return None
        told = opened.heading()
        heading = {name: told[name] for name in ("company", "file", "currency", "synthetic")}
        heading["about"] = opened.company.about
        return outlook_of(solved, board, heading=heading, findings=findings)

    def prices_moved(self, other: "BoardIntervals", at: int) -> bool:
        """Tell whether the present price of power differs from another's by more than a little."""
        mine, theirs = self.world, other.world
        there = theirs.index_at(mine.moment(at))
        if not theirs.first <= there < theirs.last or mine.sites_count != theirs.sites_count:
            return True
        now, then = mine.spot_usd_per_mwh[:, at], theirs.spot_usd_per_mwh[:, there]
        apart = np.abs(now - then)
        return bool((apart > np.maximum(LEAST_USD_PER_MWH, LEAST_SHARE * np.abs(then))).any())

    # ---- from one interval to the next, and over a restart -----------------------------

    def go_on_from(self, other: "BoardIntervals") -> None:
        """Take over where another one of the same company stood; of another shape, nothing."""
        if _shape(self.world) == _shape(other.world):
            for at, begun in other._begun.items():
                self._begun[self.world.index_at(other.world.moment(at))] = begun
        self._pacings = dict(other._pacings)

    def words(self) -> dict[str, Any]:
        """Return where it stands, JSON-ready, to be kept over a restart."""
        return {
            "shape": _shape(self.world),
            "world_start_s": self.world.start.timestamp(),
            "begun": [
                {
                    "start_s": self.start_s(at),
                    "state": state_words(begun.state),
                    "memory": dict(begun.memory),
                }
                for at, begun in sorted(self._begun.items())
            ],
        }

    def recall(self, words: Words) -> bool:
        """Go on where an earlier process stood; return whether it could.

        Raises:
            KeyError: if a part is missing.
        """
        if words["shape"] != _shape(self.world):
            return False
        same = words["world_start_s"] == self.world.start.timestamp()
        step_s = self.start_s(self.world.first + 1) - self.start_s(self.world.first)
        for each in words["begun"]:
            at = round((each["start_s"] - self.start_s(0)) / step_s)
            memory = each["memory"] if same else {}
            self._begun[at] = _Begun(state=state_of(each["state"]), memory=memory)
        return True

    def _solve(self, at: int) -> Priced:
        """Plan and price an interval, and note the state in which the next one begins."""
        begun = self._begun.get(at) or self._anew(at)
        held = self._policy.policy
        if isinstance(held, Remembers) and begun.memory:
            held.recall(begun.memory)
        action, seen = self._policy.decide(at, _copied(begun.state))
        action = self._whole.made_whole(at, begun.state, self._mend(at, begun.state, action))
        step = self._mechanics.execute(at, begun.state, action)
        del self._mechanics.broken[:]  # what the plan forgets of what is due; requests tell theirs
        if seen is None:
            sheet = self._sheets.of_merit(at, action, step)
        else:
            model = None if seen.state is None else (seen.world, seen.state)
            sheet = self._sheets.of_optimum(seen.optimum, at=seen.at, model=model)
        serve = sheet.serve_mtok.copy()
        serve[0] = step.serve_mtok
        serving = np.maximum(self._least_awake, step.awake - step.wake * self._lost_share)
        contracts = advance_contracts(self.world, at, begun.state, step)
        memory = held.memory() if isinstance(held, Remembers) else {}
        after = _Begun(state=replace(step.after, contracts=contracts), memory=memory)
        self._begun = {key: each for key, each in self._begun.items() if key == at - 1}
        self._begun |= {at: begun, at + 1: after}
        solved = Priced(
            world=self.world,
            at=at,
            sheet=replace(sheet, serve_mtok=serve, awake_count=serving),
            step=step,
            seen=seen,
            policy=action.source.removesuffix(WHOLE),
        )
        self._solved = {key: each for key, each in self._solved.items() if key == at - 1}
        self._solved[at] = solved
        return solved

    def _anew(self, at: int) -> _Begun:
        """Return where an interval begins whose predecessor nobody planned.

        Contracts and batteries stand as they were last known.
        """
        state = state_before(self.world, at)
        earlier = [key for key in self._begun if key < at]
        if earlier:
            last = self._begun[max(earlier)].state
            state = replace(state, energy_mwh=last.energy_mwh, contracts=last.contracts)
        return _Begun(state=state, memory={})

    def _paced(self, board: Board) -> tuple[Pacing, ...]:
        """Return the budgets of the present windows; one that goes on is told as it was begun."""
        held = {
            name: pacing
            for name, pacing in self._pacings.items()
            if pacing.start_s <= board.start_s < pacing.end_s
        }
        if len(held) < len(self._windows.budgets):
            nothing = RoutingState.opened(board, now_s=board.start_s)
            fresh = self._windows.refreshed(nothing, board).pacers
            held = {name: pacer.pacing for name, pacer in fresh.items()} | held
        self._pacings = held
        return tuple(pacing for _, pacing in sorted(held.items()))


def _copied(state: State) -> State:
    """Return a state that a policy may scribble on."""
    return replace(
        state,
        awake=state.awake.copy(),
        energy_mwh=state.energy_mwh.copy(),
        backlog_mtok=state.backlog_mtok.copy(),
    )


def _shape(world: World) -> list[str]:
    """Return the names that the state's arrays are laid out by."""
    return [
        *(each.name for each in world.deployments),
        *(each.name for each in world.batteries),
        *(f"{each.name} waits {each.defer_count}" for each in world.workloads),
        f"{world.step_h:g} h",
    ]


def _least_awake(world: World, plan: WorkerPlan) -> FloatArray:
    """Return the replicas that are awake whatever is planned, by deployment [D].

    Nobody puts a real server to sleep because a plan says so: of those the fleet's GPUs are
    shared out among the models that have servers there. A simulated place has one awake replica
    at least, or a quiet hour would close it.
    """
    real = Counter(one.deployment for one in plan.upstreams if one.kind != "simulated")
    known = {one.deployment for one in plan.upstreams}
    on_fleet = Counter(
        each.fleet for each in world.deployments if each.name in real and not each.external
    )
    found = np.zeros(len(world.deployments))
    for at, each in enumerate(world.deployments):
        if each.external or each.name not in known:
            continue
        found[at] = 1.0
        if each.name in real:
            gpus = world.fleets[each.fleet].gpus_count / on_fleet[each.fleet]
            found[at] = max(float(real[each.name]), gpus // each.gpus_count)
    return found


def _tenants_share(world: World, plan: WorkerPlan) -> dict[str, float]:
    """Return the part of its tier's requests that a single tenant's budget is expected to pay for.

    Nobody forecasts tenants: those that may ask for the tier are taken to ask alike.
    """
    found = {}
    for budget in world.company.budgets:
        if budget.tenant is None:
            continue
        asking = [
            each.name for each in plan.tenants if budget.tier is None or budget.tier in each.tiers
        ]
        found[budget.name] = 1.0 / max(1, len(asking))
    return found
