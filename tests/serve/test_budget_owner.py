"""The owner of shadow prices: what workers count moves them as one pacer would."""

import pytest

from tokenergy.routing.pacing import Pacing, opened
from tokenergy.serve.budget_owner import BudgetOwner, pacers_of
from tokenergy.serve.counts import SharedCounts

DAY_S = 86_400.0


def pacing(*, day: int = 1, **more) -> Pacing:
    stated = {
        "budget": "lab",
        "unit": "usd",
        "start_s": day * DAY_S,
        "end_s": (day + 1) * DAY_S,
        "budget_quantity": 10.0,
        "requests_count": 1_000.0,
        "mean_use_quantity": 0.02,
        "dual_usd_per_unit": 0.5,
        "worth_usd_per_unit": 2.0,
    }
    return Pacing(**stated | more)


@pytest.fixture
def shared(tmp_path):
    path = tmp_path / "counts.bin"
    with (
        SharedCounts.create(path, 2, ("m@s",), ("lab",)) as control,
        SharedCounts.opened(path, 1) as one,
        SharedCounts.opened(path, 2) as two,
    ):
        yield control, one, two


def test_two_workers_move_one_price(shared) -> None:
    """30 + 20 requests that used 1.2 + 0.4 USD are 50 requests of 1.6 USD to one pacer."""
    control, one, two = shared
    owner = BudgetOwner(control, ("lab",))
    owner.refreshed([pacing()])
    one.used(0, 30.0, 1.2)
    two.used(0, 20.0, 0.4)
    owner.step(DAY_S + 100.0)
    expected = opened(pacing()).admitted(1.6, DAY_S + 100.0, requests_count=50.0)
    (told,) = control.prices()
    assert told.lambda_usd_per_unit == pytest.approx(expected.lambda_usd_per_unit)
    assert told.left_quantity == pytest.approx(8.4)
    assert told.seen_count == 50.0


def test_nothing_new_moves_nothing_and_a_settlement_only_what_is_left(shared) -> None:
    control, one, _ = shared
    owner = BudgetOwner(control, ("lab",))
    owner.refreshed([pacing()])
    one.used(0, 10.0, 1.0)
    owner.step(10.0)
    (before,) = control.prices()
    owner.step(11.0)
    assert control.prices() == (before,)
    one.used(0, 0.0, -0.25)  # it used less than was expected
    owner.step(12.0)
    (after,) = control.prices()
    assert after.left_quantity == pytest.approx(before.left_quantity + 0.25)
    assert after.lambda_usd_per_unit == before.lambda_usd_per_unit


def test_a_new_window_is_whole_again_and_one_that_goes_on_is_not(shared) -> None:
    control, one, _ = shared
    owner = BudgetOwner(control, ("lab",))
    owner.refreshed([pacing()])
    one.used(0, 10.0, 1.0)
    owner.step(10.0)
    owner.refreshed([pacing()])
    owner.step(11.0)
    assert control.prices()[0].left_quantity == pytest.approx(9.0)
    owner.refreshed([pacing(day=2)])
    owner.step(DAY_S)
    (told,) = control.prices()
    assert told == (2 * DAY_S, 0.5, 10.0, 0.0)


def test_a_restart_goes_on_where_it_stood(shared) -> None:
    control, one, _ = shared
    owner = BudgetOwner(control, ("lab",))
    owner.refreshed([pacing()])
    one.used(0, 100.0, 4.0)
    owner.step(10.0)
    (before,) = control.prices()
    again = BudgetOwner(control, ("lab",), kept=owner.words())
    again.refreshed([pacing()])
    again.step(11.0)
    assert control.prices() == (before,)
    late = BudgetOwner(control, ("lab",), kept=owner.words())
    late.refreshed([pacing(day=2)])
    late.step(DAY_S)
    assert control.prices()[0].left_quantity == 10.0


def test_a_worker_takes_the_owners_price_over(shared) -> None:
    """Before the owner has begun a window it stands at the board's warm start."""
    control, one, _ = shared
    today = pacing()
    assert pacers_of([today], ("lab",), control.prices()) == {"lab": opened(today)}
    owner = BudgetOwner(control, ("lab",))
    owner.refreshed([today])
    one.used(0, 5.0, 0.5)
    owner.step(1.0)
    (mine,) = pacers_of([today], ("lab",), one.prices()).values()
    assert mine.left_quantity == pytest.approx(9.5)
    assert mine.seen_count == 5.0
    tomorrow = pacing(day=2)
    assert pacers_of([tomorrow], ("lab",), one.prices()) == {"lab": opened(tomorrow)}
