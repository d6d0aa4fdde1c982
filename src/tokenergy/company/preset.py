"""A dated, sourced figure of somebody else: named on purpose, never a default."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final, Literal

Status = Literal["published", "analyst_estimate", "secondary_press", "to_be_verified", "arithmetic"]
STALE_MONTHS: Final = 24
"""A preset older than this at the start of the horizon is stale (contracts sheet, section 9)."""
VERIFIED: Final = ("published", "arithmetic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One figure as it was published.

    Attributes:
        preset: what it belongs to, e.g. `sora_cantor`.
        fact: which figure of it, e.g. `usd_per_clip`.
        quantity: the figure, in `unit`.
        as_of: the day it speaks of, or was published.
        source: where it stands.
        status: how far it can be trusted; `arithmetic` is ours, on figures of the others.
        note: what a reader must know beside it, or "".
    """

    preset: str
    fact: str
    quantity: float
    unit: str
    as_of: date
    source: str
    status: Status
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Return the preset as a JSON-ready mapping."""
        return asdict(self) | {"as_of": self.as_of.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Between which values an input of an experiment lies, and who says so.

    Attributes:
        name: of the input, with its unit, e.g. `usd_per_gpu`.
        low, base, high: quantities in `unit`.
        source: where both ends are from.
        status: how far it can be trusted.
    """

    name: str
    low_quantity: float
    base_quantity: float
    high_quantity: float
    unit: str
    source: str
    status: Status
