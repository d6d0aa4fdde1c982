"""The decision on a plain request, at a glance: what nearly all of them are.

A plain request names one model (or a ladder of one), belongs to no conversation, does not wait, is
paid by no budget and asks for no feature; its cheapest place and all that the dispatch planned for
are open. Then every step of `decide` has one outcome, and they are taken together here. Whatever is
not so is decided at length; a property test holds both ways against each other, field for field.
"""

from typing import Final

from tokenergy.company.board import Board, BoardWorkload, Candidate
from tokenergy.company.decision import Decision, Reason
from tokenergy.company.request import Request
from tokenergy.routing.cost import USD_PER_TOKEN
from tokenergy.routing.state import State
from tokenergy.routing.ties import turn_of
from tokenergy.units import TOKENS_PER_MTOK

REFUSED: Final = "refuse"


def glance(request: Request, load: BoardWorkload, board: Board, state: State) -> Decision | None:
    """Return the decision on a plain request; None: it has to be decided at length."""
    if (
        request.session is not None
        or request.deadline_s is not None
        or request.budgets
        or request.needs
        or request.without
        or state.down
        or state.safe_mode
        or load.splits
        or (state.limited and request.tenant in state.limited)
        or board.is_stale(state.now_s)
    ):
        return None
    index = only_rung(request, load)
    if index < 0:
        return None
    rung, busy = load.rungs[index], state.counts.busy
    output, asked = request.output_tokens, request.input_tokens
    if not rung.steady or not rung.planned or asked + output > rung.least_context_tokens:
        return None
    price, kappa, place, slots, slow, _ = rung.rows[0]
    if slow or busy[place] >= slots:
        return None
    for planned_place, open_below in rung.planned_rows:
        if busy[planned_place] >= open_below:
            return None
    cached = 0 if request.cached_tokens is None else min(asked, request.cached_tokens)
    excess = asked - cached - load.rho_ratio * output
    work = output + kappa * excess
    value = request.value_usd
    if value is None:
        value = load.value_usd_per_request
        if value is None:
            value = (load.value_usd_per_mtok or 0.0) * output / TOKENS_PER_MTOK
    quality = rung.quality_share
    if work <= 0.0 or value * quality - price * work < 0.0:
        return None
    at = _turn(load, rung.planned_names, rung.planned_share, output, state)
    position = rung.planned[at]
    if position:
        price = rung.rows[position][0]
        if value * quality - price * work < 0.0:
            return None
    reason: Reason = "tie_by_share" if len(rung.planned) > 1 else "value_above_cost"
    one: Candidate = rung.candidates[position]
    return Decision(  # by place: see `chosen.decision_of`
        request, "serve", reason, index, rung.model, one, request.cap_tokens, 0, None, 0.0,
        output, work, cached, value, quality, price * work,
        one.low_usd_per_mtok * work * USD_PER_TOKEN, 0.0, 0.0, 0.0, 0.0, one.j_per_token * work,
        value * quality - price * work, 0.0, 0.0, REFUSED, 0.0, None, load.index, board.board_id,
        board.policy, rung.planned_names, rung.planned_share,
    )  # fmt: skip


def only_rung(request: Request, load: BoardWorkload) -> int:
    """Return the one rung that may answer a request, uncapped; -1: there are several, or none."""
    rungs, model = load.rungs, request.model
    if len(rungs) == 1 and (model is None or rungs[0].model == model):
        return 0 if rungs[0].cap_tokens is None else -1
    if model is None or request.may_downgrade or request.may_cap:
        return -1
    found = -1
    for index, rung in enumerate(rungs):
        if rung.model == model and rung.cap_tokens is None:
            if found >= 0:
                return -1
            found = index
    return found


def _turn(
    load: BoardWorkload,
    names: tuple[str, ...],
    token_share: tuple[float, ...],
    tokens_count: int,
    state: State,
) -> int:
    """Return whose turn it is of those that share a rung."""
    if len(names) == 1:
        return 0
    wheel = state.counts.wheels[load.index].get(names)
    if wheel is None:  # nobody is owed anything: the largest share, the first of equals
        gained = [share * tokens_count for share in token_share]
        return gained.index(max(gained))
    return turn_of(wheel, token_share, float(tokens_count))
