"""GPUs, replicas and tokens as PyPSA components.

GPUs bus      GPUs of a fleet that are there; a link puts them to a model and draws their base
replicas bus  replica-hours; a link per workload turns them into tokens and draws at racks
ready bus     replicas that are awake already: those of the hour before come over a link with
              a delay, others are woken
tokens bus    a load asks, a generator refuses at the tier's value; backlog is a store below 0
quality bus   what answers are better than a promised floor; it may not fall below 0
"""

import numpy as np

from tokenergy.dispatch.columns import own_deployments
from tokenergy.dispatch.world import FloatArray
from tokenergy.errors import InputError
from tokenergy.files.pypsa_laid import Laid
from tokenergy.files.pypsa_parts import PLENTY, Parts
from tokenergy.files.pypsa_sizes import Sizes


def add_fleets(parts: Parts, laid: Laid, sizes: Sizes) -> None:
    """Add the GPUs that are there; what they draw asleep is in the standing load of their site."""
    for f, fleet in enumerate(laid.posed.world.fleets):
        bus = parts.bus(f"GPUs {fleet.name}", "GPUs")
        there = laid.side("fleet", f, "upper")
        if there.fixed.max(initial=0.0) > 1e-9:
            stand = np.maximum(0.0, there.fixed)
            parts.add("Generator", bus, bus=bus, carrier="GPUs", p_nom=1.0, p_max_pu=stand)
        if there.slopes:
            sizes.port(bus, there, 1.0)
            parts.sink(f"asleep {fleet.name}", bus)
    parts.says("GPUs as generators, or as links `build`", "fleet")


def add_replicas(parts: Parts, laid: Laid) -> None:
    """Add a link that puts GPUs to work for each model on a fleet."""
    world = laid.posed.world
    for d, deployment in enumerate(world.deployments):
        bus = parts.bus(f"replicas {deployment.name}", "replicas")
        if deployment.external:
            own = own_deployments(world)
            most = laid.side("api", d - own, "upper").fixed / laid.step_h
            parts.add(
                "Generator", f"API {deployment.name}", bus=bus, carrier="replicas", p_nom=1.0,
                p_max_pu=np.minimum(most, PLENTY),
            )  # fmt: skip
        else:
            _awake(parts, laid, d)
            parts.sink(f"idle {deployment.name}", bus)
    parts.says("links from GPUs to replicas, generators for APIs", "replicas", "api")
    parts.says("what was awake stays awake over a link with a delay", "waking")


def _awake(parts: Parts, laid: Laid, d: int) -> None:
    """The link from GPUs to replicas; where waking costs something, also what was awake before."""
    world, h = laid.posed.world, laid.step_h
    deployment = world.deployments[d]
    name, gpus = deployment.name, float(deployment.gpus_count)
    racks = f"racks {world.site_names[deployment.site]}"
    drawn_mw = -laid.values("racks", deployment.site, "awake", d) / h
    given: dict[str, str | float | FloatArray] = {
        "bus0": f"GPUs {world.fleets[deployment.fleet].name}",
        "bus1": f"replicas {name}",
        "bus2": racks,
        "carrier": "GPUs",
        "p_nom": PLENTY,
        "efficiency": 1.0 / gpus,
        "efficiency2": -drawn_mw / gpus,
        "marginal_cost": laid.cost("awake", d) / (h * gpus),
    }
    lost = laid.values("replicas", d, "wake", d) / h
    burnt_mw = -laid.values("racks", deployment.site, "wake", d) / h
    parts.means("awake", d, "Link", "p", f"awake {name}", 1.0 / gpus)
    if not lost.any() and not burnt_mw.any():
        parts.add("Link", f"awake {name}", **given)
        return
    ready, awake = parts.bus(f"ready {name}", "starts"), parts.bus(f"awake {name}", "starts")
    given |= {"bus3": ready, "efficiency3": -1.0 / gpus, "bus4": awake, "efficiency4": 1.0 / gpus}
    parts.add("Link", f"awake {name}", **given)
    parts.sink(f"asleep {name}", awake)
    delay = _whole_delay(h)
    parts.add(
        "Link", f"stay {name}", bus0=awake, bus1=ready, carrier="starts", p_nom=PLENTY,
        delay=delay, cyclic_delay=False,
    )  # fmt: skip
    starts = parts.bus("starts", "starts")
    if ("Generator", "starts") not in parts.parts:
        parts.source("starts", starts)
    parts.add(
        "Link", f"wake {name}", bus0=starts, bus1=ready, bus2=f"replicas {name}", bus3=racks,
        carrier="starts", p_nom=PLENTY, efficiency2=-lost, efficiency3=-burnt_mw,
    )  # fmt: skip
    parts.means("wake", d, "Link", "p", f"wake {name}", 1.0)
    before = max(0.0, -float(laid.side("waking", d, "lower").fixed[0]))
    if before:
        first = np.zeros(laid.count)
        first[0] = 1.0
        parts.add(
            "Generator", f"awake before {name}", bus=ready, carrier="starts", p_nom=before,
            p_max_pu=first,
        )  # fmt: skip


def _whole_delay(step_h: float) -> float:
    """Return an interval in hours, as PyPSA's delays are.

    Raises:
        InputError: if it is no whole number of them.
    """
    if step_h != round(step_h):
        raise InputError(
            f"PyPSA delays by whole hours and an interval has {step_h:g} h: state wake_s: 0 for "
            "every model, or horizon.interval 1h"
        )
    return step_h


def add_workloads(parts: Parts, laid: Laid) -> None:
    """Add what is asked, what is refused, and a backlog that owes tokens until they are due."""
    h = laid.step_h
    for w, load in enumerate(laid.posed.world.workloads):
        bus = parts.bus(f"tokens {load.name}", "tokens")
        asked = laid.rhs("demand", w).fixed.copy()
        owed = 0.0
        if load.defer_count:
            arrived = float(laid.posed.window.arrivals_mtok[w, 0])
            owed, asked[0] = float(asked[0]) - arrived, arrived
        parts.add("Load", bus, bus=bus, carrier="tokens", p_set=asked / h)
        parts.add(
            "Generator", f"refuse {load.name}", bus=bus, carrier="tokens", p_nom=PLENTY,
            p_max_pu=parts.on, marginal_cost=laid.cost("refused", w),
        )  # fmt: skip
        parts.means("refused", w, "Generator", "p", f"refuse {load.name}", h)
        if load.defer_count:
            parts.add(
                "Store", f"backlog {load.name}", {"e_min_pu": -owed}, bus=bus, carrier="tokens",
                e_nom=1.0, e_min_pu=-laid.upper("backlog", w).fixed, e_max_pu=0.0, e_initial=-owed,
                e_cyclic=False,
            )  # fmt: skip
            parts.means("backlog", w, "Store", "e", f"backlog {load.name}", -1.0)
    parts.says("loads of tokens, and stores below 0 for what waits", "demand")


def add_routes(parts: Parts, laid: Laid) -> None:
    """Add a link from replicas to tokens for each workload on a deployment."""
    world, h = laid.posed.world, laid.step_h
    own = own_deployments(world)
    floors = _floors(parts, laid)
    for r, route in enumerate(world.routes):
        deployment, load = world.deployments[route.deployment], world.workloads[route.workload]
        name = f"serve {load.name} on {deployment.name}"
        rate = 1.0 if deployment.external else route.rate_mtok_per_h
        given: dict[str, str | float | FloatArray] = {
            "bus0": f"replicas {deployment.name}",
            "bus1": f"tokens {load.name}",
            "carrier": "tokens",
            "p_nom": PLENTY,
            "efficiency": rate,
            "marginal_cost": laid.cost("serve", r) * rate,
        }
        if route.deployment < own:
            drawn = laid.values("racks", deployment.site, "serve", r) * rate
            given |= {"bus2": f"racks {world.site_names[deployment.site]}", "efficiency2": drawn}
        if load.tier_index in floors:
            above = route.quality_share - world.floor_share[load.tier_index]
            given |= {"bus3": floors[load.tier_index], "efficiency3": above * rate}
        parts.add("Link", name, **given)
        parts.means("serve", r, "Link", "p", name, h * rate)


def _floors(parts: Parts, laid: Laid) -> dict[int, str]:
    """Add a bus for each tier that promises a floor; return it by tier."""
    found = {}
    for tier, floor in enumerate(laid.posed.world.floor_share):
        if floor > 0.0:
            found[tier] = parts.bus(f"quality tier {tier}", "quality")
            parts.sink(f"quality above the floor of tier {tier}", found[tier])
    if found:
        parts.says("a bus for what is better than the floor", "quality")
    return found
