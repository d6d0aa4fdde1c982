"""From a decision to refuse to what the client is told: status, code, and when to ask again."""

from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from tokenergy.company.decision import Decision
from tokenergy.serve import openai_error
from tokenergy.serve.openai_error import ApiError

if TYPE_CHECKING:
    from tokenergy.company.board import Board

OVERLOAD_S: Final = 2.0
"""When a full place is worth asking again; a guess."""


def refusal_of(decision: Decision, board: "Board", *, now_s: float, down_s: float) -> ApiError:
    """Return what a client is told that was refused.

    Args:
        decision: to refuse.
        board: it was decided by.
        now_s: the moment, company time.
        down_s: when a place that is down may be tried again.
    """
    reason, request = decision.reason, decision.request
    if reason in ("marginal_cost_exceeds_value", "budget_pacing"):
        extra = refusal_facts(decision, board)
        retry_s = _retry_s(decision, board, now_s)
        pacing = reason == "budget_pacing"
        return openai_error.not_worth_it(retry_s=retry_s, extra=extra, pacing=pacing)
    if reason == "budget_exhausted":
        return openai_error.spend_limit("A budget of this request is used up.")
    if reason == "rate_limited":
        return openai_error.rate_limited("The rate limit is used up.", retry_s=OVERLOAD_S)
    if reason == "place_down":
        return openai_error.unavailable(
            "place_down", "The servers of this model are out at the moment.", retry_s=down_s
        )
    if reason == "latency_class":
        return openai_error.unavailable(
            "latency_class", f"No place answers within the promise of tier {request.tier!r} now."
        )
    if reason == "no_capable_deployment":
        most = _most_context_tokens(decision, board)
        asked = request.input_tokens + request.output_tokens
        if most is not None and asked > most:
            return openai_error.context_exceeded(limit_tokens=most, asked_tokens=asked)
        return openai_error.unavailable(
            "no_capable_deployment", "No deployment can answer this request at the moment."
        )
    return openai_error.overloaded(retry_s=OVERLOAD_S)


def refusal_facts(decision: Decision, board: "Board") -> dict[str, Any]:
    """Return the numbers behind a refusal on price, as the error's object `tokenergy`."""
    admitted_s = decision.next_admitted_s
    following = None
    if admitted_s is not None:
        end_s = admitted_s + board.interval_s
        following = {"start": moment(admitted_s), "end": moment(end_s), "forecast": True}
    cost = decision.cost_usd if isfinite(decision.cost_usd) else None
    return {
        "value_usd": decision.value_usd if isfinite(decision.value_usd) else None,
        "marginal_cost_usd": cost,
        "lambda": decision.lambda_ratio,
        "next_admitted": following,
        "alternatives": [{"service_tier": "batch"}],
        "board_id": decision.board_id,
        "policy": decision.policy,
    }


def _retry_s(decision: Decision, board: "Board", now_s: float) -> float | None:
    """Return seconds to a moment of the next admitted interval, a different one for each request.

    All refused clients would come back at the same second otherwise.
    """
    if decision.next_admitted_s is None:
        return None
    start_s = max(0.0, decision.next_admitted_s - now_s)
    end_s = max(start_s, decision.next_admitted_s + board.interval_s - now_s)
    return openai_error.spread_s(start_s, end_s, decision.request.request_id)


def _most_context_tokens(decision: Decision, board: "Board") -> int | None:
    load = board.by_name.get(decision.request.workload)
    if load is None:
        return None
    limits = [one.context_limit_tokens for rung in load.rungs for one in rung.candidates]
    return max(limits, default=None)


def moment(at_s: float) -> str:
    """Return a moment as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
