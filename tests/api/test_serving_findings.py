"""Whether a gateway could keep what its file says: servers, deadlines, caps, workers."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from serving_company import written

import tokenergy as te
from tokenergy.api.serving_findings import workers_findings
from tokenergy.api.worker_plan import plan_findings, worker_plan

HERE = "http://10.0.0.7:8000"


def codes(path: Path) -> list[tuple[str, str, str]]:
    found = plan_findings(te.load(path))
    return [(each.code, each.path, each.severity) for each in found]


def test_simulated_servers_leave_nothing_to_say(tmp_path: Path) -> None:
    assert codes(written(tmp_path)) == []


def test_rungs_deployments_and_servers_that_do_not_meet(tmp_path: Path) -> None:
    upstreams = [
        {"name": "a", "fleet": "texas-h100", "model": "small", "url": HERE},
        {"name": "b", "fleet": "texas-h100", "model": "spare", "url": HERE},
    ]

    def change(tree: dict[str, Any]) -> None:
        tree["models"].append({"name": "spare", "catalogue": "llama-3.1-8b", "quality_share": 0.5})

    path = written(tmp_path, change, upstreams=upstreams)
    told = codes(path)
    assert sorted(told) == [
        ("DEPLOYMENT_WITHOUT_UPSTREAM", "serve.upstreams", "warning"),
        ("RUNG_WITHOUT_UPSTREAM", "workloads[0].ladder[0]", "warning"),
        ("UPSTREAM_UNREACHED", "serve.upstreams[1]", "warning"),
    ]
    checked = te.check(path)  # `tokenergy check` says the same
    assert {code for code, _, _ in told} <= {finding.code for finding in checked.findings}


def test_a_deadline_below_the_fastest_service(tmp_path: Path) -> None:
    """400 tokens at a few milliseconds each, and the first one: more than half a second."""

    def change(tree: dict[str, Any]) -> None:
        tree["tiers"][1]["deadline_s"] = 0.5

    assert codes(written(tmp_path, change)) == [
        ("DEADLINE_BELOW_SERVICE", "tiers[1].deadline_s", "error")
    ]


@pytest.mark.parametrize(("workers_count", "severity"), [(2, None), (3, "warning")])
def test_a_limit_that_cannot_lease_to_every_worker(
    tmp_path: Path, workers_count: int, severity: str | None
) -> None:
    """The largest request is 1.25 x 900 tokens at 2 USD and 1,000 at 8 USD per Mtok: 0.01025 USD.

    0.0205 USD hold two of them.
    """
    line = {"model": "large", "input_usd_per_mtok": 2, "output_usd_per_mtok": 8}
    limit = {"name": "day", "tier": "chat", "usd": 0.0205, "window": "day", "time_zone": "UTC"}
    path = written(tmp_path, prices=[line], spend_limits=[limit], limits={"cap_tokens": 1_000})
    plan = worker_plan(te.load(path), now_s=0.0)
    found = workers_findings(plan, workers_count=workers_count)
    assert [each.severity for each in found] == ([severity] if severity else [])
    if found:
        assert "at most 2 workers" in found[0].remedy
        assert found[0].value == "spend:day: 3 workers x 10250000"


def test_a_limit_below_one_request_is_an_error(tmp_path: Path) -> None:
    limit = {"name": "day", "usd": 1e-6, "window": "day", "time_zone": "UTC"}
    plan = worker_plan(te.load(written(tmp_path, spend_limits=[limit])), now_s=0.0)
    (found,) = workers_findings(plan, workers_count=1)
    assert found.severity == "error"
    other = msgspec.structs.replace(plan.accounts[0], tenant="nobody")
    nobodys = msgspec.structs.replace(plan, accounts=(other,))
    assert workers_findings(nobodys, workers_count=1) == ()
