"""How much an invoice is for and at what price: per kWh told apart from per MWh."""

from decimal import Decimal
from typing import Final

from tokenergy.files.cells import Row
from tokenergy.files.refused import RowRefused

PER: Final = {
    "kwh": ("kwh", Decimal(1)),
    "mwh": ("kwh", Decimal(1_000)),
    "gwh": ("kwh", Decimal(1_000_000)),
    "wh": ("kwh", Decimal(1) / 1_000),
    "gpu_h": ("gpu_h", Decimal(1)),
    "gpu_hour": ("gpu_h", Decimal(1)),
    "gpu_hours": ("gpu_h", Decimal(1)),
    "gpuh": ("gpu_h", Decimal(1)),
}
"""Units that we can hold together, as the unit we keep and how many of it one is."""
APART_MOST_SHARE: Final = Decimal("0.02")
"""Amount and price x quantity may differ by rounding of a printed price."""
ENERGY_MOST_PER_KWH: Final = Decimal(20)
"""Of any currency near a dollar: 20,000 per MWh, above every price cap (dispatch sheet, 9)."""
ENERGY_LEAST_PER_KWH: Final = Decimal("0.0005")
"""0.50 per MWh as the mean of an invoice: rather a quantity in Wh, or kWh named as MWh."""


def quantity_of(row: Row, amount: Decimal, component: str) -> tuple[Decimal | None, str]:
    """Return how much an invoice is for, in kWh, GPU-hours or its own unit, and that unit.

    Raises:
        RowRefused: `UNIT_UNKNOWN` for energy in no unit that we know, `UNIT_SLIP` where the
            price belongs to another unit: a thousand times too much or too little.
    """
    quantity, unit = _stated(row)
    if quantity is None:
        return None, ""
    kept, size = PER.get(unit, (unit, Decimal(1)))
    if component == "energy" and kept != "kwh":
        raise RowRefused("UNIT_UNKNOWN", "energy is in kWh or MWh; its unit is neither")
    kept_quantity = quantity * size
    if component == "energy" and quantity and amount:
        _check_energy(abs(amount / kept_quantity))
    _check_price(row, amount, kept_quantity, kept)
    return kept_quantity, kept


def _stated(row: Row) -> tuple[Decimal | None, str]:
    """Return quantity and unit, from a column of that name or from one named for its unit."""
    quantity = row.amount("quantity")
    if quantity is not None:
        return quantity, _unit(row.word("unit", "quantity_unit"))
    for name in ("kwh", "mwh", "gpu_hours", "gpu_h"):
        quantity = row.amount(name)
        if quantity is not None:
            return quantity, name
    return None, ""


def _unit(text: str) -> str:
    return text.strip().lower().replace("-", "_").replace(" ", "_")


def _check_energy(per_kwh: Decimal) -> None:
    if not ENERGY_LEAST_PER_KWH <= per_kwh <= ENERGY_MOST_PER_KWH:
        raise RowRefused(
            "UNIT_SLIP",
            f"a kWh would cost {per_kwh:.4g}: outside {ENERGY_LEAST_PER_KWH} to "
            f"{ENERGY_MOST_PER_KWH}; is its quantity in another unit?",
        )


def _check_price(row: Row, amount: Decimal, quantity: Decimal, kept: str) -> None:
    """Hold a printed price against amount over quantity."""
    price = row.amount("unit_price", "price")
    if price is None or not quantity:
        return
    per = _unit(row.word("price_unit", "unit_price_unit")).rpartition("/")[2]
    kept_per, size = PER.get(per, (per, Decimal(1)))
    if not per or kept_per != kept:
        raise RowRefused(
            "UNIT_UNKNOWN",
            "it has a price and does not say per what, or per something else than its quantity; "
            "write price_unit, e.g. EUR/MWh",
        )
    stated = price / size * quantity
    limit = max(abs(amount) * APART_MOST_SHARE, Decimal("0.01"))
    if abs(abs(stated) - abs(amount)) <= limit:
        return
    off = abs(stated / amount) if amount else Decimal(0)
    slip = any(abs(off / by - 1) <= APART_MOST_SHARE for by in (1_000, Decimal("0.001")))
    raise RowRefused(
        "UNIT_SLIP" if slip else "PRICE_INCONSISTENT",
        f"{price} x {quantity / size:g} is {stated:.2f} and its amount {amount}"
        + (": a thousand times apart, as kWh are from MWh" if slip else ""),
    )
