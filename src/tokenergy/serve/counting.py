"""What is counted of a request that has ended, and what is learnt from its answer."""

from typing import TYPE_CHECKING, Final

from tokenergy.company.board import PART_NAMES
from tokenergy.company.serving.record import Closed
from tokenergy.routing.state import RESERVE
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD

if TYPE_CHECKING:
    from tokenergy.serve.flight import Flight
    from tokenergy.serve.gateway import Gateway

DONE: Final = {"serve": "served", "cap": "capped", "downgrade": "downgraded"}
"""Actions in the words of the metrics."""
CIRCUITS: Final = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
"""States of a circuit as a gauge."""


def count(gateway: "Gateway", flight: "Flight", record: Closed) -> None:
    """Count a request that has ended, and learn from its answer."""
    decision, request, asked = flight.decision, flight.request, flight.asked
    assert decision is not None
    assert request is not None
    assert asked is not None
    tally = gateway.tally
    tally.add("tokenergy_requests", (DONE.get(decision.action, "deferred"), decision.reason))
    who = (request.tenant, request.tier, record.model, record.site)
    tally.add("tokenergy_tokens", (*who, "input"), record.input_tokens)
    tally.add("tokenergy_tokens", (*who, "output"), record.output_tokens)
    if record.cached_tokens:
        tally.add("tokenergy_tokens", (*who, "cached_input"), record.cached_tokens)
    joules = record.microjoules / MICROJOULES_PER_J
    tally.add("tokenergy_energy_joules", (*who, "all", record.energy_tier), joules)
    tally.add("tokenergy_usage_source", (record.usage_source,))
    tally.add("tokenergy_charge_usd", who[:2], record.charge_nano_usd / NANO_USD_PER_USD)
    if record.cost_nano_usd:
        usd = record.cost_nano_usd / NANO_USD_PER_USD
        expected = decision.cost_usd or 1.0
        for name, part in decision.parts_usd().items():
            if part:
                tally.add("tokenergy_cost_usd", (name,), usd * part / expected)
    model = (record.model,)
    tally.observe("gen_ai_server_request_duration_seconds", model, record.ended_s)
    if record.first_byte_s is not None:
        tally.observe("gen_ai_server_time_to_first_token_seconds", model, record.first_byte_s)
    if record.usage_source == "reported" and record.status == 200:
        gateway.lengths = gateway.lengths.seen(
            tenant=request.tenant,
            model=flight.row.workload.ladder[0] if flight.row is not None else record.model,
            tier=request.tier,
            text_bytes_count=0 if asked.other_tokens else asked.text_bytes_count,
            text_tokens=record.input_tokens,
            output_tokens=record.output_tokens // max(1, asked.answers_count),
            capped=record.finish == "length",
        )


def gauge(gateway: "Gateway") -> None:
    """Set what is told of this moment: the board's age, places, budgets, the journal."""
    tally, board, state = gateway.tally, gateway.board, gateway.state
    now_s = gateway.now_s()
    tally.set("tokenergy_gateway_journal_bytes", (), gateway.journal.bytes_count)
    for tier, count in gateway.holding.by_tier().items():
        tally.set("tokenergy_gateway_held_requests_count", (tier,), count)
    for name, circuit in gateway.pool.circuits().items():
        tally.set("tokenergy_gateway_circuit_state", (name,), CIRCUITS[circuit])
    if board is None or state is None:
        return
    tally.set("tokenergy_gateway_board_age_seconds", (), now_s - board.made_at_s)
    tally.clear("tokenergy_gateway_board_policy")
    policy = RESERVE if board.is_stale(now_s) else board.policy
    tally.set("tokenergy_gateway_board_policy", (policy,), 1.0)
    for name, pacer in state.pacers.items():
        tally.set("tokenergy_gateway_budget_lambda", (name,), pacer.lambda_usd_per_unit)
        unit = "usd" if pacer.pacing.unit == "usd" else "joules"
        tally.set(f"tokenergy_gateway_budget_left_{unit}", (name,), pacer.left_quantity)
    in_flight = dict(zip(state.places, state.counts.in_flight, strict=True))
    for load in board.workloads:
        for rung in load.rungs:
            for place in rung.candidates:
                where = (place.site, place.model)
                count = in_flight.get(place.deployment, 0)
                tally.set("tokenergy_gateway_in_flight_count", where, count)
                prices = zip(PART_NAMES, place.parts_usd_per_mtok, strict=True)
                for part, usd_per_mtok in prices:
                    labels = (place.site, place.model, load.name, part)
                    tally.set("tokenergy_marginal_cost_usd_per_mtok", labels, usd_per_mtok)
