"""A gateway with a meter: what the counter counted is in the ledger, to the microjoule."""

import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import pytest
from fake_rapl import FakeRapl
from faulty_upstream import faulty_upstream
from serve_company import company_text
from serve_process import Gateway, serving, started

WITHIN_S = 60.0
pytestmark = pytest.mark.slow
"""Slow: gateways of several processes, and windows of a second each."""


def company_of(folder: Path, url: str, rapl: FakeRapl) -> Path:
    text = company_text([url], more="metering: {every_s: 1}", served_model="m")
    text += (
        "observe:\n  engines:\n"
        f"    - {{name: engine, metrics_url: '{url}/metrics', fleet: paris-h100, model: small,\n"
        "       workload: answers, idle_w: 20,\n"
        f"       meter: {{kind: rapl, zones: [package-0], root: '{rapl.root}'}}}}\n"
    )
    path = folder / "company.yaml"
    path.write_text(text)
    return path


def until(true: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < end_s, f"never {what}"
        time.sleep(0.05)


def metered(gateway: Gateway) -> list[tuple[str, str, int]]:
    return gateway.rows(
        "SELECT request_id, component, energy_microjoules FROM ledger WHERE kind = 'meter'"
    )


def ask_many(gateway: Gateway, key: str, count: int, *, stream: bool) -> None:
    body = {
        "model": "small", "max_tokens": 40, "stream": stream,
        "messages": [{"role": "user", "content": "Why is the sky blue?"}],
    }  # fmt: skip
    threads = [threading.Thread(target=gateway.ask, args=(key, body)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_ledger_adds_up_to_the_counter(tmp_path) -> None:
    """Streams and whole answers over several windows, one of them failing; then the end."""
    rapl = FakeRapl(tmp_path / "powercap")
    begin = rapl.at_microjoules
    with faulty_upstream(completion_tokens=40, token_s=0.05) as server:
        company = company_of(tmp_path, server.url, rapl)
        with serving(company, folder=tmp_path, tenants=("acme",)) as gateway:
            key = gateway.key("acme")
            until(lambda: bool(metered(gateway)), "read")
            with rapl.drawing(90.0):
                ask_many(gateway, key, 3, stream=True)
                server.once(fault="reset", at_byte=900, token_s=0.05)
                ask_many(gateway, key, 2, stream=True)
                server.always(completion_tokens=40, head_s=1.5)
                ask_many(gateway, key, 2, stream=False)
            until(
                lambda: sum(row[2] for row in metered(gateway)) == rapl.at_microjoules - begin,
                "added up",
            )
            assert gateway.stop() == 0
        rows = metered(gateway)
        assert sum(row[2] for row in rows) == rapl.at_microjoules - begin
        by_request: dict[str, list[int]] = {}
        for request_id, component, microjoules in rows:
            assert (component == "idle") == (not request_id)
            if request_id:
                by_request.setdefault(request_id, []).append(microjoules)
        assert len(by_request) == 7
        assert max(map(len, by_request.values())) >= 2, "none spans windows"
        tiers = gateway.rows(
            "SELECT DISTINCT energy_tier, boundary FROM ledger WHERE kind = 'meter'"
        )
        assert tiers == [("measured", "gpu")]
        modelled = gateway.rows(
            "SELECT count(*) FROM ledger WHERE kind = 'request' AND component = 'serve' "
            "AND energy_tier = 'modelled'"
        )
        assert modelled == [(7,)]
        tags = gateway.rows("SELECT DISTINCT decision FROM ledger WHERE kind = 'meter'")
        assert ("failed",) in tags


def test_who_is_killed_goes_on_and_nothing_counts_twice(tmp_path) -> None:
    """Killed whole while a stream runs; what the counter counted while nobody read it is told."""
    rapl = FakeRapl(tmp_path / "powercap")
    begin = rapl.at_microjoules
    with faulty_upstream(completion_tokens=200, token_s=0.05) as server:
        company = company_of(tmp_path, server.url, rapl)
        first = started(company, folder=tmp_path, tenants=("acme",))
        try:
            key = first.key("acme")
            until(lambda: bool(metered(first)), "read")
            cut = threading.Thread(target=lambda: _cut(first, key))
            cut.start()
            with rapl.drawing(90.0):
                time.sleep(2.5)
            time.sleep(2.5)  # two windows in which the counter stands still
            first.kill()
            cut.join()
        finally:
            first.stop()
        killed = rapl.at_microjoules
        rapl.gain(5_000_001)  # while nobody reads
        with serving(company, folder=tmp_path) as again:
            until(lambda: sum(row[2] for row in metered(again)) == killed - begin, "caught up")
            so_far = len(metered(again))
            until(lambda: len(metered(again)) > so_far, "read again")
            with rapl.drawing(90.0):
                time.sleep(2.0)
            assert again.stop() == 0
        rows = metered(again)
        assert sum(row[2] for row in rows) == rapl.at_microjoules - 5_000_001 - begin
        told = again.rows("SELECT reason FROM ledger WHERE component = 'METER_MISSING'")
        assert any("the gateway did not run" in reason for (reason,) in told)
        cut_rows = again.rows(
            "SELECT decision, sum(energy_microjoules) FROM ledger WHERE kind = 'meter' "
            "AND request_id <> '' GROUP BY 1"
        )
        assert [row[0] for row in cut_rows] == ["interrupted"]
        assert cut_rows[0][1] > 100_000_000


def _cut(gateway: Gateway, key: str) -> None:
    body = {
        "model": "small", "max_tokens": 200, "stream": True,
        "messages": [{"role": "user", "content": "Why?"}],
    }  # fmt: skip
    try:
        gateway.ask(key, body)
    except (OSError, HTTPException):
        return
