"""The plan as tables for people: what to build, what it costs, what it is worth."""

from collections.abc import Sequence

from tokenergy.api.plan_exposures import ContractExposures
from tokenergy.api.planning import Planned
from tokenergy.cli import show_reasons
from tokenergy.cli.columns import decimals_for, figure, percent, put, say
from tokenergy.cli.show import banner
from tokenergy.plan.values import Worth

WORDS = {"site": "site", "fleet": "GPUs", "battery": "battery", "contract": "contract"}
LEAST_USD = 0.5
"""Lines of a bill below this are not shown."""


def planned(result: Planned) -> None:
    """Print what to build and sign, between which bounds, and what everything is worth."""
    banner(result.heading)
    _capacities(result)
    _cost(result)
    _bill(result)
    _values(result.worths)
    _exposures(result.exposures)
    if result.reasons is not None:
        show_reasons.reasons(result.reasons)
    if result.fan is not None:
        show_reasons.fan(result.fan)
    for line in result.lines():
        say(line, as_is=True)
    for finding in result.findings:
        say(f"warning {finding.code} {finding.path}: {finding.reason}", style="yellow", as_is=True)
    for what, path in (("company file", result.written), ("page", result.page)):
        if path is not None:
            say(f"{what}: {path}")


def _capacities(result: Planned) -> None:
    put(
        f"What to build and sign over {result.found.program.hours_h:g} h",
        [
            [
                row["name"],
                WORDS[row["kind"]],
                row["site"],
                row["unit"],
                _size(row["size"]),
                _size(row["most"]),
                _size(row["as_written"]),
                figure(row["annuity_usd"], 0),
            ]
            for row in result.found.capacities()
        ],
        left=("name", "what", "site", "in"),
        right=("build", "most", "file has", "capital USD"),
    )


def _size(size: float) -> str:
    """Write a size: whole from 100 on, else so that it is told apart from nothing."""
    return figure(size, 0 if abs(size) >= 100.0 or float(size).is_integer() else 2)


def _cost(result: Planned) -> None:
    """Say between which bounds the cost lies, and print what a token costs on both bases."""
    found, built = result.found, result.built
    say(
        f"cost {found.cost_usd:,.0f} USD, at least {found.lower_usd:,.0f} USD: gap "
        f"{percent(found.gap_share, 3)}",
        style="bold",
    )
    if built is None:
        return
    full = built.full
    rows = [
        ("full (allocation)", full.allocation_usd_per_mtok),
        ("usage: without what nothing used", full.usage_usd_per_mtok),
        ("marginal: one Mtok more", built.marginal_usd_per_mtok),
    ]
    decimals = decimals_for(value for _, value in rows if value is not None)
    put(
        "What a Mtok costs: these do not add up, and the first is what has to be earned",
        [[name, figure(value, decimals)] for name, value in rows],
        left=("basis",),
        right=("USD/Mtok",),
    )


def _bill(result: Planned) -> None:
    if result.built is None:
        return
    full = result.built.full
    lines = [
        ("capital", "GPUs, halls, batteries, plants", result.found.annuity_usd),
        *(
            (line["contract_id"], line["component"], line["amount_usd"])
            for line in result.built.bill()
        ),
        ("staff", "the company's and its tiers'", full.staff_usd + full.tier_fixed_usd),
    ]
    whole = full.allocation_usd
    put(
        "What is paid over those hours, by line, USD",
        [
            [name, component, figure(usd, 0), percent(usd / whole if whole else None, 1)]
            for name, component, usd in lines
            if abs(usd) >= LEAST_USD
        ],
        left=("to", "for"),
        right=("USD", "of full cost"),
    )


def _values(worths: Sequence[Worth]) -> None:
    if not worths:
        return
    put(
        "What one unit is worth in a year, USD: low is one more, high the last one",
        [
            [
                worth.name,
                WORDS.get(worth.kind, worth.kind),
                worth.unit,
                _size(worth.size_quantity),
                figure(worth.low_usd_per_unit_year, 0),
                figure(worth.high_usd_per_unit_year, 0),
                figure(worth.annuity_usd_per_unit_year, 0),
                figure(worth.rent_usd_per_unit_year, 0),
            ]
            for worth in worths
        ],
        left=("name", "what", "in"),
        right=("size", "low", "high", "costs", "rent of its limit"),
    )


def _exposures(found: Sequence[ContractExposures]) -> None:
    if not found:
        return
    put(
        "What each contract costs more than its power at the site's price, USD; below 0 it saves",
        [
            [
                each.contract_id,
                each.site,
                figure(each.mwh, 0),
                figure(each.strike_usd_per_mwh, 2),
                figure(each.capture_usd_per_mwh, 2),
                figure(each.volume_usd, 0),
                figure(each.price_usd, 0),
                figure(each.shape_usd, 0),
                figure(each.covariance_usd, 0),
                figure(each.basis_usd, 0),
                figure(each.total_usd, 0),
            ]
            for each in found
        ],
        left=("contract", "site"),
        right=(
            "MWh", "strike", "worth", "volume", "price", "shape", "covariance", "basis", "total",
        ),
    )  # fmt: skip
