"""Meters that count the same joules twice: refused before anything is added up."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from tokenergy.company.finding import Finding
from tokenergy.errors import FindingsError


class Claiming(Protocol):
    """A meter that says what it counts."""

    @property
    def claims(self) -> frozenset[str]:
        """Names of boards, zones, processes or queries; a whole has the names of its parts."""
        ...


def overlaps(meters: Mapping[str, Claiming]) -> Iterable[Finding]:
    """Yield a finding for each meter that counts what one before it counts.

    Args:
        meters: by the name of their engine.
    """
    taken: dict[str, str] = {}
    for name, meter in meters.items():
        twice = sorted(meter.claims & taken.keys())
        if twice:
            yield Finding(
                code="METER_DOUBLE_COUNT",
                path=f"observe.engines.{name}.meter",
                value=twice[0],
                reason=f"engine {taken[twice[0]]!r} is metered by it already: their joules cannot "
                "be told apart, and would be counted twice",
                remedy="Give both engines one entry, or one of them no meter",
            )
        for claim in meter.claims:
            taken.setdefault(claim, name)


def refuse_overlaps(meters: Mapping[str, Claiming]) -> None:
    """Refuse meters that count the same joules twice.

    Raises:
        FindingsError: METER_DOUBLE_COUNT, all at once.
    """
    found = list(overlaps(meters))
    if found:
        raise FindingsError(found)
