"""What a budget is opened with, by hand: its window, its dual, its curve of arrivals."""

from typing import Any

import pytest
from request_boards import board, candidate, rung, workload

from tokenergy.company.budget import Budget
from tokenergy.errors import InputError
from tokenergy.simulate.request_budgets import BudgetLoad, opened_budget

DAY_S = 86400.0


def budget(**amount: float) -> Budget:
    stated: dict[str, Any] = {"name": "free", "window": "day", "time_zone": "UTC"}
    return Budget.model_validate(stated | amount)


def ladder(**more: Any) -> Any:
    """A large model at 2 USD/Mtok and 1 J/token; a small one at 0.5 and 0.25, worth 0.6 of it."""
    return workload(
        [
            rung([candidate("large@a", 2.0), candidate("large@b", 3.0)]),
            rung([candidate("small@a", 0.5, marginal_j_per_token=0.25)], quality_share=0.6),
        ],
        **more,
    )


BOARD = board(ladder(), ladder(name="talk", value_usd_per_mtok=None, value_usd_per_request=0.02))
LOAD = BudgetLoad(workload="chat", requests_count=100.0, output_tokens=1000.0)


@pytest.mark.parametrize(
    ("amount", "dual"),
    [({"j": 2e5}, 0.0), ({"j": 6e4}, 5e-4 / 750.0), ({"j": 2e4}, 1e-5), ({"usd": 0.1}, 1.0 / 3.0)],
)
def test_the_dual_of_one_workload(amount: dict[str, float], dual: float) -> None:
    """A request is worth 5 USD/Mtok x 1,000 = 0.005 USD; there are 100 a day.

    Large: gains 0.005 - 0.002 = 0.003 for 1,000 J; small: 0.003 - 0.0005 = 0.0025 for 250 J.
    All small: 25,000 J at 1e-5 USD/J; from there to large 75,000 J at 0.0005 / 750.
    In money: small 0.05 USD in all, to large 0.15 more at 0.0005 / 0.0015.
    """
    pacer, lease = opened_budget(budget(**amount), BOARD, [LOAD], at_s=1.5 * DAY_S)
    assert pacer.lambda_usd_per_unit == pytest.approx(dual, rel=1e-9)
    plan = pacer.pacing
    assert (plan.start_s, plan.end_s) == (DAY_S, 2.0 * DAY_S)
    in_money = "usd" in amount
    assert plan.mean_use_quantity == pytest.approx(0.002 if in_money else 1000.0)
    assert plan.worth_usd_per_unit == pytest.approx(2.5 if in_money else 5e-6)
    assert pacer.left_quantity == lease.limit_quantity == next(iter(amount.values()))


def test_two_workloads_share_a_budget() -> None:
    """100 of 0.005 USD in the day's first half, 300 of 0.02 in the second; all of 1,000 tokens.

    At half of the day a quarter has arrived. Three in four are worth 0.02 / 1,000 J, and so is the
    median. 80,000 J: the dear ones' small answers (75,000 J at 0.0115 / 250) fit, and then part of
    the others' small ones: 1e-5 > (0.018 - 0.0115) / 750 = 8.67e-6.
    """
    early = BudgetLoad(
        workload="chat", requests_count=100.0, output_tokens=1e3, arrived_share=(0.0, 1.0, 1.0)
    )
    late = BudgetLoad(
        workload="talk", requests_count=300.0, output_tokens=1e3, arrived_share=(0.0, 0.0, 1.0)
    )
    pacer, _ = opened_budget(budget(j=8e4), BOARD, [early, late], at_s=0.0)
    assert pacer.lambda_usd_per_unit == pytest.approx(1e-5, rel=1e-9)
    assert pacer.pacing.requests_count == 400.0
    assert pacer.pacing.worth_usd_per_unit == pytest.approx(2e-5)
    curve = pacer.pacing.arrived_share
    assert curve[len(curve) // 2] == pytest.approx(0.25)
    assert curve[len(curve) // 4] == pytest.approx(0.125)


def test_what_cannot_be_opened_is_said() -> None:
    with pytest.raises(InputError, match="no request is expected in its window"):
        opened_budget(budget(j=1.0), BOARD, [], at_s=0.0)
    gone = BudgetLoad(workload="gone", requests_count=1.0, output_tokens=1.0)
    with pytest.raises(InputError, match="'gone' is not on the board; there are chat, talk"):
        opened_budget(budget(j=1.0), BOARD, [gone], at_s=0.0)
