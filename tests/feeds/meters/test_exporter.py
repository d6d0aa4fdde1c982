"""A page of dcgm-exporter: its names, labels and HELP lines; the figures are ours."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from engine_server import Reply, engine_server

from tokenergy.company.observe import Engine, ExporterMeter
from tokenergy.feeds.http import Http
from tokenergy.feeds.meters.open_meter import meter_of
from tokenergy.metering.reading import Reading

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENGINE = Engine(name="e", metrics_url="http://127.0.0.1:1/metrics", fleet="f", model="m")
ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout_s=2.0, tries_count=1) as port:
        yield port


def page(*millijoules: int | str, more: str = "", copies: tuple[str, ...] = ("",)) -> bytes:
    lines = [
        "# HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).",
        "# TYPE DCGM_FI_DEV_POWER_USAGE gauge",
        'DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-0",Hostname="h"} 68.244000',
        f"# HELP {ENERGY} Total energy consumption since boot (in mJ).",
        f"# TYPE {ENERGY} counter",
    ]
    for at, figure in enumerate(millijoules):
        for copy in copies:
            labels = f'gpu="{at}",UUID="GPU-{at}",device="nvidia{at}",Hostname="h"{more}{copy}'
            lines.append(f"{ENERGY}{{{labels}}} {figure}")
    return ("\n".join(lines) + "\n").encode()


def read(
    http: Http, *answers: bytes | Reply, labels: dict[str, str] | None = None, beat_s: float = 30.0
) -> Reading:
    left = iter([each if isinstance(each, Reply) else Reply(each) for each in answers])
    second = -beat_s
    with engine_server(lambda *_: next(left)) as server:
        meter = meter_of(
            ExporterMeter(kind="exporter", url=f"{server.url}/metrics", labels=labels or {}),
            ENGINE,
            http=http,
            clock=lambda: NOON + timedelta(seconds=second),
            ticks=lambda: second,
        )
        samples = []
        for _ in answers:
            second += beat_s
            samples.append(meter.read())
        meter.close()
    return meter.reading(samples)


def test_boards_of_a_page_are_added_up(http: Http) -> None:
    """15,152,422,938 to 15,152,922,938 mJ and 0 to 1 J: 501 J."""
    reading = read(http, page(15_152_422_938, 0), page(15_152_922_938, 1000))
    assert (reading.energy_j, reading.tier) == (501.0, "measured")
    assert "looks every 30 s" in reading.reason


def test_labels_pick_the_boards_of_the_engine(http: Http) -> None:
    reading = read(http, page(0, 0), page(5000, 70_000), labels={"gpu": "1"})
    assert reading.energy_j == 70.0
    none = read(http, page(0), page(1), labels={"gpu": "7"})
    assert none.energy_j is None
    assert "none of the 1 series" in none.reason


def test_a_reset_of_one_board_is_seen(http: Http) -> None:
    reading = read(http, page(1000, 9000), page(90_000, 10))
    assert reading.energy_j is None
    assert "reset" in reading.reason


def test_a_window_within_one_look_of_the_exporter_has_no_figure(http: Http) -> None:
    """The page says the same for 30 s: a window of 5 s would read 0, or 30 s at once."""
    for answers in ((page(1000), page(1000)), (page(1000), page(9000))):
        reading = read(http, *answers, beat_s=5.0)
        assert reading.energy_j is None
        assert "shorter than 30 s" in reading.reason


def test_an_exporter_that_does_not_look_any_more_is_no_0(http: Http) -> None:
    reading = read(http, page(1000), page(1000), page(1000), page(1000))
    assert reading.energy_j is None
    assert "stood still" in reading.reason


def test_instances_of_mig_and_pods_that_share(http: Http) -> None:
    parts = tuple(f',GPU_I_PROFILE="2g.20gb",GPU_I_ID="{part}"' for part in (3, 4))
    divided = read(http, page(1000, copies=parts), page(9000, copies=parts))
    assert divided.energy_j is None
    assert "MIG divides it" in divided.reason
    pods = (',pod="p"', ',pod="q"')
    lent = read(http, page(1000, copies=pods), page(9000, copies=pods))
    assert (lent.energy_j, lent.tier) == (8.0, "modelled")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Reply(b"no", status=500), ""),
        (Reply(b"<html>login</html>", content_type="text/html"), "no page of metrics"),
        (b'DCGM_FI_DEV_POWER_USAGE{gpu="0"} 60\n', "no DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"),
        (page("NaN"), "NaN"),
        (page(-5), "below 0"),
        (page(5)[:-1], "broke off"),
        (b"", "no page of metrics"),
    ],
)
def test_a_page_that_tells_nothing_is_a_reason(
    http: Http, answer: bytes | Reply, told: str
) -> None:
    for answers in ((page(1000), answer), (answer, page(9000))):
        reading = read(http, *answers)
        assert reading.energy_j is None
        assert told in reading.reason
        assert reading.reason
