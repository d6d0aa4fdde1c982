"""Files of counts: what a scrape sums, what a process goes on from, what is over with it."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from tokenergy.serve.gateway_metrics import Collector, Tally
from tokenergy.serve.metrics_files import SILENT_S, read_counts, take_over, write_counts

NOW_S = 1_780_000_000.0
SERVED = ("tokenergy_requests", ("served", "affinity"))
OVERHEAD = "tokenergy_gateway_overhead_seconds"


def tally(count: float, *, in_flight_count: float = 0.0) -> Tally:
    made = Tally()
    made.add(*SERVED, count)
    made.observe(OVERHEAD, (), 0.001)
    made.set("tokenergy_gateway_in_flight_count", ("paris", "large"), in_flight_count)
    return made


def written(folder: Path, name: str, made: Tally, *, age_s: float = 0.0) -> Path:
    path = folder / name
    write_counts(path, made)
    os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    return path


def page(folder: Path) -> str:
    registry = CollectorRegistry()
    registry.register(Collector(told=read_counts(folder, lambda: NOW_S)))
    return generate_latest(registry).decode()


def test_a_worker_that_is_started_again_lowers_no_sum(tmp_path: Path) -> None:
    """100 and 100, then the second one anew with 5 more: 205, and two durations become three."""
    written(tmp_path, "1", tally(100.0))
    second = written(tmp_path, "2", tally(100.0))
    again = Tally()
    assert take_over(second, again)
    again.add(*SERVED, 5.0)
    again.observe(OVERHEAD, (), 0.002)
    written(tmp_path, "2", again)
    told = page(tmp_path)
    assert 'tokenergy_requests_total{decision="served",reason="affinity"} 205.0' in told
    assert f"{OVERHEAD}_count 3.0" in told


def test_of_a_process_that_is_gone_its_counts_stay_and_its_moment_does_not(tmp_path: Path) -> None:
    written(tmp_path, "1", tally(1.0, in_flight_count=2.0))
    written(tmp_path, "2", tally(10.0, in_flight_count=7.0), age_s=SILENT_S + 1.0)
    told = page(tmp_path)
    assert 'reason="affinity"} 11.0' in told
    assert 'tokenergy_gateway_in_flight_count{model="large",site="paris"} 2.0' in told


def test_what_is_half_written_is_not_read(tmp_path: Path) -> None:
    written(tmp_path, "1", tally(1.0))
    (tmp_path / "1.new").write_bytes(b'[{"tokenergy_')
    assert 'reason="affinity"} 1.0' in page(tmp_path)


def test_counts_of_another_form_are_begun_anew_and_that_is_counted(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(b'{"of": "another release"}')
    fresh = Tally()
    assert not take_over(tmp_path / "1", fresh)
    assert fresh.counts == {("tokenergy_errors", ("500", "counts_unreadable")): 1.0}


def test_before_the_first_writing_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    fresh = Tally()
    assert not take_over(tmp_path / "1", fresh)
    assert not fresh.counts
