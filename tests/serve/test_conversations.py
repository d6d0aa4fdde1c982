"""Conversations: remembered by tenant, bounded, lent to one decision."""

from faulty_upstream import faulty_upstream
from gateway_world import running
from request_boards import board, candidate, rung, workload

from tokenergy.routing.affinity import LastPlace
from tokenergy.routing.state import State
from tokenergy.serve.conversations import NOBODY, Conversations, lent

HERE = LastPlace("m@a", 100)


def test_a_conversation_is_its_tenants() -> None:
    held = Conversations()
    held.remember("ann", b"talk", HERE)
    assert held.last("ann", b"talk") == HERE
    assert held.last("bob", b"talk") is None
    assert held.last("ann", b"other") is None


def test_the_least_recently_used_go_first_and_only_of_their_tenant() -> None:
    """A limit of 4: two generations of 2."""
    held = Conversations(limit_count=4)
    held.remember("bob", b"b", HERE)
    for head in (b"1", b"2", b"3", b"4"):
        held.remember("ann", head, HERE)
    assert held.last("ann", b"1") is None
    assert held.last("ann", b"4") == HERE
    assert held.last("bob", b"b") == HERE


def test_a_state_is_lent_what_one_request_needs_and_learns_nothing() -> None:
    load = workload([rung([candidate("m@a", 1.0)])])
    state = State.opened(board(load), now_s=0.0, sessions=NOBODY)
    assert state.sessions.last("ann", "s") is None
    knows = state._replace(sessions=lent(HERE))
    assert knows.sessions.last("ann", "s") == HERE
    assert knows.sessions.with_last("ann", "s", HERE) is NOBODY


def test_a_second_turn_goes_where_its_prefix_is() -> None:
    """Equal shares at equal prices: turns alternate between conversations, and not within one."""
    from gateway_world import board_of, plan_of

    with faulty_upstream() as near, faulty_upstream() as far:
        plan = plan_of([near.url, far.url])
        made = board_of(plan, prices_usd_per_mtok=(1.0, 1.0), shares=(0.5, 0.5), kappa_ratio=0.2)
        with running(near, far, plan=plan, made=made) as world:
            for text in ("one", "two", "three", "four"):
                turns = [{"role": "user", "content": text}]
                first = world.post("/v1/chat/completions", {"model": "large", "messages": turns})
                turns += [{"role": "assistant", "content": "hm"}, {"role": "user", "content": "?"}]
                again = world.post("/v1/chat/completions", {"model": "large", "messages": turns})
                site = "x-tokenergy-site"
                assert again.headers[site] == first.headers[site]
                assert again.headers["x-tokenergy-reason"] == "affinity"
        assert near.counters.requests == far.counters.requests == 4
