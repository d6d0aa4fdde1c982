import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from engine_server import Reply, engine_server, vllm_page

from tokenergy.company.observe import Engine
from tokenergy.errors import FindingsError, InputError
from tokenergy.feeds.engine_scrape import EngineScraper
from tokenergy.feeds.http import Http
from tokenergy.feeds.prometheus_api import PrometheusSampler
from tokenergy.feeds.watch import Watch, sampler_of
from tokenergy.metering.sample import EngineSample

PATIENCE_S = 10.0


class Heard:
    """What a watch told, in order."""

    def __init__(self) -> None:
        self.samples: list[tuple[str, EngineSample]] = []
        self.errors: list[tuple[str, InputError]] = []
        self.changed = threading.Condition()

    def sample(self, name: str, sample: EngineSample) -> None:
        with self.changed:
            self.samples.append((name, sample))
            self.changed.notify_all()

    def error(self, name: str, error: InputError) -> None:
        with self.changed:
            self.errors.append((name, error))
            self.changed.notify_all()

    def until(self, enough: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(enough, timeout=PATIENCE_S)

    def counts(self) -> Counter[str]:
        return Counter(name for name, _ in self.samples)


def engine(url: str, selector: str | None = None) -> Engine:
    return Engine(name="e", metrics_url=url, fleet="f", model="m", selector=selector)


def test_many_engines_are_each_read_one_request_at_a_time() -> None:
    heard = Heard()
    names = [f"e{at}" for at in range(12)]
    with (
        engine_server(vllm_page()) as server,
        Http(timeout_s=2.0, tries_count=1) as http,
        Watch(
            {name: sampler_of(http, engine(f"{server.url}/{name}")) for name in names},
            every_s=0.05,
            on_sample=heard.sample,
            on_error=heard.error,
            threads_count=4,
        ),
    ):
        heard.until(lambda: len(heard.counts()) == 12 and min(heard.counts().values()) >= 3)
    assert not heard.errors
    assert set(server.most_in_flight.values()) == {1}


def test_an_engine_that_hangs_holds_up_no_other_and_no_callback_comes_after_stop() -> None:
    heard, release = Heard(), threading.Event()

    def answer(path: str, query: object) -> Reply:
        return Reply(vllm_page(), wait=release if path.startswith("/slow") else None)

    names = ["slow1", "slow2", "quick1", "quick2"]
    with engine_server(answer) as server, Http(timeout_s=PATIENCE_S, tries_count=1) as http:
        watch = Watch(
            {name: sampler_of(http, engine(f"{server.url}/{name}")) for name in names},
            every_s=0.02,
            on_sample=heard.sample,
            on_error=heard.error,
            threads_count=4,
        )
        watch.start()
        heard.until(lambda: heard.counts()["quick1"] >= 5 and heard.counts()["quick2"] >= 5)
        assert heard.counts()["slow1"] == 0
        release.set()
        watch.stop()
        told = len(heard.samples)
        time.sleep(0.05)
        assert len(heard.samples) == told
    assert server.most_in_flight["/slow1"] == 1


def test_slow_engines_never_hold_every_thread_once_they_are_known() -> None:
    """Three hang on four threads; from the second beat on, two of them at most are in work."""
    heard, gate = Heard(), threading.Event()
    beats: Counter[str] = Counter()

    class Slow:
        def __init__(self, name: str) -> None:
            self.name = name

        def sample(self) -> EngineSample:
            beats[self.name] += 1
            if beats[self.name] > 1:
                gate.wait(PATIENCE_S)
            raise InputError("down")

    class Quick:
        def sample(self) -> EngineSample:
            raise InputError("quick")

    watch = Watch(
        {**{f"slow{at}": Slow(f"slow{at}") for at in range(3)}, "quick": Quick()},
        every_s=0.02,
        on_sample=heard.sample,
        on_error=heard.error,
        threads_count=4,
    )
    assert watch._slow_limit == 2
    watch.start()
    heard.until(lambda: len(heard.errors) >= 4)
    time.sleep(0.1)
    assert sum(count > 1 for count in beats.values()) <= 2
    gate.set()
    watch.stop()


def test_an_engine_that_is_down_is_asked_less_often_and_back_on_its_beat_when_up() -> None:
    """Waits of 1, 2, 4, 8 beats follow on failures."""
    heard = Heard()
    state = {"up": False}

    def answer(path: str, query: object) -> Reply:
        return Reply(vllm_page()) if state["up"] else Reply(b"", status=503)

    with (
        engine_server(answer) as server,
        Http(timeout_s=2.0, tries_count=1) as http,
        Watch(
            {"e": sampler_of(http, engine(server.url + "/metrics"))},
            every_s=0.05,
            on_sample=heard.sample,
            on_error=heard.error,
            seed=1,
        ) as watch,
    ):
        heard.until(lambda: len(heard.errors) >= 3)
        turn = watch._turns[0] if watch._turns else None
        assert turn is None or turn.failures_count >= 2
        state["up"] = True
        heard.until(lambda: heard.counts()["e"] >= 2)
    assert all(isinstance(error, FindingsError) for _, error in heard.errors)
    assert "METRICS_UNREACHABLE" in str(heard.errors[0][1])


def test_what_a_callback_raises_ends_the_watch_and_comes_out_of_stop() -> None:
    def on_sample(name: str, sample: EngineSample) -> None:
        raise ZeroDivisionError(name)

    seen = Heard()
    with engine_server(vllm_page()) as server, Http(timeout_s=2.0, tries_count=1) as http:
        samplers = {"e": sampler_of(http, engine(server.url + "/metrics"))}
        watch = Watch(samplers, every_s=0.02, on_sample=on_sample, on_error=seen.error)
        watch.start()
        for thread in watch._threads:
            thread.join(PATIENCE_S)
        with pytest.raises(ZeroDivisionError, match="e"):
            watch.stop()
    assert not seen.errors


def test_a_watch_that_was_never_started_stops() -> None:
    seen = Heard()
    Watch({}, every_s=1.0, on_sample=seen.sample, on_error=seen.error).stop()


def test_a_selector_means_a_prometheus_server() -> None:
    with Http() as http:
        assert isinstance(sampler_of(http, engine("http://h/m")), EngineScraper)
        assert isinstance(sampler_of(http, engine("http://h", 'job="x"')), PrometheusSampler)
