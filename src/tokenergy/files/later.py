"""What this version knows by name only: refused aloud, never ignored."""

from typing import Final

from tokenergy.company.contract import LATER_KINDS
from tokenergy.company.finding import Finding

COLLARS: Final = "collars (a strike that is clipped to a band)"
URDB: Final = "tariffs as the rate database has them (URDB)"
LATER_KEYS: Final = {
    "collar_low": COLLARS,
    "collar_high": COLLARS,
    "collar_low_usd_per_mwh": COLLARS,
    "collar_high_usd_per_mwh": COLLARS,
    "energyratestructure": URDB,
    "energyweekdayschedule": URDB,
    "energyweekendschedule": URDB,
    "demandratestructure": URDB,
    "flatdemandstructure": URDB,
}
"""Keys that a later version reads, and what they are about."""


def later_kind(path: str, kind: str, expected: str) -> Finding | None:
    """Return the refusal of a kind of contract that comes later; None for any other word."""
    if kind not in LATER_KINDS:
        return None
    alone = ": its inner contract can stand alone" if kind == "sleeved" else ""
    return Finding(
        code="LATER_KIND",
        path=path,
        value=kind,
        limit=expected,
        reason=f"contracts of kind {kind!r} come later: this version knows them by name only, and "
        "would bill nothing",
        remedy=f"Leave the contract out for now{alone}",
    )


def later_key(path: str, key: str) -> Finding | None:
    """Return the refusal of a key that comes later; None for any other."""
    if key not in LATER_KEYS:
        return None
    return Finding(
        code="LATER_KEY",
        path=path,
        value=key,
        reason=f"{LATER_KEYS[key]} come later: this version would bill nothing of them",
        remedy="Leave it out for now",
    )
