"""Erlang's formulas against exact fractions, the sheet's table and a small queue."""

import heapq
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.economics.queueing import (
    SLOTS_COUNTS,
    erlang_b_share,
    erlang_c_share,
    late_share,
    mean_wait_ratio,
    most_utilisation,
    square_root_slots,
    utilisation_table,
)
from tokenergy.errors import InputError

TABLE = {
    1: (".05 (20)", ".05 (18)", ".08 (13)", ".23 (4.3)"),
    4: (".33 (3.0)", ".36 (2.8)", ".47 (2.1)", ".72 (1.4)"),
    16: (".61 (1.6)", ".66 (1.5)", ".79 (1.3)", ".92 (1.1)"),
    64: (".79 (1.3)", ".85 (1.2)", ".93 (1.1)", ".98 (1.0)"),
    256: (".89 (1.1)", ".94 (1.1)", ".98 (1.0)", ".99 (1.0)"),
    1024: (".95 (1.1)", ".98 (1.0)", ".995 (1.0)", ".999 (1.0)"),
}
"""Section 6 of the sheet, but for two cells rounded up there: it prints .06 for 1 slot at t = 0.1,
where the figure is .05496, and .80 for 64 slots at t = 0, where it is .7945."""


def erlang_c_exactly(slots: int, load: Fraction) -> Fraction:
    """The textbook's sum: a^c/c! c/(c-a) over that and the sum of a^k/k! below c."""
    late = load**slots / math.factorial(slots) * slots / (slots - load)
    return late / (sum(load**k / math.factorial(k) for k in range(slots)) + late)


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("used", [Fraction(1, 10), Fraction(1, 2), Fraction(19, 20)])
def test_recursion_equals_the_exact_sum(slots: int, used: Fraction) -> None:
    load = used * slots
    blocked = load**slots / math.factorial(slots)
    blocked /= sum(load**k / math.factorial(k) for k in range(slots + 1))
    told = erlang_b_share(slots_count=slots, load_ratio=float(load))
    assert told == pytest.approx(float(blocked), rel=1e-12)
    told = erlang_c_share(slots_count=slots, load_ratio=float(load))
    assert told == pytest.approx(float(erlang_c_exactly(slots, load)), rel=1e-12)


@given(st.floats(0.0, 0.999), st.floats(0.0, 20.0))
def test_one_slot_is_late_as_the_closed_form_says(used: float, wait: float) -> None:
    told = late_share(slots_count=1, utilisation_share=used, wait_ratio=wait)
    assert told == pytest.approx(used * math.exp(-(1.0 - used) * wait), rel=1e-9, abs=1e-15)


def cell_slots(row) -> int:
    return row[0].slots_count


@pytest.mark.parametrize("row", utilisation_table(), ids=lambda row: str(row[0].slots_count))
def test_the_table_of_the_sheet_to_its_digits(row) -> None:
    for cell, printed in zip(row, TABLE[cell_slots(row)], strict=True):
        used, _, cost = printed.partition(" ")
        digits = len(used) - 1
        assert f"{cell.utilisation_share:.{digits}f}" == f"0{used}"
        digits = len(cost.strip("()").partition(".")[2])
        assert f"{cell.cost_ratio:.{digits}f}" == cost.strip("()")


def test_the_two_cells_that_the_sheet_rounds_up() -> None:
    """One slot: 0.05496 exp(-0.94504 x 0.1) = 0.0500. 64 slots: C(64, 64 x 0.7945) = 0.0500."""
    one = late_share(slots_count=1, utilisation_share=0.05496, wait_ratio=0.1)
    many = erlang_c_exactly(64, 64 * Fraction(7945, 10_000))
    assert (one, float(many)) == (pytest.approx(0.05, abs=1e-5), pytest.approx(0.05, abs=1e-4))


def test_the_table_has_the_sheets_slots_and_holds_what_it_promises() -> None:
    table = utilisation_table()
    assert tuple(cell_slots(row) for row in table) == SLOTS_COUNTS == tuple(TABLE)
    for row in table:
        for cell in row:
            used = cell.utilisation_share
            told = late_share(
                slots_count=cell.slots_count, utilisation_share=used, wait_ratio=cell.wait_ratio
            )
            assert told == pytest.approx(0.05, rel=1e-6)
            assert cell.to_dict()["cost_ratio"] == pytest.approx(1.0 / used)


def test_pooling_and_waiting_each_more_than_halve_the_cost() -> None:
    """Section 6: 4 to 64 slots at t = 0 cut the cost of capacity 2.4x, waiting t = 2 2.2x."""
    cost = {
        (slots, wait): most_utilisation(slots_count=slots, wait_ratio=wait).cost_ratio
        for slots, wait in ((4, 0.0), (64, 0.0), (4, 2.0))
    }
    assert cost[4, 0.0] / cost[64, 0.0] == pytest.approx(2.4, abs=0.05)
    assert cost[4, 0.0] / cost[4, 2.0] == pytest.approx(2.2, abs=0.05)


def simulated_waits(*, slots: int, used: float, served: int, seed: int) -> np.ndarray:
    """Return the waits of a first-come queue after a warm-up, in mean service times."""
    random = np.random.default_rng(seed)
    gaps = random.exponential(1.0 / (slots * used), served)
    works = random.exponential(1.0, served)
    free_at, now, waits = [0.0] * slots, 0.0, []
    for gap, work in zip(gaps.tolist(), works.tolist(), strict=True):
        now += gap
        begin = max(now, heapq.heappop(free_at))
        heapq.heappush(free_at, begin + work)
        waits.append(begin - now)
    return np.array(waits[served // 4 :])


def test_a_small_queue_waits_as_erlang_says() -> None:
    """Sixty runs of 4 slots at 0.7, each one figure: waits in a run are not independent."""
    runs = [simulated_waits(slots=4, used=0.7, served=4000, seed=seed) for seed in range(60)]
    waits = np.array([run.mean() for run in runs])
    late = np.array([[(run > wait).mean() for wait in (0.0, 0.5, 1.5)] for run in runs])
    errors = late.std(axis=0, ddof=1) / math.sqrt(len(runs))
    told = [
        late_share(slots_count=4, utilisation_share=0.7, wait_ratio=wait)
        for wait in (0.0, 0.5, 1.5)
    ]
    assert np.all(np.abs(late.mean(axis=0) - told) <= 3.0 * errors)
    mean = mean_wait_ratio(slots_count=4, utilisation_share=0.7)
    assert abs(waits.mean() - mean) <= 3.0 * waits.std(ddof=1) / math.sqrt(len(runs))


@given(st.integers(1, 60), st.floats(0.01, 0.98), st.floats(0.001, 0.019), st.floats(0.0, 3.0))
def test_a_fuller_pool_is_later_and_a_larger_one_is_not(
    slots: int, used: float, more: float, wait: float
) -> None:
    def late(count: int, share: float) -> float:
        return late_share(slots_count=count, utilisation_share=share, wait_ratio=wait)

    assert late(slots, used) <= late(slots, used + more) + 1e-15
    assert late(slots + 1, used) <= late(slots, used) + 1e-15
    assert 0.0 <= late(slots, used) <= 1.0


def test_single_servers_wait_as_pollaczek_and_khinchine_say() -> None:
    """M/M/1 at 0.8: 0.8 / 0.2 = 4 service times; with even service half of it: 2."""
    assert mean_wait_ratio(slots_count=1, utilisation_share=0.8) == pytest.approx(4.0)
    even = mean_wait_ratio(slots_count=1, utilisation_share=0.8, service_scv_ratio=0.0)
    assert even == pytest.approx(2.0)
    assert mean_wait_ratio(slots_count=3, utilisation_share=1.0) == math.inf


def test_an_overloaded_pool_makes_everyone_wait() -> None:
    assert erlang_c_share(slots_count=4, load_ratio=4.0) == 1.0
    assert late_share(slots_count=4, utilisation_share=1.2, wait_ratio=9.0) == 1.0
    assert erlang_c_share(slots_count=4, load_ratio=0.0) == 0.0


def test_a_pool_of_a_hundred_thousand_slots_still_has_a_figure() -> None:
    told = late_share(slots_count=100_000, utilisation_share=0.998, wait_ratio=0.0)
    assert 0.0 < told < 1.0


def test_square_root_staffing_by_hand() -> None:
    """100 Erlang and two deviations of 10: 120 slots. 2 Erlang and one: 3.41, so 4."""
    assert square_root_slots(load_ratio=100.0, beta_ratio=2.0) == 120
    assert square_root_slots(load_ratio=2.0, beta_ratio=1.0) == 4
    late = erlang_c_share(slots_count=120, load_ratio=100.0)
    assert late == pytest.approx(0.03, abs=0.01)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: erlang_b_share(slots_count=0, load_ratio=1.0), "0 slots"),
        (lambda: erlang_c_share(slots_count=1, load_ratio=-1.0), "a load of -1 Erlang"),
        (lambda: erlang_b_share(slots_count=1, load_ratio=math.inf), "finite"),
        (
            lambda: late_share(slots_count=1, utilisation_share=0.5, wait_ratio=-1.0),
            "a wait of -1 service times",
        ),
        (
            lambda: most_utilisation(slots_count=1, wait_ratio=0.0, late_most_share=0.0),
            "late_most_share is 0",
        ),
        (
            lambda: mean_wait_ratio(slots_count=1, utilisation_share=0.5, arrivals_scv_ratio=-1.0),
            "squared variations of -1",
        ),
        (lambda: square_root_slots(load_ratio=1.0, beta_ratio=0.0), "both must exceed 0"),
    ],
)
def test_what_no_queue_is_is_refused(call, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()
