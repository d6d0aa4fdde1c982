"""Threads for compiled code: results in order, faults not lost."""

from collections.abc import Iterator

import pytest

from tokenergy.api.threads import over_threads


def test_results_come_in_the_order_of_the_parts() -> None:
    assert list(over_threads(lambda part: part * part, range(50))) == [k * k for k in range(50)]


def test_a_fault_in_a_part_comes_out() -> None:
    def halves(part: int) -> float:
        return 1.0 / part

    def spread() -> Iterator[float]:
        return over_threads(halves, [2, 0])

    with pytest.raises(ZeroDivisionError):
        list(spread())
