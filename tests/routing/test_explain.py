"""Explaining: the actions that are shown hold the one that was decided, with the same numbers."""

from hypothesis import given, settings
from hypothesis import strategies as st
from request_boards import board, candidate, request, rung, workload

from tokenergy.routing.decide import decide
from tokenergy.routing.explain import explained
from tokenergy.routing.state import State


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0.1, 8.0), min_size=1, max_size=4),
    st.lists(st.floats(0.1, 8.0), min_size=1, max_size=5),
    st.one_of(st.none(), st.floats(0.0, 20_000.0)),
)
def test_the_decision_is_among_them(
    prices: list[float], ahead: list[float], deadline_s: float | None
) -> None:
    places = [candidate(f"m@{at}", price) for at, price in enumerate(prices)]
    made = board(workload([rung(places, ahead_usd_per_mtok=ahead)]))
    state, asked = State.opened(made, now_s=0.0), request(deadline_s=deadline_s)
    decision, actions = decide(asked, made, state), explained(asked, made, state)
    same = [
        one
        for one in actions
        if (one.deployment, one.interval, one.model)
        == (decision.deployment, decision.release_interval, decision.model)
    ]
    assert len(same) == 1
    assert same[0].score_usd == decision.score_usd
    assert same[0].removed == ""
    # Nothing beats it but by what the tie and the hysteresis leave.
    left = 0.05 * max(abs(one.cost_usd) for one in actions) + 1e-12
    assert max(one.score_usd for one in actions) <= decision.score_usd + left


def test_what_was_not_to_be_had_says_why() -> None:
    places = [
        candidate("m@a", 1.0),
        candidate("m@b", 1.0),
        candidate("m@c", 1.0, rtt_s=5.0),
        candidate("m@d", 1.0, context_limit_tokens=10),
    ]
    load = workload([rung(places, ahead_usd_per_mtok=(1.0, 1.0))], release_mtok_per_h=(0.0, 0.0))
    made = board(load)
    state = State.opened(made, now_s=0.0).with_scraped({"m@a": 100}).with_down({"m@b"})
    told = {one.deployment: one.removed for one in explained(request(deadline_s=9e4), made, state)}
    assert told["m@a"] == "full" and told["m@b"] == "down"
    assert told["m@c"] == "outside its latency class"
    assert told["m@d"] == "lacks a feature or the context"
    assert told[""] == "its places are taken"
    assert explained(request(workload="?"), made, state)[0].rung == -1
