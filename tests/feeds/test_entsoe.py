"""The ENTSO-E platform: points left out, several auctions, no data, a year at a time, safe XML."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feed_server import (
    Asked,
    FeedServer,
    Told,
    code_of,
    document,
    door,
    entsoe,
    in_xml,
    no_data,
    time_series,
)
from feed_server_more import HTML
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.feeds.answer import Answer
from tokenergy.feeds.entsoe import Entsoe, eic_of, load_zones
from tokenergy.feeds.entsoe_xml import series_in
from tokenergy.feeds.series import Ask, FeedQuantity, FeedSeries

START = datetime(2026, 3, 1, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


def fetch(
    server: FeedServer,
    *,
    start: datetime = START,
    hours: float = 4,
    zone: str = "DE-LU",
    quantity: FeedQuantity = "day_ahead_price",
    key: str | None = "sesame",
) -> FeedSeries:
    ask = Ask(zone=zone, quantity=quantity, start=start, end=start + hours * HOUR)
    with door(NOW) as http:
        return Entsoe(http, base_url=f"{server.url}/api", key=key).fetch(ask)


def refused(server: FeedServer, **asked: Any) -> str:
    with pytest.raises(FindingsError) as caught:
        fetch(server, **asked)
    assert "sesame" not in str(caught.value)
    return code_of(caught.value)


def always(server: FeedServer, told: Told) -> None:
    server.say("/api", entsoe(lambda *_: told))


def test_points_left_out_repeat_the_one_before(server: FeedServer) -> None:
    """A03 with positions 1, 3 of 4 hours: hour 2 is as hour 1, hour 4 as hour 3."""
    always(server, document(time_series(START, {1: 10.5, 3: -7.0}, count=4)))
    series = fetch(server)
    assert [(row.start, row.value) for row in series.rows] == [
        (START, 10.5),
        (START + HOUR, 10.5),
        (START + 2 * HOUR, -7.0),
        (START + 3 * HOUR, -7.0),
    ]
    assert (series.unit, series.column) == ("EUR/MWh", "day_ahead_price_eur_per_mwh")
    assert series.findings == ()
    assert "sesame" not in repr(series)
    (asked,) = server.asked
    assert asked.query == {
        "documentType": "A44",
        "contract_MarketAgreement.type": "A01",
        "in_Domain": "10Y1001A1001A82H",
        "out_Domain": "10Y1001A1001A82H",
        "periodStart": "202603012300",
        "periodEnd": "202603020300",
        "securityToken": "sesame",
    }


def test_points_left_out_of_fixed_blocks_are_missing(server: FeedServer) -> None:
    always(server, document(time_series(START, {1: 10.5, 3: -7.0}, count=4, curve="A01")))
    series = fetch(server)
    (finding,) = series.findings
    assert (finding.code, finding.value) == ("FEED_GAP", "2")
    assert [row.value for row in series.rows] == [10.5, -7.0]


def test_only_the_coupled_market_counts_wherever_it_stands(server: FeedServer) -> None:
    """The morning's other auction comes first in the document, and is another price."""
    other = time_series(START, {1: 99.0}, count=4, sequence=2)
    always(server, document(other, time_series(START, {1: 50.0}, count=4, sequence=1)))
    series = fetch(server)
    assert [row.value for row in series.rows] == [50.0] * 4
    assert [finding.code for finding in series.findings] == ["FEED_OTHER_AUCTION"]


def test_before_noon_only_the_other_auction_is_there_and_is_no_price(server: FeedServer) -> None:
    always(server, document(time_series(START, {1: 99.0}, count=4, sequence=2)))
    assert refused(server) == "FEED_EMPTY"


def test_the_change_to_quarters_is_kept(server: FeedServer) -> None:
    change = datetime(2025, 9, 30, 22, tzinfo=UTC)
    hours = time_series(change - 2 * HOUR, {1: 1.0, 2: 2.0}, count=2)
    quarters = time_series(change, {1: 3.0, 4: 4.0}, count=8, step=QUARTER)
    always(server, document(hours, quarters))
    series = fetch(server, start=change - 2 * HOUR, hours=4)
    assert [row.step for row in series.rows] == [HOUR] * 2 + [QUARTER] * 8
    assert [row.value for row in series.rows] == [1.0, 2.0, *[3.0] * 3, *[4.0] * 5]


@pytest.mark.parametrize(
    ("start", "hours"),
    [(datetime(2026, 3, 28, 23, tzinfo=UTC), 23), (datetime(2026, 10, 24, 22, tzinfo=UTC), 25)],
)
def test_days_of_23_and_25_hours_are_whole(server: FeedServer, start: datetime, hours: int) -> None:
    points = {place: float(place) for place in range(1, 4 * hours + 1)}
    always(server, document(time_series(start, points, count=4 * hours, step=QUARTER)))
    series = fetch(server, start=start, hours=hours)
    assert [row.value for row in series.rows] == list(points.values())
    assert series.findings == ()


def test_whole_days_come_and_the_span_is_cut_out(server: FeedServer) -> None:
    always(server, document(time_series(START, {p: float(p) for p in range(1, 25)}, count=24)))
    series = fetch(server, start=START + 5 * HOUR, hours=2)
    assert [row.value for row in series.rows] == [6.0, 7.0]
    assert series.findings == ()


def test_a_year_is_the_most_of_one_ask(server: FeedServer) -> None:
    """400 days are two asks; days that overlap the cut come whole, and no hour twice."""

    def tell(_: Asked, start: datetime, end: datetime) -> Told:
        day = timedelta(days=1)
        first = start.replace(hour=23) - (day if start.hour < 23 else timedelta())
        days = -((first - end) // day)
        return document(
            *(time_series(first + at * day, {1: 1.0, 13: 2.0}, count=24) for at in range(days))
        )

    server.say("/api", entsoe(tell))
    series = fetch(server, start=START + 7 * HOUR, hours=400 * 24)
    assert (len(series.rows), len(server.asked)) == (400 * 24, 2)
    assert series.findings == ()


@pytest.mark.parametrize("status", [200, 400])
def test_no_matching_data_is_a_hole_in_a_longer_span_and_nothing_alone(
    server: FeedServer, status: int
) -> None:
    full = time_series(START, {1: 1.0}, count=24 * 365)

    def tell(_: Asked, start: datetime, end: datetime) -> Told:
        return document(full) if start == START else no_data(status=status)

    server.say("/api", entsoe(tell))
    series = fetch(server, hours=24 * 366)
    assert [(item.code, item.value) for item in series.findings] == [("FEED_GAP", "24")]
    assert refused(server, start=START + HOUR) == "FEED_EMPTY"


def test_a_later_revision_of_the_document_counts(server: FeedServer) -> None:
    """Two answers overlap by a day: the part of revision 2 replaces that of revision 1."""
    old = series_in(answer(document(time_series(START, {1: 1.0}, count=1), revision=1)))
    new = series_in(answer(document(time_series(START, {1: 5.0}, count=1), revision=2)))
    assert [row.revision for told in (old, new) for row in told[0].rows] == [1, 2]


def test_wind_adds_sea_and_shore_and_leaves_own_use_out(server: FeedServer) -> None:
    def tell(asked: Asked, *_: datetime) -> Told:
        made = {"B18": {1: 100.0, 2: 200.0}, "B19": {1: 1000.0, 2: 1500.0}}[asked.query["psrType"]]
        many = {"count": 2, "kind": "quantity", "measure": "MAW", "sequence": None, "curve": "A01"}
        taken = time_series(START, {1: 9.0}, domain="outBiddingZone_Domain.mRID", **many)  # type: ignore[arg-type]
        return document(time_series(START, made, **many), taken, root="GL_MarketDocument")  # type: ignore[arg-type]

    server.say("/api", entsoe(tell))
    series = fetch(server, quantity="wind", hours=2)
    assert [row.value for row in series.rows] == [1100.0, 1700.0]
    assert (series.unit, series.column, series.findings) == ("MW", "wind_mw", ())
    assert [asked.query["psrType"] for asked in server.asked] == ["B18", "B19"]


def test_a_zone_without_a_coast_has_the_wind_on_shore(server: FeedServer) -> None:
    def tell(asked: Asked, *_: datetime) -> Told:
        shore = time_series(START, {1: 5.0}, count=4, kind="quantity", measure="MAW", sequence=None)
        return no_data() if asked.query["psrType"] == "B18" else document(shore)

    server.say("/api", entsoe(tell))
    assert [row.value for row in fetch(server, quantity="wind").rows] == [5.0] * 4


def test_load_is_read(server: FeedServer) -> None:
    many = time_series(START, {1: 7.0}, count=4, kind="quantity", measure="MAW", sequence=None,
                       domain="outBiddingZone_Domain.mRID")  # fmt: skip
    always(server, document(many, root="GL_MarketDocument"))
    series = fetch(server, quantity="load", zone="FR")
    assert (series.column, series.rows[0].value) == ("load_mw", 7.0)
    assert server.asked[0].query["outBiddingZone_Domain"] == "10YFR-RTE------C"


BILLION = (
    '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]>'
    "<Publication_MarketDocument>&lol2;</Publication_MarketDocument>"
)
FILE = '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><a>&f;</a>'


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (HTML, "FEED_NOT_XML"),
        (Told(b"<Publication_MarketDocument><TimeSer"), "FEED_NOT_XML"),
        (Told(b""), "FEED_NOT_XML"),
        (Told(b"<Publication", cut=True), "FEED_UNREACHABLE"),
        (in_xml(BILLION), "FEED_NOT_XML"),
        (in_xml(FILE), "FEED_NOT_XML"),
        (Told('<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16")), "FEED_NOT_TEXT"),
        (document(), "FEED_SHAPE"),
        (no_data(text="Input parameter does not exist"), "FEED_REFUSED"),
        (document(time_series(START, {1: 1.0}, count=4, currency="PLN")), "FEED_UNIT"),
        (document(time_series(START, {1: 1.0}, count=4, measure="KWH")), "FEED_UNIT"),
        (document(time_series(START, {5: 1.0}, count=4)), "FEED_SHAPE"),
        (document(time_series(START, {0: 1.0}, count=4)), "FEED_SHAPE"),
        (document(time_series(START, {-1: 1.0}, count=4)), "FEED_SHAPE"),
        (document(time_series(START, {1: 1.0}, count=0)), "FEED_SHAPE"),
        (document(time_series(START, {1: "much"}, count=4)), "FEED_NOT_A_NUMBER"),  # type: ignore[dict-item]
        (document(time_series(START, {1: 1.0}, count=4, step=24 * HOUR)), "FEED_STEP"),
    ],
)
def test_what_is_no_series_is_refused(server: FeedServer, told: Told, code: str) -> None:
    always(server, told)
    assert refused(server) == code


def test_a_wrong_key_is_refused_and_none_asks_nothing(server: FeedServer) -> None:
    always(server, document())
    with pytest.raises(FindingsError) as caught:
        fetch(server, key="open-says-me")
    assert code_of(caught.value) == "FEED_REFUSED"
    assert "key" in caught.value.findings[0].remedy
    assert "open-says-me" not in str(caught.value)
    server.asked.clear()
    assert refused(server, key=None) == "FEED_NO_KEY"
    assert refused(server, quantity="carbon") == "FEED_NO_QUANTITY"
    assert refused(server, zone="Bavaria") == "FEED_UNKNOWN_ZONE"
    assert server.asked == []


def test_zones_are_names_or_codes() -> None:
    assert eic_of("de_lu") == eic_of("DE-LU") == eic_of("10Y1001A1001A82H") == "10Y1001A1001A82H"


def test_every_code_of_the_table_has_its_check_character() -> None:
    """EIC: the sum of 15 characters (0-9 A-Z -) times 16, 15, ... 2 gives 36 - (sum - 1) mod 37."""
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"
    for zone, eic in load_zones().items():
        total = sum(letters.index(c) * w for c, w in zip(eic[:15], range(16, 1, -1), strict=True))
        assert letters[36 - (total - 1) % 37] == eic[15], zone


def answer(told: Told) -> Answer:
    return Answer(status=200, body=told.body, headers={}, fetched_at=NOW, url="http://platform")


@given(st.lists(st.integers(0, 3).map(float), min_size=1, max_size=40))
def test_leaving_equal_points_out_changes_nothing(values: list[float]) -> None:
    """What A03 writes of a list of values, with every repetition left out, reads as the list."""
    points = {
        at + 1: value for at, value in enumerate(values) if at == 0 or values[at - 1] != value
    }
    told = document(time_series(START, points, count=len(values), step=QUARTER))
    (read,) = series_in(answer(told))
    assert [row.value for row in read.rows] == values
    assert [row.start for row in read.rows] == [START + at * QUARTER for at in range(len(values))]
