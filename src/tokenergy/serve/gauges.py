"""What a worker tells of this moment: the board, prices, budgets, servers, journal."""

from typing import TYPE_CHECKING, Final

from tokenergy.company.board import PART_NAMES, Board, Candidate
from tokenergy.company.finding import Finding
from tokenergy.routing.pacing import Pacer
from tokenergy.routing.state import RESERVE, State
from tokenergy.serve.board_watch import MakerFinding
from tokenergy.serve.gateway_metrics import Tally

if TYPE_CHECKING:
    from tokenergy.serve.gateway import Gateway

CIRCUITS: Final = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
"""States of a circuit as a gauge."""
BY_PLACE: Final = ("tokenergy_marginal_cost_usd_per_mtok", "tokenergy_gateway_in_flight_count")
"""Told anew each time: another board may have other places."""


def gauge(gateway: "Gateway") -> None:
    """Set what is told of this moment; what nobody knows leaves no series."""
    tally, board, state = gateway.tally, gateway.board, gateway.state
    gateway.served.told(tally)
    now_s = gateway.now_s()
    tally.set("tokenergy_gateway_journal_bytes", (), gateway.journal.bytes_count)
    tally.set("tokenergy_gateway_journal_limit_bytes", (), gateway.plan.limits.journal_bytes)
    for tier, count in gateway.holding.by_tier().items():
        tally.set("tokenergy_gateway_held_requests_count", (tier,), count)
    _servers(gateway)
    _findings(gateway)
    if board is None or state is None:
        return
    _board(tally, board, state, now_s)
    for name, pacer in state.pacers.items():
        _budget(tally, name, pacer, now_s)
    _places(tally, board, state)


def _servers(gateway: "Gateway") -> None:
    circuits = gateway.pool.circuits()
    for name, circuit in circuits.items():
        gateway.tally.set("tokenergy_gateway_circuit_state", (name,), CIRCUITS[circuit])
    for one in gateway.plan.upstreams:
        up = circuits.get(one.name, "open") != "open"  # one that could not be made is out for good
        labels = (one.name, one.site, one.model)
        gateway.tally.set("tokenergy_gateway_server_up", labels, float(up))


def _findings(gateway: "Gateway") -> None:
    """Tell findings by their code, of which there are few; the reason is for readiness to tell."""
    tally, maker = gateway.tally, gateway.watch.maker
    found: list[Finding | MakerFinding] = [*gateway.watch.findings]
    if maker is not None:
        found += maker.findings
    tally.clear("tokenergy_gateway_findings_count")
    counts: dict[tuple[str, str], float] = {}
    for each in found:
        counts[each.code, each.severity] = counts.get((each.code, each.severity), 0.0) + 1.0
    for labels, count in counts.items():
        tally.set("tokenergy_gateway_findings_count", labels, count)


def _board(tally: Tally, board: Board, state: State, now_s: float) -> None:
    stale = board.is_stale(now_s)
    tally.set("tokenergy_gateway_board_age_seconds", (), now_s - board.made_at_s)
    tally.set("tokenergy_gateway_board_stale", (), float(stale))
    tally.set("tokenergy_gateway_safe_mode", (), float(state.safe_mode))
    tally.clear("tokenergy_gateway_board_policy")
    policy = RESERVE if stale else board.policy
    tally.set("tokenergy_gateway_board_policy", (policy,), 1.0)


def _budget(tally: Tally, name: str, pacer: Pacer, now_s: float) -> None:
    pacing = pacer.pacing
    unit = "usd" if pacing.unit == "usd" else "joules"
    tally.set("tokenergy_gateway_budget_lambda", (name,), pacer.lambda_usd_per_unit)
    tally.set(f"tokenergy_gateway_budget_left_{unit}", (name,), pacer.left_quantity)
    tally.set(f"tokenergy_gateway_budget_limit_{unit}", (name,), pacing.budget_quantity)
    elapsed_share = (now_s - pacing.start_s) / (pacing.end_s - pacing.start_s)
    elapsed_share = min(1.0, max(0.0, elapsed_share))
    tally.set("tokenergy_gateway_budget_elapsed_share", (name,), elapsed_share)


def _places(tally: Tally, board: Board, state: State) -> None:
    """Tell prices and requests by site and model; of several fleets the cheapest one's price.

    Each place's requests are counted once, however many workloads may go there.
    """
    for name in BY_PLACE:
        tally.clear(name)
    seen: dict[str, Candidate] = {}
    cheapest: dict[tuple[str, str, str], Candidate] = {}
    for load in board.workloads:
        for rung in load.rungs:
            for place in rung.candidates:
                seen[place.deployment] = place
                where = (place.site, place.model, load.name)
                held = cheapest.get(where)
                if held is None or place.high_usd_per_mtok < held.high_usd_per_mtok:
                    cheapest[where] = place
    in_flight = dict(zip(state.places, state.counts.in_flight, strict=True))
    counts: dict[tuple[str, str], float] = {}
    for name, place in seen.items():
        here = (place.site, place.model)
        counts[here] = counts.get(here, 0.0) + in_flight.get(name, 0)
    for here, count in counts.items():
        tally.set("tokenergy_gateway_in_flight_count", here, count)
    for where, place in cheapest.items():
        for part, usd_per_mtok in zip(PART_NAMES, place.parts_usd_per_mtok, strict=True):
            tally.set("tokenergy_marginal_cost_usd_per_mtok", (*where, part), usd_per_mtok)
