"""The public Python API: one function per verb, frozen results."""

from tokenergy.api.dispatching import DispatchPlan, dispatch
from tokenergy.api.duelling import Fought, duel
from tokenergy.api.earning import Economics, economics
from tokenergy.api.experimenting import Thesis, thesis
from tokenergy.api.opened import OpenCompany, check, init_text, load, schema
from tokenergy.api.pricing import Board, price
from tokenergy.api.reporting import report
from tokenergy.api.simulating import Simulation, simulate
from tokenergy.company.finding import Finding
from tokenergy.errors import FindingsError, TokenergyError
from tokenergy.files.company_file import Checked

__all__ = [
    "Board",
    "Checked",
    "DispatchPlan",
    "Economics",
    "Finding",
    "FindingsError",
    "Fought",
    "OpenCompany",
    "Simulation",
    "Thesis",
    "TokenergyError",
    "check",
    "dispatch",
    "duel",
    "economics",
    "init_text",
    "load",
    "price",
    "report",
    "schema",
    "simulate",
    "thesis",
]
