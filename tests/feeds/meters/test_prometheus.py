from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from engine_server import EngineServer, Reply, engine_server, vector

from tokenergy.company.observe import Engine, Gives, PrometheusMeter
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


def read(
    http: Http,
    gives: Gives,
    *answers: bytes | Reply,
    query: str = f"1 * {DCGM}",
    scraped: tuple[float, ...] = (),
    updates_s: float | None = None,
) -> Reading:
    """Read once for each answer, 10 s apart; `scraped` is when the server looked last."""
    told = [each if isinstance(each, Reply) else Reply(each) for each in answers]
    second = -10.0

    def answer(_path: str, asked: dict[str, list[str]]) -> Reply:
        at = round(second / 10.0)
        if asked["query"][0].startswith("timestamp("):
            return Reply(vector(*(({"gpu": str(gpu)}, str(scraped[at])) for gpu in range(2))))
        return told[at]

    server: EngineServer
    with engine_server(answer) as server:
        meter = meter_of(
            PrometheusMeter(
                kind="prometheus", url=server.url, query=query, gives=gives, updates_s=updates_s
            ),
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
    assert 'query{gpu="1"} went' in reading.reason


def test_a_board_that_began_anew_does_not_hide_behind_the_others(http: Http) -> None:
    """1,000 + 2,000 became 9,000 + 50 J: the sum rose by 6,050, and 8,050 J were drawn at least."""
    reading = read(http, "j", boards("1000", "2000"), boards("9000", "50"))
    assert reading.energy_j is None
    assert "reset" in reading.reason


@pytest.mark.parametrize("updates_s", [None, 5.0])
def test_a_counter_that_stands_still_is_a_dead_exporter_and_not_0(
    http: Http, updates_s: float | None
) -> None:
    """Prometheus remembers a number for five minutes."""
    same = boards("1000", "2000")
    reading = read(http, "j", same, same, same, updates_s=updates_s)
    assert reading.energy_j is None
    assert "stood still" in reading.reason


def test_a_window_shorter_than_the_scrape_has_no_figure(http: Http) -> None:
    reading = read(http, "j", boards("10"), boards("40"), updates_s=30.0)
    assert reading.energy_j is None
    assert "shorter than 30 s" in reading.reason


def test_a_window_with_another_spans_joules_has_no_figure(http: Http) -> None:
    """10 s of window; the server looked after 9 s, and the other time after 40: 40 s of joules."""
    answers = boards("10", "10"), boards("40", "40")
    fits = read(http, "j", *answers, query=DCGM, scraped=(100.0, 109.0))
    assert fits.energy_j == 60.0
    lumped = read(http, "j", *answers, query=DCGM, scraped=(100.0, 140.0))
    assert lumped.energy_j is None
    assert "counted over 40.0 s, and the window has 10.0 s" in lumped.reason
    stale = read(http, "j", *answers, query=DCGM, scraped=(100.0, 100.0))
    assert "has not looked again" in stale.reason


def test_a_power_that_is_remembered_is_none(http: Http) -> None:
    reading = read(
        http, "w", boards("300"), boards("300"), query="power{gpu=~'.*'}", scraped=(50.0, 50.0)
    )
    assert reading.energy_j is None
    assert "has not looked again" in reading.reason


def test_microjoules_and_a_sum_that_the_server_makes(http: Http) -> None:
    reading = read(http, "uj", vector(({}, "2000000")), vector(({}, "5000000")))
    assert reading.energy_j == 3.0


def test_instances_of_mig_repeat_the_counter_of_their_board(http: Http) -> None:
    def parts(figure: str) -> bytes:
        return vector(
            *(({"UUID": "GPU-a", "GPU_I_ID": str(part)}, figure) for part in (1, 2)),
        )

    reading = read(http, "mj", parts("1000"), parts("9000"))
    assert reading.energy_j is None
    assert "MIG divides it" in reading.reason


def test_a_board_that_is_lent_to_two_pods_counts_once_and_is_marked(http: Http) -> None:
    def lent(figure: str) -> bytes:
        return vector(*(({"UUID": "GPU-a", "pod": pod}, figure) for pod in ("p", "q")))

    reading = read(http, "mj", lent("1000"), lent("9000"))
    assert (reading.energy_j, reading.tier) == (8.0, "modelled")
    assert "lent to 2 at once" in reading.reason
    torn = vector(({"UUID": "GPU-a", "pod": "p"}, "1"), ({"UUID": "GPU-a", "pod": "q"}, "2"))
    assert "different figures" in read(http, "mj", lent("1"), torn).reason


def test_an_empty_answer_an_error_and_a_figure_below_0_are_reasons(http: Http) -> None:
    down = Reply(body=b"bad gateway", status=502)
    for answer, told in (
        (boards(), "no series"),
        (boards("NaN"), "NaN"),
        (down, "query: "),
        (boards("-5"), "below 0"),
        (vector(), "no series"),
    ):
        reading = read(http, "j", boards("10"), answer)
        assert reading.energy_j is None
        assert told in reading.reason
