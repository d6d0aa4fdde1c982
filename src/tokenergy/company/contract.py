"""How the company pays for power: the kinds of contract, told apart by `kind`."""

from typing import Annotated, Final

from pydantic import Field

from tokenergy.company.behind_meter import Colocation, OnSite
from tokenergy.company.clean_power import Cfe, Rec
from tokenergy.company.demand_response import DemandResponse
from tokenergy.company.supply import Block, PpaAsProduced, PpaBaseload, PpaVirtual, Spot

__all__ = [
    "LATER_KINDS",
    "Block",
    "Cfe",
    "Colocation",
    "Contract",
    "DemandResponse",
    "OnSite",
    "PpaAsProduced",
    "PpaBaseload",
    "PpaVirtual",
    "Rec",
    "Spot",
]

LATER_KINDS: Final = frozenset({"proxy_generation", "proxy_revenue_swap", "sleeved"})
"""Contract words of the house that this version refuses by name instead of ignoring."""

Contract = Annotated[
    Spot
    | Block
    | PpaAsProduced
    | PpaBaseload
    | PpaVirtual
    | Colocation
    | OnSite
    | Cfe
    | Rec
    | DemandResponse,
    Field(discriminator="kind"),
]
