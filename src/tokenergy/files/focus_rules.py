"""The rules of a FOCUS file that one cell or one row can break.

A rule of a row takes its cells by name, decimals as floats, and returns why it is broken or None;
a column that is not there breaks no rule but the one that asks for it.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from tokenergy.files.focus_columns import FocusColumn
from tokenergy.files.key_hash import looks_like_key

TOLERANCE: Final = 1e-6
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DECIMAL: Final = re.compile(r"-?\d+(\.\d+)?(E-?\d+)?")
_IDENTITIES: Final = ("SubAccountId", "SubAccountName", "Tags", "x_Workload")

Cells = Mapping[str, Any]
RowRule = Callable[[Cells], str | None]


def cell_fault(column: FocusColumn, cell: Any) -> tuple[str, str] | None:
    """Return the rule that a cell breaks by itself, and why."""
    if cell is None:
        return None if column.nullable else ("not_null", "null is not allowed")
    match column.type:
        case "Decimal":
            if isinstance(cell, str):
                sound = _DECIMAL.fullmatch(cell) is not None and math.isfinite(float(cell))
            else:
                sound = _is_number(cell)
            return None if sound else ("decimal", f"{cell!r} is no decimal number")
        case "Date/Time":
            return None if _is_stamp(cell) else ("utc_stamp", f"{cell!r} is not UTC in ISO 8601")
        case "JSON":
            return None if _is_object(cell) else ("json_object", f"{cell!r} is no JSON object")
        case "String":
            if not isinstance(cell, str):
                return "string", f"{cell!r} is no text"
    if not cell.strip():
        return "not_blank", "a blank text stands for null"
    if column.allowed and cell not in column.allowed:
        return "allowed_value", f"{cell!r} is none of {', '.join(column.allowed[:4])} ..."
    return None


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell)


def _is_stamp(cell: Any) -> bool:
    if not isinstance(cell, str) or not _STAMP.fullmatch(cell):
        return False
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True


def _is_object(cell: Any) -> bool:
    try:
        return isinstance(json.loads(cell), dict)
    except (TypeError, ValueError):
        return False


def equal(one: float, other: float) -> bool:
    """Tell whether two amounts are one but for rounding."""
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _ordered(what: str) -> RowRule:
    def rule(cells: Cells) -> str | None:
        start, end = cells.get(f"{what}PeriodStart"), cells.get(f"{what}PeriodEnd")
        if start is None or end is None or start < end:
            return None
        return f"{what} period ends at {end}, not after its start {start}"

    return rule


def _within_billing(cells: Cells) -> str | None:
    start, end = cells.get("BillingPeriodStart"), cells.get("BillingPeriodEnd")
    charge = cells.get("ChargePeriodStart")
    if start is None or end is None or charge is None or start >= end:
        return None  # `billing_period_order` tells the last of these
    if start <= charge < end:
        return None
    return f"the charge begins at {charge}, outside its billing period"


def _product(price: str, cost: str) -> RowRule:
    def rule(cells: Cells) -> str | None:
        rate, quantity, usd = (cells.get(name) for name in (price, "PricingQuantity", cost))
        if rate is None or quantity is None or usd is None or equal(rate * quantity, usd):
            return None
        return f"PricingQuantity {quantity} x {price} {rate} is not {cost} {usd}"

    return rule


def _price_not_negative(cells: Cells) -> str | None:
    for name in ("ListUnitPrice", "ContractedUnitPrice"):
        if (cells.get(name) or 0.0) < 0.0:
            return f"{name} {cells[name]} is below 0"
    return None


def _unit_with(quantity: str, unit: str) -> RowRule:
    def rule(cells: Cells) -> str | None:
        if unit not in cells or (cells.get(quantity) is None) == (cells[unit] is None):
            return None
        return f"{quantity} and {unit} are null together or not at all"

    return rule


def _usage_has_quantity(cells: Cells) -> str | None:
    if cells.get("ChargeCategory") not in ("Usage", "Purchase") or cells.get("ChargeClass"):
        return None
    if cells.get("PricingQuantity") is None:
        return f"a {cells['ChargeCategory']} needs a PricingQuantity"
    return None


def _consumed_is_usage(cells: Cells) -> str | None:
    if cells.get("ChargeCategory") != "Usage" and cells.get("ConsumedQuantity") is not None:
        return f"a {cells.get('ChargeCategory')} consumes nothing"
    return None


def _purchase_frequency(cells: Cells) -> str | None:
    if cells.get("ChargeCategory") == "Purchase" and cells.get("ChargeFrequency") == "Usage-Based":
        return "a Purchase is not Usage-Based"
    return None


def _negative_is_credit(cells: Cells) -> str | None:
    if (cells.get("BilledCost") or 0.0) < 0.0 and cells.get("ChargeCategory") != "Credit":
        return f"BilledCost {cells['BilledCost']} is below 0 in a {cells.get('ChargeCategory')}"
    return None


def _credit_is_billed(cells: Cells) -> str | None:
    if cells.get("ChargeCategory") != "Credit":
        return None
    costs = {cells.get(n) for n in ("BilledCost", "ListCost", "ContractedCost", "EffectiveCost")}
    return None if len(costs) == 1 else "the four costs of a Credit are one"


def _currency(cells: Cells) -> str | None:
    code = cells.get("BillingCurrency")
    if code is None or re.fullmatch(r"[A-Z]{3}", code):
        return None
    return f"{code!r} is no ISO 4217 code"


def _one_subcategory(cells: Cells) -> str | None:
    category, sub = cells.get("ServiceCategory"), cells.get("ServiceSubcategory")
    if category is None or sub is None:
        return None
    parents = {"Generative AI": "AI and Machine Learning"}
    parent = parents.get(sub) or sub.removeprefix("Other (").removesuffix(")")
    return None if parent == category else f"{sub!r} does not belong to {category!r}"


def _no_identity(cells: Cells) -> str | None:
    for name in _IDENTITIES:
        if cells.get(name) is not None and looks_like_key(str(cells[name])):
            return f"{name} looks like a key or an address in clear"
    return None


def _amount_told(cells: Cells) -> str | None:
    quantity, cost = "ContractCommitmentQuantity", "ContractCommitmentCost"
    if quantity in cells and cells[quantity] is None and cells.get(cost) is None:
        return "a commitment tells a quantity or a cost"
    return None


ROW_RULES: Final[dict[str, RowRule]] = {
    "billing_period_order": _ordered("Billing"),
    "charge_period_order": _ordered("Charge"),
    "contract_period_order": _ordered("Contract"),
    "commitment_period_order": _ordered("ContractCommitment"),
    "charge_in_billing_period": _within_billing,
    "contracted_product": _product("ContractedUnitPrice", "ContractedCost"),
    "list_product": _product("ListUnitPrice", "ListCost"),
    "price_not_negative": _price_not_negative,
    "pricing_unit": _unit_with("PricingQuantity", "PricingUnit"),
    "consumed_unit": _unit_with("ConsumedQuantity", "ConsumedUnit"),
    "usage_has_quantity": _usage_has_quantity,
    "consumed_is_usage": _consumed_is_usage,
    "purchase_frequency": _purchase_frequency,
    "negative_is_credit": _negative_is_credit,
    "credit_is_billed": _credit_is_billed,
    "currency": _currency,
    "one_subcategory": _one_subcategory,
    "no_identity": _no_identity,
    "amount_told": _amount_told,
}
