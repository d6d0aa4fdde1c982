"""The state: what a decision, an answer and a new board change, and what they leave alone."""

import pytest
from request_boards import HOUR_S, board, candidate, request, rung, workload

from tokenergy.company.board import Board
from tokenergy.routing.cost import usage_of
from tokenergy.routing.decide import decide
from tokenergy.routing.pacing import Lease, Pacer, Pacing, opened
from tokenergy.routing.state import State


def shared(*names: str, **more: object) -> Board:
    places = [candidate(name, 1.0, share=1.0 / len(names), kappa_ratio=0.5) for name in names]
    return board(workload([rung(places)], rho_ratio=0.1), **more)


def pacer(budget: str, unit: str) -> Pacer:
    law = Pacing(
        budget=budget,
        unit="usd" if unit == "usd" else "j",
        start_s=0.0,
        end_s=24 * HOUR_S,
        budget_quantity=1.0 if unit == "usd" else 1e6,
        requests_count=100.0,
        mean_use_quantity=0.01 if unit == "usd" else 1e4,
        dual_usd_per_unit=0.0,
        worth_usd_per_unit=1.0 if unit == "usd" else 1e-6,
    )
    return opened(law)


def test_an_answer_takes_a_slot_and_gives_it_back() -> None:
    made = shared("m@a", "m@b")
    start = State.opened(made, now_s=0.0)
    decision = decide(request(), made, start)
    under_way = start.admitted(decision)
    assert start.counts.in_flight == (0, 0)
    assert under_way.counts.in_flight == (1, 0) == under_way.counts.busy
    assert under_way.counts.served_tokens == (1_000.0,)
    usage = usage_of(
        decision, made.workloads[0], input_tokens=100, cached_tokens=0, output_tokens=700
    )
    after = under_way.settled(usage)
    assert after.counts.in_flight == (0, 0)
    # Half of 1,000, and then of the 700 that it took.
    assert under_way.counts.wheels[0]["m@a", "m@b"].credits_tokens == (-500.0, 500.0)
    assert after.counts.wheels[0]["m@a", "m@b"].credits_tokens == (-350.0, 350.0)


def test_token_shares_follow_the_plan_within_one_request_of_each() -> None:
    shares = {"m@a": 0.5, "m@b": 0.3, "m@c": 0.2}
    places = [candidate(name, 1.0, share=share) for name, share in shares.items()]
    made = board(workload([rung(places)]))
    state, got = State.opened(made, now_s=0.0), dict.fromkeys(shares, 0)
    for at in range(500):
        asked = request(request_id=str(at), output_tokens=100 + 37 * at % 900)
        decision = decide(asked, made, state)
        got[decision.deployment] += asked.output_tokens
        state = state.admitted(decision).settled(
            usage_of(
                decision,
                made.workloads[0],
                input_tokens=asked.input_tokens,
                cached_tokens=0,
                output_tokens=asked.output_tokens,
            )
        )
    total = sum(got.values())
    for name, share in shares.items():
        assert abs(got[name] - share * total) <= 2 * 1_000


def test_what_the_engines_tell_counts_where_it_is_more() -> None:
    made = shared("m@a", "m@b")
    state = State.opened(made, now_s=0.0).with_scraped({"m@a": 3})
    decision = decide(request(), made, state)
    assert state.admitted(decision).counts.busy == (3, 0)
    assert state.with_scraped({}).admitted(decision).counts.busy == (1, 0)


def test_a_usage_is_priced_as_its_decision_was() -> None:
    """700 out, 900 in of which 200 cached, rho 0.1, kappa 0.5, 1 USD/Mtok, 1 J a token.

    Work 700 + 0.5 (700 - 70) = 1015 tokens.
    """
    made = shared("m@a")
    decision = decide(request(), made, State.opened(made, now_s=0.0))
    usage = usage_of(
        decision, made.workloads[0], input_tokens=900, cached_tokens=200, output_tokens=700
    )
    assert usage.cost_usd == pytest.approx(1_015e-6)
    assert usage.use_j == pytest.approx(1_015.0)


def test_budgets_pay_what_is_expected_and_then_what_it_was() -> None:
    """1,000 out, 100 in as the mean has it: 1,000 micro-USD and 1,000 J expected."""
    made = shared("m@a")
    start = State.opened(
        made,
        now_s=0.0,
        pacers=[pacer("ann", "usd"), pacer("site", "j")],
        leases=[Lease(budget="ann", limit_quantity=1.0)],
    )
    asked = request(budgets=("ann", "site"), output_most_tokens=2_000)
    decision = decide(asked, made, start)
    under_way = start.admitted(decision)
    assert decision.cost_usd == pytest.approx(1e-3)
    assert under_way.pacers["ann"].left_quantity == pytest.approx(1.0 - 1e-3)
    assert under_way.pacers["site"].left_quantity == pytest.approx(1e6 - 1e3)
    # At worst: 2,000 out and 125 in, which is 75 less than 0.1 of it: 2000 - 0.5 x 75.
    assert under_way.leases["ann"].reserved_quantity == pytest.approx(1_962.5e-6)
    usage = usage_of(
        decision, made.workloads[0], input_tokens=100, cached_tokens=0, output_tokens=1_000
    )._replace(cost_usd=4e-4, use_j=300.0)
    after = under_way.settled(usage)
    assert after.pacers["ann"].left_quantity == pytest.approx(1.0 - 4e-4)
    assert after.pacers["site"].left_quantity == pytest.approx(1e6 - 300.0)
    assert after.leases["ann"].spent_quantity == pytest.approx(4e-4)
    assert after.leases["ann"].reserved_quantity == pytest.approx(0.0)


def test_a_refused_request_is_seen_and_costs_nothing() -> None:
    made = board(workload([rung([candidate("m@a", 9.0)])]))
    start = State.opened(made, now_s=0.0, pacers=[pacer("ann", "usd")])
    decision = decide(request(budgets=("ann",)), made, start)
    after = start.admitted(decision).pacers["ann"]
    assert decision.action == "refuse"
    assert (after.seen_count, after.left_quantity) == (1.0, 1.0)


def test_on_a_stale_board_lambda_stands_still() -> None:
    made = shared("m@a", valid_until_s=1.0)
    start = State.opened(made, now_s=60.0, pacers=[pacer("ann", "usd")])
    decision = decide(request(budgets=("ann",), output_tokens=90_000), made, start)
    assert decision.policy == "reserve" and decision.cost_usd > 0.01
    after = start.admitted(decision).pacers["ann"]
    assert after.lambda_usd_per_unit == 0.0 and after.left_quantity < 1.0
    fresh = start.at(0.5)
    assert (
        fresh.admitted(decide(request(budgets=("ann",), output_tokens=90_000), made, fresh))
        .pacers["ann"]
        .lambda_usd_per_unit
        > 0.0
    )


def test_a_new_board_of_the_same_places_keeps_what_is_under_way() -> None:
    first, second = shared("m@a", "m@b"), shared("m@a", "m@b", start_s=HOUR_S, made_at_s=HOUR_S)
    state = State.opened(first, now_s=0.0)
    state = state.admitted(decide(request(), first, state))
    after = state.refreshed(second)
    assert after.counts.in_flight == state.counts.in_flight
    assert after.counts.wheels == state.counts.wheels
    assert after.counts.served_tokens == (0.0,)
    assert first.board_id != second.board_id


def test_a_place_that_goes_gives_its_credit_back() -> None:
    """Thirds of 900: (-600, 300, 300). b goes: its 300 go to a, the only one that owes."""
    first, second = shared("m@a", "m@b", "m@c"), shared("m@a", "m@c", start_s=HOUR_S)
    state = State.opened(first, now_s=0.0).with_down({"m@c"})
    up = State.opened(first, now_s=0.0)
    decision = decide(request(output_tokens=900), first, up)
    after = up.admitted(decision).refreshed(second)
    assert after.counts.wheels[0]["m@a", "m@c"].credits_tokens == pytest.approx((-300.0, 300.0))
    assert after.counts.in_flight == (1, 0)
    assert state.refreshed(second).down == frozenset({1})
    # An answer that was begun under the old board still ends under the new one.
    usage = usage_of(
        decision, first.workloads[0], input_tokens=100, cached_tokens=0, output_tokens=10
    )
    assert after.settled(usage).counts.in_flight == (0, 0)
    nobody = shared("m@x")
    assert up.admitted(decision).refreshed(nobody).settled(usage).counts.in_flight == (0,)


def test_held_places_of_intervals_that_began_are_forgotten() -> None:
    step = rung([candidate("m@a", 2.0)], ahead_usd_per_mtok=(2.0, 1.0, 1.5))
    made = board(workload([step]))
    state = State.opened(made, now_s=0.0)
    decision = decide(request(deadline_s=9 * HOUR_S), made, state)
    held = state.admitted(decision)
    assert dict(held.counts.held_tokens) == {(0, HOUR_S): 1_000.0}
    later = board(workload([step]), start_s=HOUR_S)
    assert not held.refreshed(later).counts.held_tokens
