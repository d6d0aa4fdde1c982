import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from engine_server import OPENMETRICS, Reply, engine_server, llama_page, sglang_page, vllm_page

from tokenergy.company.observe import Engine
from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_scrape import EngineScraper, without_credentials
from tokenergy.feeds.http import Http
from tokenergy.metering.sample import EngineSample

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout_s=2.0, tries_count=1) as port:
        yield port


def scraper(http: Http, url: str, served_model: str | None = None) -> EngineScraper:
    """A scraper at noon whose monotonic clock ticks once a second, at each look."""
    ticks = itertools.count(100.0)
    engine = Engine(name="e", metrics_url=url, fleet="f", model="m")
    return EngineScraper(
        http, engine, lambda: NOON, lambda: float(next(ticks)), served_model=served_model
    )


def read(http: Http, page: bytes | Reply, served_model: str | None = None) -> EngineSample:
    with engine_server(page) as server:
        return scraper(http, f"{server.url}/metrics", served_model).sample()


def refused(http: Http, page: Reply | bytes) -> str:
    """Read once, and return the code of the only finding."""
    with pytest.raises(FindingsError) as caught:
        read(http, page)
    (finding,) = caught.value.findings
    assert finding.path.startswith("http://127.0.0.1:")
    assert finding.remedy
    return finding.code


def figures(sample: EngineSample) -> tuple[object, ...]:
    return (
        sample.prompt_tokens,
        sample.cached_tokens,
        sample.output_tokens,
        sample.requests,
        sample.running_count,
        sample.waiting_count,
    )


@pytest.mark.parametrize(
    ("age", "version", "cached"),
    [
        ("now", "since 2026-02", 4),
        ("v1", "0.9 to 2026-01", 4),
        ("tokens", "0.8 (V1)", 4),
        ("blocks", "0.8 (V1)", None),
        ("v0", "0.4 to 0.10 (V0)", None),
    ],
)
def test_vllm_of_every_age(http: Http, age: str, version: str, cached: int | None) -> None:
    sample = read(http, vllm_page(age=age))
    assert figures(sample) == (10, cached, 7, 3, 2.0, 1.0)
    assert (sample.engine, sample.version) == ("vllm", version)
    assert sample.model_names == ("meta-llama/Llama-3.1-8B-Instruct",)
    assert sample.started_at == datetime.fromtimestamp(1.7e9, tz=UTC)
    if age == "blocks":
        assert any("counts blocks" in note for note in sample.notes)


def test_several_engines_and_reasons_are_summed(http: Http) -> None:
    """Three engines of 10, 11 and 12 prompt tokens are 33; 3 requests each, by `stop`, are 9."""
    sample = read(http, vllm_page(engines=3))
    assert figures(sample) == (33, 4 + 5 + 6, 7 + 8 + 9, 9, 2 + 3 + 4, 1 + 2 + 3)
    assert len([part for part, _ in sample.parts if part.startswith("prompt_tokens")]) == 3


def test_sglang_sums_its_series_and_takes_ranks_once(http: Http) -> None:
    """Four tensor-parallel ranks each tell the same 2 running requests: they are 2, not 8."""
    assert figures(read(http, sglang_page(ranks=4))) == (10, 4, 7, 3, 2.0, 0.0)
    assert read(http, sglang_page(cached=None)).cached_tokens is None


def test_llama_adds_cached_tokens_to_those_it_computed(http: Http) -> None:
    """Since August 2026 it counts 10 computed and 4 cached ones apart: 14 prompt tokens."""
    sample = read(http, llama_page())
    assert figures(sample) == (14, 4, 7, None, 2.0, 0.0)
    assert (sample.engine, sample.model_names) == ("llama.cpp", ())
    older = read(http, llama_page(cached=None))
    assert figures(older) == (10, None, 7, None, 2.0, 0.0)
    assert any("counted nowhere" in note for note in older.notes)


def test_several_models_at_one_address_are_told_apart(http: Http) -> None:
    page = vllm_page(model="a") + vllm_page(model="b", prompt=90, started=None)
    both = read(http, page)
    assert (both.prompt_tokens, both.model_names) == (100, ("a", "b"))
    only = read(http, page, served_model="b")
    assert (only.prompt_tokens, only.requests, only.model_names) == (90, 3, ("b",))
    with pytest.raises(FindingsError, match=r"ENGINE_MODEL_UNKNOWN.*'a', 'b', not for 'c'"):
        read(http, page, served_model="c")


def test_a_counter_that_is_only_declared_is_unknown_not_0(http: Http) -> None:
    page = b"".join(
        line + b"\n"
        for line in sglang_page().splitlines()
        if not line.startswith(b"sglang:prompt_tokens_total")
    )
    sample = read(http, page)
    assert sample.prompt_tokens is None
    assert sample.output_tokens == 7
    assert "prompt_tokens: sglang:prompt_tokens_total is declared and has no value yet" in (
        sample.notes
    )


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1", "7.5", "1e17"])
def test_a_figure_that_is_no_count_is_unknown_with_its_reason(http: Http, value: str) -> None:
    page = vllm_page(engines=2).replace(b'generation_tokens_total{engine="1"', b"#").split(b"\n")
    lines = [
        b'vllm:generation_tokens_total{engine="1"} ' + value.encode() if b":#" in line else line
        for line in page
    ]
    sample = read(http, b"\n".join(lines))
    assert sample.output_tokens is None
    assert sample.prompt_tokens == 21
    assert not [part for part, _ in sample.parts if part.startswith("output_tokens")]
    assert any(note.startswith("output_tokens: a series of") for note in sample.notes)


def test_the_moment_is_the_middle_of_the_request_and_the_engine_has_its_own(http: Http) -> None:
    """Ticks 100 and 101: the middle is 100.5, half a second after noon."""
    theirs = NOON + timedelta(seconds=30)
    sample = read(http, Reply(vllm_page(), date=theirs))
    assert (sample.at, sample.ticks_s) == (NOON + timedelta(seconds=0.5), 100.5)
    assert sample.engine_at == theirs


def test_we_send_a_get_that_says_who_asks(http: Http) -> None:
    with engine_server(vllm_page()) as server:
        scraper(http, server.url + "/metrics").sample()
    ((path, _, headers),) = server.asked
    assert path == "/metrics"
    assert headers["user-agent"].startswith("tokenergy-observe/")
    assert "text/plain" in headers["accept"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(b"<!doctype html><p>hello", content_type="text/html"), "METRICS_NOT_TEXT"),
        (Reply(b"<?xml version='1.0'?>"), "METRICS_NOT_TEXT"),
        (Reply(b'{"status": "ok"}', content_type="application/json"), "METRICS_NOT_TEXT"),
        (Reply(b"[1]"), "METRICS_NOT_TEXT"),
        (Reply(b"OK\n"), "METRICS_NOT_TEXT"),
        (Reply(b"a 1\n\x00"), "METRICS_NOT_TEXT"),
        (Reply(b""), "METRICS_EMPTY"),
        (Reply(b" \n"), "METRICS_EMPTY"),
        (Reply(b"not here", status=404), "METRICS_REFUSED"),
        (Reply(b"key?", status=401), "METRICS_REFUSED"),
        (Reply(b"loading", status=503), "METRICS_UNREACHABLE"),
        (Reply(b"", status=302, headers={"Location": "http://192.0.2.9/m"}), "METRICS_REDIRECTED"),
        (Reply(vllm_page(), cut=300), "METRICS_HALF"),
        (Reply(vllm_page()[:-7]), "METRICS_HALF"),
        (Reply(vllm_page(), content_type=OPENMETRICS), "METRICS_HALF"),
        (Reply(b"node_cpu_seconds_total 5\n"), "ENGINE_NAMES_UNKNOWN"),
        (Reply(vllm_page() + b"vllm:prompt_tokens_total{ 5\n"), "METRICS_BAD_LINE"),
    ],
)
def test_what_is_no_page_of_an_engine_is_refused(http: Http, reply: Reply, code: str) -> None:
    assert refused(http, reply) == code


def test_an_openmetrics_page_that_is_closed_is_read(http: Http) -> None:
    reply = Reply(vllm_page() + b"# EOF\n", content_type=OPENMETRICS)
    assert read(http, reply).prompt_tokens == 10


def test_nobody_at_the_address_is_told(http: Http) -> None:
    with engine_server(vllm_page()) as server:
        url = server.url
    with pytest.raises(FindingsError, match="METRICS_UNREACHABLE"):
        scraper(http, f"{url}/metrics").sample()


def test_a_user_in_the_address_is_sent_and_never_shown(http: Http) -> None:
    """`me:s3cret` in base 64 is bWU6czNjcmV0."""
    with engine_server(lambda path, query: Reply(b"no", status=401)) as server:
        url = server.url.replace("http://", "http://me:s3cret@") + "/metrics?token=hush"
        one = scraper(http, url)
        with pytest.raises(FindingsError) as caught:
            one.sample()
    assert server.asked[0][2]["authorization"] == "Basic bWU6czNjcmV0"
    assert server.asked[0][1] == {"token": ["hush"]}
    told = f"{caught.value} {caught.value.__context__!r} {one._secret!r}"
    assert not any(word in told for word in ("s3cret", "hush", "bWU6"))
    assert without_credentials(url)[2] == f"{server.url}/metrics"


def test_an_engine_that_is_replaced_by_another_is_read_on(http: Http) -> None:
    pages = iter([vllm_page(), llama_page(), vllm_page(age="v0")])
    with engine_server(lambda path, query: Reply(next(pages))) as server:
        one = scraper(http, f"{server.url}/metrics")
        engines = [(sample.engine, sample.version) for sample in (one.sample() for _ in range(3))]
    assert engines == [
        ("vllm", "since 2026-02"),
        ("llama.cpp", "since 2026-08"),
        ("vllm", "0.4 to 0.10 (V0)"),
    ]
