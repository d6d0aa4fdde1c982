"""Small worlds, traces and replicas for replays: every figure is a test's own choice."""

from dataclasses import replace
from typing import Any

import numpy as np
from worlds import START, deployment, fleet, route, workload, world

from tokenergy.company.trace import RequestTrace
from tokenergy.dispatch.world import World
from tokenergy.simulate.boards import Promise
from tokenergy.simulate.constant_law import constant_law
from tokenergy.simulate.replica import ReplicaSpec, StepEnergy
from tokenergy.simulate.request_machines import Machines
from tokenergy.simulate.request_play import Machine

STEP_S = 0.02


def promise(**changes: Any) -> Promise:
    usual: dict[str, Any] = {
        "service_tier": "default", "ttft_limit_s": 2.0, "tpot_limit_s": 0.1, "deadline_s": 0.0,
        "value_usd_per_mtok": 50.0, "value_usd_per_request": None, "rho_ratio": 1.0,
    }  # fmt: skip
    return Promise(**(usual | changes))


def trace(arrival_s, output_tokens, *, input_tokens=None, span_s=3600.0, **changes) -> RequestTrace:
    output = np.asarray(output_tokens, dtype=np.int64)
    prompts = output if input_tokens is None else np.asarray(input_tokens, dtype=np.int64)
    usual: dict[str, Any] = {
        "start": START, "span_s": span_s, "source": "by hand", "workloads": ("chat",),
        "arrival_s": np.asarray(arrival_s, dtype=float), "input_tokens": prompts,
        "output_tokens": output,
    }  # fmt: skip
    return RequestTrace.of(**(usual | changes))


def two_sites(prices=((10.0,), (30.0,)), *, value=50.0, batch=8.0, history=0, **changes) -> World:
    """Two sites with one model each; 0.1 MWh per Mtok, 10 Mtok/h a replica, 10 ms away."""
    hours = len(prices[0])
    loads = changes.pop("workloads", (workload(value=value),))
    routes = tuple(
        replace(route(w, s, marginal=0.1), batch_count=batch, tpot_s=STEP_S, ttft_s=STEP_S)
        for w in range(len(loads))
        for s in range(2)
    )
    made = world(
        np.array(prices),
        np.zeros((len(loads), hours)),
        routes=routes,
        deployments=(deployment(0, **changes.pop("site0", {})), deployment(1)),
        fleets=(fleet(0), fleet(1)),
        workloads=loads,
        history=history,
        floors=(0.0,) * (1 + max(load.tier_index for load in loads)),
        **changes,
    )
    return made


def machine(*, step_s=STEP_S, base_j=1.0, idle_w=5.0, host_w=0.0, most=8, blocks=1000) -> Machine:
    energy = StepEnergy(
        base_j=np.concatenate([[0.0], np.full(most, base_j)]), decode_j=0.0, prefill_j=0.0,
        idle_w=idle_w,
    )  # fmt: skip
    spec = ReplicaSpec(
        law=constant_law(step_s), energy=energy, kv_blocks_count=blocks,
        watermark_blocks_count=0, max_batch_count=most,
    )  # fmt: skip
    return Machine(spec=spec, host_w=host_w, law="constant", tier="modelled")


def machines(made: World, **changes) -> Machines:
    own = [at for at, d in enumerate(made.deployments) if not d.external]
    return Machines(by_deployment={at: machine(**changes) for at in own}, without={})
