"""Counts that processes share: every sum is that of its parts, and the dead drop out."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.serve.counts import SILENT_S, BudgetPrice, BudgetTotal, SharedCounts

PLACES = ("a@x", "b@y", "c@z")
CHILD = """
import sys
from pathlib import Path
from tokenergy.serve.counts import SharedCounts
with SharedCounts.opened(Path(sys.argv[1]), int(sys.argv[2])) as mine:
    for _ in range(1000):
        mine.add(1, 1)
        mine.used(0, 1.0, 0.25)
"""


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(tmp_path, clock):
    path = tmp_path / "counts.bin"
    with (
        SharedCounts.create(path, 2, PLACES, ("day", "month"), ticks=clock) as control,
        SharedCounts.opened(path, 1, ticks=clock) as one,
        SharedCounts.opened(path, 2, ticks=clock) as two,
    ):
        yield control, one, two


def test_everybody_sees_the_sum(shared) -> None:
    control, one, two = shared
    one.add(0, 2)
    two.add(0, 1)
    two.add(2, 5)
    two.add(2, -1)
    assert control.totals() == one.totals() == (3, 0, 4)
    assert one.others() == (1, 0, 4)
    assert two.others() == (2, 0, 0)


def test_a_silent_worker_drops_out_and_what_it_used_stays(shared, clock) -> None:
    control, one, two = shared
    one.add(0, 2)
    one.used(1, 3.0, 0.5)
    clock.s += SILENT_S + 0.1
    two.beat(0.0)
    assert control.alive() == (2,)
    assert two.totals() == (0, 0, 0)
    assert control.budget_totals() == (BudgetTotal(0.0, 0.0), BudgetTotal(3.0, 0.5))


def test_a_worker_that_starts_again_begins_at_nothing_in_flight(shared, tmp_path, clock) -> None:
    control, one, _ = shared
    one.add(0, 7)
    one.used(0, 2.0, 1.5)
    control.retire(1)
    assert control.totals() == (0, 0, 0)
    with SharedCounts.opened(tmp_path / "counts.bin", 1, ticks=clock) as again:
        again.used(0, 1.0, 0.5)
        assert control.budget_totals()[0] == BudgetTotal(3.0, 2.0)
        assert control.alive() == (1, 2)


def test_a_worker_has_served_from_its_first_look_around_until_it_ends(
    shared, tmp_path, clock
) -> None:
    control, one, _ = shared
    assert not control.served(1)
    one.beat(1.7e9)
    assert (control.served(1), control.served(2)) == (True, False)
    control.retire(1)
    assert not control.served(1)
    with SharedCounts.opened(tmp_path / "counts.bin", 1, ticks=clock):
        assert not control.served(1)


def test_what_engines_say_counts_while_control_lives(shared, clock) -> None:
    control, one, _ = shared
    control.beat(0.0)
    control.scrape((4, 0, 9))
    assert one.scraped() == (4, 0, 9)
    clock.s += SILENT_S + 0.1
    assert one.scraped() == (0, 0, 0)


def test_prices_of_budgets_come_back(shared) -> None:
    control, one, _ = shared
    told = BudgetPrice(1e9, 0.125, 77.5, 12.0)
    control.price(1, told)
    assert one.prices() == (BudgetPrice(0.0, 0.0, 0.0, 0.0), told)


@given(moves=st.lists(st.tuples(st.integers(1, 2), st.integers(0, 2), st.integers(-2, 3))))
def test_no_place_is_ever_below_nothing(moves, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("counts") / "c.bin"
    expected = {(worker, place): 0 for worker in (1, 2) for place in range(3)}
    with (
        SharedCounts.create(path, 2, PLACES),
        SharedCounts.opened(path, 1) as one,
        SharedCounts.opened(path, 2) as two,
    ):
        for worker, place, delta in moves:
            (one if worker == 1 else two).add(place, delta)
            expected[worker, place] = max(0, expected[worker, place] + delta)
        sums = tuple(expected[1, place] + expected[2, place] for place in range(3))
        assert one.totals() == sums


def test_processes_share_it(tmp_path) -> None:
    """Two processes of 1,000 requests each, of 0.25 USD: 2,000 requests and 500 USD."""
    path = tmp_path / "counts.bin"
    with SharedCounts.create(path, 2, PLACES, ("day",)) as control:
        ran = [
            subprocess.Popen([sys.executable, "-c", CHILD, str(path), number])
            for number in ("1", "2")
        ]
        assert [each.wait(60) for each in ran] == [0, 0]
        assert control.totals() == (0, 2_000, 0)
        assert control.budget_totals() == (BudgetTotal(2_000.0, 500.0),)


@pytest.mark.parametrize("text", [b"", b"x" * 200])
def test_another_file_is_refused(tmp_path, text) -> None:
    path = tmp_path / "counts.bin"
    path.write_bytes(text)
    with pytest.raises(InputError, match="holds no shared counts"):
        SharedCounts.opened(path, 1)


def test_a_row_that_is_not_there_is_refused(tmp_path) -> None:
    path: Path = tmp_path / "counts.bin"
    with (
        SharedCounts.create(path, 2, PLACES),
        pytest.raises(InputError, match="no shared counts with a row for worker 3"),
    ):
        SharedCounts.opened(path, 3)
