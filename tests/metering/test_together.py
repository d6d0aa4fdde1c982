"""Several meters over one window: added up, or nothing and why."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tokenergy.metering.reading import Reading
from tokenergy.metering.together import together

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def reading(energy_j: float | None, late_s: float = 0.0, **more: Any) -> Reading:
    stated: dict[str, Any] = {"tier": "measured", "boundary": "gpu", "reason": ""}
    start = NOON + timedelta(seconds=late_s)
    return Reading(
        start=start, end=start + timedelta(seconds=5), energy_j=energy_j, **stated | more
    )


def test_boards_are_added_up_in_whole_microjoules() -> None:
    made = together([reading(0.1), reading(0.2, 0.01)])
    assert made.energy_microjoules == 300_000
    assert (made.start, made.end) == (NOON, NOON + timedelta(seconds=5.01))


def test_one_without_a_reading_leaves_none() -> None:
    made = together([reading(1.0, reason="fine"), reading(None, reason="reset")])
    assert (made.energy_j, made.reason) == (None, "reset")


def test_the_worst_tier_counts_and_boundaries_do_not_meet() -> None:
    assert together([reading(1.0), reading(1.0, tier="modelled")]).tier == "modelled"
    made = together([reading(1.0), reading(1.0, boundary="it")])
    assert made.energy_j is None
    assert "gpu and it" in made.reason
