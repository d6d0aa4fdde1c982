"""Paid to draw less: the sheet's example, events across intervals, months and years."""

from datetime import UTC, date, datetime, timedelta

import pytest
from company.settle.metered import at, billed, by_component, event, meter, response

from tokenergy.company.settle import settle

HOUR_3 = event(datetime(2026, 3, 2, 2, tzinfo=UTC), datetime(2026, 3, 2, 3, tzinfo=UTC))


def test_the_sheets_example() -> None:
    """-5 x 5,000 = -25,000; committed to 25, metered 27: short 2, delivered 3.

    -25,000 - 3 x 200 + 2 x 500 = -24,600.
    """
    settled = settle(response(events=(HOUR_3,)), meter(import_mwh=(10.0, 20.0, 27.0, 20.0)))
    sums = by_component(settled.lines)
    assert sums == {"availability": -25_000.0, "reduced": -600.0, "short": 1000.0}
    assert settled.amount_usd == pytest.approx(-24_600.0)
    assert settled.state.events_count == 1


@pytest.mark.parametrize(
    ("metered_mwh", "usd"), [(10.0, -1000.0), (25.0, -1000.0), (30.0, 2500.0), (32.0, 3900.0)]
)
def test_no_more_is_paid_than_was_committed_and_drawing_more_pays_back(metered_mwh, usd) -> None:
    """Delivered 5, 5, 0, -2: -1,000, -1,000, 5 x 500, 7 x 500 + 2 x 200."""
    contract = response(events=(HOUR_3,), availability_usd_per_kw_month=0.0)
    assert billed(contract, meter(import_mwh=metered_mwh)) == pytest.approx(usd)


def test_an_event_that_crosses_intervals_counts_by_its_overlap() -> None:
    """From 0:30 to 1:15: half of 26 MWh against 12.5, a quarter of 32 against 6.25.

    Short 0.5 + 1.75 = 2.25 MWh; delivered 0.75 x 5 - 2.25 = 1.5: 1,125 - 300 = 825.
    """
    start = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
    asked = event(start, start + timedelta(minutes=45))
    contract = response(events=(asked,), availability_usd_per_kw_month=0.0)
    settled = settle(contract, meter(import_mwh=(26.0, 32.0, 0.0, 0.0)))
    assert settled.amount_usd == pytest.approx(825.0)
    short = next(line for line in settled.lines if line.component == "short")
    assert (short.start, short.end) == (asked["start"], asked["end"])
    assert short.quantity == pytest.approx(2.25)


def test_each_event_is_settled_interval_by_interval() -> None:
    """Two hours: 20 MWh too little does not make up for 30: short 5, delivered 5 + 0."""
    asked = event(HOUR_3["start"], HOUR_3["end"] + timedelta(hours=1))
    contract = response(events=(asked,), availability_usd_per_kw_month=0.0)
    assert billed(contract, meter(import_mwh=(0.0, 0.0, 10.0, 30.0))) == pytest.approx(
        5 * 500.0 - 5 * 200.0
    )


def test_events_beyond_the_years_most_bind_nobody() -> None:
    """One a year: of 22 h and 23 h on 31 December the first, and the first of January."""
    start = at("America/Chicago", 2025, 12, 31, 22)
    hours = [start + timedelta(hours=number) for number in range(5)]
    events = [event(*pair) for pair in zip(hours[::-1][1:], hours[::-1][:-1], strict=True)]
    contract = response(
        events=tuple(events), events_most_count=1, availability_usd_per_kw_month=0.0
    )
    settled = settle(contract, meter(start=start, zone="America/Chicago", import_mwh=25))
    assert [line.start for line in settled.lines] == [hours[0], hours[2]]
    assert settled.amount_usd == pytest.approx(-2 * 1000.0)
    assert settled.state.events_count == 1


def test_standing_ready_is_paid_whole_for_each_month_of_the_term() -> None:
    """Three local months touched by 30 days from 30 January; the term ends with February."""
    start = at("Europe/Berlin", 2026, 1, 30)
    series = meter(count=31, step_h=24.0, start=start, zone="Europe/Berlin", import_mwh=0)
    assert billed(response(), series) == -3 * 25_000.0
    assert billed(response(end=date(2026, 3, 1)), series) == -2 * 25_000.0


def test_an_event_out_of_term_asks_for_nothing() -> None:
    contract = response(events=(HOUR_3,), start=date(2026, 3, 3))
    assert billed(contract, meter(import_mwh=30)) == 0.0
