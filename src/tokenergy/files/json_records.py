"""The records of a JSON text: lines, one array, or pages of buckets, one record at a time.

A page of OpenAI's usage (`data[].results[]`) is unfolded: each result with the times of its
bucket. A benchmark row's `metrics` are put beside its own fields.
"""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from tokenergy.company.refusal import refuse
from tokenergy.files.refused import Refused

CHUNK_CHARACTERS_COUNT: Final = 2**20
WHOLE_MOST_CHARACTERS_COUNT: Final = 256 * 2**20
"""One object that must be held whole to be read."""
NESTED_MOST_COUNT: Final = 8

Numbered = tuple[int, Mapping[str, Any] | Refused]


def json_records(first: str, stream: io.TextIOBase, file: str) -> Iterator[Numbered]:
    """Yield the records of a JSON text with their numbers, from 1.

    Raises:
        FindingsError: while they are read, if the text ends in the middle or is no JSON.
    """
    begun = first.lstrip()
    if begun.startswith("["):
        values: Iterator[Any] = _array(begun[1:], stream, file)
    else:
        values = _lines(begun, stream, file)
    number = 0
    for value in values:
        for record in _unfolded(value):
            number += 1
            if isinstance(record, Mapping):
                yield number, record
            else:
                reason = "the record is no JSON object"
                yield number, Refused(row=number, code="ROW_UNREADABLE", reason=reason)


def _lines(first: str, stream: io.TextIOBase, file: str) -> Iterator[Any]:
    """Yield an object for each line, or the one object that fills the file."""
    try:
        yield json.loads(first)
    except (ValueError, RecursionError):
        second = stream.readline(WHOLE_MOST_CHARACTERS_COUNT)
        yield from _whole_or_lines(first, second, stream, file)
    while line := stream.readline(WHOLE_MOST_CHARACTERS_COUNT):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield None


def _whole_or_lines(first: str, second: str, stream: io.TextIOBase, file: str) -> Iterator[Any]:
    """Yield the one object that fills a file, or a broken first line and the object after it."""
    try:
        after = json.loads(second)
    except (ValueError, RecursionError):
        after = None
    if isinstance(after, Mapping):
        yield None
        yield after
        return
    rest = second + stream.read(WHOLE_MOST_CHARACTERS_COUNT + 1)
    if len(rest) > WHOLE_MOST_CHARACTERS_COUNT:
        _refuse(file, "one JSON object is longer than 256 Mi characters")
    try:
        yield json.loads(first + rest)
    except (ValueError, RecursionError) as error:
        _refuse(file, _said(error))


def _array(buffer: str, stream: io.TextIOBase, file: str) -> Iterator[Any]:
    """Yield the items of an array without holding it."""
    decoder = json.JSONDecoder()
    ended = False
    while True:
        buffer = buffer.lstrip(" \t\r\n,")
        if buffer.startswith("]"):
            return
        try:
            value, at = decoder.raw_decode(buffer)
        except (ValueError, RecursionError) as error:
            if ended or len(buffer) > WHOLE_MOST_CHARACTERS_COUNT:
                _refuse(file, _said(error))
            at = len(buffer)
        if at < len(buffer) or ended:
            yield value
            buffer = buffer[at:]
        else:  # cut in an item, or a number at the end may go on
            more = stream.read(max(CHUNK_CHARACTERS_COUNT, len(buffer)))
            ended = not more
            buffer += more


def _unfolded(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yield the records in an object: of a page its buckets, of a bucket its results."""
    if depth < NESTED_MOST_COUNT and isinstance(value, list):
        for each in value:
            yield from _unfolded(each, depth + 1)
    elif depth < NESTED_MOST_COUNT and isinstance(value, Mapping):
        if isinstance(value.get("data"), list):
            yield from _unfolded(value["data"], depth + 1)
        elif isinstance(value.get("results"), list):
            head = {key.lower(): each for key, each in value.items() if key != "results"}
            for each in value["results"] or [{}]:
                yield head | _lower(each) if isinstance(each, Mapping) else each
        elif isinstance(value.get("metrics"), Mapping):
            yield _lower(value["metrics"]) | _lower(value)
        else:
            yield _lower(value)
    else:
        yield value


def _lower(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lower(): each for key, each in value.items()}


def _said(error: Exception) -> str:
    # Its message names a place and never the text that stands there.
    return f"it is no JSON: {error}" if isinstance(error, json.JSONDecodeError) else "it is no JSON"


def _refuse(file: str, reason: str) -> NoReturn:
    refuse(
        "IMPORT_FILE_FORMAT",
        path="file",
        value=file,
        reason=reason,
        remedy="Export it again, whole, as JSON, JSONL or CSV",
    )
