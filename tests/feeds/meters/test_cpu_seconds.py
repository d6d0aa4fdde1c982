"""CPU seconds of real processes: one that works and ends, and a small language model."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest
from small_llm import RunningLlm, ask

from tokenergy.company.observe import CpuSecondsMeter, Engine
from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_scrape import EngineScraper
from tokenergy.feeds.http import Http, utc_now
from tokenergy.feeds.meters.open_meter import OpenMeter, meter_of
from tokenergy.metering.window import window

BUSY = "import time\nwhile time.process_time() < 0.3: pass\n"
PARENT = f"""
import subprocess, sys
print("ready", flush=True)
for line in sys.stdin:
    subprocess.run([sys.executable, "-c", {BUSY!r}], check=True)
    print("done", flush=True)
"""
LISTENER = """
import socket, sys
port = socket.socket()
port.bind(("127.0.0.1", 0))
port.listen()
print(port.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout_s=10.0, tries_count=1) as port:
        yield port


def engine(port: int, host: str = "127.0.0.1", selector: str | None = None) -> Engine:
    return Engine(
        name="e",
        metrics_url=f"http://{host}:{port}/metrics",
        selector=selector,
        fleet="f",
        model="m",
    )


def meter(http: Http, told: Engine, *, pid: int | None = None, w_per_core: float = 10) -> OpenMeter:
    noun = CpuSecondsMeter(kind="cpu_seconds", w_per_core=w_per_core, pid=pid)
    return meter_of(noun, told, http=http)


@contextmanager
def child(code: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a child that ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_seconds_of_a_child_that_ended_stay(http: Http) -> None:
    """A grandchild works 0.3 CPU seconds and ends: 3 J at 10 W a core, in steps of 10 ms."""
    with child(PARENT) as process:
        assert line_of(process) == "ready"
        opened = meter(http, engine(1), pid=process.pid)
        samples = [opened.read()]
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        assert line_of(process) == "done"
        samples.append(opened.read())
    reading = opened.reading(samples)
    assert reading.energy_j is not None
    assert 2.7 <= reading.energy_j < 60.0
    assert reading.tier == "modelled"
    assert reading.reason == "modelled: CPU seconds x 10 W per core"


def test_a_process_that_ended_is_a_reason_and_never_0(http: Http) -> None:
    with child(PARENT) as process:
        assert line_of(process) == "ready"
        opened = meter(http, engine(1), pid=process.pid)
        samples = [opened.read()]
        process.kill()
        process.wait()
        samples.append(opened.read())
    reading = opened.reading(samples)
    assert reading.energy_j is None
    assert "no such process" in reading.reason


def test_a_process_that_was_started_again_is_another_counter(http: Http) -> None:
    """The port is the same, the process is not: nothing is known of the window between."""
    with child(LISTENER) as first:
        port = int(line_of(first))
        opened = meter(http, engine(port))
        samples = [opened.read()]
        first.kill()
        first.wait()
        again = LISTENER.replace('("127.0.0.1", 0)', f'("127.0.0.1", {port})')
        with child(again) as second:
            assert line_of(second) == str(port)
            samples.append(opened.read())
            samples.append(opened.read())
    reading = opened.reading(samples)
    assert reading.energy_j is None
    assert "another counter" in reading.reason
    assert opened.reading(samples[1:]).energy_j is not None


def test_a_port_where_nobody_listens_is_a_reason(http: Http) -> None:
    with child(LISTENER) as process:
        port = int(line_of(process))
    (count,) = meter(http, engine(port)).read().devices
    assert count.energy_microjoules is None
    assert f"port {port}: no process that we may see" in count.reason


@pytest.mark.parametrize(
    "told", [engine(9090, "192.0.2.7"), engine(9090, selector='job="vllm"'), engine(80, "vllm-1")]
)
def test_a_process_of_elsewhere_is_refused(http: Http, told: Engine) -> None:
    with pytest.raises(FindingsError) as caught:
        meter(http, told)
    (finding,) = caught.value.findings
    assert finding.code == "METER_PROCESS_UNKNOWN"
    assert "pid" in finding.remedy


def test_a_real_model_is_counted_to_the_token_and_its_joules_say_modelled(
    http: Http, small_llm: RunningLlm
) -> None:
    """Tokens of /metrics are those of the answers; joules are CPU seconds times 4 W."""
    told = engine(small_llm.port)
    scraper = EngineScraper(http, told, utc_now, time.monotonic)
    opened = meter(http, told, w_per_core=4.0)
    cpu_before = sum(psutil.Process(small_llm.pid).cpu_times()[:2])
    before, samples = scraper.sample(), [opened.read()]
    with ThreadPoolExecutor(3) as asking:
        usages = list(
            asking.map(
                lambda at: ask(small_llm.url, f"Say {at} words about rain.", 8 + at), range(5)
            )
        )
    after = scraper.sample()
    samples.append(opened.read())
    cpu_after = sum(psutil.Process(small_llm.pid).cpu_times()[:2])

    done = window(before, after)
    assert done.output_tokens == sum(usage.completion_tokens for usage in usages)
    assert done.output_tokens == sum(8 + at for at in range(5))
    assert done.prompt_tokens == sum(usage.prompt_tokens for usage in usages)
    assert done.cached_tokens == sum(usage.cached_tokens for usage in usages) == 0

    reading = opened.reading(samples)
    assert reading.energy_j is not None
    assert 0.0 < reading.energy_j <= 4.0 * (cpu_after - cpu_before) + 1e-6
    assert reading.tier == "modelled"
    assert reading.reason == "modelled: CPU seconds x 4 W per core"
