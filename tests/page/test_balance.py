import pytest

from tokenergy.page.balance import aligned, reaching
from tokenergy.page.report import ReportData
from tokenergy.page.rows import balance_rows


@pytest.mark.parametrize(
    ("up", "down", "dear", "cheap"),
    [
        (18.0, 6.0, 120.0, 20.0),
        (5.0, 0.0, 80.0, 40.0),
        (5.0, 0.0, 80.0, -10.0),
        (0.0, 0.0, 0.0, 9.0),
    ],
)
def test_both_axes_have_their_zero_at_the_same_height(
    up: float, down: float, dear: float, cheap: float
) -> None:
    power, price = aligned(up=up, down=down, dear=dear, cheap=cheap)
    assert power[0] / power[1] == pytest.approx(price[0] / price[1])
    assert power[0] <= -down <= 0.0 <= up <= power[1]
    assert price[0] <= min(0.0, -cheap)
    assert dear <= price[1]


def test_a_limit_far_above_the_load_is_left_out(data: ReportData) -> None:
    far = [dict(row) | {"import_limit_mw": 400.0} for row in data.balance]
    near = reaching(balance_rows(data.balance, step_h=1.0))
    assert all(row["near_limit_mw"] == row["import_limit_mw"] for row in near)
    assert all(
        row["near_limit_mw"] is None and row["high_mw"] < 40.0
        for row in reaching(balance_rows(far, step_h=1.0))
    )
