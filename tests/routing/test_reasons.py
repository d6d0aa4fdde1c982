"""Every reason of the closed list, each reached by one case with its arithmetic."""

from collections.abc import Callable

import pytest
from request_boards import HOUR_S, board, candidate, request, rung, workload

from tokenergy.company.board import Board
from tokenergy.company.decision import REASONS, Decision
from tokenergy.routing.affinity import LastPlace
from tokenergy.routing.decide import decide
from tokenergy.routing.pacing import Lease, Pacing, opened
from tokenergy.routing.state import State

A, B = candidate("m@a", 2.0), candidate("m@b", 3.0)


def fresh(made: Board) -> State:
    return State.opened(made, now_s=60.0)


def with_budget(made: Board, *, price: float, limit_usd: float = 1.0) -> State:
    law = Pacing(
        budget="ann",
        unit="usd",
        start_s=0.0,
        end_s=24 * HOUR_S,
        budget_quantity=1.0,
        requests_count=100.0,
        mean_use_quantity=0.01,
        dual_usd_per_unit=price,
        worth_usd_per_unit=1.0,
    )
    lease = Lease(budget="ann", limit_quantity=limit_usd)
    return State.opened(made, now_s=60.0, pacers=[opened(law)], leases=[lease])


def value_above_cost() -> Decision:
    """1,000 tokens worth 5 and costing 2 USD/Mtok: 0.005 - 0.002 = 0.003 USD."""
    made = board(workload([rung([A, B])]))
    decision = decide(request(), made, fresh(made))
    assert decision.deployment == "m@a"
    assert decision.score_usd == pytest.approx(0.003)
    assert decision.runner_up == "refuse" and decision.runner_up_score_usd == 0.0
    return decision


def must_serve() -> Decision:
    """Worth 1, costing 2 USD/Mtok: -0.001 USD, and served."""
    made = board(workload([rung([A])], value_usd_per_mtok=1.0, must_serve=True))
    decision = decide(request(), made, fresh(made))
    assert decision.action == "serve" and decision.score_usd == pytest.approx(-0.001)
    return decision


def tie_by_share() -> Decision:
    """Shares 0.7 and 0.3 at one price: the larger share has the first turn."""
    places = [candidate("m@a", 2.0, share=0.3), candidate("m@b", 2.0, share=0.7)]
    made = board(workload([rung(places)]))
    decision = decide(request(), made, fresh(made))
    assert decision.deployment == "m@b" and decision.tied_share == (0.3, 0.7)
    return decision


def affinity() -> Decision:
    """The same tie; the conversation was at a, and the wheel owes nobody anything."""
    places = [candidate("m@a", 2.0, share=0.3), candidate("m@b", 2.0, share=0.7)]
    made = board(workload([rung(places)]))
    state = fresh(made)
    sessions = state.sessions.with_last("ann", "talk", LastPlace("m@a", 50))
    decision = decide(request(session="talk"), made, state._replace(sessions=sessions))
    assert decision.deployment == "m@a"
    return decision


def cheaper_interval() -> Decision:
    """Now 2.00, then 1.95, 1.00, 0.50: the last begins at 3 h, the answer takes 10.2 s.

    With a deadline at 3 h and 10 s only the hour of 1.00 ends in time: 0.004 against 0.003, a
    gain of 50 % of the cost of 0.002.
    """
    made = board(workload([rung([A], ahead_usd_per_mtok=(2.0, 1.95, 1.0, 0.5))]))
    decision = decide(request(deadline_s=3 * HOUR_S + 10.0), made, fresh(made))
    assert decision.release_s == 2 * HOUR_S and decision.score_usd == pytest.approx(0.004)
    assert decision.runner_up == "serve m@a"
    # 1.95 alone gains 2.5 % of the cost: below the hysteresis of 5 % it does not wait.
    short = decide(request(deadline_s=1.5 * HOUR_S), made, fresh(made))
    assert short.action == "serve"
    later = decide(request(deadline_s=3 * HOUR_S + 10.3), made, fresh(made))
    assert later.release_s == 3 * HOUR_S
    return decision


def downgrade_pays() -> Decision:
    """Large: 0.005 - 0.002 = 0.003. Small at 0.8 of the quality: 0.004 - 0.0005 = 0.0035."""
    small = rung([candidate("n@a", 0.5)], quality_share=0.8)
    made = board(workload([rung([A]), small]))
    decision = decide(request(), made, fresh(made))
    assert decision.action == "downgrade" and decision.model == "n"
    assert decision.score_usd == pytest.approx(0.0035)
    assert decision.runner_up == "serve m@a"
    assert decision.runner_up_score_usd == pytest.approx(0.003)
    assert decide(request(may_downgrade=False), made, fresh(made)).model == "m"
    assert decide(request(model="m", may_downgrade=False), made, fresh(made)).model == "m"
    assert decide(request(model="n", may_downgrade=False), made, fresh(made)).action == "serve"
    return decision


def test_the_same_model_elsewhere_at_less_quality_is_no_cap() -> None:
    """An API of 0.9 of the quality at a quarter of the price: 0.0045 - 0.0005 over 0.003."""
    elsewhere = rung([candidate("m@api", 0.5)], quality_share=0.9)
    made = board(workload([rung([A]), elsewhere]))
    decision = decide(request(), made, fresh(made))
    assert (decision.deployment, decision.reason) == ("m@api", "downgrade_pays")
    assert decision.score_usd == pytest.approx(0.004)


def cap_pays() -> Decision:
    """Capped at 400 of 1,000 tokens with 0.9 of the worth: 0.0045 - 0.0008 = 0.0037."""
    capped = rung([A], quality_share=0.9, cap_tokens=400)
    made = board(workload([rung([A]), capped]))
    decision = decide(request(), made, fresh(made))
    assert decision.action == "cap" and decision.cap_tokens == 400
    assert decision.score_usd == pytest.approx(0.0037)
    assert decide(request(may_cap=False), made, fresh(made)).action == "serve"
    assert decide(request(cap_tokens=300), made, fresh(made)).cap_tokens == 300
    return decision


def place_full() -> Decision:
    """100 in flight on 100 slots at a: b, though it costs 3."""
    made = board(workload([rung([A, B])]))
    decision = decide(request(), made, fresh(made).with_scraped({"m@a": 100}))
    assert decision.deployment == "m@b" and decision.score_usd == pytest.approx(0.002)
    return decision


def place_down() -> Decision:
    made = board(workload([rung([A, B])]))
    decision = decide(request(), made, fresh(made).with_down({"m@a"}))
    assert decision.deployment == "m@b"
    failed = decide(request(without=frozenset({"m@a"})), made, fresh(made))
    assert failed.reason == "place_down" and failed.deployment == "m@b"
    return decision


def latency_class() -> Decision:
    """0.2 s and 1.9 s of the network are more than 2 s."""
    made = board(workload([rung([candidate("m@a", 2.0, rtt_s=1.9)])]))
    decision = decide(request(), made, fresh(made))
    assert decision.action == "refuse"
    return decision


def marginal_cost_exceeds_value() -> Decision:
    """Worth 1, costing 2 now, then 1.5, 1.2, 0.9: admitted again from the third hour on."""
    step = rung([A], ahead_usd_per_mtok=(2.0, 1.5, 1.2, 0.9, 0.8))
    made = board(workload([step], value_usd_per_mtok=1.0))
    decision = decide(request(), made, fresh(made))
    assert decision.action == "refuse" and decision.score_usd == 0.0
    assert decision.value_usd == pytest.approx(0.001) and decision.cost_usd == pytest.approx(0.002)
    assert decision.runner_up == "serve m@a"
    assert decision.runner_up_score_usd == pytest.approx(-0.001)
    assert decision.next_admitted_s == 3 * HOUR_S
    return decision


def budget_pacing() -> Decision:
    """0.005 - (1 + 2) x 0.002 = -0.001; at lambda 0 it would pass. 1.6 is the next below 5/3."""
    made = board(workload([rung([A], ahead_usd_per_mtok=(2.0, 1.7, 1.6))]))
    decision = decide(request(budgets=("ann",)), made, with_budget(made, price=2.0))
    assert decision.action == "refuse" and decision.lambda_ratio == 2.0
    assert decision.next_admitted_s == 2 * HOUR_S
    passes = decide(request(budgets=("ann",)), made, with_budget(made, price=1.4))
    assert passes.action == "serve" and passes.score_usd == pytest.approx(0.0002)
    return decision


def budget_exhausted() -> Decision:
    """At worst 4,000 tokens at 2 USD/Mtok: 0.008 USD; 0.007 are left."""
    made = board(workload([rung([A])]))
    asked = request(budgets=("ann",), output_most_tokens=4_000)
    decision = decide(asked, made, with_budget(made, price=0.0, limit_usd=0.007))
    assert decision.action == "refuse"
    fits = decide(asked, made, with_budget(made, price=0.0, limit_usd=0.009))
    assert fits.action == "serve" and fits.worst_usd == pytest.approx(0.008)
    return decision


def rate_limited() -> Decision:
    made = board(workload([rung([A])]))
    assert decide(request(), made, fresh(made).with_limited({"bob"})).action == "serve"
    return decide(request(), made, fresh(made).with_limited({"ann"}))


def overloaded() -> Decision:
    made = board(workload([rung([A, B])]))
    return decide(request(), made, fresh(made).with_scraped({"m@a": 200, "m@b": 200}))


def no_capable_deployment() -> Decision:
    made = board(workload([rung([A])]))
    assert decide(request(input_tokens=99_001), made, fresh(made)).action == "refuse"
    assert decide(request(input_tokens=99_000), made, fresh(made)).action == "serve"
    assert decide(request(workload="unknown"), made, fresh(made)).action == "refuse"
    return decide(request(needs=frozenset({"vision"})), made, fresh(made))


def safe_mode() -> Decision:
    """Worth 1 and costing 2 by a board of an hour ago: served all the same, and it says so."""
    made = board(workload([rung([A])], value_usd_per_mtok=1.0))
    state = fresh(made)
    assert decide(request(), made, state).action == "refuse"
    stale = decide(request(), made, state.at(HOUR_S))
    assert stale.policy == "reserve" and stale.reason == "safe_mode"
    assert decide(request(), made, state.at(HOUR_S - 1.0)).policy == "mpc"
    return decide(request(), made, state.with_safe_mode(safe_mode=True))


CASES: tuple[Callable[[], Decision], ...] = (
    value_above_cost, must_serve, tie_by_share, affinity, cheaper_interval, downgrade_pays,
    cap_pays, place_full, place_down, latency_class, marginal_cost_exceeds_value, budget_pacing,
    budget_exhausted, rate_limited, overloaded, no_capable_deployment, safe_mode,
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_reason_is_given(case: Callable[[], Decision]) -> None:
    decision = case()
    assert decision.reason == case.__name__
    assert decision.board_id


def test_every_reason_is_reached() -> None:
    assert tuple(case.__name__ for case in CASES) == REASONS


def test_a_board_is_stale_after_two_refresh_periods_or_at_its_end() -> None:
    made = board(workload([rung([A])]), refresh_s=300.0)
    state = State.opened(made, now_s=600.0)
    assert decide(request(), made, state).policy == "mpc"
    assert decide(request(), made, state.at(600.1)).policy == "reserve"


def test_a_stale_board_releases_deferred_work_by_the_reservation_price() -> None:
    """Last week's cheapest were 1, 2, 3, 4, 5; the answer may be released in 3 more hours.

    The quarter quantile (k + 1 = 4) is the second of the five: 2. A price of 2 runs, 2.5 waits one
    hour; with no hour left it runs whatever the price.
    """
    for price, action in ((2.0, "serve"), (2.5, "defer")):
        step = rung(
            [candidate("m@a", price)],
            ahead_usd_per_mtok=(price,) * 10,
            reservation_usd_per_mtok=(5.0, 4.0, 3.0, 2.0, 1.0),
        )
        made = board(workload([step], value_usd_per_mtok=0.1), valid_until_s=1.0)
        state = State.opened(made, now_s=60.0)
        decision = decide(request(deadline_s=3 * HOUR_S + 60.0), made, state)
        assert decision.action == action
        assert decision.policy == "reserve"
        if action == "defer":
            assert decision.release_s == HOUR_S
        assert decide(request(deadline_s=HOUR_S), made, state).action == "serve"


def test_the_left_end_admits_what_is_planned() -> None:
    """Worth 2.5; one token more costs 3, a planned one 2 USD/Mtok; 36,000 tokens are planned.

    The right end refuses. The left end admits while less than the plan has been served: after
    1 s of the hour the plan is 10 tokens, so that one request passes and the next does not; by
    half an hour 18,000 tokens may be served.
    """
    place = candidate("m@a", 3.0, low_usd_per_mtok=2.0)

    def made(admission: str) -> Board:
        load = workload([rung([place])], value_usd_per_mtok=2.5, planned_mtok=0.036)
        return board(load, admission=admission)

    right, left = made("right"), made("left_while_behind")
    assert decide(request(), right, State.opened(right, now_s=1.0)).action == "refuse"
    state = State.opened(left, now_s=1.0)
    first = decide(request(), left, state)
    assert first.action == "serve" and first.reason == "value_above_cost"
    assert first.cost_usd == pytest.approx(0.003) and first.low_cost_usd == pytest.approx(0.002)
    state = state.admitted(first)
    assert decide(request(), left, state).action == "refuse"
    assert decide(request(), left, state.at(1_800.0)).action == "serve"


def test_deferral_takes_the_places_of_an_interval_and_then_the_next_one() -> None:
    """Hours at 1.0 and 1.5 with 2,500 and 10,000 tokens of planned release, requests of 1,000.

    Two find a place in the cheapest hour; the third would make 3,000 and takes the next; so do
    all others. Where waiting pays no more the rest is served now.
    """
    step = rung([A], ahead_usd_per_mtok=(2.0, 1.5, 1.0))
    load = workload([step], service_tier="flex", release_mtok_per_h=(0.0, 0.01, 0.0025))
    made = board(load)
    state = fresh(made)
    went = []
    for at in range(14):
        asked = request(request_id=str(at), deadline_s=10 * HOUR_S)
        decision = decide(asked, made, state)
        went.append(decision.release_interval)
        state = state.admitted(decision)
    assert went == [2, 2, *[1] * 10, 0, 0]


def test_time_ties_like_space_and_the_plan_says_when() -> None:
    """2.00 now and 2.01 in an hour, half a per cent more; 36,000 tokens are planned for this hour.

    Nothing served at 100 s: the hour is not ahead of its plan, so the request runs. With 2,000
    tokens served, ahead of the 1,000 that are planned by then, it waits; at 200 s it is not ahead
    any more. At 2.05, 2.5 % more, there is no tie, and it runs.
    """
    for price, waits in ((2.01, True), (2.05, False)):
        step = rung([A], ahead_usd_per_mtok=(2.0, price))
        load = workload([step], service_tier="flex", release_mtok_per_h=(0.036, 1.0))
        made = board(load)
        state = State.opened(made, now_s=100.0)
        asked = request(deadline_s=10 * HOUR_S)
        first = decide(asked, made, state)
        assert first.action == "serve"
        state = state.admitted(first).admitted(first)
        assert (decide(asked, made, state).action == "defer") == waits
        assert decide(asked, made, state.at(201.0)).action == "serve"


def test_of_hours_that_tie_the_earliest_is_waited_for() -> None:
    """1.00 in the fourth hour; 1.009 in the second ties with it, 1.02 in the first does not."""
    step = rung([A], ahead_usd_per_mtok=(2.0, 1.02, 1.009, 1.05, 1.0))
    plain = board(workload([step]))
    asked = request(deadline_s=10 * HOUR_S)
    assert decide(asked, plain, fresh(plain)).release_interval == 2
    # The same where the running minimum does not tell, since the second hour has no places.
    load = workload([step], service_tier="flex", release_mtok_per_h=(1.0, 1.0, 0.0, 1.0, 1.0))
    full = board(load)
    assert decide(asked, full, fresh(full)).release_interval == 4
