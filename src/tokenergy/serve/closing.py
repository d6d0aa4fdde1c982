"""What a request came to, and the records that say so: OPEN, CLOSE, REFUSED."""

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.company.serving.plan import SPEND
from tokenergy.company.serving.record import (
    AskedFor,
    Closed,
    Decided,
    Holding,
    Opened,
    Outcome,
    Refused,
    Snapshot,
    UsageSource,
)
from tokenergy.routing.state import State
from tokenergy.serve.breaker import Verdict
from tokenergy.serve.openai_error import ApiError
from tokenergy.serve.pool import Seat
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD

if TYPE_CHECKING:
    from tokenergy.serve.flight import Flight


class Used(NamedTuple):
    """What an answer took, priced.

    Attributes:
        input_tokens: all input, cached included; output_tokens: likewise reasoning included.
        source: how the tokens are known.
        finish: why the answer ended, in the upstream's words; "" if it did not say.
        cost_usd, low_cost_usd: by both ends of the price it was decided by.
        use_j: joules at the meter, modelled.
        charge_nano_usd: what the tenant is charged.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    source: UsageSource = "none"
    finish: str = ""
    cost_usd: float = 0.0
    low_cost_usd: float = 0.0
    use_j: float = 0.0
    charge_nano_usd: int = 0

    @property
    def cost_nano_usd(self) -> int:
        """The cost, rounded once."""
        return round(self.cost_usd * NANO_USD_PER_USD)

    @property
    def microjoules(self) -> int:
        """The energy, rounded once."""
        return round(self.use_j * MICROJOULES_PER_J)

    def of(self, holding: Holding, units: Mapping[str, str]) -> int:
        """Return what was used of one account, in its unit."""
        if holding.account.startswith(SPEND):
            return self.charge_nano_usd
        if units[holding.account] == "microjoules":
            return max(0, self.microjoules)
        return max(0, self.cost_nano_usd)


def asked_record(request: Request) -> AskedFor:
    """Return a request as the journal keeps it."""
    return AskedFor(
        request.origin,
        request.arrival_s,
        request.input_tokens,
        request.output_tokens,
        request.output_late_tokens,
        request.output_most_tokens,
        request.cap_tokens,
        request.deadline_s,
        "" if request.session is None else str(request.session),
        tuple(request.needs),
        request.model,
        request.may_downgrade,
        request.may_cap,
        request.may_defer,
        tuple(request.without),
        request.value_usd,
        request.budgets,
        request.input_most_tokens,
    )


def decided_record(decision: Decision, rho_ratio: float) -> Decided:
    """Return a decision as the journal keeps it; what is no number is 0, as JSON has none."""
    place = decision.candidate
    rates = (0.0, 0.0, rho_ratio, 0.0)
    if place is not None:
        rates = (place.high_usd_per_mtok, place.kappa_ratio, rho_ratio, place.j_per_token)
    return Decided(
        decision.action,
        decision.reason,
        decision.rung,
        decision.model,
        decision.deployment,
        decision.cap_tokens,
        decision.release_s,
        decision.queue_s,
        decision.output_tokens,
        _number(decision.work_tokens),
        decision.cached_tokens,
        _number(decision.value_usd),
        decision.quality_share,
        _number(decision.cost_usd),
        _number(decision.low_cost_usd),
        decision.affinity_usd,
        decision.wait_usd,
        decision.lambda_ratio,
        decision.joule_usd,
        decision.use_j,
        decision.score_usd,
        decision.worst_usd,
        decision.worst_j,
        decision.runner_up,
        decision.runner_up_score_usd,
        decision.next_admitted_s,
        decision.policy,
        rates,
    )


def snapshot_of(state: State, decision: Decision) -> Snapshot:
    """Return what of the state the decision read."""
    request, index = decision.request, decision.workload_index
    counts = state.counts
    last = None
    if request.session is not None:
        last = state.sessions.last(request.tenant, request.session)
    known = 0 <= index < len(counts.served_tokens)
    lambdas = tuple(
        (name, pacer.pacing.unit, pacer.lambda_usd_per_unit)
        for name in request.budgets
        if (pacer := state.pacers.get(name)) is not None
    )
    held: tuple[tuple[float, float], ...] = ()
    if counts.held_tokens:
        held = tuple((at_s, n) for (load, at_s), n in counts.held_tokens.items() if load == index)
    return Snapshot(
        now_s=state.now_s,
        busy=counts.busy,
        down=tuple(state.down) if state.down else (),
        served_tokens=counts.served_tokens[index] if known else 0.0,
        held_tokens=held,
        last_deployment="" if last is None else last.deployment,
        last_prefix_tokens=0 if last is None else last.prefix_tokens,
        lambdas=lambdas,
        safe_mode=state.safe_mode,
    )


def opened_record(flight: "Flight", decision: Decision, seat: Seat | None) -> Opened:
    """Return the OPEN of a request that goes to a seat, or (None) begins to be held."""
    asked, request, row = flight.asked, flight.request, flight.row
    assert asked is not None
    assert request is not None
    assert row is not None
    assert flight.snapshot is not None
    place = decision.candidate
    return Opened(
        request_id=flight.request_id,
        at_s=flight.opened_s,
        tenant=request.tenant,
        key_id=flight.caller.key_id,
        tier=row.tier,
        workload=request.workload,
        endpoint=flight.endpoint,
        stream=asked.stream,
        model_asked=asked.model,
        site="" if place is None else place.site,
        accelerator="" if place is None else place.accelerator,
        upstream="" if seat is None else seat.upstream.name,
        board_id=decision.board_id,
        price_version=flight.gateway.plan.price_version,
        energy_tier="modelled" if place is None else place.energy_tier,
        prompt_bytes=asked.text_bytes_count,
        user_hash=flight.gateway.admission.user_hash(request.tenant, asked.user),
        batch=flight.batch,
        holdings=flight.holdings,
        asked=asked_record(request),
        decided=decided_record(decision, flight.rho_ratio),
        state=snapshot_of(flight.snapshot, decision),
    )


def closed_record(
    flight: "Flight", decision: Decision, used: Used, *, outcome: Outcome, status: int
) -> Closed:
    """Return the CLOSE of a request."""
    units = flight.gateway.account_units
    settled = tuple(used.of(holding, units) for holding in flight.holdings)
    over = any(a > h.quantity for a, h in zip(settled, flight.holdings, strict=True))
    now_s = flight.gateway.now_s()
    place = decision.candidate
    first_s = flight.first_s - flight.opened_s if flight.first_s else None
    return Closed(
        request_id=flight.request_id,
        at_s=now_s,
        outcome=outcome,
        status=status,
        model=decision.model,
        site="" if place is None else place.site,
        accelerator="" if place is None else place.accelerator,
        upstream=flight.upstream_name,
        input_tokens=used.input_tokens,
        cached_tokens=used.cached_tokens,
        output_tokens=used.output_tokens,
        reasoning_tokens=used.reasoning_tokens,
        usage_source=used.source,
        cost_nano_usd=used.cost_nano_usd,
        low_cost_nano_usd=round(used.low_cost_usd * NANO_USD_PER_USD),
        charge_nano_usd=used.charge_nano_usd,
        microjoules=used.microjoules,
        energy_tier="modelled" if place is None else place.energy_tier,
        settled=settled,
        over_reserved=over,
        first_byte_s=first_s,
        ended_s=now_s - flight.opened_s,
        finish=used.finish,
        retries_count=flight.retries_count,
    )


def refused_record(flight: "Flight", error: ApiError) -> Refused:
    """Return the REFUSED of a request that never had an OPEN."""
    request, row, asked = flight.request, flight.row, flight.asked
    decision = flight.decision
    state = flight.snapshot
    decided = None if decision is None else decided_record(decision, flight.rho_ratio)
    snapshot = None
    if decision is not None and state is not None:
        snapshot = snapshot_of(state, decision)
    reason = error.code or "invalid_request"
    if decision is not None and decision.action == "refuse":
        reason = decision.reason
    return Refused(
        request_id=flight.request_id,
        at_s=flight.gateway.now_s(),
        tenant=flight.tenant.name,
        key_id=flight.caller.key_id,
        tier="" if row is None else row.tier,
        workload="" if row is None else row.workload.name,
        endpoint=flight.endpoint,
        model_asked="" if asked is None or row is None else asked.model,
        board_id="" if decision is None else decision.board_id,
        price_version=flight.gateway.plan.price_version,
        status=error.status,
        code=error.code or "",
        reason=reason,
        value_usd=0.0 if decision is None else _number(decision.value_usd),
        output_tokens=0 if request is None else request.output_tokens,
        policy="" if decision is None else decision.policy,
        batch=flight.batch,
        asked=None if request is None else asked_record(request),
        decided=decided,
        state=snapshot,
    )


def _number(value: float) -> float:
    return value if isfinite(value) else 0.0


def verdict_of(outcome: Outcome, status: int) -> Verdict:
    """Return what the end of a request says of its upstream."""
    if outcome in ("cancelled", "interrupted", "left_the_hold"):
        return "left"
    return "fault" if outcome == "failed" and status >= 500 else "ok"
