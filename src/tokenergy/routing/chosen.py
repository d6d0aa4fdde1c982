"""From the chosen action to the Decision that says why."""

from typing import Final

from tokenergy.company.board import Board, BoardWorkload
from tokenergy.company.decision import NOWHERE_RUNG, Decision, Reason, RequestAction
from tokenergy.company.request import Request
from tokenergy.routing.cost import USD_PER_TOKEN
from tokenergy.routing.placing import Placed
from tokenergy.routing.restraint import NOWHERE, Ask, Key, Option
from tokenergy.routing.state import RESERVE
from tokenergy.routing.worst import Worst, worst_of

REFUSED: Final = "refuse"
NAN: Final = float("nan")
NO_WORST: Final = Worst(0.0, 0.0)


def action_of(ask: Ask, rung_index: int) -> RequestAction:
    """Return the word for running on a rung now: `serve` is what was asked for."""
    rungs = ask.load.rungs
    asked = ask.request.model or rungs[0].model
    rung = rungs[rung_index]
    if rung.model != asked:
        return "downgrade"
    if rung.cap_tokens is not None and rung.cap_tokens < ask.request.output_tokens:
        return "cap"
    return "serve"


def named(ask: Ask, key: Key | None) -> str:
    """Return an action in a few words: `serve large@berlin`, `defer small+5`, `refuse`."""
    if key is None:
        return REFUSED
    _, _, sooner, higher, position = key
    rung = ask.load.rungs[-higher]
    if position != NOWHERE:
        return f"{action_of(ask, -higher)} {rung.candidates[position].deployment}"
    return f"defer {rung.model}+{-sooner}"


def decision_of(
    ask: Ask,
    board: Board,
    option: Option,
    *,
    reason: Reason,
    placed: Placed | None,
    runner: Key | None,
    queue_s: float,
) -> Decision:
    """Return the decision to run now (with its place), or later (without)."""
    request, rung = ask.request, ask.load.rungs[option.rung]
    candidate, affinity, cached = None, 0.0, 0
    low = option.cost_usd
    if placed is not None:
        candidate = rung.candidates[option.position]
        low = candidate.low_usd_per_mtok * option.work_tokens * USD_PER_TOKEN
        cached = request.input_tokens - option.size.uncached_tokens
        if option.size.cached_tokens and candidate.deployment != ask.affine:
            cached -= option.size.cached_tokens
            lost = candidate.kappa_ratio * option.size.cached_tokens
            affinity = candidate.high_usd_per_mtok * lost * USD_PER_TOKEN
    worst = worst_of(ask, option) if request.budgets else NO_WORST
    cap = rung.cap_tokens
    if cap is None or (request.cap_tokens is not None and request.cap_tokens < cap):
        cap = request.cap_tokens
    interval = option.interval
    tied: tuple[str, ...] = ()
    tied_share: tuple[float, ...] = ()
    action: RequestAction = "defer"
    release_s: float | None = None
    if placed is None:
        release_s = board.start_s + interval * board.interval_s
    else:
        action = action_of(ask, option.rung)
        _, tied, tied_share, _ = placed
    return Decision(  # by place, since by name takes twice as long: the order is that of the noun
        request, action, reason, option.rung, rung.model, candidate, cap, interval, release_s,
        queue_s, option.size.output_tokens, option.work_tokens, cached,
        ask.value_usd, option.quality_share, option.cost_usd, low, affinity, option.wait_usd,
        ask.spend_ratio - 1.0, ask.joule_usd_per_j * option.use_j, option.use_j,
        option.score_usd, worst.usd, worst.j,
        named(ask, runner), 0.0 if runner is None else runner[0], None,
        ask.load.index, board.board_id, RESERVE if ask.stale else board.policy, tied, tied_share,
    )  # fmt: skip


def refused(
    request: Request,
    board: Board,
    *,
    reason: Reason,
    ask: Ask | None = None,
    best: Option | None = None,
    next_interval: int | None = None,
) -> Decision:
    """Return the decision to refuse, with the numbers of the best action that was not taken."""
    low = NAN
    if best is not None and ask is not None:
        low = best.cost_usd
        if best.position != NOWHERE:
            place = ask.load.rungs[best.rung].candidates[best.position]
            low = place.low_usd_per_mtok * best.work_tokens * USD_PER_TOKEN
    known: BoardWorkload | None = board.by_name.get(request.workload)
    admitted_s = None if next_interval is None else board.interval_start_s(next_interval)
    return Decision(
        request=request,
        action="refuse",
        reason=reason,
        rung=NOWHERE_RUNG,
        model="",
        candidate=None,
        cap_tokens=request.cap_tokens,
        release_interval=0,
        release_s=None,
        queue_s=0.0,
        output_tokens=request.output_tokens if best is None else best.size.output_tokens,
        work_tokens=NAN if best is None else best.work_tokens,
        cached_tokens=0,
        value_usd=NAN if ask is None else ask.value_usd,
        quality_share=0.0,
        cost_usd=NAN if best is None else best.cost_usd,
        low_cost_usd=low,
        affinity_usd=0.0,
        wait_usd=0.0,
        lambda_ratio=0.0 if ask is None else ask.spend_ratio - 1.0,
        joule_usd=0.0 if ask is None or best is None else ask.joule_usd_per_j * best.use_j,
        use_j=0.0,
        score_usd=0.0,
        worst_usd=0.0,
        worst_j=0.0,
        runner_up=REFUSED if ask is None or best is None else named(ask, best.key),
        runner_up_score_usd=0.0 if best is None else best.score_usd,
        next_admitted_s=admitted_s,
        workload_index=NOWHERE if known is None else known.index,
        board_id=board.board_id,
        policy=RESERVE if ask is not None and ask.stale else board.policy,
        tied=(),
        tied_share=(),
    )
