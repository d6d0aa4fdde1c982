"""Tokenergy: what a token costs at each place and hour, and what to do about it.

    >>> import tokenergy as te
    >>> company = te.load("examples/meridian.yaml")
    >>> board = te.price(company, hours=24)
    >>> board.to_polars()

The functions mirror the verbs of the command line; results are frozen, have `to_dict` (keys
carry units), `to_polars`, and a table in a notebook.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenergy.api import (
        Board,
        CalibrationMade,
        Checked,
        DispatchPlan,
        Economics,
        EnergyAnswer,
        Explained,
        Exported,
        Fetched,
        Finding,
        FindingsError,
        Fought,
        Imported,
        Observation,
        OpenCompany,
        OperatingPoints,
        Planned,
        RequestReplay,
        Settled,
        Simulation,
        TableMapping,
        Thesis,
        TokenergyError,
        calibrate,
        check,
        dispatch,
        draft,
        duel,
        economics,
        energy,
        explain,
        export,
        fetch,
        import_file,
        init_text,
        load,
        observe,
        operating_points,
        plan,
        price,
        replay,
        report,
        schema,
        settle,
        simulate,
        thesis,
    )

__version__ = "0.1.0"

__all__ = [
    "Board",
    "CalibrationMade",
    "Checked",
    "DispatchPlan",
    "Economics",
    "EnergyAnswer",
    "Explained",
    "Exported",
    "Fetched",
    "Finding",
    "FindingsError",
    "Fought",
    "Imported",
    "Observation",
    "OpenCompany",
    "OperatingPoints",
    "Planned",
    "RequestReplay",
    "Settled",
    "Simulation",
    "TableMapping",
    "Thesis",
    "TokenergyError",
    "calibrate",
    "check",
    "dispatch",
    "draft",
    "duel",
    "economics",
    "energy",
    "explain",
    "export",
    "fetch",
    "import_file",
    "init_text",
    "load",
    "observe",
    "operating_points",
    "plan",
    "price",
    "replay",
    "report",
    "schema",
    "settle",
    "simulate",
    "thesis",
]


class _Package(ModuleType):
    """The package, in which a verb is a function although a room has the same name.

    Importing the room `tokenergy.simulate` would put the module in the place of the function
    `te.simulate`. The room stays importable by its full name; the attribute is the verb.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        """Import the API on first use, so that `import tokenergy` costs nothing."""
        if name in __all__:
            return getattr(import_module("tokenergy.api"), name)
        raise AttributeError(f"module 'tokenergy' has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted([*__all__, "__version__"])


sys.modules[__name__].__class__ = _Package
