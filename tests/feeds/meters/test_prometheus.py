from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from engine_server import EngineServer, Reply, engine_server, vector

from tokenergy.company.observe import Engine, PrometheusMeter
from tokenergy.feeds.http import Http
from tokenergy.feeds.meters.open_meter import meter_of
from tokenergy.metering.reading import Reading

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENGINE = Engine(name="e", metrics_url="http://127.0.0.1:1/metrics", fleet="f", model="m")
DCGM = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout_s=2.0, tries_count=1) as port:
        yield port


def read(http: Http, gives: Literal["j", "mj", "w"], *answers: bytes | Reply) -> Reading:
    """Read once for each answer, 10 s apart."""
    left = iter([each if isinstance(each, Reply) else Reply(each) for each in answers])
    second = -10.0
    server: EngineServer
    with engine_server(lambda *_: next(left)) as server:
        meter = meter_of(
            PrometheusMeter(kind="prometheus", url=server.url, query=DCGM, gives=gives),
            ENGINE,
            http=http,
            clock=lambda: NOON + timedelta(seconds=second),
            ticks=lambda: second,
        )
        samples = []
        for _ in answers:
            second += 10.0
            samples.append(meter.read())
        meter.close()
    return meter.reading(samples)


def boards(*figures: str) -> bytes:
    return vector(*(({"gpu": str(at)}, figure) for at, figure in enumerate(figures)))


def test_a_counter_in_millijoules_of_two_boards(http: Http) -> None:
    """(3,500 - 1,000) + (2,500 - 2,000) mJ = 3 J."""
    reading = read(http, "mj", boards("1000", "2000"), boards("3500", "2500"))
    assert (reading.energy_j, reading.tier, reading.boundary) == (3.0, "measured", "gpu")
    assert "Prometheus" in reading.reason


def test_a_counter_in_joules(http: Http) -> None:
    assert read(http, "j", boards("10.5"), boards("13")).energy_j == 2.5


def test_a_power_in_watts_is_joined_by_lines(http: Http) -> None:
    """(100 + 200) / 2 W x 10 s."""
    reading = read(http, "w", boards("100"), boards("200"))
    assert reading.energy_j == 1500.0
    assert "power samples" in reading.reason


def test_a_board_that_went_missing_is_not_a_smaller_sum(http: Http) -> None:
    reading = read(http, "j", boards("10", "20"), boards("40"))
    assert reading.energy_j is None
    assert "2 series" in reading.reason


def test_an_empty_answer_an_error_and_a_figure_below_0_are_reasons(http: Http) -> None:
    down = Reply(body=b"bad gateway", status=502)
    for answer, told in (
        (boards(), "no series"),
        (boards("NaN"), "NaN"),
        (down, "query: "),
        (boards("-5"), "below 0"),
    ):
        reading = read(http, "j", boards("10"), answer)
        assert reading.energy_j is None
        assert told in reading.reason
