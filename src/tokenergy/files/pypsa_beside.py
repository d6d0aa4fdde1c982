"""What components cannot say: rows of the program as data, for `pypsa_rows.extra_functionality`.

A row is a sum of PyPSA's own variables, of variables that no component has, and of sizes; figures
that are the same in every interval are one number.
"""

from typing import Any, Final

import numpy as np

from tokenergy.dispatch.window import work_only
from tokenergy.dispatch.world import FloatArray
from tokenergy.files.pypsa_laid import UNBUILT, Laid
from tokenergy.files.pypsa_parts import Flow, Parts
from tokenergy.files.pypsa_sizes import SPOKEN, Sizes

WAYS: Final = "exclusive"
"""Rows by which a battery charges or discharges: only where power may be worth less than nothing
do they bind."""


def rows_beside(parts: Parts, laid: Laid, sizes: Sizes) -> dict[str, Any]:
    """Return the rows that no component says, and the variables that only they hold."""
    held = set(parts.said) | SPOKEN - {WAYS}
    rows: list[dict[str, Any]] = []
    columns: dict[tuple[str, int], None] = {}
    for name, block in laid.program.rows.items():
        if name in held:
            continue
        for at in range(block.size):
            if _needless(laid, sizes, name, at):
                continue
            row = _row(parts, laid, sizes, name, at, columns)
            if row is not None:
                rows.append(row)
    return {"rows": rows, "variables": [_variable(laid, block, at) for block, at in columns]}


def _needless(laid: Laid, sizes: Sizes, name: str, at: int) -> bool:
    """Tell whether a component's own form says a row, or nothing can break it."""
    if name == WAYS:
        world = laid.posed.world
        site = world.battery_site[at]
        paid = work_only(world, laid.posed.window)[site].any()
        return not (paid or (laid.cost("buy", site) < 0.0).any())
    if name == "steps":
        stepped = [k for k, c in enumerate(laid.posed.candidates) if c.step is not None]
        return sizes.modular(stepped[at])
    return False


def _row(
    parts: Parts,
    laid: Laid,
    sizes: Sizes,
    name: str,
    at: int,
    columns: dict[tuple[str, int], None],
) -> dict[str, Any] | None:
    terms: list[dict[str, Any]] = []
    lower = laid.side(name, at, "lower").fixed
    upper = laid.side(name, at, "upper").fixed
    for entry in laid.entries(name, at):
        if entry.column == UNBUILT:
            component, holder = sizes.holders[entry.at]
            flows = [Flow(component=component, variable="p_nom", name=holder, ratio=-1.0)]
        elif (entry.column, entry.at) in parts.flows:
            flows = parts.flows[entry.column, entry.at]
        else:
            columns[entry.column, entry.at] = None
            label = f"{entry.column} {entry.at}"
            flows = [Flow(component="Extra", variable="value", name=label, ratio=1.0)]
        for flow in flows:
            terms.append(
                {
                    "component": flow.component,
                    "variable": flow.variable,
                    "name": flow.name,
                    "lag": entry.lag,
                    "values": _short(entry.values * flow.ratio),
                }
            )
    if not terms:
        return None
    return {
        "row": name,
        "name": f"{name} {at}",
        "whole": laid.program.rows[name].whole,
        "lower": _short(lower),
        "upper": _short(upper),
        "terms": terms,
    }


def _variable(laid: Laid, block: str, at: int) -> dict[str, Any]:
    held = laid.program.columns[block]
    number = laid.program.column_number(held, 0, at)
    return {
        "name": f"{block} {at}",
        "whole": held.whole,
        "integer": bool(np.isin(number, laid.posed.integers)),
        "cost": _short(laid.cost(block, at)),
        "lower": _short(laid.lower(block, at).fixed),
        "upper": _short(laid.upper(block, at).fixed),
    }


def _short(values: FloatArray) -> float | str | list[float | str]:
    """Return one figure where all are the same; JSON knows no infinity: that is a word."""
    flat = np.ravel(values)
    if (flat == flat[0]).all():
        return _figure(float(flat[0]))
    return [_figure(value) for value in flat.tolist()]


def _figure(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)
