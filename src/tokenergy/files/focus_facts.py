"""What a FOCUS file needs beside the ledger: names, prices, and how people are hidden."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from tokenergy.company.ledger import LedgerEntry
from tokenergy.files.focus_columns import FocusVersion

CostBasis = Literal["usage", "allocation", "marginal"]
BASES: Final[tuple[CostBasis, ...]] = ("usage", "allocation", "marginal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """What one Mtok more costs, and how much of that is rent of something scarce."""

    usd_per_mtok: float
    scarcity_usd_per_mtok: float | None = None


def _unknown(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusFacts:
    """Facts of the company; a function answers None where nobody knows.

    Attributes:
        company: who makes the tokens and pays for the power.
        currency: ISO code of all money.
        basis: what the EffectiveCost of a token row is (`focus_share.py`).
        hide: gives a tenant's name as it may be told (`KeyHash.of_tenant`).
        price_usd_per_mtok: list price of the tokens of a row; 0 where they are free or part of
            a subscription, None where nobody knows.
        fleets: fleet by site and accelerator.
        committed: contracts that are in the dataset of commitments.
        index_usd_per_mwh: price of the market, by site and moment.
        carbon_g_per_kwh: carbon, by site and moment.
        marginal: marginal cost of the tokens of a row.
    """

    company: str
    currency: str
    version: FocusVersion
    basis: CostBasis
    hide: Callable[[str], str]
    price_usd_per_mtok: Callable[[LedgerEntry], float | None]
    fleets: Mapping[tuple[str, str], str]
    committed: frozenset[str] = frozenset()
    index_usd_per_mwh: Callable[[str, datetime], float | None] = _unknown
    carbon_g_per_kwh: Callable[[str, datetime], float | None] = _unknown
    marginal: Callable[[LedgerEntry], Marginal | None] = _unknown
