"""Verb: export a company's plan as a PyPSA network that solves to the same objective.

Tokens are a carrier, GPUs a bus, replicas links, what waits a store; sizes that are open are
extendable, at their annuity's part of the horizon. PyPSA itself is not needed to write the file.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from tokenergy.files.netcdf3 import Variable, write_netcdf
from tokenergy.files.pypsa_beside import rows_beside
from tokenergy.files.pypsa_laid import Laid
from tokenergy.files.pypsa_parts import LISTS, Kind, NetworkParts, Part, Parts
from tokenergy.files.pypsa_peaks import add_peaks
from tokenergy.files.pypsa_power import add_batteries, add_contracts, add_sites
from tokenergy.files.pypsa_sizes import Sizes
from tokenergy.files.pypsa_tokens import add_fleets, add_replicas, add_routes, add_workloads
from tokenergy.plan.program import PlanProgram

WRITTEN_FOR: Final = "1.4.0"
"""Release of PyPSA whose form the file has; later ones read it."""
DEFAULTS: Final[Mapping[str, float | str | bool]] = {
    "carrier": "",
    "p_nom": 0.0,
    "p_nom_mod": 0.0,
    "p_nom_extendable": False,
    "p_nom_min": 0.0,
    "p_nom_max": float("inf"),
    "p_min_pu": 0.0,
    "p_max_pu": 1.0,
    "marginal_cost": 0.0,
    "capital_cost": 0.0,
    "sign": 1.0,
    "delay": 0.0,
    "cyclic_delay": True,
    "e_cyclic": False,
    "cyclic_state_of_charge": False,
    "state_of_charge_initial": 0.0,
    "marginal_cost_storage": 0.0,
    "p_set": 0.0,
    "e_initial": 0.0,
    "e_nom": 0.0,
    "e_min_pu": 0.0,
    "e_max_pu": 1.0,
}
"""What PyPSA takes where a component says nothing; other figures are 1 (efficiencies) or ''."""


def network_parts(plan: PlanProgram) -> NetworkParts:
    """Return a company as the components of a network.

    Raises:
        InputError: naming what no component and no row beside them can say.
    """
    laid = Laid(plan)
    before_count = int(any(laid.rhs("battery", b).slopes for b in range(len(plan.world.batteries))))
    parts = Parts(count=laid.count, before_count=before_count, step_h=laid.step_h)
    sizes = Sizes(parts=parts, laid=laid)
    for carrier in ("power", "GPUs", "replicas", "starts", "tokens", "quality", "room", "money"):
        parts.add("Carrier", carrier)
    meters = add_peaks(parts, laid)
    add_sites(parts, laid, sizes, meters)
    add_contracts(parts, laid, sizes)
    add_batteries(parts, laid, sizes)
    add_fleets(parts, laid, sizes)
    add_replicas(parts, laid)
    add_workloads(parts, laid)
    add_routes(parts, laid)
    sizes.finish()
    constant_usd = laid.constant_usd()
    _fixed_charges(parts, constant_usd)
    beside = rows_beside(parts, laid, sizes)
    world, step = plan.world, timedelta(hours=laid.step_h)
    first = world.moment(world.first)
    return NetworkParts(
        name=plan.company.company,
        parts=tuple(parts.parts.values()),
        snapshots=tuple(first + at * step for at in range(-before_count, laid.count)),
        step_h=laid.step_h,
        before_count=before_count,
        meta={
            "written_by": "tokenergy export pypsa",
            "currency": plan.company.currency,
            "horizon_h": laid.count * laid.step_h,
            "objective": "cost of the horizon: dispatch, fixed charges and the horizon's part of "
            "every annuity; n.objective is the optimum before GPUs are whole, the lower_bound_usd "
            "of `tokenergy plan`",
            "constant_usd": constant_usd,
            "constant_is": "the capital cost of the generator `fixed charges`, whose size is 1",
            "sizes": {sizes.name(k): list(holder) for k, holder in sorted(sizes.holders.items())},
            "components": {row: form for row, form in parts.forms.items()},
            "before_count": before_count,
            **beside,
        },
    )


def _fixed_charges(parts: Parts, usd: float) -> None:
    """Let what is paid in any case be in the objective: a generator that never runs."""
    bus = parts.bus("fixed charges", "money")
    parts.add(
        "Generator", "fixed charges", bus=bus, carrier="money", p_nom_extendable=True,
        p_nom_min=1.0, p_nom_max=1.0, p_max_pu=0.0, capital_cost=usd,
    )  # fmt: skip


def write_network(network: NetworkParts, path: Path) -> None:
    """Write a network in PyPSA's own netCDF form.

    Raises:
        OSError: if the file cannot be written.
    """
    import json

    count = len(network.snapshots)
    first = network.snapshots[0]
    since_h = np.arange(count) * network.step_h
    weights = np.full(count, network.step_h)
    objective = weights.copy()
    objective[: network.before_count] = 0.0
    variables = [
        Variable(
            name="snapshots",
            dimensions=("snapshots",),
            values=since_h,
            attributes={"units": f"hours since {first:%Y-%m-%d %H:%M:%S}", "calendar": "standard"},
        ),
        _by_snapshot("snapshots_objective", objective),
        _by_snapshot("snapshots_stores", weights),
        _by_snapshot("snapshots_generators", weights),
    ]
    for kind, title in LISTS.items():
        held = [part for part in network.parts if part.kind == kind]
        if held:
            variables += _list(kind, title, held)
    attributes: dict[str, str | int | float] = {
        "network_name": network.name,
        "network_pypsa_version": WRITTEN_FOR,
        "network_srid": 4326,
        "network__multi_invest": 0,
        "meta": json.dumps({"tokenergy": network.meta}),
    }
    write_netcdf(path, variables, attributes)


def _by_snapshot(name: str, values: Any) -> Variable:
    return Variable(name=name, dimensions=("snapshots",), values=values)


def _list(kind: Kind, title: str, held: list[Part]) -> list[Variable]:
    """Return the arrays of one kind of component."""
    axis = f"{title}_i"
    names = [part.name for part in held]
    found = [Variable(name=axis, dimensions=(axis,), values=np.array(names))]
    for attribute in sorted({each for part in held for each in part.fixed}):
        default = _default(kind, attribute)
        values = np.array([part.fixed.get(attribute, default) for part in held])
        found.append(Variable(name=f"{title}_{attribute}", dimensions=(axis,), values=values))
    for attribute in sorted({each for part in held for each in part.series}):
        series = [(part.name, part.series[attribute]) for part in held if attribute in part.series]
        name = f"{title}_t_{attribute}"
        of = np.array([each for each, _ in series])
        found.append(Variable(name=f"{name}_i", dimensions=(f"{name}_i",), values=of))
        values = np.array([each for _, each in series]).T
        found.append(Variable(name=name, dimensions=("snapshots", f"{name}_i"), values=values))
    return found


def _default(kind: Kind, attribute: str) -> float | str | bool:
    if kind == "StorageUnit" and attribute == "p_min_pu":
        return -1.0
    if attribute.startswith("bus"):
        return ""
    return DEFAULTS.get(attribute, 1.0)
