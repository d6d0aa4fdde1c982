"""Magnitudes: a figure a thousand times too large or too small is a slip of its unit."""

from collections.abc import Iterator
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts

Bound = tuple[str, float, float, str, str]
"""Field, least and most plausible size, unit, and the unit that a slip would be in."""

BOUNDS: Final[dict[str, tuple[Bound, ...]]] = {
    "sites": (
        ("import_limit_mw", 0.01, 5e3, "MW", "kW"),
        ("export_limit_mw", 0.0, 5e3, "MW", "kW"),
        ("fixed_load_mw", 0.0, 5e3, "MW", "kW"),
        ("host_w_per_gpu", 5.0, 5e3, "W", "kW"),
        ("facility_usd_per_kw", 100.0, 1e6, "USD/kW", "USD/MW"),
    ),
    "contracts": (
        ("contract_mw", 0.0, 1e4, "MW", "kW"),
        ("project_mw", 0.0, 1e4, "MW", "kW"),
        ("strike_usd_per_mwh", 1.0, 1e3, "USD/MWh", "USD/kWh or cents per kWh"),
        ("adder_usd_per_mwh", 0.01, 1e3, "USD/MWh", "USD/kWh"),
        ("resale_spread_usd_per_mwh", 0.0, 1e3, "USD/MWh", "cents"),
        ("capacity_mw", 0.0, 1e4, "MW", "kW"),
        ("committed_mw", 0.0, 1e4, "MW", "kW"),
        ("standby_mw", 0.0, 1e4, "MW", "kW"),
        ("heat_rate_mmbtu_per_mwh", 3.4, 20.0, "mmbtu/MWh", "Btu/kWh or GJ/MWh"),
        ("vom_usd_per_mwh", 0.01, 1e3, "USD/MWh", "USD/kWh"),
        ("start_usd", 0.0, 1e7, "USD", "cents"),
        ("price_usd_per_kw", 50.0, 2e4, "USD/kW", "USD/MW"),
        ("premium_usd_per_mwh", 0.01, 1e3, "USD/MWh", "USD/kWh"),
        ("price_usd_per_mwh", 0.01, 1e3, "USD/MWh", "USD/kWh"),
        ("delivered_usd_per_mwh", 0.5, 2e4, "USD/MWh", "USD/kWh"),
        ("penalty_usd_per_mwh", 0.5, 1e5, "USD/MWh", "USD/kWh"),
    ),
    "tariffs": (
        ("standby_mw", 0.0, 1e4, "MW", "kW"),
        ("large_load.contract_mw", 0.01, 1e4, "MW", "kW"),
    ),
    "batteries": (
        ("power_mw", 0.0, 5e3, "MW", "kW"),
        ("capacity_mwh", 0.0, 1e5, "MWh", "kWh"),
        ("cycle_usd_per_mwh_discharged", 0.0, 1e3, "USD/MWh", "cents per kWh"),
        ("price_usd_per_kwh", 1.0, 1e4, "USD/kWh", "USD/MWh"),
    ),
    "fleets": (
        ("gpu_count", 0.0, 5e6, "GPUs", "watts"),
        ("owned.usd_per_gpu", 100.0, 1e6, "USD", "thousands of USD, or for a whole node"),
        ("lease.usd_per_gpu_hour", 0.0, 100.0, "USD/GPU-hour", "USD per day or per node"),
    ),
    "external_apis": (
        ("usd_per_mtok", 0.0, 1e4, "USD/Mtok", "USD per request"),
        ("ttft_s", 0.0, 3600.0, "s", "ms"),
        ("tpot_s", 0.0, 10.0, "s", "ms"),
    ),
    "models": (("wake_s", 0.0, 86_400.0, "s", "ms"),),
    "tiers": (
        ("ttft_limit_s", 0.0, 86_400.0, "s", "ms"),
        ("tpot_limit_s", 0.0, 10.0, "s", "ms"),
        ("deadline_s", 0.0, 31 * 86_400.0, "s", "ms"),
        ("price_usd_per_mtok", 0.0, 1e4, "USD/Mtok", "USD per item"),
        ("value_usd_per_mtok", 0.0, 1e5, "USD/Mtok", "USD per item"),
        ("price_usd_per_request", 0.0, 1e4, "USD", "cents"),
        ("value_usd_per_request", 0.0, 1e4, "USD", "cents"),
        ("price_usd_per_user_month", 0.0, 1e5, "USD", "cents"),
        ("fixed_usd_per_year", 0.0, 1e11, "USD", "cents"),
    ),
    "workloads": (
        ("arrivals.mean_requests_per_s", 0.0, 1e7, "requests/s", "requests per day"),
        ("input_tokens", 0.0, 1e7, "tokens", "bytes"),
        ("output_tokens", 0.0, 1e7, "tokens", "bytes"),
    ),
}
"""Generous by ten or more: what lies outside is not a bold company but another unit."""

NETWORK_BOUNDS: Final[tuple[Bound, ...]] = (
    ("egress_usd_per_gb", 0.0, 10.0, "USD/GB", "USD/TB"),
    ("bytes_per_token", 0.0, 1e6, "bytes", "bits"),
)
RTT_BOUND: Final[Bound] = ("rtt_ms", 0.01, 5e3, "ms", "µs or s")
PLAN_BOUNDS: Final[dict[str, tuple[Bound, ...]]] = {
    "sites": (
        ("most_mw", 0.01, 5e3, "MW", "kW"),
        ("open_usd", 100.0, 1e11, "USD", "thousands or millions of USD"),
    ),
    "fleets": (("most_count", 0.0, 5e6, "GPUs", "watts"),),
    "batteries": (("most_mw", 0.0, 5e3, "MW", "kW"),),
    "contracts": (("most_mw", 0.0, 1e4, "MW", "kW"),),
    "scenarios": (
        ("price_ratio", 0.01, 100.0, "", "percent"),
        ("demand_ratio", 0.001, 1e3, "", "percent"),
        ("demand_growth_share_per_year", 0.0, 20.0, "per year", "percent"),
        ("gpu_price_ratio", 0.01, 100.0, "", "percent"),
        ("gpu_life_y", 0.5, 30.0, "years", "months"),
    ),
}
"""Of the section `plan`, likewise."""
QUEUE_BOUNDS: Final[tuple[Bound, ...]] = (
    ("mw", 0.01, 5e3, "MW", "kW"),
    ("usd_per_kw", 100.0, 1e6, "USD/kW", "USD/MW"),
)
LONGEST_STORE_H: Final = 200.0
SHORTEST_STORE_H: Final = 0.05


def check_sizes(parts: Parts) -> Iterator[Finding]:
    """Yield figures outside any plausible magnitude, with the unit that they may be in."""
    for section, bounds in BOUNDS.items():
        for path, item in parts.placed(section):
            for bound in bounds:
                yield from _outside(path, item, bound)
    for bound in NETWORK_BOUNDS:
        yield from _outside("network", parts.network, bound)
    for position, rtt in enumerate(parts.network.rtt):
        yield from _outside(f"network.rtt[{position}]", rtt, RTT_BOUND)
    yield from _planned(parts)
    for path, battery in parts.placed("batteries"):
        hours = battery.capacity_mwh / battery.power_mw
        if not SHORTEST_STORE_H <= hours <= LONGEST_STORE_H:
            yield Finding(
                code="UNIT_SLIP",
                path=f"{path}.capacity_mwh",
                value=f"{hours:g}",
                limit=f"{SHORTEST_STORE_H:g} to {LONGEST_STORE_H:g}",
                unit="h",
                reason=f"battery {battery.name!r} would run that long at full power: one of "
                "power and capacity is perhaps in kW or kWh",
                remedy="State power_mw in MW and capacity_mwh in MWh",
            )


def _planned(parts: Parts) -> Iterator[Finding]:
    for section, bounds in PLAN_BOUNDS.items():
        for path, item in parts.open_sizes(section):
            for bound in bounds:
                yield from _outside(path, item, bound)
    for path, size in parts.open_sizes("sites"):
        for position, step in enumerate(size.queue):
            for bound in QUEUE_BOUNDS:
                yield from _outside(f"{path}.queue[{position}]", step, bound)


def plausible(section: str, field: str, item: Any) -> bool:
    """Tell whether a figure alone is plausible, so that only its neighbours speak against it."""
    return all(
        least <= abs(_figure(item, field)) <= most
        for name, least, most, *_ in BOUNDS[section]
        if name == field
    )


def _figure(item: Any, field: str) -> Any:
    """Return the figure at a field, which may lie in a part (`part.field`); None without it."""
    for step in field.split("."):
        item = getattr(item, step, None)
    return item


def _outside(path: str, item: Any, bound: Bound) -> Iterator[Finding]:
    """Compare the size of a figure with its bound; 0 is always a statement of its own."""
    field, least, most, unit, slip = bound
    figure = _figure(item, field)
    if not isinstance(figure, int | float) or figure == 0:
        return
    size = abs(figure)
    if not least <= size <= most:
        yield Finding(
            code="UNIT_SLIP",
            path=f"{path}.{field}",
            value=f"{figure:g}",
            limit=f"{most if size > most else least:g}",
            unit=unit,
            reason=f"no company has a figure so {'large' if size > most else 'small'} here: it "
            f"is perhaps in {slip}",
            remedy=f"State it in {unit}",
        )
