"""One thing wrong with an input: where, what, the limit, and what to do about it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong with an input, in words that its author can act on.

    Attributes:
        code: a stable name such as `SERIES_GAP`.
        path: where in the input, e.g. `sites[2].import_limit_mw`.
        value: what stands there.
        limit: what it was held against.
        unit: the unit of both, or "".
        reason: one sentence that says what is wrong.
        remedy: one sentence that says what to change.
        severity: an `error` stops a run, a `warning` is printed beside the result.
        line: the line of the company file, where known.
        file: the file, where known.
    """

    code: str
    path: str
    reason: str
    remedy: str
    value: str = ""
    limit: str = ""
    unit: str = ""
    severity: Literal["error", "warning"] = "error"
    line: int | None = None
    file: str = ""

    def __str__(self) -> str:
        """One line for a terminal or a log."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        head = f"{place}: " if place else ""
        unit = f" {self.unit}" if self.unit else ""
        held = f" (value {self.value}{unit}" if self.value else ""
        if self.limit:
            held += (", " if held else " (") + f"limit {self.limit}{unit}"
        held += ")" if held else ""
        return (
            f"{head}{self.severity} {self.code} at {self.path}: {self.reason}{held}. {self.remedy}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as a JSON-ready mapping."""
        return asdict(self)


def errors_of(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that stop a run."""
    return tuple(finding for finding in findings if finding.severity == "error")
