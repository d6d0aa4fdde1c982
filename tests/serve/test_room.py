"""Room: parts of places, by hand."""

from request_boards import board, candidate, rung, workload

from tokenergy.routing.state import State
from tokenergy.serve.room import Room


def two_workloads(*, slots: tuple[float, float]) -> tuple[State, Room]:
    """One place that holds so many requests of each of two workloads."""
    loads = [
        workload(
            [rung([candidate("m@s", 1.0, awake_count=1.0, batch_slo_count=count, share=1.0)])],
            name=name,
        )
        for name, count in zip(("a short", "b long"), slots, strict=True)
    ]
    made = board(*loads)
    state = State.opened(made, now_s=0.0)
    room = Room(1)
    room.refreshed(made)
    return state, room


def test_short_requests_fill_a_place_for_long_ones_by_their_part() -> None:
    """100 of 200 short ones fill half; of 60 long ones that is 30."""
    state, room = two_workloads(slots=(200.0, 60.0))
    for _ in range(100):
        room.add(0, room.part(0, 0))
    counts = state.counts._replace(in_flight=(100,), busy=(100,))
    assert room.seen_by(0, counts).busy == (100,)
    assert room.seen_by(1, counts).busy == (30,)


def test_what_others_run_counts_as_ours_do() -> None:
    """50 of ours and 100 in all: half of 200 slots, so 30 of 60."""
    state, room = two_workloads(slots=(200.0, 60.0))
    for _ in range(50):
        room.add(0, room.part(0, 0))
    counts = state.counts._replace(in_flight=(50,), scraped=(100,), busy=(100,))
    assert room.seen_by(1, counts).busy == (30,)


def test_a_place_of_one_kind_is_the_plain_count() -> None:
    state, room = two_workloads(slots=(60.0, 60.0))
    assert room.seen_by(1, state.counts) is state.counts


def test_it_empties_again() -> None:
    state, room = two_workloads(slots=(200.0, 60.0))
    part = room.part(1, 0)
    room.add(0, part)
    room.add(0, -part)
    counts = state.counts._replace(in_flight=(1,), busy=(1,))
    assert room.seen_by(0, counts).busy == (0,)
