"""Clients that leave, read slowly or send a lot; `make bench-serve` does it at length."""

import pytest
from serve_bench import passes

pytestmark = pytest.mark.slow  # a gateway each, and clients that take their time: 5 to 7 s


def test_a_client_that_leaves_is_recorded_and_its_upstream_closed() -> None:
    found = passes("clients_leave")
    assert found.more["left"] > 0


def test_slow_readers_hold_little_memory_and_nobody_else_up() -> None:
    passes("slow_readers")


def test_bodies_at_the_limit_are_served_and_one_byte_more_is_413() -> None:
    passes("big_bodies")
