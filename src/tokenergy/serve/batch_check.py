"""Verb: check a batch's file, all lines of it, before any of them runs."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from tokenergy.company.serving.batch import BatchLine, LineFault
from tokenergy.company.serving.plan import LimitsPlan, WorkloadPlan
from tokenergy.serve.asked import ENDPOINT_PATHS, read_asked
from tokenergy.serve.openai_error import ApiError, shown
from tokenergy.serve.side_http import decoded

LINES_COUNT: Final = 50_000
"""Most lines of a file: the published limit."""
ID_CHARS_COUNT: Final = 512
MODELS_COUNT: Final = 64
"""Model names whose row is remembered while a file is read."""

RowOf = Callable[[str], WorkloadPlan]
"""Finds the row of the board for a model's name, or raises ApiError."""


class LineAsked(msgspec.Struct):
    """A line as its client wrote it; other fields are left alone."""

    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class Checked(NamedTuple):
    """What a check found.

    Attributes:
        lines: ready to be run; () where anything is wrong.
        faults: everything that is wrong, in the order of the lines.
        model: where all lines name one, that one; else "".
        total_count: lines that are not blank.
    """

    lines: tuple[BatchLine, ...]
    faults: tuple[LineFault, ...]
    model: str
    total_count: int


def checked_lines(
    texts: Iterable[tuple[int, int, bytes]], *, url: str, row_of: RowOf, limits: LimitsPlan
) -> Checked:
    """Return the lines of a file, or all that is wrong with them.

    Args:
        texts: offset, length and text of each line.
        url: the endpoint that all lines must name.
        row_of: finds the row of a model.
        limits: of a request's body.
    """
    check = _Check(url, row_of, limits)
    for number, (offset, length, text) in enumerate(texts, start=1):
        if text.strip():
            check.add(number, offset, length, text)
        if check.total_count > LINES_COUNT:
            check.fault(None, "too_many_lines", f"The file has more than {LINES_COUNT} lines.")
            break
    if not check.total_count:
        check.fault(None, "empty_file", "The file has no lines.")
    faults = tuple(check.faults)
    models = check.models_asked
    return Checked(
        lines=() if faults else tuple(check.lines),
        faults=faults,
        model=next(iter(models)) if len(models) == 1 else "",
        total_count=check.total_count,
    )


class _Check:
    """Holds what was found so far."""

    def __init__(self, url: str, row_of: RowOf, limits: LimitsPlan) -> None:
        self.lines: list[BatchLine] = []
        self.faults: list[LineFault] = []
        self.models_asked: set[str] = set()
        self.total_count = 0
        self._url, self._row_of, self._limits = url, row_of, limits
        self._first_line: dict[str, int] = {}
        self._rows: dict[str, WorkloadPlan | ApiError] = {}

    def fault(self, line: int | None, code: str, message: str, param: str | None = None) -> None:
        """Note one thing that is wrong."""
        self.faults.append(LineFault(code=code, message=message, line=line, param=param))

    def add(self, number: int, offset: int, length: int, text: bytes) -> None:
        """Check a line: everything that is wrong with it is noted."""
        self.total_count += 1
        most_bytes = self._limits.body_bytes
        if length > most_bytes:
            self.fault(number, "line_too_long", f"The line is longer than {most_bytes} bytes.")
            return
        try:
            line = decoded(text, LineAsked)
        except ApiError as error:
            code = "invalid_json_line" if error.param is None else "invalid_line"
            self.fault(number, code, error.message, error.param)
            return
        before = len(self.faults)
        self._check_head(number, line)
        tokens, workload = self._check_body(number, bytes(line.body))
        if len(self.faults) == before:
            self.lines.append(BatchLine(number, line.custom_id, offset, length, workload, tokens))

    def _check_head(self, number: int, line: LineAsked) -> None:
        name = line.custom_id
        if not name or len(name) > ID_CHARS_COUNT:
            text = f"'custom_id' has 1 to {ID_CHARS_COUNT} characters."
            self.fault(number, "invalid_custom_id", text, "custom_id")
        elif (first := self._first_line.setdefault(name, number)) != number:
            text = f"custom_id '{shown(name)}' stands in line {first} too."
            self.fault(number, "duplicate_custom_id", text, "custom_id")
        if line.method != "POST":
            text = f"'method' is 'POST', not '{shown(line.method)}'."
            self.fault(number, "invalid_method", text, "method")
        if line.url != self._url:
            text = f"'url' is the batch's endpoint {self._url}, not '{shown(line.url)}'."
            self.fault(number, "mismatched_endpoint", text, "url")

    def _check_body(self, number: int, body: bytes) -> tuple[int, str]:
        """Return expected output tokens and the row of a body; what is wrong is noted."""
        try:
            asked = read_asked(ENDPOINT_PATHS[self._url], body, self._limits)
            if asked.stream:
                self.fault(number, "invalid_line", "A line cannot stream.", "body.stream")
            self.models_asked.add(asked.model)
            row = self._row(asked.model)
        except ApiError as error:
            param = "body" if error.param is None else f"body.{error.param}"
            self.fault(number, error.code or "invalid_line", error.message, param)
            return 0, ""
        tokens = max(1, round(row.output_tokens))
        if asked.cap_tokens is not None:
            tokens = min(tokens, asked.cap_tokens)
        return tokens * asked.answers_count, row.name

    def _row(self, model: str) -> WorkloadPlan:
        """Return the row of a model, looked up once.

        Raises:
            ApiError: if it is unknown, or not for this tenant.
        """
        found = self._rows.get(model)
        if found is None:
            try:
                found = self._row_of(model)
            except ApiError as error:
                found = error
            if len(self._rows) < MODELS_COUNT:
                self._rows[model] = found
        if isinstance(found, ApiError):
            raise found
        return found
