"""Clients are made by address; what cannot be used is told, and is down."""

import subprocess
import sys

import pytest
from serve_plans import plan_of, upstream_of, workload_of

from tokenergy.company.finding import Finding
from tokenergy.company.serving.plan import WorkerPlan
from tokenergy.serve.pool import Pool
from tokenergy.serve.pool_made import clients_of
from tokenergy.serve.upstream import UpstreamClient
from tokenergy.serve.upstream_aiohttp import AiohttpClient
from tokenergy.serve.upstream_fast import FastClient
from tokenergy.serve.upstream_simulated import SimulatedUpstream


class Speed:
    def of(self, in_flight_count: int) -> tuple[float, float]:
        return 0.0, 0.0


NAMES = {
    "engine": ("10.0.0.5",),
    "far": ("1.1.1.1", "9.9.9.9"),
    "both": ("8.8.8.8", "::1"),
}


def look_up(host: str, port: int) -> tuple[str, ...]:
    if host in NAMES:
        return NAMES[host]
    if host[0].isdigit() or ":" in host:
        return (host,)
    raise OSError("no such name")


def made(
    plan: WorkerPlan, environ: dict[str, str] | None = None
) -> tuple[dict[str, tuple[UpstreamClient, object]], list[Finding]]:
    found, findings = clients_of(
        plan, environ=environ or {}, timing=lambda name: Speed(), look_up=look_up
    )
    return {upstream.name: (client, headers) for upstream, client, headers in found}, findings


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://10.0.0.5:8000", FastClient),
        ("http://[::1]:8000/base/", FastClient),
        ("http://engine:8000", FastClient),
        ("https://api.example", AiohttpClient),
        ("", SimulatedUpstream),
    ],
)
def test_the_address_chooses_the_client(url: str, kind: type) -> None:
    found, findings = made(plan_of(upstream_of("u", url=url)))
    assert findings == []
    assert type(found["u"][0]) is kind


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://engine", "UPSTREAM_BAD_URL"),
        ("http://", "UPSTREAM_BAD_URL"),
        ("http://engine:port", "UPSTREAM_BAD_URL"),
        ("http://user:s3cret@engine", "UPSTREAM_BAD_URL"),
        ("http://engine/?key=1", "UPSTREAM_BAD_URL"),
        ("http://far:8000", "UPSTREAM_BAD_URL"),
        ("http://8.8.8.8", "UPSTREAM_BAD_URL"),
    ],
)
def test_what_cannot_be_used_is_told_and_down(url: str, code: str) -> None:
    plan = plan_of(upstream_of("u", url=url))
    found, findings = made(plan)
    assert found == {}
    assert [finding.code for finding in findings] == [code]
    assert findings[0].path == "serve.upstreams.u.url"
    assert "s3cret" not in str(findings[0])


def test_plain_http_beyond_the_private_network_needs_a_word() -> None:
    found, findings = made(plan_of(upstream_of("u", url="http://far:8000", trust_private=True)))
    assert list(found) == ["u"]
    assert findings == []


def test_of_several_addresses_only_the_private_ones_are_used() -> None:
    found, findings = made(plan_of(upstream_of("u", url="http://both:8000")))
    assert findings == []
    client = found["u"][0]
    assert isinstance(client, FastClient)
    assert client.addresses == ("::1",)


def test_a_name_that_is_unknown_now_is_a_warning() -> None:
    found, findings = made(plan_of(upstream_of("u", url="http://nowhere:8000")))
    assert list(found) == ["u"]
    assert [(one.code, one.severity) for one in findings] == [("UPSTREAM_NAME_UNKNOWN", "warning")]


@pytest.mark.parametrize("key", [None, "", "two\nlines", "schlüssel"])
def test_without_a_usable_key_an_upstream_is_down(key: str | None) -> None:
    plan = plan_of(upstream_of("u", url="http://engine", key_env="KEY"))
    environ = {} if key is None else {"KEY": key}
    found, findings = made(plan, environ)
    assert found == {}
    assert [finding.code for finding in findings] == ["UPSTREAM_KEY_MISSING"]
    assert not key or key not in str(findings[0])
    pool = Pool.from_plan(plan, environ=environ, now=lambda: 0.0, timing=lambda name: Speed())
    assert pool.down_deployments() == {"a"}
    assert len(pool.findings) == 1


def test_a_key_becomes_a_header() -> None:
    plan = plan_of(upstream_of("u", url="http://engine", key_env="KEY"))
    assert made(plan, {"KEY": "abc"})[0]["u"][1] == ((b"authorization", b"Bearer abc"),)


def test_simulated_answers_are_as_long_as_the_workloads_say() -> None:
    """Means of 20 and 40 output tokens for the model: 30."""
    plan = plan_of(
        upstream_of("u"),
        workloads=(workload_of(), workload_of(name="x", output_tokens=40.0, ladder=("big", "m"))),
    )
    client = made(plan)[0]["u"][0]
    assert isinstance(client, SimulatedUpstream)
    assert client.answer_tokens == 30


def test_a_worker_without_tls_holds_no_aiohttp_in_memory() -> None:
    """Nor anything heavy: a worker idles at some tens of MB."""
    program = (
        "import sys, tokenergy.serve.pool, tokenergy.serve.pool_made, "
        "tokenergy.serve.upstream_simulated, tokenergy.serve.retry_budget\n"
        "print(sorted({'aiohttp', 'pydantic', 'numpy', 'polars'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
