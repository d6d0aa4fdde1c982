"""Rows of a FOCUS file: one list of cells each, in the order of the version's columns.

Sign: a bill below zero (resale, power at a negative price, difference payments) is a `Credit`
without quantity or unit price, because FOCUS knows no negative unit price and nothing was used
in reverse; its kWh stand in `x_EnergyKwh`.
"""

import json
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from tokenergy.company.ledger import LedgerEntry
from tokenergy.files.focus_columns import focus_columns
from tokenergy.files.focus_facts import FocusFacts
from tokenergy.files.focus_share import TokenSum, Unborne
from tokenergy.units import KWH_PER_MWH, NANO_USD_PER_USD, TOKENS_PER_MTOK

ALLOCATED_BY: Final = "tokenergy/{basis}-by-kwh-of-the-hour"
"""Id of the method by which bills are shared; `focus_share.py` says how."""
UNITS: Final = {
    "MWh": ("kWh", KWH_PER_MWH),
    "kWh": ("kWh", 1.0),
    "MW": ("kW", KWH_PER_MWH),
    "kW": ("kW", 1.0),
    "GPU-hour": ("GPU Hours", 1.0),
    "Mtok": ("Tokens", TOKENS_PER_MTOK),
}
"""Unit of a ledger: the unit in the file, and how many of it are one."""
NO_UNIT: Final = ("Units", 1.0)
_SERVICES: Final = {
    "tokens": ("Token serving", "AI and Machine Learning", "Generative AI"),
    "energy": ("Electricity", "Other", "Other (Other)"),
    "lease": ("GPU lease", "Compute", "Other (Compute)"),
    "api": ("External model", "AI and Machine Learning", "Generative AI"),
    "network": ("Network", "Networking", "Other (Networking)"),
}
_SITE_TAKES: Final = {"purchase": 1.0, "delivery": 1.0, "resale": -1.0}
"""Whether a line's kWh come to the site or leave it; those of no other component do either."""

Row = list[Any]


class RowMaker:
    """Makes the rows of one file; what rows share is made once."""

    def __init__(self, facts: FocusFacts) -> None:
        """Take the facts of the company."""
        self.facts = facts
        self.columns = focus_columns(facts.version)
        self.at = {column.name: at for at, column in enumerate(self.columns)}
        self._tokens: dict[tuple[Any, ...], Row] = {}
        self._bills: dict[tuple[Any, ...], Row] = {}

    def token_row(self, held: TokenSum, price_usd_per_mtok: float) -> Row:
        """Return the row of the tokens of one maker and hour.

        List, contracted and billed cost are one: the company file knows one price a tier.
        """
        entry, at = held.entry, self.at
        key = (entry.tenant, entry.tier, entry.workload, entry.site, entry.model, entry.part,
               entry.accelerator, held.meter, price_usd_per_mtok)  # fmt: skip
        row = list(self._tokens.get(key) or self._token_template(key, held))
        self._period(row, held.start, held.end)
        tokens = held.mtok * TOKENS_PER_MTOK
        row[at["PricingQuantity"]] = row[at["ConsumedQuantity"]] = tokens
        usd = tokens * (price_usd_per_mtok / TOKENS_PER_MTOK)
        for name in ("BilledCost", "ListCost", "ContractedCost"):
            row[at[name]] = usd
        marginal = self.facts.marginal(entry)
        if marginal is not None:
            row[at["x_MarginalCost"]] = marginal.usd_per_mtok * held.mtok
            if marginal.scarcity_usd_per_mtok is not None:
                row[at["x_ScarcityCost"]] = marginal.scarcity_usd_per_mtok * held.mtok
        borne = self.facts.basis != "marginal"
        row[at["EffectiveCost"]] = held.borne_usd if borne else row[at["x_MarginalCost"]]
        if held.kwh is not None:
            row[at["x_EnergyKwh"]] = held.kwh
            row[at["x_MeterTier"]] = held.energy_tier
            carbon = self.facts.carbon_g_per_kwh(entry.site, held.start)
            row[at["x_CarbonKg"]] = None if carbon is None else carbon * held.kwh / 1e3
        return row

    def _token_template(self, key: tuple[Any, ...], held: TokenSum) -> Row:
        facts, entry = self.facts, held.entry
        tenant = facts.hide(entry.tenant) if entry.tenant else ""
        fleet = facts.fleets.get((entry.site, entry.accelerator), entry.part)
        tags = {"tokenergy/tier": entry.tier, "tokenergy/workload": facts.hide(entry.workload)}
        price = key[-1] / TOKENS_PER_MTOK
        row = self._row("tokens", facts.company, ChargeCategory="Usage",
            ChargeDescription=f"{held.meter} of {entry.model or 'a model'}",
            ChargeFrequency="Usage-Based", PricingCategory="Dynamic",
            PricingUnit="Tokens", ConsumedUnit="Tokens", ListUnitPrice=price,
            ContractedUnitPrice=price, SubAccountId=tenant or entry.tier or None,
            SubAccountName=tenant or entry.tier or None,
            SubAccountType="Tenant" if tenant else "Tier" if entry.tier else None,
            ResourceId=fleet or None, ResourceName=fleet or None,
            ResourceType=("GPU fleet" if entry.accelerator else "API") if fleet else None,
            SkuId=entry.model or None, SkuMeter=held.meter if entry.model else None,
            SkuPriceId=f"{entry.model}/{entry.tier}/{held.meter}" if entry.model else None,
            Tags=json.dumps({name: word for name, word in tags.items() if word}),
            x_Workload=facts.hide(entry.workload) if entry.workload else None,
            x_CostBasis=facts.basis, **self._region(entry.site),
        )  # fmt: skip
        if "AllocatedMethodId" in self.at and facts.basis != "marginal":
            row[self.at["AllocatedMethodId"]] = ALLOCATED_BY.format(basis=facts.basis)
            row[self.at["AllocatedResourceId"]] = fleet or None
        self._tokens[key] = row
        return row

    def bill_row(self, entry: LedgerEntry) -> tuple[Row, bool]:
        """Return the row of what somebody bills the company, and whether its list price is known.

        Without a price of the market the list cost is the contract's: FOCUS leaves no room for
        null, and 0 would be a lie; the unit price of the list is null then.
        """
        at = self.at
        usd = entry.amount_nano_usd / NANO_USD_PER_USD
        service = entry.component if entry.component in _SERVICES else "energy"
        credit = usd < 0.0
        counted = bool(entry.unit) and entry.quantity != 0.0
        key = (service, entry.contract_id, entry.component, entry.site, entry.part, entry.model,
               entry.accelerator, entry.unit, credit, counted)  # fmt: skip
        row = list(self._bills.get(key) or self._bill_template(key, entry))
        self._period(row, entry.start, entry.end)
        unit, per_unit = UNITS.get(entry.unit, (entry.unit, 1.0)) if counted else NO_UNIT
        quantity = entry.quantity * per_unit if counted else 1.0
        for name in ("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"):
            row[at[name]] = usd
        listed = credit
        if not credit:
            row[at["PricingQuantity"]], row[at["PricingUnit"]] = quantity, unit
            row[at["ContractedUnitPrice"]] = usd / quantity
            if counted:
                row[at["ConsumedQuantity"]], row[at["ConsumedUnit"]] = quantity, unit
            listed = self._list_price(row, entry, quantity, unit)
        if unit == "kWh" and entry.component in _SITE_TAKES:
            row[at["x_EnergyKwh"]] = _SITE_TAKES[entry.component] * quantity
        if "ContractApplied" in at and entry.contract_id in self.facts.committed:
            row[at["ContractApplied"]] = _applied(entry.contract_id, usd, quantity, unit)
        return row, listed

    def _list_price(self, row: Row, entry: LedgerEntry, quantity: float, unit: str) -> bool:
        """Fill in the price of the list: of power, the market's; of the rest, what is paid."""
        at = self.at
        if entry.kind != "settlement":
            row[at["ListUnitPrice"]] = row[at["ContractedUnitPrice"]]
            return True
        index = self.facts.index_usd_per_mwh(entry.site, entry.start)
        if index is None or unit != "kWh":
            return False
        price = index / KWH_PER_MWH
        row[at["ListCost"]] = price * quantity
        row[at["ListUnitPrice"]] = price if price >= 0.0 else None
        return True

    def _bill_template(self, key: tuple[Any, ...], entry: LedgerEntry) -> Row:
        service, credit, counted = key[0], key[-2], key[-1]
        spot = entry.component in ("purchase", "resale")
        billed_by = entry.contract_id or entry.part or entry.site or self.facts.company
        resource = entry.contract_id or entry.part or None
        kinds = {"energy": "Power contract", "lease": "GPU fleet", "api": "API",
                 "network": "GPU fleet"}  # fmt: skip
        sku = entry.contract_id or entry.model or entry.part or entry.component
        frequency = "Usage-Based" if counted else "Recurring"
        row = self._row(service, billed_by,
            ChargeCategory="Credit" if credit else "Usage" if counted else "Purchase",
            ChargeDescription=f"{entry.component.replace('_', ' ')} of {billed_by}",
            ChargeFrequency=frequency,
            PricingCategory=None if credit else "Dynamic" if spot else "Standard",
            SubAccountId=entry.site or None, SubAccountName=entry.site or None,
            SubAccountType="Site" if entry.site else None,
            ResourceId=resource, ResourceName=resource,
            ResourceType=kinds[service] if resource else None,
            SkuId=sku, SkuMeter=entry.component, SkuPriceId=f"{sku}/{entry.component}",
            x_CostBasis="invoice", **self._region(entry.site),
        )  # fmt: skip
        self._bills[key] = row
        return row

    def imputed_row(self, held: Unborne, component: str) -> Row:
        """Return the row of a cost that a watch imputed: nobody has billed it, tokens share it."""
        row = self._adjustment(held, f"Imputed, not billed: {component.replace('_', ' ')}")
        row[self.at["x_CostBasis"]] = "imputed"
        return row

    def unborne_row(self, held: Unborne) -> Row:
        """Return the row of a cost that no token bears: billed to nobody, so 0 is its bill."""
        row = self._adjustment(held, "Power and leases that no token bears")
        if "AllocatedMethodId" in self.at:
            row[self.at["AllocatedMethodId"]] = ALLOCATED_BY.format(basis=self.facts.basis)
        return row

    def _adjustment(self, held: Unborne, about: str) -> Row:
        row = self._row("tokens", self.facts.company, ChargeCategory="Adjustment",
            ChargeDescription=about, ChargeFrequency="Usage-Based",
            SubAccountId=held.site or None, SubAccountName=held.site or None,
            SubAccountType="Site" if held.site else None,
            BilledCost=0.0, ListCost=0.0, ContractedCost=0.0, EffectiveCost=held.usd,
            x_CostBasis=self.facts.basis, **self._region(held.site),
        )  # fmt: skip
        self._period(row, held.start, held.end)
        return row

    def _row(self, service: str, billed_by: str, **cells: Any) -> Row:
        """Return a row of one service with the cells that all rows have."""
        company = self.facts.company
        name, category, subcategory = _SERVICES[service]
        shared = {
            "BillingAccountId": company, "BillingAccountName": company,
            "BillingAccountType": "Company", "BillingCurrency": self.facts.currency,
            "InvoiceIssuerName": billed_by, "ProviderName": billed_by,
            "PublisherName": billed_by, "ServiceProviderName": billed_by,
            "HostProviderName": None if service == "api" else company,
            "ServiceName": name, "ServiceCategory": category, "ServiceSubcategory": subcategory,
        }  # fmt: skip
        row: Row = [None] * len(self.columns)
        for column, cell in (shared | cells).items():
            if column in self.at:
                row[self.at[column]] = cell
        return row

    @staticmethod
    def _region(site: str) -> dict[str, str | None]:
        return {"RegionId": site or None, "RegionName": site or None}

    def _period(self, row: Row, start: datetime, end: datetime) -> None:
        at = self.at
        row[at["ChargePeriodStart"]], row[at["ChargePeriodEnd"]] = start, end
        row[at["BillingPeriodStart"]], row[at["BillingPeriodEnd"]] = _month(
            start.year, start.month, start.tzinfo
        )


@lru_cache(maxsize=256)
def _month(year: int, month: int, zone: Any) -> tuple[datetime, datetime]:
    start = datetime(year, month, 1, tzinfo=zone)
    return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)


def _applied(contract_id: str, usd: float, quantity: float, unit: str) -> str:
    """Return the link to the dataset of commitments, in the shape of the specification."""
    applied = {
        "ContractCommitmentID": contract_id,
        "ContractCommitmentAppliedCost": usd,
        "ContractCommitmentAppliedQuantity": quantity,
        "ContractCommitmentAppliedUnit": unit,
    }
    return json.dumps({"ContractApplied": [applied]})
