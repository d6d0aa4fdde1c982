"""A line of what a supplier charges: for what, for how long, how much."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from tokenergy.units import NANO_USD_PER_USD

PlaceKind = Literal["site", "contract", "fleet", "company"]
Component = Literal["energy", "capacity", "gpu", "facility", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplierInvoice:
    """One line of an invoice, for `[start, end)` in UTC; a credit note is below 0.

    Attributes:
        supplier: who charges.
        invoice_id: its number there.
        line: what tells apart lines of one invoice; "" where it has one.
        place_kind: what it is for; `company` where it names nothing.
        place: the site, contract or fleet, "" for the company.
        meter: the meter or account, "" where none is named.
        component: what is paid for.
        amount_nano_usd: in the company's money, rounded once.
        quantity: how much, in `unit`; None where it does not say.
        unit: `kwh` or `gpu_h`, or the supplier's own word.
        rate: how the amount was converted, e.g. `EUR x 1.08`; "" where it was not.
        source: file and row.
    """

    supplier: str
    invoice_id: str
    line: str = ""
    start: datetime
    end: datetime
    place_kind: PlaceKind
    place: str = ""
    meter: str = ""
    component: Component
    amount_nano_usd: int
    quantity: float | None = None
    unit: str = ""
    rate: str = ""
    source: str = ""

    @property
    def identity(self) -> tuple[str | datetime, ...]:
        """What tells one line from another: two that agree in it are one line, told twice."""
        return (
            self.supplier,
            self.invoice_id,
            self.line,
            self.component,
            self.place_kind,
            self.place,
            self.meter,
            self.start,
            self.end,
        )

    @property
    def usd_per_unit(self) -> float | None:
        """Amount over quantity; None without one."""
        if not self.quantity:
            return None
        return self.amount_nano_usd / NANO_USD_PER_USD / self.quantity

    def to_dict(self) -> dict[str, Any]:
        """Return the line as a JSON-ready mapping, with what a unit costs."""
        told = asdict(self) | {"usd_per_unit": self.usd_per_unit}
        return told | {"start": self.start.isoformat(), "end": self.end.isoformat()}
