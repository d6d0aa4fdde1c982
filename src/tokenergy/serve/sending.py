"""What is sent to an upstream for a request, what is reserved for it, and what its answer cost."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tokenergy.company.decision import Decision
from tokenergy.company.serving.charge import charge_nano_usd
from tokenergy.routing.cost import USD_PER_TOKEN, Size, most_input_tokens, work_tokens
from tokenergy.serve.closing import Used
from tokenergy.serve.openai_error import JSON_TYPE
from tokenergy.serve.openai_usage import UsageSeen
from tokenergy.serve.passing import is_passed, passed_body
from tokenergy.serve.pool import Seat
from tokenergy.serve.upstream import Call
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD

if TYPE_CHECKING:
    from tokenergy.serve.flight import Flight
    from tokenergy.serve.gateway import Gateway

PATHS: Final[Mapping[str, str]] = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
}


def wants_of(gateway: "Gateway", flight: "Flight", decision: Decision) -> list[tuple[str, int]]:
    """Return the worst case of a request by account, in whole units, rounded up."""
    request = decision.request
    payer = gateway.admission.payer(request.tenant, request.tier)
    wants = [(name, -int(-decision.worst_usd * NANO_USD_PER_USD // 1)) for name in payer.marginal]
    wants += [(name, -int(-decision.worst_j * MICROJOULES_PER_J // 1)) for name in payer.joules]
    if payer.charges:
        most = decision.request.output_most_tokens or decision.output_tokens
        if decision.cap_tokens is not None:
            assert flight.asked is not None
            most = min(most, decision.cap_tokens * flight.asked.answers_count)
        charge = _charge(
            gateway,
            decision,
            input_tokens=most_input_tokens(request),
            cached_tokens=0,
            output_tokens=most,
        )
        wants += [(name, charge) for name in payer.charges]
    return wants


def call_of(gateway: "Gateway", flight: "Flight", decision: Decision, seat: Seat) -> Call:
    """Return what is sent to an upstream: the client's body, its governed fields rewritten."""
    asked, upstream, limits = flight.asked, seat.upstream, gateway.plan.limits
    assert asked is not None
    assert flight.row is not None
    cap = decision.cap_tokens
    payer = gateway.admission.payer(flight.tenant.name, flight.row.tier)
    if cap is None and flight.holdings and (payer.charges or payer.budgets):
        cap = limits.cap_tokens  # what was reserved for: more would go over it
    salt = None
    if upstream.cache_salt:
        salt = gateway.admission.user_hash(flight.tenant.name, "cache")
    if is_passed(flight.endpoint):
        body = passed_body(asked, upstream.served_model)
    else:
        body = asked.rebuilt(
            model=upstream.served_model,
            cap_tokens=cap,
            ask_usage=True,
            continuous_usage=upstream.continuous_usage,
            cache_salt=salt,
        )
    first_s = max(
        limits.first_byte_least_s, limits.first_byte_ratio * flight.row.workload.ttft_limit_s
    )
    headers = (*seat.headers, *flight.inwards, JSON_TYPE)
    return Call(
        "POST", PATHS.get(flight.endpoint, flight.endpoint), headers, body, not asked.stream,
        limits.total_s if not asked.stream else first_s, limits.between_chunks_s,
    )  # fmt: skip


def used_of(
    gateway: "Gateway", flight: "Flight", decision: Decision, usage: UsageSeen, finish: str
) -> Used:
    """Return what an answer took, priced by the board it was decided by."""
    place = decision.candidate
    assert place is not None
    uncached = usage.input_tokens - usage.cached_tokens
    rho = flight.rho_ratio
    size = Size(usage.output_tokens, uncached, 0, uncached - rho * usage.output_tokens)
    work = work_tokens(size, place.kappa_ratio, lost_tokens=0)
    charge = _charge(
        gateway,
        decision,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
    )
    return Used(
        usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens,
        usage.source, finish, place.high_usd_per_mtok * work * USD_PER_TOKEN,
        place.low_usd_per_mtok * work * USD_PER_TOKEN, place.j_per_token * work, charge,
    )  # fmt: skip


def _charge(
    gateway: "Gateway",
    decision: Decision,
    *,
    input_tokens: int,
    cached_tokens: int,
    output_tokens: int,
) -> int:
    """Return what the tenant is charged, nano-dollars; nothing where the tier has no price."""
    price = gateway.admission.prices.get((decision.model, decision.request.tier))
    if price is None:
        return 0
    return charge_nano_usd(
        price,
        input_tokens=input_tokens,
        cached_tokens=cached_tokens,
        output_tokens=output_tokens,
    )
