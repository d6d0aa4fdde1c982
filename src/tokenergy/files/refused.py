"""A row that an import leaves out: its number, a code and the reason; listed, then counted."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tokenergy.company.finding import Finding

REFUSED_LISTED_COUNT: Final = 1_000
"""So many rows are kept with their reasons; beyond it they are counted by code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One row that was left out.

    Attributes:
        row: its number in the file, the header being row 1; of JSON the number of the record.
        code: a stable name such as `USAGE_INCONSISTENT`.
        reason: one sentence; it never repeats a text of the row.
    """

    row: int
    code: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping."""
        return asdict(self)


class RowRefused(Exception):
    """Raised while one row is read, caught where rows are gathered."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep what `Refused` is made of."""
        self.code, self.reason = code, reason
        super().__init__(code)


@dataclass(slots=True, kw_only=True)
class Refusals:
    """The rows of one file that were left out, in bounded memory.

    Attributes:
        listed: the first of them.
        counts: all of them, by code.
        first: the first of each code.
    """

    listed: list[Refused] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, Refused] = field(default_factory=dict)

    def add(self, row: int, code: str, reason: str) -> None:
        """Leave a row out."""
        refused = Refused(row=row, code=code, reason=reason)
        self.counts[code] += 1
        self.first.setdefault(code, refused)
        if len(self.listed) < REFUSED_LISTED_COUNT:
            self.listed.append(refused)

    @property
    def count(self) -> int:
        """Rows that were left out."""
        return self.counts.total()

    def findings(self, file: str, *, taken_count: int) -> tuple[Finding, ...]:
        """Return one finding for each code: errors where nothing is left, else warnings."""
        return tuple(
            Finding(
                code=code,
                path=f"{file}:{self.first[code].row}",
                value=f"{count}",
                unit="rows",
                reason=f"{count} of {self.count + taken_count} rows are left out; the first, row "
                f"{self.first[code].row}: {self.first[code].reason}",
                remedy="Correct those rows, or take the file as it is without them"
                if taken_count
                else "No row could be taken: correct the file, or name its kind",
                severity="warning" if taken_count else "error",
            )
            for code, count in sorted(self.counts.items())
        )
