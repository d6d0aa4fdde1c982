"""Affinity: a conversation stays where its prefix is, while that pays and while shares allow."""

import pytest
from request_boards import board, candidate, request, rung, workload

from tokenergy.routing.affinity import LastPlace, Remembered, Sessions
from tokenergy.routing.decide import decide
from tokenergy.routing.state import State

KAPPA = 0.5


def two_places(*, price_of_b: float, shares: tuple[float, float] = (0.0, 0.0)) -> object:
    places = [
        candidate("m@a", 1.0, kappa_ratio=KAPPA, share=shares[0]),
        candidate("m@b", price_of_b, kappa_ratio=KAPPA, share=shares[1]),
    ]
    return board(workload([rung(places)], value_usd_per_mtok=50.0))


def after_an_answer_at(made: object, deployment: str, prefix_tokens: int) -> State:
    state = State.opened(made, now_s=0.0)  # type: ignore[arg-type]
    last = LastPlace(deployment, prefix_tokens)
    return state._replace(sessions=state.sessions.with_last("ann", "talk", last))


def asked(**more: object) -> object:
    return request(session="talk", input_tokens=2_000, output_tokens=1_000, **more)


def test_a_dearer_place_is_taken_where_its_prefix_saves_more() -> None:
    """2,000 in, all of it in b's cache, 1,000 out, kappa 0.5, USD/Mtok 1 at a and 1.5 at b.

    b: 1.5 x (1000 + 0.5 x 0) = 1500 micro-USD. a: 1 x (1000 + 0) + 1 x 0.5 x 2000 = 2000, of
    which 1000 are the lost prefix. At 2.1 USD/Mtok b costs 2100: the conversation moves.
    """
    for price, deployment, cost in ((1.5, "m@b", 1_500e-6), (2.1, "m@a", 2_000e-6)):
        made = two_places(price_of_b=price)
        decision = decide(asked(), made, after_an_answer_at(made, "m@b", 5_000))  # type: ignore[arg-type]
        assert decision.deployment == deployment
        assert decision.cost_usd == pytest.approx(cost)
        moved = deployment == "m@a"
        assert decision.affinity_usd == pytest.approx(1_000e-6 if moved else 0.0)
        assert decision.cached_tokens == (0 if moved else 2_000)
        assert (decision.reason == "affinity") != moved


def test_only_what_lies_there_is_saved() -> None:
    """A prefix of 600 of 2,000 tokens: b works 1000 + 0.5 x 1400 = 1700, a 1700 + 0.5 x 600."""
    made = two_places(price_of_b=1.1)
    decision = decide(asked(), made, after_an_answer_at(made, "m@b", 600))  # type: ignore[arg-type]
    assert decision.deployment == "m@b"
    assert decision.work_tokens == pytest.approx(1_700.0)
    assert decision.cached_tokens == 600


def test_within_a_tie_the_place_of_the_prefix_leads_by_two_requests_at_most() -> None:
    """Shares of a half, one conversation after another at b, requests of 1,000 tokens.

    Each turn at b takes 500 off its credit: it leads at 0, -500, -1000 and -1500. At -2000 it does
    not, and the wheel turns to a, away from the prefix; at -1500 it leads again.
    """
    made = two_places(price_of_b=1.0, shares=(0.5, 0.5))
    state = after_an_answer_at(made, "m@b", 5_000)
    went = []
    for at in range(6):
        decision = decide(asked(request_id=str(at)), made, state)  # type: ignore[arg-type]
        went.append((decision.deployment, decision.reason))
        state = state.admitted(decision)
        last = LastPlace("m@b", 5_000)  # another conversation that began at b
        state = state._replace(sessions=state.sessions.with_last("ann", "talk", last))
    assert [place for place, _ in went] == ["m@b"] * 4 + ["m@a", "m@b"]
    assert [reason for _, reason in went] == ["affinity"] * 4 + ["tie_by_share", "affinity"]


def test_a_place_that_is_gone_holds_nothing() -> None:
    made = two_places(price_of_b=1.0)
    state = after_an_answer_at(made, "m@b", 5_000).with_down({"m@b"})
    decision = decide(asked(), made, state)  # type: ignore[arg-type]
    assert decision.deployment == "m@a"
    assert decision.affinity_usd == pytest.approx(1_000e-6)


def test_without_a_session_a_shared_prefix_is_cached_everywhere() -> None:
    """2,000 in, 800 of a system prompt in every cache: 1000 + 0.5 x 1200 wherever it goes."""
    made = two_places(price_of_b=1.0)
    plain = request(input_tokens=2_000, output_tokens=1_000, cached_tokens=800)
    decision = decide(plain, made, State.opened(made, now_s=0.0))  # type: ignore[arg-type]
    assert decision.work_tokens == pytest.approx(1_600.0)
    assert decision.affinity_usd == 0.0


def test_the_memory_is_bounded_by_tenant_and_keeps_what_is_used() -> None:
    sessions = Sessions(limit_count=8)
    for at in range(100):
        sessions = sessions.with_last("loud", at, LastPlace("m@a", at))
        sessions = sessions.with_last("quiet", "one", LastPlace("m@b", 7))
    assert sessions.last("quiet", "one") == LastPlace("m@b", 7)
    assert sessions.last("loud", 99) == LastPlace("m@a", 99)
    assert sessions.last("loud", 0) is None
    kept = [at for at in range(100) if sessions.last("loud", at)]
    assert len(kept) <= 8
    assert kept == list(range(kept[0], 100)), "the last ones are kept"


def test_a_new_memory_leaves_the_old_one_alone() -> None:
    first = Remembered().with_last("s", LastPlace("m@a", 1), limit_count=100)
    second = first.with_last("s", LastPlace("m@b", 2), limit_count=100)
    assert first.last("s") == LastPlace("m@a", 1)
    assert second.last("s") == LastPlace("m@b", 2)
    assert second.young.entries_count == 1
