"""The span of time that a question is about."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from tokenergy.company.horizon import FIVE_MINUTES_H, Horizon

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize("written", [0.0833, 0.08333, 0.0833333333, 1 / 12])
def test_five_minutes_may_be_written_as_a_decimal(written):
    horizon = Horizon(start=START, days=2, step_h=written)
    assert horizon.step_h == FIVE_MINUTES_H
    assert horizon.intervals_count == 576
    assert horizon.interval(575).end == horizon.end == START + timedelta(days=2)


def test_nothing_shorter_than_five_minutes():
    with pytest.raises(ValidationError, match=r"0\.083"):
        Horizon(start=START, days=2, step_h=0.05)


def test_no_other_step_is_rounded():
    assert Horizon(start=START, days=2, step_h=0.09).step_h == 0.09
