"""Which meters show the joules of which servers."""

from pathlib import Path
from typing import Any

from serve_company import company_text

import tokenergy as te
from tokenergy.api.worker_plan import plan_findings, worker_plan
from tokenergy.company.check.serving import _reserved
from tokenergy.company.serve import Serve, Tenant
from tokenergy.company.serving.plan import MeterPlan

SERVERS = ("http://127.0.0.1:7001", "http://127.0.0.1:7002")
RAPL = "{kind: rapl, zones: [package-0], root: /nowhere}"
NVML = "{kind: nvml, devices: ['0']}"


def engine(name: str, fleet: str, url: str, meter: str, more: str = "") -> str:
    return (
        f"    - {{name: {name}, fleet: {fleet}, model: small, workload: answers,\n"
        f"       metrics_url: '{url}/metrics'{more}"
        + (f", meter: {meter}" if meter else "")
        + "}\n"
    )


def opened(tmp_path: Path, *engines: str, more: str = "") -> Any:
    path = tmp_path / "company.yaml"
    text = company_text(SERVERS, more=more)
    path.write_text(text + "observe:\n  engines:\n" + "".join(engines))
    return te.load(path)


def plans(company: Any) -> tuple[MeterPlan, ...]:
    return worker_plan(company, now_s=0.0).meters


def test_an_engine_stands_for_the_servers_of_its_deployment(tmp_path) -> None:
    """One H100 of its own idle power, for one replica of one board."""
    company = opened(
        tmp_path, engine("e", "paris-h100", SERVERS[0], NVML), more="metering: {every_s: 2}"
    )
    (made,) = plans(company)
    assert (made.name, made.upstreams, made.site, made.model) == (
        "e", ("paris-0",), "paris", "small",
    )  # fmt: skip
    assert made.idle_w == company.catalogue.accelerator("H100").idle_w
    assert (made.every_s, made.idle) == (2.0, "unallocated")
    assert not [each for each in plan_findings(company) if each.code == "METER_UNUSED"]


def test_engines_of_one_meter_are_one_plan_and_read_once(tmp_path) -> None:
    company = opened(
        tmp_path,
        engine("e", "paris-h100", SERVERS[0], RAPL, ", idle_w: 20"),
        engine("f", "oslo-h100", SERVERS[1], RAPL, ", idle_w: 30"),
    )
    (made,) = plans(company)
    assert (made.name, len(made.engines), made.upstreams) == ("e+f", 1, ("oslo-1", "paris-0"))
    assert (made.model, made.idle_w) == ("small", 30.0)


def test_a_meter_beside_an_engine_without_one_is_of_no_use(tmp_path) -> None:
    company = opened(
        tmp_path,
        engine("e", "paris-h100", SERVERS[0], RAPL),
        engine("f", "paris-h100", "http://127.0.0.1:7003", ""),
    )
    assert plans(company) == ()
    (told,) = [each for each in plan_findings(company) if each.code == "METER_UNUSED"]
    assert (told.value, told.severity) == ("e", "warning")
    assert "has no meter" in told.reason


def test_no_more_than_a_whole_server_is_reserved() -> None:
    def told(*shares: float) -> list[str]:
        tenants = tuple(
            Tenant(name=f"t{at}", tiers=("a",), origin="o", reserved_share=share)
            for at, share in enumerate(shares)
        )
        return [each.code for each in _reserved(Serve(tenants=tenants))]

    assert (told(0.7, 0.3), told(0.1, 0.2, 0.7)) == ([], [])
    assert told(0.7, 0.4) == ["RESERVED_BEYOND_WHOLE"]
