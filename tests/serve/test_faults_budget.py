"""A spend limit that many clients race for on several workers; `make bench-serve` at length."""

import pytest
from serve_bench import passes

pytestmark = pytest.mark.slow  # a gateway of several workers each, and clients that race: 10 s


def test_a_spend_limit_is_never_exceeded_and_nearly_all_of_it_is_of_use() -> None:
    found = passes("budget_race")
    assert found.more["spent_nano_usd"] <= found.more["limit_nano_usd"]


def test_what_a_killed_holder_of_leases_had_spent_is_exact() -> None:
    found = passes("lease_holder_killed")
    assert found.more["spent_nano_usd"] <= found.more["limit_nano_usd"]
