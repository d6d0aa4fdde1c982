"""Loads: what a place takes of its share, what the others get, how long a queue is."""

import math

import pytest
from request_boards import board, candidate, request, rung, workload

from tokenergy.company.board import Board
from tokenergy.routing.capacity import load_share, open_share, wait_s
from tokenergy.routing.decide import decide
from tokenergy.routing.state import State


def shared(**more: object) -> Board:
    """Return three places of 100 slots each that share 50, 30 and 20 % at one price."""
    places = [
        candidate("m@a", 1.0, share=0.5),
        candidate("m@b", 1.0, share=0.3),
        candidate("m@c", 1.0, share=0.2),
    ]
    return board(workload([rung(places)], **more))


def tied_at(**busy: int) -> dict[str, float]:
    """Return who shares a request, and how, with so many in flight at each site."""
    made = shared()
    state = State.opened(made, now_s=0.0)
    state = state.with_scraped({f"m@{site}": count for site, count in busy.items()})
    decision = decide(request(), made, state)
    return dict(zip(decision.tied, decision.tied_share, strict=True))


@pytest.mark.parametrize(
    ("load", "takes"), [(0.0, 1.0), (0.89, 1.0), (0.9, 1.0), (0.95, 0.5), (1.0, 0.0), (3.0, 0.0)]
)
def test_a_place_takes_less_from_nine_tenths_on(load: float, takes: float) -> None:
    assert math.isclose(open_share(load), takes, abs_tol=1e-12)


def test_asleep_is_full() -> None:
    assert load_share(candidate("m@a", 1.0, awake_count=0.0), 0) == math.inf
    assert load_share(candidate("m@a", 1.0), 90) == 0.9


def test_everybody_open_has_the_share_of_the_plan() -> None:
    assert tied_at(a=89, b=0, c=0) == {"m@a": 0.5, "m@b": 0.3, "m@c": 0.2}


def test_half_of_a_share_goes_to_the_cheapest_open_place() -> None:
    """a at load 0.95 keeps half of its 0.5; the other 0.25 goes to b: 0.25, 0.55, 0.2."""
    tied = tied_at(a=95)
    assert tied == pytest.approx({"m@a": 0.25, "m@b": 0.55, "m@c": 0.2})


def test_a_full_place_is_closed() -> None:
    """a at load 1: its 0.5 goes to b: 0.8 and 0.2."""
    tied = tied_at(a=100)
    assert tied == pytest.approx({"m@b": 0.8, "m@c": 0.2})
    assert decided_reason(a=100) == "place_full"


def decided_reason(**busy: int) -> str:
    made = shared()
    state = State.opened(made, now_s=0.0)
    state = state.with_scraped({f"m@{site}": count for site, count in busy.items()})
    return decide(request(), made, state).reason


def test_with_nobody_fully_open_the_rest_share_by_what_they_take() -> None:
    """Loads 0.95, 0.95, 1: 0.25 and 0.15 of 0.4: 5/8 and 3/8."""
    assert tied_at(a=95, b=95, c=100) == pytest.approx({"m@a": 0.625, "m@b": 0.375})


def test_where_nobody_has_a_share_weights_are_free_capacity() -> None:
    """Prices within 1 %: 40 of 100 and 80 of 100 slots are free: 1/3 and 2/3; 1.02 is no tie."""
    places = [candidate("m@a", 1.0), candidate("m@b", 1.009), candidate("m@c", 1.02)]
    made = board(workload([rung(places)]))
    state = State.opened(made, now_s=0.0).with_scraped({"m@a": 60, "m@b": 20})
    decision = decide(request(), made, state)
    tied = dict(zip(decision.tied, decision.tied_share, strict=True))
    assert tied == pytest.approx({"m@a": 1 / 3, "m@b": 2 / 3})


def test_the_wait_at_a_full_place() -> None:
    """110 in flight on 100 slots, each served for 50 s: 11 must end, one every half second."""
    place = candidate("m@a", 1.0)
    assert wait_s(place, in_flight_count=110, service_s=50.0) == pytest.approx(5.5)
    assert wait_s(place, in_flight_count=100, service_s=50.0) == pytest.approx(0.5)
    assert wait_s(place, in_flight_count=10, service_s=50.0) == 0.0
    asleep = candidate("m@a", 1.0, awake_count=0.0)
    assert wait_s(asleep, in_flight_count=0, service_s=1.0) == math.inf


@pytest.mark.parametrize(
    ("tier", "flying", "action"),
    [
        # An answer of 1,000 tokens takes 0.2 + 10 s; a slot of 100 is free every 0.102 s.
        ("default", 140, "serve"),  # 41 x 0.102 = 4.2 s: seconds are waited
        ("default", 150, "refuse"),  # 51 x 0.102 = 5.2 s
        ("priority", 115, "serve"),  # 16 x 0.102 = 1.6 s; 2 s less 0.25 s of latency are left
        ("priority", 120, "refuse"),  # 21 x 0.102 = 2.1 s
        ("flex", 100, "refuse"),  # is not queued at all
    ],
)
def test_all_closed(tier: str, flying: int, action: str) -> None:
    made = shared(service_tier=tier)
    state = State.opened(made, now_s=0.0)
    state = state.with_scraped({name: flying for name in made.places})
    decision = decide(request(), made, state)
    assert decision.action == action
    assert decision.reason == ("overloaded" if action == "refuse" else "place_full")
    if action == "serve":
        assert decision.queue_s == (5.0 if tier == "default" else pytest.approx(1.75))


def test_flex_is_deferred_when_all_is_full() -> None:
    """At the price of now it would not wait; but there is no place."""
    places = [candidate("m@a", 1.0)]
    made = board(workload([rung(places, ahead_usd_per_mtok=(1.0, 1.0))], service_tier="flex"))
    asked = request(deadline_s=10 * 3600.0)
    state = State.opened(made, now_s=0.0)
    assert decide(asked, made, state).action == "serve"
    decision = decide(asked, made, state.with_scraped({"m@a": 100}))
    assert (decision.action, decision.reason) == ("defer", "place_full")
    assert decision.release_s == 3600.0
