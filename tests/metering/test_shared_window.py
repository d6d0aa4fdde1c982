"""A window of a meter divided among its requests: to the microjoule, whatever they were."""

from typing import Any

import served_records
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.metering.request_life import RequestLife, closed_life, marked_life, opened_life
from tokenergy.metering.shared_window import (
    MeteredPlace,
    MeteredWindow,
    idle_share,
    metered_records,
)

AT_S = served_records.AT_S
PLACE = MeteredPlace(site="a", model="m", accelerator="H100", idle_w=10.0)


def window(microjoules: int | None = 100_000_000, **more: Any) -> MeteredWindow:
    stated: dict[str, Any] = {
        "number": 7, "meter": "engine", "start_s": AT_S, "end_s": AT_S + 10.0,
        "tier": "measured", "boundary": "gpu",
    }  # fmt: skip
    return MeteredWindow(microjoules=microjoules, **stated | more)


def life(request_id: str, begin_s: float = 0.0, end_s: float = 3.0, **more: Any) -> RequestLife:
    opened = served_records.opened(request_id, at_s=AT_S + begin_s)
    return closed_life(
        opened_life(opened), served_records.closed(request_id, at_s=AT_S + end_s, **more)
    )


def test_by_hand() -> None:
    """100 J in 10 s, requests in half of it, 10 W idle: 50 J idle.

    The other 50 J by 0.8 x 50 + 0.1 x 80 = 48 and 0.8 x 100 + 0.1 x 80 = 88 of 136.
    """
    lives = [life("b", 2.0, 5.0, output_tokens=100), life("a")]
    first, second, idle = metered_records(window(), lives, PLACE)
    assert (first.request_id, second.request_id, idle.request_id) == ("a", "b", "")
    assert (first.microjoules, second.microjoules) == (17_647_059, 32_352_941)
    assert idle.microjoules == 50_000_000
    assert (first.window, first.tenant, first.energy_tier, first.boundary) == (
        7, "ann", "measured", "gpu",
    )  # fmt: skip
    # prefill halved: 44 and 84 of 128; doubled: 56 and 96 of 152
    assert (first.low_microjoules, first.high_microjoules) == (17_187_500, 18_421_053)


def test_nobody_ran_and_all_of_it_is_idle() -> None:
    (idle,) = metered_records(window(), [], PLACE)
    assert (idle.request_id, idle.microjoules, idle.site) == ("", 100_000_000, "a")


def test_where_no_token_is_whole_the_time_tells() -> None:
    """A token of each after the window's end; both run 1 s of it; a refused one never had any."""
    late = {"output_tokens": 1, "input_tokens": 0, "cached_tokens": 0}
    nothing = life("c", 0.0, 8.0, outcome="failed", **late | {"output_tokens": 0})
    short = window(end_s=AT_S + 1.0)
    first, second, idle = metered_records(
        short, [life("a", 0.0, 50.0, **late), life("b", 0.0, 9.0, **late), nothing], PLACE
    )
    assert (first.microjoules, second.microjoules, idle.microjoules) == (50_000_000, 50_000_000, 0)
    assert "no token was whole" in idle.reason


def test_a_window_without_a_reading_is_one_record_that_says_so() -> None:
    (told,) = metered_records(window(None, reason="no permission"), [life("a")], PLACE)
    assert (told.request_id, told.microjoules, told.reason) == ("", None, "no permission")


def test_failed_ones_pay_and_are_tagged() -> None:
    first, second, _ = metered_records(
        window(), [life("a", outcome="failed", status=502), life("b")], PLACE
    )
    assert first.microjoules == second.microjoules
    assert (first.outcome, second.outcome) == ("failed", "")


def test_idle_goes_by_tokens_or_by_reservation() -> None:
    by_tokens = MeteredPlace(site="a", model="m", accelerator="H100", idle_w=10.0, idle="by_tokens")
    only, idle = metered_records(window(), [life("a", 0.0, 5.0)], by_tokens)
    assert (only.microjoules, idle.microjoules) == (100_000_000, 0)
    reserved = MeteredPlace(
        site="a", model="m", accelerator="H100", idle_w=10.0, idle="by_reservation",
        reserved=(("ann", 0.5), ("bob", 0.2)),
    )  # fmt: skip
    _, ann, bob, nobody = metered_records(window(), [life("a", 0.0, 5.0)], reserved)
    assert [(each.tenant, each.microjoules) for each in (ann, bob, nobody)] == [
        ("ann", 25_000_000), ("bob", 10_000_000), ("", 15_000_000),
    ]  # fmt: skip


def test_who_runs_on_is_estimated_and_it_is_said() -> None:
    """The one that is known writes 50 tokens in 3 s; the other runs on at that rate for 10 s."""
    fresh = opened_life(served_records.opened("b"))
    first, second, idle = metered_records(window(), [life("a"), fresh], PLACE)
    assert (second.microjoules or 0) > (first.microjoules or 0) > 0
    assert "1 of 2 requests had not ended" in idle.reason
    known = marked_life(fresh, served_records.marked("b", 500, at_s=AT_S + 11))
    assert not metered_records(window(), [life("a"), known], PLACE)[-1].reason


def test_where_the_model_gives_prefill_nothing_the_time_tells() -> None:
    """Only input was read in the window, at a kappa of 0: it is the request's, and not waiting."""
    reading = life("a", 0.0, 30.0, first_byte_s=20.0)._replace(kappa_ratio=0.0)
    (took, idle) = metered_records(window(), [reading], PLACE)
    assert (took.request_id, took.microjoules, idle.microjoules) == ("a", 100_000_000, 0)


def test_idle_share_is_what_no_life_covers() -> None:
    """0 to 3 and 2 to 5 and 8 to 12 of 10 s: 3 s are left."""
    lives = [life("a"), life("b", 2.0, 5.0), life("c", 8.0, 12.0)]
    assert round(idle_share(lives, AT_S, AT_S + 10.0), 9) == 0.3
    assert idle_share([], AT_S, AT_S) == 1.0


@given(
    begins=st.lists(
        st.tuples(st.floats(-5.0, 12.0), st.floats(0.0, 9.0), st.integers(0, 400)), max_size=8
    ),
    microjoules=st.integers(0, 10**12),
    idle_w=st.floats(0.0, 1000.0),
    policy=st.sampled_from(["unallocated", "by_tokens", "by_reservation"]),
    shuffled=st.randoms(use_true_random=False),
)
def test_records_add_up_to_the_reading_in_any_order(
    begins: list[tuple[float, float, int]], microjoules: int, idle_w: float, policy: Any,
    shuffled: Any,
) -> None:  # fmt: skip
    lives = [
        life(f"r{at}", begin_s, begin_s + took_s, output_tokens=written)
        for at, (begin_s, took_s, written) in enumerate(begins)
    ]
    place = MeteredPlace(
        site="a", model="m", accelerator="H100", idle_w=idle_w, idle=policy,
        reserved=(("ann", 0.3), ("bob", 0.6)),
    )  # fmt: skip
    records = metered_records(window(microjoules), lives, place)
    assert sum(each.microjoules or 0 for each in records) == microjoules
    assert all((each.microjoules or 0) >= 0 for each in records)
    shuffled.shuffle(lives)
    assert metered_records(window(microjoules), lives, place) == records
