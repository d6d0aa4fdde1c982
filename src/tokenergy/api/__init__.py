"""The public Python API: one function per verb, frozen results.

A name is imported when it is first asked for: `check` need not wait for what `observe` needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tokenergy.api.calibrating import CalibrationMade, calibrate
    from tokenergy.api.dispatching import DispatchPlan, dispatch
    from tokenergy.api.drafting import draft
    from tokenergy.api.duelling import Fought, duel
    from tokenergy.api.earning import Economics, economics
    from tokenergy.api.experimenting import Thesis, thesis
    from tokenergy.api.explaining import Explained, explain
    from tokenergy.api.exporting import Exported, export
    from tokenergy.api.fetching import Fetched, fetch
    from tokenergy.api.importing import Imported, import_file
    from tokenergy.api.observed.observation import Observation
    from tokenergy.api.observing import observe
    from tokenergy.api.opened import OpenCompany, check, init_text, load, schema
    from tokenergy.api.operating import OperatingPoints, operating_points
    from tokenergy.api.planning import Planned, plan
    from tokenergy.api.predicting import EnergyAnswer, energy
    from tokenergy.api.pricing import Board, price
    from tokenergy.api.replaying import RequestReplay, replay
    from tokenergy.api.reporting import report
    from tokenergy.api.settling import Settled, settle
    from tokenergy.api.simulating import Simulation, simulate
    from tokenergy.company.finding import Finding
    from tokenergy.errors import FindingsError, TokenergyError
    from tokenergy.feeds.table_url import TableMapping
    from tokenergy.files.company_file import Checked

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

_WHERE: Final = {
    "tokenergy.api.calibrating": ("CalibrationMade", "calibrate"),
    "tokenergy.api.dispatching": (
        "DispatchPlan",
        "dispatch",
    ),
    "tokenergy.api.drafting": ("draft",),
    "tokenergy.api.duelling": (
        "Fought",
        "duel",
    ),
    "tokenergy.api.earning": (
        "Economics",
        "economics",
    ),
    "tokenergy.api.experimenting": (
        "Thesis",
        "thesis",
    ),
    "tokenergy.api.explaining": ("Explained", "explain"),
    "tokenergy.api.exporting": ("Exported", "export"),
    "tokenergy.api.fetching": (
        "Fetched",
        "fetch",
    ),
    "tokenergy.api.importing": ("Imported", "import_file"),
    "tokenergy.api.observed.observation": ("Observation",),
    "tokenergy.api.observing": ("observe",),
    "tokenergy.api.opened": (
        "OpenCompany",
        "check",
        "init_text",
        "load",
        "schema",
    ),
    "tokenergy.api.operating": ("OperatingPoints", "operating_points"),
    "tokenergy.api.planning": ("Planned", "plan"),
    "tokenergy.api.predicting": ("EnergyAnswer", "energy"),
    "tokenergy.api.pricing": (
        "Board",
        "price",
    ),
    "tokenergy.api.replaying": (
        "RequestReplay",
        "replay",
    ),
    "tokenergy.api.reporting": ("report",),
    "tokenergy.api.settling": ("Settled", "settle"),
    "tokenergy.api.simulating": (
        "Simulation",
        "simulate",
    ),
    "tokenergy.company.finding": ("Finding",),
    "tokenergy.errors": (
        "FindingsError",
        "TokenergyError",
    ),
    "tokenergy.feeds.table_url": ("TableMapping",),
    "tokenergy.files.company_file": ("Checked",),
}
"""Which module has which names."""


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'tokenergy.api' has no attribute {name!r}")
