"""A watch with its page, from engines to a browser's address, until somebody ends it."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3
from engine_server import EngineServer, Reply, engine_server
from observed import Engines, company_file
from otlp_collector import otlp_collector
from prometheus_client.parser import text_string_to_metric_families

from tokenergy.api.observed.figures import LiveFigures
from tokenergy.api.observed.observation import (
    ModelSeen,
    Observation,
    SeenJoules,
    SeenTokens,
    SiteSeen,
)
from tokenergy.api.observing import Ask
from tokenergy.api.watching_live import watch_live
from tokenergy.errors import FindingsError, InputError

WAITS_S = 30.0
WINDOW_S = 1.0
"""Short, and long enough that a busy machine does not miss three of them in a row."""


class Running(Engines):
    """Engines whose counters grow by 300 and 100 with every reading."""

    def answer(self, path: str, query: dict[str, list[str]]) -> Reply:
        self.run(0.5)
        return super().answer(path, query)


@dataclass
class Live:
    """A watch in a thread: its address, its windows and its faults as they come."""

    stop: threading.Event = field(default_factory=threading.Event)
    addressed: threading.Event = field(default_factory=threading.Event)
    address: str = ""
    windows: list[Observation] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    ended: bool | None = None
    error: BaseException | None = None

    def on_address(self, address: str) -> None:
        self.address = address
        self.addressed.set()

    def until(self, there: Callable[[], bool]) -> None:
        """Wait until something is there; the watch must not have ended before."""
        for _ in range(round(WAITS_S / 0.02)):
            if there():
                return
            assert not self.stop.is_set(), self.error
            time.sleep(0.02)
        pytest.fail(f"it never came: {len(self.windows)} windows, faults {self.faults}")

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        with urllib3.PoolManager(retries=False) as pool:
            return pool.request("GET", self.address + path, timeout=10.0)


@contextmanager
def live(path: Path, *, otlp: str | None = None, **more) -> Iterator[Live]:
    """Watch without a saving until the end of the block, then see that it ends at once."""
    held = Live()
    ask = Ask(company=path, window_s=WINDOW_S, **{"saving": False} | more)

    def run() -> None:
        try:
            held.ended = watch_live(
                ask,
                port=0,
                otlp=otlp,
                stop=held.stop,
                on_address=held.on_address,
                on_window=held.windows.append,
                on_fault=held.faults.append,
            )
        except BaseException as error:
            held.error = error

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert held.addressed.wait(WAITS_S), held.error
        yield held
    finally:
        held.stop.set()
        thread.join(WAITS_S)
        assert not thread.is_alive()
    assert held.error is None
    assert held.ended is True


@pytest.fixture
def engines() -> Iterator[EngineServer]:
    with engine_server(Running().answer) as server:
        yield server


def test_windows_follow_each_other_and_the_page_shows_the_last(tmp_path, engines):
    with live(company_file(tmp_path, engines.url)) as watch:
        watch.until(lambda: len(watch.windows) >= 3)
        health = watch.get("healthz")  # before the page: its first drawing takes seconds
        seen = json.loads(watch.get("observation.json").data)
        metrics = watch.get("metrics").data.decode()
        page = watch.get("")
        there = list(watch.windows)
    assert page.status == health.status == 200
    assert "Little: what a token costs here and now" in page.data.decode()
    assert "small at paris" in page.data.decode()
    assert seen["sites"][0]["models"][0]["tokens"]["output"] > 0
    assert there[1].start >= there[0].start
    assert there[1].end > there[0].end
    names = {family.name for family in text_string_to_metric_families(metrics)}
    assert {"tokenergy_tokens", "tokenergy_energy_joules", "tokenergy_cost_usd",
            "tokenergy_requests", "tokenergy_power_price_usd_per_mwh",
            "tokenergy_marginal_cost_usd_per_mtok"} <= names  # fmt: skip
    assert {path for path, _, _ in engines.asked} == {"/paris/metrics", "/oslo/metrics"}


def test_the_counters_are_the_sum_of_the_windows(tmp_path, engines):
    """No token of a window is lost to /metrics, and none is counted twice."""
    with live(company_file(tmp_path, engines.url)) as watch:
        watch.until(lambda: len(watch.windows) >= 3)
        watch.stop.set()
    figures = LiveFigures()
    for window in watch.windows:
        told = figures.add(window)
    counted = {(f.site, f.token_type): f.tokens for f in told.tokens}
    made = sum(model.tokens.output for w in watch.windows for _, model in w.models())
    assert counted["paris", "output"] + counted["oslo", "output"] == made > 0


def test_a_window_that_cannot_be_told_is_a_fault_and_the_next_goes_on(tmp_path, engines):
    """The company file is spoilt by an editor, then mended."""
    path = company_file(tmp_path, engines.url)
    good = path.read_text(encoding="utf-8")
    with live(path) as watch:
        watch.until(lambda: len(watch.windows) >= 1)
        path.write_text(good.replace("pue: 1.2", "pue: 0.2 # <b>"), encoding="utf-8")
        watch.until(lambda: len(watch.faults) >= 1)
        page = watch.get("").data.decode()
        health = json.loads(watch.get("healthz").data)
        path.write_text(good, encoding="utf-8")
        before = len(watch.windows)
        watch.until(lambda: len(watch.windows) > before)
        watch.until(lambda: json.loads(watch.get("healthz").data)["fault"] is None)
    assert "pue" in watch.faults[0]
    assert "The last window could not be told." in page
    assert "small at paris" in page
    assert "pue" in health["fault"]


def test_a_taken_port_is_refused_before_anything_is_watched(tmp_path, engines):
    with live(company_file(tmp_path, engines.url)) as watch:
        port = int(watch.address.rstrip("/").rpartition(":")[2])
        other = tmp_path / "other"
        other.mkdir()
        with engine_server(Running().answer) as unseen:
            path = company_file(other, unseen.url)
            with pytest.raises(InputError, match=rf"127\.0\.0\.1:{port}: .*--port"):
                watch_live(Ask(company=path), port=port)
            assert unseen.asked == []


def test_a_file_with_faults_is_refused_with_all_of_them_and_the_port_is_free(tmp_path):
    path = company_file(tmp_path, "http://127.0.0.1:9")
    path.write_text(path.read_text(encoding="utf-8").replace("pue: 1.2", "pue: 0.2"))
    addresses: list[str] = []
    with pytest.raises(FindingsError, match="pue"):
        watch_live(Ask(company=path), port=0, on_address=addresses.append)
    assert addresses == []


def test_a_fault_of_ours_ends_the_watch_and_is_raised(tmp_path, engines):
    def broken(_: Observation) -> None:
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        watch_live(
            Ask(company=company_file(tmp_path, engines.url), window_s=WINDOW_S, saving=False),
            port=0,
            on_window=broken,
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_signal_ends_the_command_cleanly(tmp_path, engines, number, as_json):
    """The real command: windows on its outputs, then a signal, then the end without a word."""
    path = company_file(tmp_path, engines.url)
    words = ["observe", str(path), "--port", "0", "--window", str(WINDOW_S), "--no-saving"]
    words += ["--ledger", str(tmp_path / "l.sqlite")]
    child = subprocess.Popen(
        [sys.executable, "-m", "tokenergy", *words, *(["--json"] if as_json else [])],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    timer = threading.Timer(WAITS_S, child.kill)
    timer.start()
    assert child.stdout is not None and child.stderr is not None
    try:
        address = child.stderr.readline()
        windows = [(child.stdout if as_json else child.stderr).readline() for _ in range(2)]
        began_s = time.monotonic()
        child.send_signal(number)
        out, err = child.communicate()
        took_s = time.monotonic() - began_s
    finally:
        timer.cancel()
        child.kill()
    assert child.returncode == 0, (address, windows, err)
    assert "page http://127.0.0.1:" in address
    assert took_s < 10.0  # a second or two; this machine may be busy
    assert "Traceback" not in err and "ERROR" not in err
    if as_json:
        told = [json.loads(line) for line in [*windows, *out.splitlines()]]
        assert all(each["source"] == "observe" for each in told)
    else:
        assert out == ""
        assert "USD/Mtok" in windows[0] and "tokens out" in windows[0]


# ---- figures ----


def window(*models: ModelSeen, price: float | None = 80.0) -> Observation:
    site = SiteSeen(
        site="paris", price_usd_per_mwh=price, price_source="constant", price_at=None,
        power_usd_per_mwh=None, unused_gpu_usd_per_h=0.0, models=models,
    )  # fmt: skip
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return Observation(
        heading={"company": "Little", "currency": "USD"}, start=now, end=now, sites=(site,),
        tenants=(), saving=None, allocated=None, findings=(), ledger=None,
    )  # fmt: skip


def model(output: int | None, *, fleet: str = "a", marginal: float | None = 0.5, **changes):
    fields = {
        "model": "small", "fleet": fleet, "accelerator": "H100", "workload": "chat",
        "engines": ("e",), "replicas_count": 1, "gpus_count": 1, "span_s": 60.0,
        "tokens": SeenTokens(input=None, cached_input=None, output=output, requests=3),
        "joules": SeenJoules(gpu_j=5.0, host_j=3.0, idle_j=1.0, overhead_j=1.0, total_j=10.0,
                             low_j=8.0, high_j=12.0, tier="modelled", reason=""),
        "j_per_token": None, "utilisation_share": None, "running_count": None,
        "waiting_count": None, "idle_usd_per_h": None, "usd_per_mtok_full": 2.0,
        "usd_per_mtok_marginal": marginal, "usd_per_mtok_low": None,
        "usd_per_mtok_elsewhere": None, "usd_per_mtok_within_replica": None,
        "parts": None if marginal is None else {"energy": marginal},
        "full_parts": {"gpu": 1.5, "energy": 0.5},
    }  # fmt: skip
    return ModelSeen(**fields | changes)


def test_counters_add_up_what_is_known_and_invent_nothing():
    """2 Mtok at 1.5 USD/Mtok of GPUs are 3 USD; input, which no engine told, has no counter."""
    figures = LiveFigures()
    figures.add(window(model(500_000)))
    told = figures.add(window(model(1_500_000)))
    assert {(f.token_type, f.tokens) for f in told.tokens} == {("output", 2_000_000)}
    assert [f.energy_j for f in told.energy] == [20.0]
    assert {f.component: f.usd for f in told.cost} == {"gpu": 3.0, "energy": 1.0}
    assert [f.requests for f in told.requests] == [6]
    silent = model(None, full_parts=None, tokens=SeenTokens(
        input=None, cached_input=None, output=None, requests=None
    ), joules=SeenJoules(gpu_j=None, host_j=None, idle_j=None, overhead_j=None, total_j=None,
                         low_j=None, high_j=None, tier="unknown", reason="no answer"))  # fmt: skip
    after = figures.add(window(silent, price=None))
    assert {f.tokens for f in after.tokens} == {2_000_000}
    assert [f.energy_j for f in after.energy] == [20.0]
    assert [f.usd_per_mwh for f in after.power] == [None]
    # what that window cost nobody knows: a sum without it would say less than was paid
    assert {f.usd for f in after.cost} == {None}


def test_two_fleets_of_a_site_have_one_price_and_the_sum_of_their_tokens():
    dear, cheap = model(10, fleet="a", marginal=0.5), model(20, fleet="b", marginal=0.25)
    told = LiveFigures().add(window(dear, cheap))
    assert [f.usd_per_mtok for f in told.prices] == [0.25]
    assert {f.tokens for f in told.tokens} == {30}


def test_joules_of_another_tier_are_another_counter():
    figures = LiveFigures()
    figures.add(window(model(1)))
    joules = SeenJoules(gpu_j=4.0, host_j=0.0, idle_j=0.0, overhead_j=0.0, total_j=4.0, low_j=4.0,
                        high_j=4.0, tier="measured", reason="")  # fmt: skip
    told = figures.add(window(model(1, joules=joules)))
    assert {f.energy_tier: f.energy_j for f in told.energy} == {"modelled": 10.0, "measured": 4.0}


def test_a_collector_takes_every_window_and_a_refusal_is_told(tmp_path):
    """The figures of the page's /metrics, over OTLP; a collector that refuses stops nothing."""
    with engine_server(Running().answer) as server, otlp_collector() as collector:
        path = company_file(tmp_path, server.url)
        with live(path, otlp=collector.url) as held:
            held.until(lambda: len(collector.taken) >= 1)
            assert "hw.energy" in collector.metrics()
            collector.status = 400
            held.until(lambda: len(held.faults) >= 1)
            many = len(held.windows)
            held.until(lambda: len(held.windows) > many)
    assert "did not take this window" in held.faults[0]
