from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from engine_server import EngineServer, Reply, engine_server, matrix, prometheus_error, vector

from tokenergy.company.observe import Engine
from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_history import engine_history, hourly_increase
from tokenergy.feeds.http import Http
from tokenergy.feeds.prometheus_api import (
    PrometheusApi,
    PrometheusSampler,
    checked_selector,
    query_value,
)

JSON = "application/json"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
VLLM = (
    ("vllm:prompt_tokens_total", "10"),
    ("vllm:prompt_tokens_cached_total", "4"),
    ("vllm:generation_tokens_total", "7"),
    ("vllm:request_success_total", "3"),
    ("vllm:num_requests_running", "2"),
    ("vllm:num_requests_waiting", "1"),
)


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout_s=2.0, tries_count=1) as port:
        yield port


def served(*pods: str) -> bytes:
    """The answer to the query of names: each pod with the figures above."""
    return vector(
        *(
            ({"__name__": name, "job": "vllm", "pod": pod, "model_name": "m"}, text)
            for name, text in VLLM
            for pod in pods
        )
    )


def sampler(http: Http, server: EngineServer, selector: str | None) -> PrometheusSampler:
    engine = Engine(name="e", metrics_url=server.url, fleet="f", model="m", selector=selector)
    return PrometheusSampler(http, engine, lambda: NOON, lambda: 100.0)


def code_of(http: Http, reply: Reply) -> FindingsError:
    with engine_server(reply) as server, pytest.raises(FindingsError) as caught:
        query_value(http, server.url, "up")
    return caught.value


def test_a_sample_is_the_series_of_the_selector_in_one_query(http: Http) -> None:
    with engine_server(Reply(served("a", "b"), content_type=JSON)) as server:
        sample = sampler(http, server, '{job="vllm", site="paris"}').sample()
    assert (sample.prompt_tokens, sample.cached_tokens, sample.output_tokens) == (20, 8, 14)
    assert (sample.requests, sample.running_count, sample.waiting_count) == (6, 4.0, 2.0)
    assert (sample.engine, sample.version, sample.model_names) == ("vllm", "since 2026-02", ("m",))
    assert (sample.at, sample.ticks_s, sample.engine_at) == (NOON, 100.0, None)
    ((path, query, headers),) = server.asked
    assert path == "/api/v1/query"
    assert query["query"][0].startswith('{__name__=~"')
    assert query["query"][0].endswith('", job="vllm", site="paris"}')
    assert headers["user-agent"].startswith("tokenergy-observe/")


def test_a_name_of_two_meanings_is_left_out_where_no_help_line_tells(http: Http) -> None:
    names = [(name.replace("prompt_tokens_cached", "gpu_prefix_cache_hits"), v) for name, v in VLLM]
    reply = vector(*(({"__name__": name}, text) for name, text in names))
    with engine_server(Reply(reply, content_type=JSON)) as server:
        sample = sampler(http, server, None).sample()
    assert sample.cached_tokens is None
    assert any("blocks or tokens" in note for note in sample.notes)


def test_nothing_under_a_selector_is_told(http: Http) -> None:
    with (
        engine_server(Reply(vector(), content_type=JSON)) as server,
        pytest.raises(FindingsError, match="PROMETHEUS_EMPTY"),
    ):
        sampler(http, server, 'job="gone"').sample()


def test_a_value_is_the_sum_of_its_series(http: Http) -> None:
    reply = vector(({"gpu": "0"}, "1.5e3"), ({"gpu": "1"}, "500"), at=1.7e9)
    with engine_server(Reply(reply, content_type=JSON)) as server:
        told = query_value(http, server.url + "/", "sum by (gpu) (energy)")
    assert (told.value, told.series_count, told.reason) == (2000.0, 2, "")
    assert told.at == datetime.fromtimestamp(1.7e9, tz=UTC)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (vector(), "the query has no series: up"),
        (vector(({}, "NaN"), ({}, "1")), "1 of 2 series say NaN or Inf"),
    ],
)
def test_no_value_has_a_reason_and_is_not_0(http: Http, reply: bytes, told: str) -> None:
    with engine_server(Reply(reply, content_type=JSON)) as server:
        value = query_value(http, server.url, "up")
    assert value.value is None
    assert value.reason == told


def test_warnings_of_the_server_are_kept(http: Http) -> None:
    reply = vector(({}, "1"), warnings=["fetched partial data"], infos=["not a counter"])
    with engine_server(Reply(reply, content_type=JSON)) as server:
        value = query_value(http, server.url, "up")
    assert value.value == 1.0
    assert [finding.severity for finding in value.findings] == ["warning", "warning"]
    assert "fetched partial data" in value.findings[0].reason


def test_errors_come_in_the_servers_own_words(http: Http) -> None:
    said = prometheus_error("bad_data", "1:5: parse error: unexpected end of input")
    error = code_of(http, Reply(said, status=400, content_type=JSON))
    assert error.findings[0].code == "PROMETHEUS_REFUSED"
    assert "unexpected end of input" in error.findings[0].reason
    also = code_of(http, Reply(said, content_type=JSON))
    assert also.findings[0].code == "PROMETHEUS_REFUSED"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(b"<html>", content_type="text/html"), "PROMETHEUS_SHAPE"),
        (Reply(b"{}", content_type=JSON), "PROMETHEUS_SHAPE"),
        (Reply(b"[]", content_type=JSON), "PROMETHEUS_SHAPE"),
        (Reply(b'{"status":"success","data":{}}', content_type=JSON), "PROMETHEUS_SHAPE"),
        (Reply(matrix(), content_type=JSON), "PROMETHEUS_SHAPE"),
        (Reply(vector(({}, "one")), content_type=JSON), "PROMETHEUS_SHAPE"),
        (Reply(b"nobody", status=404), "PROMETHEUS_REFUSED"),
        (Reply(b"busy", status=503), "PROMETHEUS_UNREACHABLE"),
    ],
)
def test_what_is_no_answer_of_prometheus_is_refused(http: Http, reply: Reply, code: str) -> None:
    assert code_of(http, reply).findings[0].code == code


@pytest.mark.parametrize(
    ("selector", "bare"),
    [
        ("", ""),
        ('job="a"', 'job="a"'),
        ('{job=~"a|b", site!="c",}', 'job=~"a|b", site!="c"'),
        ('x="a\\"b"', 'x="a\\"b"'),
    ],
)
def test_selectors(selector: str, bare: str) -> None:
    assert checked_selector(selector) == bare


@pytest.mark.parametrize("selector", ["vllm", "job=vllm", 'job="a"} or up{', 'job="a" x="b"'])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(FindingsError, match="PROMETHEUS_SELECTOR"):
        checked_selector(selector)


def test_an_hour_is_what_a_counter_grew_by_its_end(http: Http) -> None:
    """Asked at 13:00, 14:00 and 15:00: what grew from noon on, hour by hour; 14:00 is missing."""
    first_s = (NOON + timedelta(hours=1)).timestamp()
    reply = matrix(({"pod": "a"}, [(first_s, "10.4")]), ({}, [(first_s + 7200, "7")]))
    with engine_server(Reply(reply, content_type=JSON)) as server:
        told = hourly_increase(
            http,
            server.url,
            name="vllm:prompt_tokens_total",
            selector='job="v"',
            start=NOON,
            end=NOON + timedelta(hours=3),
        )
    assert [point.value for point in told.points] == [10.4, None, 7.0]
    assert [point.start.hour for point in told.points] == [12, 13, 14]
    assert told.missing_count == 1
    ((path, query, _),) = server.asked
    assert path == "/api/v1/query_range"
    assert query == {
        "query": ['sum(increase(vllm:prompt_tokens_total{job="v"}[1h]))'],
        "start": [f"{first_s:.3f}"],
        "end": [f"{first_s + 7200:.3f}"],
        "step": ["3600"],
    }


@pytest.mark.parametrize("hours", [0, -1, 20_000])
def test_a_span_that_cannot_be_asked_is_refused(http: Http, hours: int) -> None:
    api = PrometheusApi(http, "http://127.0.0.1:9/")
    with pytest.raises(FindingsError, match="PROMETHEUS_RANGE"):
        api.steps("up", start=NOON, end=NOON + timedelta(hours=hours))


def test_a_history_is_every_quantity_hour_by_hour_with_its_gaps(http: Http) -> None:
    start_s = NOON.timestamp()

    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        promql = query["query"][0]
        if path.endswith("/query"):
            return Reply(served("a"), content_type=JSON)
        if "running" in promql:
            assert "avg_over_time" in promql
            return Reply(matrix(({}, [(start_s + 3600, "1.5")])), content_type=JSON)
        count = "4.2" if "cached" in promql else "9.8"
        return Reply(matrix(({}, [(start_s + 3600, count)])), content_type=JSON)

    engine = Engine(name="e", metrics_url="http://x", fleet="f", model="m", selector='job="v"')
    with engine_server(answer) as server:
        told = engine_history(
            http,
            engine.model_copy(update={"metrics_url": server.url}),
            start=NOON,
            end=NOON + timedelta(hours=2),
        )
    first, second = told.hours
    assert (first.start, first.prompt_tokens, first.cached_tokens) == (NOON, 10, 4)
    assert (first.output_tokens, first.requests, first.running_count) == (10, 10, 1.5)
    assert (second.prompt_tokens, second.running_count) == (None, None)
    assert [finding.code for finding in told.findings] == ["PROMETHEUS_GAP"]
    assert (told.findings[0].value, told.findings[0].limit) == ("1", "2")


def test_label_values(http: Http) -> None:
    with engine_server(
        Reply(b'{"status":"success","data":["a","b"]}', content_type=JSON)
    ) as server:
        values = PrometheusApi(http, server.url).label_values("model_name", selector='job="v"')
    assert values == ("a", "b")
    assert server.asked[0][0] == "/api/v1/label/model_name/values"
    assert server.asked[0][1] == {"match[]": ['{job="v"}']}
