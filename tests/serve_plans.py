"""Plans of a worker that hold little more than upstreams."""

from typing import Any

from tokenergy.company.serving.plan import UpstreamPlan, WorkerPlan, WorkloadPlan


def upstream_of(name: str, deployment: str = "a", **more: Any) -> UpstreamPlan:
    """An upstream of the model `m`; simulated without a `url`."""
    kind = "openai" if more.get("url") else "simulated"
    facts: dict[str, Any] = {
        "site": "here", "accelerator": "h100", "model": "m", "served_model": "m", "kind": kind,
    }  # fmt: skip
    return UpstreamPlan(name=name, deployment=deployment, **{**facts, **more})


def workload_of(**more: Any) -> WorkloadPlan:
    facts: dict[str, Any] = {
        "name": "w", "tier": "t", "origin": "o", "service_tier": "default", "must_serve": False,
        "ladder": ("m",), "input_tokens": 100.0, "output_tokens": 20.0, "ttft_limit_s": 1.0,
        "tpot_limit_s": 0.1, "deadline_s": 0.0,
    }  # fmt: skip
    return WorkloadPlan(**{**facts, **more})


def plan_of(*upstreams: UpstreamPlan, **more: Any) -> WorkerPlan:
    facts: dict[str, Any] = {
        "company": "c", "digest": "d", "run_id": "serve",
        "deployments": tuple(sorted({one.deployment for one in upstreams})),
        "upstreams": upstreams, "workloads": (workload_of(),), "aliases": (), "tenants": (),
        "prices": (), "price_version": "v",
    }  # fmt: skip
    return WorkerPlan(**{**facts, **more})
