"""Why a request was decided as it was, in a sentence: the one table of reasons for people."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from tokenergy.company.currency import in_currency
from tokenergy.company.serving.live import LiveDecision

DONE: Final[Mapping[str, str]] = {
    "serve": "Served by {model} at {site}",
    "cap": "Answer capped, by {model} at {site}",
    "downgrade": "Answered by {model} at {site}, a model further down the ladder",
    "defer": "Put off to a later interval",
    "refuse": "Refused",
}
"""What was done, by decision."""
WHY: Final[Mapping[str, str]] = {
    "value_above_cost": "it is worth {value} and costs {cost} there, the cheapest place",
    "must_serve": "its tier is always served, though it costs {cost} and is worth {value}",
    "tie_by_share": "places cost about the same, and this one was due its share of the plan",
    "affinity": "that place still holds the beginning of the conversation",
    "cheaper_interval": "a later interval within its deadline is cheaper",
    "downgrade_pays": "the better model costs more than its better answer is worth",
    "cap_pays": "a longer answer would cost more than it is worth",
    "place_full": "the place that would have been cheaper is full",
    "place_down": "the place that would have been cheaper is out",
    "latency_class": "no other place answers within the promise of its tier",
    "marginal_cost_exceeds_value": "it would cost {cost} and is worth {value}",
    "budget_pacing": "it would pass by its value of {value}, but its budget is kept for later",
    "budget_exhausted": "a budget that pays for it is used up",
    "rate_limited": "the rate limit of its tenant is used up",
    "overloaded": "every place that could answer is full",
    "no_capable_deployment": "no deployment can answer it at the moment",
    "safe_mode": "the prices are too old to refuse by, so everything is served",
    # codes of refusals before a decision, or after it
    "rate_limit_exceeded": "the rate limit of its tenant is used up",
    "project_spend_limit_exceeded": "a spend limit of its tenant, or a budget, is used up",
    "server_is_overloaded": "every place that could answer is full",
    "model_not_found": "the model that it asks for is not served here",
    "context_length_exceeded": "it is longer than any model of its ladder can read",
    "insufficient_permissions": "its key may not ask for that",
    "no_prices": "no prices are known yet",
    "stopping": "the gateway is about to end",
    "journal_full": "the journal is full, so nothing can be written down",
    "limits_unavailable": "rate limits cannot be asked at the moment",
    "invalid_request": "the request cannot be read",
}
"""Why, by reason; a code that is not in it is told as it is."""
REFUSED_WHY: Final[Mapping[str, str]] = {
    "place_down": "the servers of its model are out",
    "latency_class": "no place answers within the promise of its tier",
}
"""Reasons that mean something else where nothing was served."""
BROKEN: Final[Mapping[str, str]] = {
    "cancelled": "The client left before the end.",
    "drained": "The client left; the answer was read to its end.",
    "failed": "The server failed within the answer.",
    "interrupted": "The gateway ended before the answer did.",
    "left_the_hold": "The client left while it waited; it costs nothing.",
}
NOT_KNOWN: Final = "an unknown amount"


def words(told: LiveDecision, *, currency: str) -> str:
    """Return a sentence, or two, that says what was done about a request and why."""
    done = DONE.get(told.decision, told.decision or "Decided")
    why = WHY.get(told.reason, told.reason or "no reason is known")
    if told.decision == "refuse":
        why = REFUSED_WHY.get(told.reason, why)
    facts = {
        "model": told.model or "a model",
        "site": told.site or "an API elsewhere",
        "value": money(told.value_usd, currency),
        "cost": money(told.cost_usd, currency),
    }
    text = f"{done.format(**facts)}: {why.format(**facts)}."
    if told.next_admitted_s is not None:
        at = datetime.fromtimestamp(told.next_admitted_s, UTC)
        text += f" The interval of {at:%H:%M} UTC would admit it, as far as is known now."
    if told.outcome in BROKEN:
        text += f" {BROKEN[told.outcome]}"
    return text


def money(value_usd: float | None, currency: str) -> str:
    """Return an amount for people: three digits, no power of ten."""
    if value_usd is None:
        return NOT_KNOWN
    return in_currency(f"{Decimal(f'{value_usd:.3g}'):f} USD", currency)


def decision_told(told: LiveDecision, *, currency: str) -> dict[str, Any]:
    """Return a decision as the page takes it."""
    admitted_s = told.next_admitted_s
    return {
        "id": told.request_id,
        "at": told.at,
        "tenant": told.tenant,
        "tier": told.tier,
        "workload": told.workload,
        "model": told.model,
        "site": told.site,
        "decision": told.decision,
        "reason": told.reason,
        "words": words(told, currency=currency),
        "input_tokens": told.input_tokens,
        "output_tokens": told.output_tokens,
        "cost_usd": told.cost_usd,
        "charged_usd": told.charged_usd,
        "joules": told.use_j,
        "energy_tier": told.energy_tier,
        "marginal_usd_per_mtok": told.marginal_usd_per_mtok,
        "value_usd": told.value_usd,
        "next_admitted": None
        if admitted_s is None
        else datetime.fromtimestamp(admitted_s, UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "policy": told.policy,
        "outcome": told.outcome,
    }
