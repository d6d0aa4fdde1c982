"""The Australian market: ends of intervals in UTC+10, months of files, and the running interval."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from feed_server_more import (
    HTML,
    LIMITED,
    FeedServer,
    Told,
    aemo_csv,
    aemo_summary,
    after,
    code_of,
    door,
    in_csv,
    in_json,
)
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.feeds.aemo import FIVE_MINUTES, HALF_HOUR, Aemo, months_of, step_ending
from tokenergy.feeds.series import Ask, FeedQuantity, FeedSeries

NOW = datetime(2026, 8, 20, 1, 7, tzinfo=UTC)
FOLDER = "/aemo/data/nem/priceanddemand/PRICE_AND_DEMAND_"
SUMMARY = "/aemo/apps/api/report/ELEC_NEM_SUMMARY"
MIDNIGHT = datetime(2026, 7, 31, 14, tzinfo=UTC)
"""2026-08-01 00:00 in market time."""


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


def fetch(
    server: FeedServer,
    *,
    start: datetime = MIDNIGHT,
    minutes: int = 15,
    zone: str = "NSW1",
    quantity: FeedQuantity = "real_time_price",
    now: datetime = NOW,
) -> FeedSeries:
    with door(now) as http:
        return Aemo(http, base_url=server.url).fetch(
            Ask(zone=zone, quantity=quantity, start=start, end=start + timedelta(minutes=minutes))
        )


def refused(server: FeedServer, **asked: Any) -> str:
    with pytest.raises(FindingsError) as caught:
        fetch(server, **asked)
    return code_of(caught.value)


def test_a_stamp_is_the_end_of_five_minutes_in_market_time(server: FeedServer) -> None:
    """2026/08/01 00:05 at UTC+10 ends 14:05 UTC of the day before: the interval starts 14:00."""
    server.say(FOLDER, in_csv(aemo_csv("2026/08/01 00:05:00", [89.88, -95.05, 60])))
    series = fetch(server)
    assert [(row.start, row.step, row.value) for row in series.rows] == [
        (MIDNIGHT, FIVE_MINUTES, 89.88),
        (MIDNIGHT + FIVE_MINUTES, FIVE_MINUTES, -95.05),
        (MIDNIGHT + 2 * FIVE_MINUTES, FIVE_MINUTES, 60.0),
    ]
    assert (series.unit, series.column) == ("AUD/MWh", "real_time_price_aud_per_mwh")
    assert series.findings == ()
    assert [asked.path for asked in server.asked] == [f"{FOLDER}202608_NSW1.csv"]


def test_demand_stands_in_the_same_file(server: FeedServer) -> None:
    server.say(FOLDER, in_csv(aemo_csv("2026/08/01 00:05:00", [1, 2, 3], region="VIC1")))
    series = fetch(server, zone="VIC1", quantity="load")
    assert [row.value for row in series.rows] == [7000.0, 7001.0, 7002.0]
    assert (series.unit, series.column) == ("MW", "load_mw")


def test_before_october_2021_an_interval_is_half_an_hour(server: FeedServer) -> None:
    """The old files stamp with or without seconds, some of them quoted."""
    told = (
        "\ufeffREGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE\r\n"
        'NSW1,"1998/12/07 02:00",5000,20,TRADE\r\nNSW1,1998/12/07 02:30:00,5100,21,TRADE\r\n'
    )
    server.say(FOLDER, in_csv(told))
    start = datetime(1998, 12, 6, 15, 30, tzinfo=UTC)
    series = fetch(server, start=start, minutes=60)
    assert [(row.start, row.step) for row in series.rows] == [
        (start, HALF_HOUR),
        (start + HALF_HOUR, HALF_HOUR),
    ]


def test_the_step_changes_with_the_first_five_minutes_of_october_2021() -> None:
    change = datetime(2021, 9, 30, 14, tzinfo=UTC)
    assert step_ending(change) == HALF_HOUR
    assert step_ending(change + FIVE_MINUTES) == FIVE_MINUTES


def test_a_span_over_two_months_reads_two_files(server: FeedServer) -> None:
    """The interval 23:55 to 00:00 is the last of July's file, stamped 2026/08/01 00:00:00."""
    server.say(f"{FOLDER}202607", in_csv(aemo_csv("2026/07/31 23:55:00", [1, 2])))
    server.say(f"{FOLDER}202608", in_csv(aemo_csv("2026/08/01 00:05:00", [3, 4])))
    series = fetch(server, start=MIDNIGHT - 2 * FIVE_MINUTES, minutes=20)
    assert [row.value for row in series.rows] == [1.0, 2.0, 3.0, 4.0]
    assert series.rows[2].start == MIDNIGHT


@given(
    st.datetimes(datetime(1999, 1, 1), datetime(2030, 1, 1)),
    st.integers(min_value=1, max_value=90 * 24),
)
def test_every_interval_starts_in_one_of_the_months_read(start: datetime, hours: int) -> None:
    begin = start.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    ask = Ask(zone="SA1", quantity="load", start=begin, end=begin + timedelta(hours=hours))
    months = list(months_of(ask))
    in_market = [begin + timedelta(hours=10 + index) for index in range(hours)]
    assert sorted({f"{at:%Y%m}" for at in in_market}) == months


def test_market_time_has_no_summer_time(server: FeedServer) -> None:
    """Sydney leaves an hour out on 2025-10-05 at 02:00; the market's day has all its 288 steps."""
    start = datetime(2025, 10, 4, 14, tzinfo=UTC)
    sydney = ZoneInfo("Australia/Sydney")
    assert (
        start.astimezone(sydney).utcoffset()
        != (start + timedelta(days=1)).astimezone(sydney).utcoffset()
    )
    server.say(FOLDER, in_csv(aemo_csv("2025/10/05 00:05:00", range(288))))
    series = fetch(server, start=start, minutes=24 * 60)
    assert len(series.rows) == 288
    assert series.findings == ()
    assert [row.value for row in series.rows] == [float(index) for index in range(288)]


def test_a_forecast_in_the_file_is_left_out_and_told(server: FeedServer) -> None:
    settled = aemo_csv("2026/08/01 00:05:00", [1, 2, 3])
    ahead = aemo_csv("2026/08/01 00:20:00", [4], kind="PREDISPATCH").splitlines()[1]
    server.say(FOLDER, in_csv(settled + ahead + "\n"))
    series = fetch(server)
    assert [row.value for row in series.rows] == [1.0, 2.0, 3.0]
    assert [finding.code for finding in series.findings] == ["FEED_NOT_SETTLED"]


def test_the_interval_just_ended_comes_from_the_dashboard(server: FeedServer) -> None:
    """At 11:07 market time the files end at 11:00 and the dashboard shows 11:05."""
    start = datetime(2026, 8, 20, 0, 55, tzinfo=UTC)
    server.say(FOLDER, in_csv(aemo_csv("2026/08/20 11:00:00", [30.5])))
    server.say(SUMMARY, aemo_summary("2026-08-20T11:05:00", 31.25))
    series = fetch(server, start=start, minutes=10)
    assert [row.value for row in series.rows] == [30.5, 31.25]
    assert series.rows[1].start == datetime(2026, 8, 20, 1, 0, tzinfo=UTC)
    assert series.findings == ()


def test_a_price_that_is_not_firm_is_told(server: FeedServer) -> None:
    server.say(FOLDER, in_csv(aemo_csv("2026/08/20 11:00:00", [30.5])))
    server.say(SUMMARY, aemo_summary("2026-08-20T11:05:00", 31.25, status="PRELIMINARY"))
    series = fetch(server, start=datetime(2026, 8, 20, 0, 55, tzinfo=UTC), minutes=10)
    assert [finding.code for finding in series.findings] == ["FEED_NOT_SETTLED"]


def test_a_settled_row_is_not_replaced_by_the_dashboard(server: FeedServer) -> None:
    server.say(FOLDER, in_csv(aemo_csv("2026/08/20 11:00:00", [30.5, 30.75])))
    server.say(SUMMARY, aemo_summary("2026-08-20T11:05:00", 99.0))
    series = fetch(server, start=datetime(2026, 8, 20, 0, 55, tzinfo=UTC), minutes=10)
    assert [row.value for row in series.rows] == [30.5, 30.75]


def test_the_running_month_need_not_be_out(server: FeedServer) -> None:
    server.say(SUMMARY, aemo_summary("2026-08-20T11:05:00", 31.25))
    series = fetch(server, start=datetime(2026, 8, 20, 1, 0, tzinfo=UTC), minutes=5)
    assert [row.value for row in series.rows] == [31.25]
    assert [finding.code for finding in series.findings] == ["FEED_NOT_PUBLISHED"]


def test_a_past_month_that_is_not_there_is_an_error(server: FeedServer) -> None:
    assert refused(server, start=datetime(2026, 6, 3, tzinfo=UTC)) == "FEED_REFUSED"


def test_an_interval_missing_and_an_interval_twice_are_told(server: FeedServer) -> None:
    lines = aemo_csv("2026/08/01 00:05:00", [1, 2, 3, 4]).splitlines()
    server.say(FOLDER, in_csv("\n".join([*lines[:3], lines[2], lines[4]])))
    series = fetch(server, minutes=20)
    values = {row.start: row.value for row in series.rows}
    assert values[MIDNIGHT + FIVE_MINUTES] == 2.0
    assert values.get(MIDNIGHT + 2 * FIVE_MINUTES) is None
    assert [finding.code for finding in series.findings] == ["FEED_DOUBLED", "FEED_GAP"]


def test_a_rate_limit_is_waited_for(server: FeedServer) -> None:
    told = in_csv(aemo_csv("2026/08/01 00:05:00", [1, 2, 3]))
    server.say(FOLDER, after([LIMITED], lambda _: told))
    assert len(fetch(server).rows) == 3


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (HTML, "FEED_NO_COLUMN"),
        (in_csv(""), "FEED_NO_COLUMN"),
        (in_csv("x" * 200_000), "FEED_NO_COLUMN"),
        (in_csv(aemo_csv("2026/08/01 00:05:00", ["9" * 200_000])), "FEED_SHAPE"),
        (in_csv("REGION,SETTLEMENTDATE,RRP\nNSW1,2026/08/01 00:05:00,1\n"), "FEED_NO_COLUMN"),
        (in_csv(aemo_csv("2026/08/01 00:05:00", [1, 2, 3])[:-20]), "FEED_SHAPE"),
        (in_csv(aemo_csv("2026/08/01 00:05:00", [1], region="QLD1")), "FEED_OTHER_ZONE"),
        (in_csv(aemo_csv("2026/08/01 00:05:00", ["12 c"])), "FEED_NOT_A_NUMBER"),
        (
            in_csv(aemo_csv("2026/08/01 00:05:00", [1]).replace("2026/08/01", "1 Aug")),
            "FEED_BAD_STAMP",
        ),
        (Told(b"REGION,SETT", cut=True), "FEED_UNREACHABLE"),
        (Told(b"\xff\xfe\x00"), "FEED_NOT_TEXT"),
    ],
)
def test_what_is_no_report_is_an_error(server: FeedServer, told: Told, code: str) -> None:
    server.say(FOLDER, told)
    assert refused(server) == code


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (HTML, "FEED_NOT_JSON"),
        (in_json({}), "FEED_SHAPE"),
        (aemo_summary("2026-08-20T11:05:00", 1.0, region="VIC1"), "FEED_OTHER_ZONE"),
        (aemo_summary("just now", 1.0), "FEED_BAD_STAMP"),
    ],
)
def test_what_is_no_summary_is_an_error(server: FeedServer, told: Told, code: str) -> None:
    server.say(FOLDER, in_csv(aemo_csv("2026/08/20 11:00:00", [30.5])))
    server.say(SUMMARY, told)
    start = datetime(2026, 8, 20, 0, 55, tzinfo=UTC)
    assert refused(server, start=start, minutes=10) == code


def test_a_web_page_instead_of_a_report_says_what_to_do(server: FeedServer) -> None:
    server.say(FOLDER, HTML)
    with pytest.raises(FindingsError, match="the answer is a page, not a table"):
        fetch(server)


def test_what_it_does_not_give_is_refused(server: FeedServer) -> None:
    assert refused(server, zone="WA1") == "FEED_UNKNOWN_ZONE"
    assert refused(server, quantity="day_ahead_price") == "FEED_NO_QUANTITY"
    assert server.asked == []
