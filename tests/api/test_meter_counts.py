"""Counts of meters: windows by whether they were read, joules by who took them."""

from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from tokenergy.api.meter_counts import MeterCounts
from tokenergy.company.serving.plan import MeterPlan
from tokenergy.company.serving.record import Metered
from tokenergy.metering.shared_window import MeteredWindow
from tokenergy.serve.gateway_metrics import Collector
from tokenergy.serve.metrics_files import read_counts

PLAN = MeterPlan(
    name="e", engines=(), upstreams=("u",), site="paris", model="m", accelerator="H100", idle_w=0.0
)


def window(number: int, microjoules: int | None) -> MeteredWindow:
    return MeteredWindow(
        number=number, meter="e", start_s=0.0, end_s=5.0, microjoules=microjoules,
        tier="measured", boundary="gpu", reason="" if microjoules else "no permission",
    )  # fmt: skip


def record(request_id: str, microjoules: int | None) -> Metered:
    return Metered(
        request_id=request_id, window=1, start_s=0.0, end_s=5.0, tenant="", tier="", workload="",
        site="paris", model="m", accelerator="H100", microjoules=microjoules,
        energy_tier="measured", boundary="gpu",
    )  # fmt: skip


def page(folder: Path) -> str:
    registry = CollectorRegistry()
    registry.register(Collector(told=read_counts(folder)))
    return generate_latest(registry).decode()


def test_windows_and_joules_are_counted_and_a_later_life_goes_on(tmp_path: Path) -> None:
    """A window of 3 J, 2 of them a request's, then one without a reading: down, and never 0 J."""
    counts = MeterCounts(tmp_path / "metrics")
    counts.window(PLAN, window(1, 3_000_000))
    counts.divided([record("r1", 2_000_000), record("", 1_000_000)])
    counts.write()
    up = 'tokenergy_gateway_meter_up{meter="e",model="m",site="paris"}'
    assert f"{up} 1.0" in page(tmp_path / "metrics")
    again = MeterCounts(tmp_path / "metrics")
    again.window(PLAN, window(2, None))
    again.divided([record("", None)])
    again.write()
    told = page(tmp_path / "metrics")
    assert f"{up} 0.0" in told
    windows = 'tokenergy_meter_windows_total{known="%s",meter="e",model="m",site="paris"} 1.0'
    assert windows % "measured" in told and windows % "missing" in told
    joules = 'tokenergy_metered_joules_total{component="%s",model="m",site="paris"} %s'
    assert joules % ("request", "2.0") in told and joules % ("idle", "1.0") in told
