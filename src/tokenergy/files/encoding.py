"""The text of a file: UTF-8, UTF-16 by its mark, or Windows-1252, found out and told."""

import codecs
import io
from dataclasses import dataclass
from typing import IO, Final

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse

CHUNK_BYTES_COUNT: Final = 2**20
LINE_MOST_CHARACTERS_COUNT: Final = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Text:
    """A stream of text whose first line has been read.

    Attributes:
        stream: the text after its first line.
        first: the first line that is not empty.
        findings: how it is encoded, where that is worth a word.
    """

    stream: io.TextIOWrapper
    first: str
    findings: tuple[Finding, ...]


def text_of(stream: IO[bytes], file: str) -> Text:
    """Return a stream of bytes as text, from its beginning.

    Raises:
        FindingsError: if it is no text.
    """
    head = stream.read(4)
    stream.seek(0)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding, told = "utf-16", "it is in UTF-16"
    elif head.startswith(codecs.BOM_UTF8):
        encoding, told = "utf-8-sig", "it begins with a byte-order mark"
    else:
        encoding, told = "utf-8", ""
    if encoding != "utf-16" and not _is_utf8(stream, file):
        # Windows-1252, the usual other one: names with accents in a spreadsheet's CSV.
        encoding, told = "cp1252", "it is not in UTF-8 and was read as Windows-1252"
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
    first = "\n"
    try:
        while first and not first.strip():
            first = text.readline(LINE_MOST_CHARACTERS_COUNT)
    except BaseException:
        text.close()
        raise
    return Text(stream=text, first=first, findings=tuple(_told(file, encoding, told)))


def _told(file: str, encoding: str, told: str) -> list[Finding]:
    if not told:
        return []
    return [
        Finding(
            code="IMPORT_ENCODING",
            path=file,
            value=encoding,
            reason=told,
            remedy="Nothing, if names look right; else save the file as UTF-8",
            severity="warning",
        )
    ]


def _is_utf8(stream: IO[bytes], file: str) -> bool:
    """Tell whether a whole file is UTF-8; a file with a byte of value 0 is no text at all."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    good = True
    while chunk := stream.read(CHUNK_BYTES_COUNT):
        if b"\x00" in chunk:
            refuse(
                "IMPORT_FILE_FORMAT",
                path="file",
                value=file,
                reason="the file holds bytes of value 0: it is neither text nor Parquet",
                remedy="Export it as CSV, JSON, JSONL or Parquet",
            )
        if good:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                good = False
    if good:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            good = False
    return good
