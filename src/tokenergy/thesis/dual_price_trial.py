"""The two sides of T11 on the same requests: shares and duals by forecast, or a full re-solve.

*By duals*: at each refresh the window is solved on what is believed; its shares and duals make the
boards of the hours up to the next refresh; every request goes through `decide`; replicas are woken
and put to sleep as the work comes, up to the fleet. *By re-solve*: at every hour the window is
solved with that hour's own arrivals, and done as it says. Prices of power are known to both, what
comes in the hours after is believed by both. Both are settled by the same meters, and value that is
not served is counted as it was lost: for the re-solve that of the least valuable requests.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tokenergy.company.board import OPEN_SHARE, Admission
from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import Action, FloatArray, State, World
from tokenergy.simulate.boards import Boards, promises_of
from tokenergy.simulate.interval import Mechanics, Step
from tokenergy.simulate.price_sheets import PriceSheets
from tokenergy.simulate.request_outcomes import Outcomes
from tokenergy.simulate.request_router import Router
from tokenergy.thesis.dual_price_trace import Span
from tokenergy.thesis.three_sites import warm
from tokenergy.units import TOKENS_PER_MTOK

WINDOW_H: Final = 48
SPARE_SHARE: Final = 1.0 - OPEN_SHARE + 0.005
"""Part of a place that both sides leave free: a full plan then loads it almost as far as a place
takes its whole share. The last half per cent is for the coarseness with which the loads of a sample
are counted: without it the gap is 0.3 points wider, with four times as much 0.3 narrower."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spent:
    """What a side cost, by hour.

    Attributes:
        power_usd, network_usd: for what was served [T].
        lost_usd: value that was asked for and not served [T].
        served_mtok, refused_mtok: [T].
        beyond_share: replicas that ran in that spare part, of all that ran.
    """

    power_usd: FloatArray
    network_usd: FloatArray
    lost_usd: FloatArray
    served_mtok: FloatArray
    refused_mtok: FloatArray
    beyond_share: float

    def total_usd(self) -> FloatArray:
        """Return cost and value lost, by hour [T]."""
        return self.power_usd + self.network_usd + self.lost_usd


class _Side:
    """The meters of one side, hour by hour."""

    def __init__(self, span: Span) -> None:
        self.span, self.world = span, span.world
        self.mechanics = Mechanics(span.world, lenient=True)
        self.state = warm(span.world)
        self.steps: list[Step] = []
        self.lost: list[float] = []
        self.beyond = 0.0
        routes = span.world.routes
        self.network = np.array([route.network_usd_per_mtok for route in routes])
        self.deployment_of = np.array([route.deployment for route in routes], dtype=np.int64)
        self.rate = np.array([route.rate_mtok_per_h for route in routes])
        fleets = span.world.fleets
        self.most = np.array(
            [fleets[d.fleet].gpus_count / d.gpus_count for d in span.world.deployments]
        )
        self.lost_share = np.array([min(1.0, d.wake_h) for d in span.world.deployments])

    def window(self, at: int, *, knows_hour: bool) -> Window:
        """Return the window from an hour on: prices known, arrivals believed, or known for now."""
        window = true_window(self.world, begin=at, count=min(WINDOW_H, self.world.count))
        span = np.minimum(np.arange(at, at + window.count), self.world.last - 1)
        believed = self.span.forecast_mtok[:, span].copy()
        if knows_hour:
            believed[:, 0] = self.world.arrivals_mtok[:, at]
        return replace(window, arrivals_mtok=believed)

    def awake(self, serve_mtok: FloatArray) -> FloatArray:
        """Return the replicas that work needs, those that a wake takes out of the hour included."""
        need = np.bincount(
            self.deployment_of, weights=serve_mtok / self.rate, minlength=self.most.size
        )
        before, lost = self.state.awake, self.lost_share
        woken = np.where(need > before, (need - lost * before) / (1.0 - lost), need)
        self.beyond += float(np.maximum(0.0, woken - self.most).sum())
        return np.asarray(woken)

    def done(self, at: int, action: Action, lost_usd: float) -> Step:
        """Let the meters see an hour."""
        step = self.mechanics.execute(at, self.state, action)
        self.steps.append(step)
        self.lost.append(lost_usd)
        self.state = step.after
        return step

    def spent(self) -> Spent:
        """Return what it all cost."""
        world = self.world
        span = slice(world.first, world.last)
        buy = world.buy_usd_per_mwh(world.spot_usd_per_mwh[:, span], span)
        bought = np.array([step.bought_mwh for step in self.steps]).T
        served = np.array([step.serve_mtok for step in self.steps])
        busy = sum(float(step.awake.sum()) for step in self.steps)
        return Spent(
            power_usd=(buy * bought).sum(axis=0),
            network_usd=served @ self.network,
            lost_usd=np.array(self.lost),
            served_mtok=served.sum(axis=1),
            refused_mtok=np.array([float(step.refused_mtok.sum()) for step in self.steps]),
            beyond_share=self.beyond / max(busy, 1e-12),
        )


def by_resolve(span: Span, told: Callable[[int], None] | None = None) -> Spent:
    """Return the side that re-solves each hour with that hour's own arrivals."""
    side, world = _Side(span), span.world
    values = _Values(span)
    model: WindowModel | None = None
    for at in range(world.first, world.last):
        window = side.window(at, knows_hour=True)
        model, optimum = _solved(model, world, window, side.state)
        action = optimum.action(0, "resolve")
        due = np.array([load.defer_count == 0 for load in world.workloads])
        refused = np.where(due, action.refused_mtok, 0.0)
        step = side.done(at, replace(action, refused_mtok=refused), 0.0)
        side.lost[-1] = values.least_usd(at - world.first, step.refused_mtok)
        if told is not None:
            told(at - world.first + 1)
    return side.spent()


def by_duals(
    span: Span,
    *,
    refresh_h: int,
    both_ends: bool = False,
    admission: Admission = "right",
    told: Callable[[int], None] | None = None,
) -> tuple[Spent, dict[str, float]]:
    """Return the side that decides request by request, and how often it gave which reason.

    Args:
        span: the company and its requests.
        refresh_h: hours between two boards' optima.
        both_ends: whether both ends of each price are found, or the dual stands for both.
        admission: which end admits, where there are two.
        told: told of the hours that are done.
    """
    side, world, case = _Side(span), span.world, span.case
    promises = promises_of(world)
    sheets = PriceSheets(world)
    boards = Boards(world, promises, admission=admission, spare_share=SPARE_SHARE)
    outcomes = Outcomes.blank(case.count)
    router = Router(world=world, case=case, promises=promises, outcomes=outcomes)
    weight = 1.0 / case.drawn_share
    loads = [world.workloads[route.workload] for route in world.routes]
    tokens = np.array([load.tokens_per_request_count for load in loads]) / TOKENS_PER_MTOK
    request_mtok = tokens * weight[[route.workload for route in world.routes]]
    model: WindowModel | None = None
    solved: tuple[Optimum, int, State] | None = None
    for at in range(world.first, world.last):
        hour = at - world.first
        if solved is None or hour % refresh_h == 0:
            window = side.window(at, knows_hour=False)
            model, optimum = _solved(model, world, window, side.state)
            solved = optimum, at, side.state
        optimum, since, began = solved
        ends = (world, began) if both_ends else None
        sheet = sheets.of_optimum(optimum, at=at - since, model=ends)
        # Replicas are woken as work comes: what can be awake, not what was planned, is room.
        sheet = replace(sheet, awake_count=side.most)
        board = boards.board(sheet, policy="mpc", weight_ratio=weight)
        router.begin(board, sheet.serve_mtok[0] / request_mtok)
        router.decide_interval(board, hour, last=at + 1 == world.last)
        _settle(side, router, outcomes, at)
        if told is not None:
            told(hour + 1)
    reasons: dict[str, float] = {}
    for (_, action, reason), count in router.decisions.items():
        key = f"{action}: {reason}"
        reasons[key] = reasons.get(key, 0.0) + count
    every = sum(reasons.values())
    return side.spent(), {key: count / every for key, count in sorted(reasons.items())}


def _settle(side: _Side, router: Router, outcomes: Outcomes, at: int) -> None:
    """Let the meters see what the requests of an hour came to."""
    world, case, hour = side.world, side.span.case, at - side.world.first
    here = outcomes.interval == hour
    sent, turned = outcomes.served & here, outcomes.refused & here
    mtok = case.weight_ratio * case.trace.output_tokens / TOKENS_PER_MTOK
    serve = np.bincount(outcomes.route[sent], mtok[sent], len(world.routes)).astype(float)
    gone = np.bincount(case.trace.workload[turned], mtok[turned], len(world.workloads))
    waiting = router.backlog_mtok(hour + 1)
    action = Action(
        serve_mtok=serve,
        refused_mtok=gone.astype(float),
        awake=side.awake(serve),
        take_mw=np.zeros(0),
        charge_mw=np.zeros(0),
        discharge_mw=np.zeros(0),
        source="duals",
        generate_mw=np.zeros(0),
    )
    lost = float((case.weight_ratio[turned] * case.trace.value_usd[turned]).sum())
    step = side.done(at, action, lost)
    after = replace(step.after, backlog_mtok=waiting)
    side.steps[-1] = replace(step, refused_mtok=action.refused_mtok, after=after)
    side.state = after


def _solved(
    model: WindowModel | None, world: World, window: Window, state: State
) -> tuple[WindowModel, Optimum]:
    if model is None:
        model = WindowModel(world, window, state)
        return model, model.solved(window)
    return model, model.solve(window, state)


class _Values:
    """What the requests of each hour are worth, the least valuable request first."""

    def __init__(self, span: Span) -> None:
        self._case, self._count = span.case, len(span.world.workloads)
        self._held: dict[int, FloatArray] = {}

    def least_usd(self, hour: int, refused_mtok: FloatArray) -> float:
        """Return the value of that much work of each workload, the cheapest requests of the hour.

        Work that waited is not of this hour; it is worth what its tier says, by the sample's mean.
        """
        case, lost = self._case, 0.0
        for load in range(self._count):
            if refused_mtok[load] <= 0.0:
                continue
            mine = (case.trace.workload == load) & (case.interval == hour)
            mtok = case.weight_ratio[mine] * case.trace.output_tokens[mine] / TOKENS_PER_MTOK
            usd = case.weight_ratio[mine] * case.trace.value_usd[mine]
            order = np.argsort(case.trace.value_usd[mine])  # nobody knows an answer's length
            upto = np.concatenate([[0.0], np.cumsum(mtok[order])])
            worth = np.concatenate([[0.0], np.cumsum(usd[order])])
            lost += float(np.interp(refused_mtok[load], upto, worth))
            if refused_mtok[load] > upto[-1]:
                rest = refused_mtok[load] - upto[-1]
                everywhere = case.trace.workload == load
                all_mtok = case.weight_ratio[everywhere] * case.trace.output_tokens[everywhere]
                all_usd = case.weight_ratio[everywhere] * case.trace.value_usd[everywhere]
                lost += float(rest * TOKENS_PER_MTOK * all_usd.sum() / all_mtok.sum())
        return lost
