"""A usage file, whoever wrote it, as rows of tokens; what is left out is listed and counted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.refusal import refuse
from tokenergy.company.usage import UsageRow
from tokenergy.errors import FindingsError
from tokenergy.files.cells import Mark, Row, zone_named
from tokenergy.files.key_hash import KeyHash, key_hash
from tokenergy.files.litellm import COLUMNS as LITELLM
from tokenergy.files.litellm import litellm_row
from tokenergy.files.openai_usage import COLUMNS as OPENAI
from tokenergy.files.openai_usage import GENERIC, generic_row, openai_row
from tokenergy.files.records import Records, open_records, refuse_missing
from tokenergy.files.refused import Refusals, Refused, RowRefused

UsageKind = Literal["openai", "litellm", "usage"]
Fields = dict[str, Any]
ReadRow = Callable[[Row, KeyHash, Callable[[Finding], None]], Fields]
CLOCKS: Final = timedelta(hours=1)
"""How far ahead of ours another clock may be."""
SPAN_MOST: Final = timedelta(days=366)

KINDS: Final[Mapping[str, tuple[ReadRow, tuple[tuple[str, ...], ...]]]] = {
    "litellm": (litellm_row, LITELLM),
    "openai": (openai_row, OPENAI),
    "usage": (generic_row, GENERIC),
}
"""How a row of each kind is read, and its columns: of each group one must be there."""
OTHERS: Final = {
    "inferencex": ("power_valid", "joules_per_output_token"),
    "invoices": ("amount", "currency"),
}
"""What other imports read, so that a file given to the wrong one can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageImport:
    """A usage file, read.

    Attributes:
        rows: what was used.
        refused: the first rows that were left out, each with its reason.
        refused_counts: all of them, by code.
        findings: warnings: of the file, and one for each code of refused rows.
        kind: whose file it is.
        file: its name.
    """

    rows: tuple[UsageRow, ...]
    refused: tuple[Refused, ...]
    refused_counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    kind: UsageKind
    file: str

    @property
    def refused_count(self) -> int:
        """Rows that were left out, listed or not."""
        return sum(self.refused_counts.values())


@dataclass(slots=True, kw_only=True, eq=False)
class UsageStream:
    """A usage file while it is read: rows come once; the rest is whole when they have come.

    Attributes:
        kind: whose file it is.
        file: its name.
        rows: what was used, one row after another.
        refusals: what was left out so far.
        findings: warnings so far, by code and place.
        taken_count: rows given out so far.
    """

    kind: UsageKind
    file: str
    rows: Iterator[UsageRow]
    refusals: Refusals = field(default_factory=Refusals)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    taken_count: int = 0

    def tell(self, finding: Finding) -> None:
        """Keep a warning, once for each code and place."""
        self.findings.setdefault((finding.code, finding.path), finding)

    def told(self) -> tuple[Finding, ...]:
        """Return every warning, when the rows have come.

        Raises:
            FindingsError: if not one row could be taken.
        """
        refused = self.refusals.findings(self.file, taken_count=self.taken_count)
        if errors_of(refused):
            raise FindingsError(refused)
        return (*self.findings.values(), *refused)


def read_usage(
    path: Path,
    kind: UsageKind | None = None,
    *,
    time_zone: str | None = None,
    mark: Mark | None = None,
    now: datetime | None = None,
    keys: KeyHash | None = None,
) -> UsageImport:
    """Read a usage file; a million rows take some hundred megabytes, `stream_usage` takes less.

    Args:
        path: CSV, JSON, JSONL or Parquet, packed or not.
        kind: whose file it is; None: what its columns say.
        time_zone: IANA name of the zone of stamps that carry none.
        mark: the decimal mark; None: what the file shows.
        now: the present, after which nothing can have been used; None: the clock.
        keys: how keys and users are hashed; None: under the salt in `.tokenergy`.

    Raises:
        FindingsError: if it is no usage file, or every row of it is refused.
    """
    with stream_usage(path, kind, time_zone=time_zone, mark=mark, now=now, keys=keys) as stream:
        rows = tuple(stream.rows)
        return UsageImport(
            rows=rows,
            refused=tuple(stream.refusals.listed),
            refused_counts=dict(stream.refusals.counts),
            findings=stream.told(),
            kind=stream.kind,
            file=stream.file,
        )


@contextmanager
def stream_usage(
    path: Path,
    kind: UsageKind | None = None,
    *,
    time_zone: str | None = None,
    mark: Mark | None = None,
    now: datetime | None = None,
    keys: KeyHash | None = None,
) -> Iterator[UsageStream]:
    """Open a usage file and give its rows one after another; arguments as of `read_usage`.

    Raises:
        FindingsError: if it is no usage file; while rows are read, if it ends in the middle.
    """
    zone = zone_named(time_zone)
    with open_records(path, mark=mark) as records:
        known = kind_of(records) if kind is None else kind
        _check_columns(records, known)
        stream = UsageStream(kind=known, file=path.name, rows=iter(()))
        for finding in records.findings:
            stream.tell(finding)
        if not any("cached" in name or name == "metadata" for name in records.columns):
            stream.tell(_cached_unstated(path.name))
        present = datetime.now(UTC) if now is None else now
        hashes = key_hash() if keys is None else keys
        numbered = (
            (number, cells if isinstance(cells, Refused) else Row(cells, records.mark, zone))
            for number, cells in records.rows
        )
        stream.rows = _rows(stream, numbered, hashes, present)
        yield stream


def kind_of(records: Records) -> UsageKind:
    """Return whose usage file it is, by its columns.

    Raises:
        FindingsError: if it is none that we know.
    """
    for kind in ("litellm", "openai", "usage"):
        if not _missing(records.columns, kind):
            return kind
    lacking = {kind: _missing(records.columns, kind) for kind in KINDS}
    near = min(lacking, key=lambda kind: len(lacking[kind]) / len(KINDS[kind][1]))
    refuse(
        "IMPORT_KIND_UNKNOWN",
        path="file",
        value=records.file,
        limit=", ".join(KINDS),
        reason="its columns are those of no usage file that we know" + _other(records.columns),
        remedy=f"Nearest is {near}, without {', '.join(lacking[near])}: rename columns, or "
        "name the kind",
    )


def _missing(columns: Sequence[str], kind: str) -> list[str]:
    return [" or ".join(group) for group in KINDS[kind][1] if not set(group) & set(columns)]


def _other(columns: Sequence[str]) -> str:
    for kind, names in OTHERS.items():
        if set(names) & set(columns):
            return f"; it looks like {kind}"
    return ""


def _check_columns(records: Records, kind: str) -> None:
    """Refuse a file that lacks columns of its kind, all of them at once."""
    missing = _missing(records.columns, kind)
    fits = [other for other in KINDS if not _missing(records.columns, other)]
    said = f"; its columns are those of {fits[0]}" if fits else _other(records.columns)
    refuse_missing(
        records.file,
        missing,
        reason=f"a file of kind {kind} has this column, and it is not here{said}",
        remedy="Export it with that column, or name another kind",
    )


def _rows(
    stream: UsageStream,
    numbered: Iterator[tuple[int, Row | Refused]],
    keys: KeyHash,
    now: datetime,
) -> Iterator[UsageRow]:
    read = KINDS[stream.kind][0]
    seen: set[int] = set()
    for number, row in numbered:
        if isinstance(row, Refused):
            stream.refusals.add(number, row.code, row.reason)
            continue
        try:
            _refuse_twice(row, seen)
            fields = read(row, keys, stream.tell)
            _check_span(fields["start"], fields["end"], now)
        except RowRefused as refused:
            stream.refusals.add(number, refused.code, refused.reason)
            continue
        if fields["end"] > now + CLOCKS:
            stream.tell(_unfinished(stream.file))
        stream.taken_count += 1
        yield UsageRow(**fields, source=f"{stream.file}:{number}")


def _refuse_twice(row: Row, seen: set[int]) -> None:
    """Refuse a row that stands twice: by its request where it names one, else by every cell.

    Rows are kept as hashes of 64 bits, some 70 bytes each: two of a million different rows are
    taken for one with a chance of 3 in 100 million.
    """
    request = row.cell("request_id")
    key = hash(request if request is not None else tuple(map(str, row.cells.values())))
    if key in seen:
        what = "its request" if request is not None else "the same row"
        raise RowRefused("DUPLICATE_ROW", f"{what} stands above already")
    seen.add(key)


def _check_span(start: datetime, end: datetime, now: datetime) -> None:
    if end <= start or end - start > SPAN_MOST:
        raise RowRefused(
            "BAD_SPAN",
            f"it runs from {start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}; an end comes after "
            "its start, by a year at most",
        )
    if start > now + CLOCKS:
        reason = f"it starts {start:%Y-%m-%dT%H:%MZ}, after the present, {now:%Y-%m-%dT%H:%MZ}"
        raise RowRefused("IN_FUTURE", reason)


def _unfinished(file: str) -> Finding:
    return Finding(
        code="USAGE_UNFINISHED",
        path=file,
        reason="the last spans have not ended yet: their counts will still grow",
        remedy="Import the file again when they have",
        severity="warning",
    )


def _cached_unstated(file: str) -> Finding:
    return Finding(
        code="CACHED_UNSTATED",
        path=file,
        reason="no column tells cached input tokens: all count as computed",
        remedy="Export them too where a cache is used",
        severity="warning",
    )
