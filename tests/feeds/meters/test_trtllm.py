"""What TensorRT-LLM answers under /energy_metrics: its two fields; the figures are ours."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from engine_server import Reply, engine_server

from tokenergy.company.observe import Engine, TrtllmMeter
from tokenergy.feeds.http import Http
from tokenergy.feeds.meters.open_meter import open_meter
from tokenergy.metering.reading import Reading

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout_s=2.0, tries_count=1) as port:
        yield port


def said(energy_j: Any, query_time: Any = None) -> Reply:
    told = {"total_energy_j": energy_j, "query_time": query_time}
    return Reply(json.dumps(told).encode(), content_type="application/json")


def read(http: Http, *answers: Reply) -> Reading:
    """Read once for each answer, 5 s apart; return the last window."""
    left = iter(answers)
    asked: list[str] = []
    second = 0.0

    def answer(path: str, _query: object) -> Reply:
        asked.append(path)
        return next(left)

    with engine_server(answer) as server:
        engine = Engine(
            name="e",
            metrics_url=f"{server.url}/prometheus/metrics",
            fleet="f",
            model="m",
            meter=TrtllmMeter(kind="trtllm"),
        )
        meter = open_meter(
            engine, http=http, clock=lambda: NOON + timedelta(seconds=second), ticks=lambda: second
        )
        for _ in answers:
            reading = meter.read()
            second += 5.0
        meter.close()
    assert set(asked) == {"/energy_metrics"}
    return reading


def test_joules_since_it_began(http: Http) -> None:
    reading = read(http, said(1234.5678, 800.0), said(2234.5679, 805.0))
    assert reading.energy_microjoules == 1_000_000_100
    assert (reading.tier, reading.boundary) == ("measured", "gpu")
    assert "TensorRT-LLM" in reading.reason


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (said(20.0, 805.0), "reset"),
        (said(1234.5, 805.0), "stood still"),
        (said(9000.0, 800.0), "has not looked again"),
        (said(9000.0, 3.0), "started again"),
        (said(None, 805.0), "no total_energy_j"),
        (said("12", 805.0), "no total_energy_j"),
        (said(True, 805.0), "no total_energy_j"),
        (said(-1.0, 805.0), "no total_energy_j"),
        (Reply(b'{"total_energy_j": NaN}', content_type="application/json"), "no total_energy_j"),
        (Reply(b"[]", content_type="application/json"), "no total_energy_j"),
        (Reply(b"<html>", content_type="text/html"), "enable_energy_metrics"),
        (
            Reply(b'{"error": "Energy monitoring is not available"}', status=503),
            "enable_energy_metrics",
        ),
    ],
)
def test_an_answer_without_joules_is_a_reason_and_never_0(
    http: Http, answer: Reply, told: str
) -> None:
    reading = read(http, said(1234.5, 800.0), answer)
    assert reading.energy_j is None
    assert told in reading.reason
