"""Engines and meters cut into windows: what is unknown says why."""

from datetime import timedelta

import pytest
from engine_server import Reply, engine_server, vector, vllm_page
from observed import Moved

from tokenergy.api.observed.watching import Watcher
from tokenergy.company.observe import Engine, NvmlMeter, PrometheusMeter
from tokenergy.errors import FindingsError
from tokenergy.feeds.http import Http


class Page:
    """An engine whose counters and Date header a test sets."""

    def __init__(self, clock):
        self.made, self.clock, self.reply, self.joules = 0, clock, None, 0
        self.ahead = timedelta(0)

    def answer(self, path, _query):
        if path.startswith("/api"):
            told = vector(({}, str(self.joules)))
            return Reply(told, content_type="application/json")
        if self.reply is not None:
            return self.reply
        page = vllm_page(prompt=10 + 2 * self.made, cached=4 + self.made, output=7 + self.made)
        return Reply(page, date=self.clock() + self.ahead)


@pytest.fixture
def moved():
    return Moved()


@pytest.fixture
def page(moved):
    return Page(moved.clock)


@pytest.fixture
def server(page):
    with engine_server(page.answer) as held:
        yield held


@pytest.fixture
def http():
    with Http(timeout_s=2.0, tries_count=1) as port:
        yield port


def watcher(server, http, moved, **more):
    engine = Engine(name="e", metrics_url=f"{server.url}/metrics", fleet="f", model="m", **more)
    return Watcher([engine], http=http, every_s=60.0, clock=moved.clock, ticks=moved.ticks)


def cut(watch):
    (one,) = watch.cut()
    return one


def codes(one):
    return [finding.code for finding in one.findings]


def test_a_window_is_the_difference_of_its_ends_and_the_next_begins_there(
    server, http, moved, page
):
    watch = watcher(server, http, moved)
    for made in (0, 600, 1_000):
        page.made = made
        watch.read_all()
        one = cut(watch) if made else None
        if made:
            assert one.done.output_tokens == {600: 600, 1_000: 400}[made]
            assert (one.done.span_s, codes(one)) == (60.0, [])
        moved.sleep(60)


def test_one_reading_is_no_window_and_says_so(server, http, moved):
    watch = watcher(server, http, moved)
    assert codes(cut(watch)) == ["ENGINE_READ_ONCE"]
    watch.read_all()
    one = cut(watch)
    assert (one.done, codes(one)) == (None, ["ENGINE_READ_ONCE"])
    assert one.model_names  # what it calls its model is known from one reading


def test_an_engine_that_fails_at_the_end_says_why_and_comes_back(server, http, moved, page):
    """It answers, fails, answers: no window, then one of both spans together."""
    watch = watcher(server, http, moved)
    watch.read_all()
    moved.sleep(60)
    page.reply = Reply(b"no", status=503)
    watch.read_all()
    one = cut(watch)
    assert one.done is None
    assert {finding.severity for finding in one.findings} == {"warning"}
    assert "ENGINE_READ_ONCE" not in codes(one)
    moved.sleep(60)
    page.reply, page.made = None, 900
    watch.read_all()
    one = cut(watch)
    assert (one.done.output_tokens, one.done.span_s) == (900, 120.0)


def test_a_restart_loses_its_window_alone(server, http, moved, page):
    watch = watcher(server, http, moved)
    page.made = 500
    watch.read_all()
    for made, code in ((3, ["COUNTER_RESET"]), (303, [])):
        moved.sleep(60)
        page.made = made
        watch.read_all()
        one = cut(watch)
        assert codes(one) == code
        assert one.done.output_tokens == (None if code else 300)


def test_clocks_that_differ_are_told_and_move_no_figure(server, http, moved, page):
    watch = watcher(server, http, moved)
    page.ahead = timedelta(minutes=5)
    watch.read_all()
    moved.sleep(60)
    page.made = 600
    watch.read_all()
    one = cut(watch)
    assert codes(one) == ["CLOCKS_DIFFER"]
    assert "300 s ahead of ours" in one.findings[0].reason
    assert (one.done.output_tokens, one.done.span_s) == (600, 60.0)


def test_a_meter_is_read_beside_the_engine(server, http, moved, page):
    meter = PrometheusMeter(kind="prometheus", url=server.url, query="sum(joules)", gives="j")
    watch = watcher(server, http, moved, meter=meter)
    watch.read_all()
    moved.sleep(60)
    page.joules = 24_000
    watch.read_all()
    one = cut(watch)
    assert (one.reading.energy_j, one.reading.tier) == (24_000.0, "measured")
    moved.sleep(60)
    page.joules = 5
    watch.read_all()
    one = cut(watch)
    assert one.reading.energy_j is None
    assert "METER_MISSING" in codes(one)


def test_meters_that_cannot_be_opened_are_refused_at_once(server, http, moved):
    engines = [
        Engine(
            name=name,
            metrics_url=server.url,
            fleet="f",
            model="m",
            meter=NvmlMeter(kind="nvml", devices=("0",)),
        )
        for name in ("a", "b")
    ]
    with pytest.raises(FindingsError) as error:
        Watcher(engines, http=http, every_s=60.0, clock=moved.clock, ticks=moved.ticks)
    assert len(error.value.findings) >= 2


def test_two_engines_of_one_meter_are_refused(server, http, moved):
    meter = PrometheusMeter(kind="prometheus", url=server.url, query="sum(joules)", gives="j")
    engines = [
        Engine(name=name, metrics_url=f"{server.url}/metrics", fleet="f", model="m", meter=meter)
        for name in ("a", "b")
    ]
    with pytest.raises(FindingsError) as error:
        Watcher(engines, http=http, every_s=60.0, clock=moved.clock, ticks=moved.ticks)
    (finding,) = error.value.findings
    assert (finding.code, finding.path) == ("METER_DOUBLE_COUNT", "observe.engines.b.meter")


def test_a_counter_that_stands_still_is_missing_and_not_0(server, http, moved, page):
    meter = PrometheusMeter(kind="prometheus", url=server.url, query="sum(joules)", gives="j")
    watch = watcher(server, http, moved, meter=meter)
    page.joules = 24_000
    watch.read_all()
    moved.sleep(60)
    watch.read_all()
    one = cut(watch)
    assert one.reading.energy_j is None
    assert "METER_MISSING" in codes(one)
    assert any("stood still" in finding.reason for finding in one.findings)
