"""Sites, contracts, batteries and plants as PyPSA components.

    market bus   power as it is bought and sold; contracts over the grid deliver here
    meter buses  between market and power where a demand charge is on: a link of the month's MW
    power bus    behind the meter; batteries, plants, contracts behind the meter
    racks bus    what the machines draw: a link of 1/PUE leads here

A demand charge has a component form: what is imported in a month passes a link whose size is what
that month is billed (`pypsa_peaks`).
"""

import numpy as np

from tokenergy.dispatch.world import FloatArray
from tokenergy.files.pypsa_laid import Affine, Laid
from tokenergy.files.pypsa_parts import PLENTY, Parts
from tokenergy.files.pypsa_sizes import Sizes


def add_sites(parts: Parts, laid: Laid, sizes: Sizes, meters: dict[int, str]) -> None:
    """Add every site's buses, market, connection and cooling.

    Args:
        parts: the network.
        laid: the program.
        sizes: the candidates.
        meters: bus at which imports arrive, by site: the power bus unless a charge lies between.
    """
    world, window, h = laid.posed.world, laid.posed.window, laid.step_h
    for s, name in enumerate(world.site_names):
        for kind in ("market", "power", "racks"):
            parts.bus(f"{kind} {name}", "power")
        _trade(parts, laid, s, name)
        _connection(parts, laid, sizes, s, meters.get(s, f"power {name}"))
        pue = window.pue[s]
        parts.add(
            "Link", f"cooling {name}", bus0=f"power {name}", bus1=f"racks {name}",
            carrier="power", p_nom=PLENTY, efficiency=1.0 / pue,
        )  # fmt: skip
        parts.means("it", s, "Link", "p", f"cooling {name}", h / pue)
        standing = laid.rhs("racks", s).times(1.0 / h)
        parts.add("Load", f"standing {name}", bus=f"racks {name}", p_set=standing.fixed)
        sizes.port(f"racks {name}", standing, -1.0)
        for row, bus, kind in (("balance", "power", "behind"), ("commercial", "market", "grid")):
            fixed = laid.rhs(row, s).times(-1.0 / h)
            if fixed.fixed.any():
                parts.add(
                    "Generator", f"blocks {kind} {name}", bus=f"{bus} {name}", carrier="power",
                    p_nom=1.0, p_max_pu=fixed.fixed, p_min_pu=fixed.fixed,
                )  # fmt: skip
            sizes.port(f"{bus} {name}", fixed, 1.0)
    parts.says("buses with links between them", "racks", "balance", "commercial")


def _trade(parts: Parts, laid: Laid, s: int, name: str) -> None:
    """What is bought and sold, at the site's prices."""
    h = laid.step_h
    for block, sign in (("buy", 1.0), ("sell", -1.0)):
        cost = laid.cost(block, s)
        parts.add(
            "Generator", f"{block} {name}", bus=f"market {name}", carrier="power",
            p_nom=PLENTY, sign=sign, marginal_cost=cost,
        )  # fmt: skip
        parts.means(block, s, "Generator", "p", f"{block} {name}", h)


def _connection(parts: Parts, laid: Laid, sizes: Sizes, s: int, meter: str) -> None:
    """Both ways through the meter, each within its limit."""
    world, h = laid.posed.world, laid.step_h
    name = world.site_names[s]
    for way, start, end in (
        ("import", f"market {name}", meter),
        ("export", f"power {name}", f"market {name}"),
    ):
        block = f"meter_{way}"
        limit = laid.upper(block, s).times(1.0 / h)
        ends = {"bus0": start, "bus1": end, "carrier": "power"}
        cost = laid.cost(block, s)
        if way == "import" and sizes.alone(limit.slopes, ("meter_import.most",)):
            for k, slope in limit.slopes.items():
                link = f"import {sizes.name(k)}"
                parts.add(
                    "Link", link, **ends, p_max_pu=slope, marginal_cost=cost, **sizes.nominal(k)
                )
                parts.means(block, s, "Link", "p", link, h)
                sizes.held_by(k, "Link", link)
            if limit.fixed.max() <= 1e-9 * max(1.0, laid.most.max(initial=0.0)):
                continue
            limit = Affine(fixed=np.maximum(0.0, limit.fixed))
        link = f"{way} {name}"
        room = sizes.room(f"{way} room {name}", limit)
        given: dict[str, float | str | FloatArray] = {"p_nom": 1.0, "p_max_pu": limit.fixed}
        if room:
            given = {"p_nom": PLENTY, "bus2": room, "efficiency2": -1.0}
        parts.add("Link", link, **ends, **given, marginal_cost=cost)
        parts.means(block, s, "Link", "p", link, h)


def add_contracts(parts: Parts, laid: Laid, sizes: Sizes) -> None:
    """Add what may be taken of a project, and plants on site."""
    world = laid.posed.world
    for c, take in enumerate(world.takes):
        side = "power" if take.behind_the_meter else "market"
        bus = f"{side} {world.site_names[take.site]}"
        _supply(parts, laid, sizes, "take", c, f"contract {take.contract_id}", bus)
    for u, plant in enumerate(world.generators):
        bus = f"power {world.site_names[plant.site]}"
        _supply(parts, laid, sizes, "generate", u, f"plant {plant.contract_id}", bus)


def _supply(
    parts: Parts, laid: Laid, sizes: Sizes, block: str, at: int, name: str, bus: str
) -> None:
    """A generator between its bounds; of a size that is open, one whose size is chosen."""
    h = laid.step_h
    most = laid.upper(block, at).times(1.0 / h)
    least = laid.lower(block, at).times(1.0 / h)
    cost = laid.cost(block, at)
    slopes = dict(most.slopes) | dict(least.slopes)
    given: dict[str, float | str | FloatArray] = {
        "bus": bus, "carrier": "power", "marginal_cost": cost,
    }  # fmt: skip
    if not slopes:
        parts.add("Generator", name, **given, p_nom=1.0, p_max_pu=most.fixed, p_min_pu=least.fixed)
        parts.means(block, at, "Generator", "p", name, h)
        return
    (k,) = slopes
    none = np.zeros(laid.count)
    parts.add(
        "Generator", name, **given, p_max_pu=most.slopes.get(k, none),
        p_min_pu=least.slopes.get(k, none), **sizes.nominal(k),
    )  # fmt: skip
    parts.means(block, at, "Generator", "p", name, h)
    sizes.held_by(k, "Generator", name)


def add_batteries(parts: Parts, laid: Laid, sizes: Sizes) -> None:
    """Add a storage unit for each battery; the worth of what is left at the end is a cost below 0.

    A battery of open size begins with a share of that size: it is filled in a snapshot of no
    weight before the horizon.
    """
    world, h = laid.posed.world, laid.step_h
    for b, battery in enumerate(world.batteries):
        name = f"battery {battery.name}"
        power = laid.side("exclusive", b, "upper").times(1.0 / h)
        begun = laid.rhs("battery", b)
        worth = laid.cost("energy", b) / h
        charge = laid.upper("charge", b).fixed / h / battery.power_mw  # 0 where the site is dark
        discharge = laid.upper("discharge", b).fixed / h / battery.power_mw
        site = world.site_names[world.battery_site[b]]
        given: dict[str, float | str | FloatArray] = {
            "bus": f"power {site}",
            "carrier": "power",
            "max_hours": battery.capacity_mwh / battery.power_mw,
            "efficiency_store": battery.charge_eff_share,
            "efficiency_dispatch": battery.discharge_eff_share,
            "marginal_cost": laid.cost("discharge", b),
            "marginal_cost_storage": worth,
            "p_max_pu": discharge,
            "p_min_pu": -charge,
        }
        if not power.slopes:
            parts.add(
                "StorageUnit", name, **given, p_nom=float(power.fixed[0]),
                state_of_charge_initial=float(begun.fixed[0]),
            )  # fmt: skip
        else:
            ((k, _),) = power.slopes.items()
            first = begun.slopes.get(k, np.zeros(1))[0] / (h * battery.charge_eff_share)
            lead = np.zeros(parts.before_count)
            lead[:1] = -first
            parts.add("StorageUnit", name, {"p_min_pu": lead}, **given, **sizes.nominal(k))
            if first > 0.0:
                _first_charge(parts, laid, site)
            sizes.held_by(k, "StorageUnit", name)
        for block, variable, ratio in (
            ("charge", "p_store", h), ("discharge", "p_dispatch", h),
            ("energy", "state_of_charge", 1.0),
        ):  # fmt: skip
            parts.means(block, b, "StorageUnit", variable, name, ratio)
    parts.says("storage units", "battery")


def _first_charge(parts: Parts, laid: Laid, site: str) -> None:
    """Let batteries of open size fill before the horizon, for nothing."""
    name = f"first charge {site}"
    if ("Generator", name) not in parts.parts:
        none = np.zeros(laid.count)
        lead = np.zeros(parts.before_count)
        lead[0] = 1.0
        parts.add(
            "Generator", name, {"p_max_pu": lead}, bus=f"power {site}", carrier="power",
            p_nom=PLENTY, p_max_pu=none,
        )  # fmt: skip
