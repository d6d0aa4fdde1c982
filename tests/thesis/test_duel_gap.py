"""The gap of two companies: totals, present values and the month in which the moat closes."""

from dataclasses import replace

import pytest

from tokenergy.thesis.duel_gap import DuelMonth, DuelPath, GapParts
from tokenergy.thesis.duel_month import MonthBook

NOTHING = MonthBook(
    asked_mtok=100.0,
    served_mtok=0.0,
    revenue_usd=0.0,
    power_usd=0.0,
    used_mwh=0.0,
    hourly_usd=0.0,
    gpu_usd=0.0,
    facility_usd=0.0,
    fixed_usd=0.0,
    gpus_count=0.0,
    peak_mw=0.0,
)


def book(*, cost: float, revenue=0.0, served=100.0) -> MonthBook:
    return replace(NOTHING, served_mtok=served, gpu_usd=cost, revenue_usd=revenue)


def path(gaps: list[float], *, delay: float, wacc=0.0) -> DuelPath:
    """Make months whose gap at the stated price is given."""
    months = tuple(
        DuelMonth(month=at, own=book(cost=0.0, revenue=gap), rival=book(cost=0.0))
        for at, gap in enumerate(gaps)
    )
    return DuelPath(delay_months=delay, asked="at_once", wacc_share=wacc, months=months)


def test_who_serves_nothing_loses_what_it_pays() -> None:
    """The owner sells 100 Mtok at its own cost; the rival pays 50 USD for nothing."""
    month = DuelMonth(month=0, own=book(cost=300.0), rival=replace(NOTHING, gpu_usd=50.0))
    assert month.price_usd_per_mtok == pytest.approx(3.0)
    assert month.gap_usd("cost") == 50.0
    idle = DuelMonth(month=0, own=NOTHING, rival=replace(NOTHING, gpu_usd=50.0))
    assert idle.price_usd_per_mtok is None
    assert idle.gap_usd("cost") == 50.0


def test_sums_before_and_after_the_arrival() -> None:
    made = path([5.0, -2.0, 7.0, 1.0], delay=2.5)
    assert made.total_usd("stated") == pytest.approx(11.0)
    assert made.before_usd("stated") == pytest.approx(10.0)
    assert made.least_usd("stated") == -2.0
    assert made.to_dict()["gap_stated_after_usd"] == pytest.approx(1.0)


def test_later_months_count_less() -> None:
    """10 now and 10 in a year at 25 %: 10 + 8."""
    made = path([10.0, *[0.0] * 11, 10.0], delay=0.0, wacc=0.25)
    assert made.present_usd("stated") == pytest.approx(18.0)
    assert made.least_usd("stated") is None


@pytest.mark.parametrize(
    ("gaps", "delay", "closes"),
    [
        ([1.0, 1.0, 1.0, 1.0], 2.0, 2),  # the rival's megawatts arrive
        ([1.0, 1.0, -1.0, 0.0], 4.0, 2),  # no gap is left before that
        ([-1.0, 1.0, 1.0, 1.0], 9.0, None),  # the moat stands at the end of the path
        ([-1.0, -1.0, -1.0, -1.0], 4.0, 0),  # there never was one
        ([1.0, 1.0, 1.0, 1.0], 0.0, 0),  # nobody waits
    ],
)
def test_the_month_when_the_moat_closes(
    gaps: list[float], delay: float, closes: int | None
) -> None:
    assert path(gaps, delay=delay).closes_month("stated") == closes


def test_the_larger_lever_decides_whatever_its_sign() -> None:
    parts = GapParts(kwh_usd=-3.0, megawatts_usd=2.0, interaction_usd=1.0)
    assert (parts.decides, parts.gap_usd) == ("kwh", 0.0)
    assert replace(parts, megawatts_usd=4.0).decides == "megawatts"
    assert replace(parts, kwh_usd=0.0, megawatts_usd=0.0).decides == "neither"
