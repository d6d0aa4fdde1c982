"""The rows of an exported company that PyPSA components cannot say, for `n.optimize`.

    >>> n = pypsa.Network("company.nc")
    >>> n.optimize(solver_name="highs", extra_functionality=extra_functionality)

Knows nothing but the network: they are data in `n.meta["tokenergy"]`. Needs PyPSA's own packages
(`pip install tokenergy[pypsa]`); without any such rows the network needs this file as little.
"""

from importlib import import_module
from typing import Any

import numpy as np

NOMINAL = {"Link": "p_nom", "Generator": "p_nom", "StorageUnit": "p_nom", "Store": "e_nom"}
"""What holds the size of a component."""


def extra_functionality(n: Any, snapshots: Any) -> None:
    """Add the rows to a network's model.

    Args:
        n: the network, whose model is made.
        snapshots: those of the model; all of the network.

    Raises:
        ValueError: if only a part of the horizon is to be solved.
    """
    told = n.meta["tokenergy"]
    if len(snapshots) != len(n.snapshots):
        raise ValueError("rows of the whole horizon: solve all snapshots at once")
    hours = snapshots[told["before_count"] :]
    for variable in told["variables"]:
        _add_variable(n.model, variable, hours)
    for row in told["rows"]:
        _add_row(n.model, row, hours)


def _add_variable(model: Any, told: dict[str, Any], hours: Any) -> None:
    """Add a variable that no component has, and its cost."""
    name = f"Extra-{told['name']}"
    lower, upper = (_figures(told[side], told["whole"], hours) for side in ("lower", "upper"))
    model.add_variables(lower=lower, upper=upper, name=name, integer=told["integer"])
    cost = _figures(told["cost"], told["whole"], hours)
    if bool((cost != 0.0).any()):
        model.objective = model.objective.expression + (cost * model.variables[name]).sum()


def _add_row(model: Any, row: dict[str, Any], hours: Any) -> None:
    """Add a row of every interval, or one of the whole horizon."""
    total: Any = 0.0
    for term in row["terms"]:
        total = total + _term(model, term, row["whole"], hours)
    if row["lower"] == row["upper"]:
        sides: tuple[tuple[str, str], ...] = (("lower", "="),)
    else:
        sides = (("lower", ">="), ("upper", "<="))
    for side, sign in sides:
        held = _figures(row[side], row["whole"], hours)
        finite = np.isfinite(held)
        if bool(finite.any()):
            name = f"{row['name']} {side}"
            model.add_constraints(total, sign, held.where(finite, 0.0), name=name, mask=finite)


def _term(model: Any, term: dict[str, Any], whole: bool, hours: Any) -> Any:
    """Return a term of a row: figures x a variable, of the hour before where it lags."""
    component, name = term["component"], term["name"]
    fixed = term["variable"] in NOMINAL.values()
    if component == "Extra":
        variable = model.variables[f"Extra-{name}"]
        fixed = "snapshot" not in variable.dims
    else:
        variable = model.variables[f"{component}-{term['variable']}"].sel(name=name, drop=True)
    if fixed:
        return _figures(term["values"], whole, hours) * variable
    values = _figures(term["values"], False, hours)
    flow = variable.sel(snapshot=hours)
    if term["lag"]:
        flow = flow.shift(snapshot=term["lag"])
    summed = values * flow
    return summed.sum("snapshot") if whole else summed


def _figures(told: Any, whole: bool, hours: Any) -> Any:
    """Return figures by hour, or one of the whole horizon."""
    xarray = import_module("xarray")
    values = np.asarray(told, float)
    if whole:
        return xarray.DataArray(float(values.ravel()[0]))
    return xarray.DataArray(
        np.broadcast_to(values, len(hours)).copy(), {"snapshot": hours}, ["snapshot"]
    )
