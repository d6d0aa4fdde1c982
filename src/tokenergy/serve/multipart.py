"""A form with files, read as it comes: nothing of it is kept that nobody asked for (RFC 7578)."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from tokenergy.serve.openai_error import ApiError, invalid

HEAD_BYTES: Final = 8_192
"""Most bytes of the headers of one part."""
PARTS_COUNT: Final = 64
BOUNDARY_BYTES: Final = 200
_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_FIELD: Final = re.compile(r';\s*([a-z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))', re.IGNORECASE)


class Part(NamedTuple):
    """The begin of a part.

    Attributes:
        name: of the field.
        file_name: None: it is no file.
    """

    name: str
    file_name: str | None


def boundary_of(content_type: str) -> bytes:
    """Return what parts are told apart by.

    Raises:
        ApiError: 400 for another type, or one without a boundary.
    """
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or found is None:
        raise invalid("Send a form: multipart/form-data with a boundary.", code="invalid_form")
    boundary = (found[1] or found[2]).encode("latin-1", "replace")
    if len(boundary) > BOUNDARY_BYTES:
        raise invalid("The form's boundary is too long.", code="invalid_form")
    return boundary


class Multipart:
    """Reads a form piece by piece."""

    def __init__(self, boundary: bytes) -> None:
        """Take what parts are told apart by."""
        self._delimiter = b"\r\n--" + boundary
        self._rest = b"\r\n"  # so that the first one may stand at the begin
        self._inside = False
        self._between = True
        self._ended = False
        self._parts_count = 0

    def feed(self, chunk: bytes) -> Iterator[Part | bytes]:
        """Yield a `Part` where one begins, and the bytes of its content after it.

        Raises:
            ApiError: 400 for what is no form.
        """
        self._rest += chunk
        while not self._ended:
            if self._between:
                if not self._passed_delimiter():
                    return
            elif not self._inside:
                part = self._head()
                if part is None:
                    return
                yield part
            else:
                content, found = self._content()
                if content:
                    yield content
                if not found:
                    return

    def close(self) -> None:
        """Tell that nothing more comes.

        Raises:
            ApiError: 400 where the form's end is missing.
        """
        if not self._ended:
            raise _broken("its end is missing")

    def _content(self) -> tuple[bytes, bool]:
        """Return content so far, and whether the part ends with it."""
        at = self._rest.find(self._delimiter)
        if at >= 0:
            content, self._rest = self._rest[:at], self._rest[at:]
            self._inside, self._between = False, True
            return content, True
        keep = len(self._delimiter) - 1
        content, self._rest = self._rest[:-keep], self._rest[-keep:]
        return content, False

    def _passed_delimiter(self) -> bool:
        """Go behind the next delimiter, and tell whether it is there."""
        at = self._rest.find(self._delimiter)
        if at < 0:
            if len(self._rest) > HEAD_BYTES:
                raise _broken("it does not begin with its boundary")
            return False
        behind = self._rest[at + len(self._delimiter) :]
        if behind.startswith(b"--"):
            self._ended, self._rest = True, b""
            return False
        end = behind.find(b"\r\n")
        if end < 0:
            if len(behind) > HEAD_BYTES:
                raise _broken("a boundary's line does not end")
            return False
        if behind[:end].strip():
            raise _broken("something stands behind a boundary")
        self._rest, self._between = behind[end:], False
        self._parts_count += 1
        if self._parts_count > PARTS_COUNT:
            raise _broken(f"it has more than {PARTS_COUNT} parts")
        return True

    def _head(self) -> Part | None:
        """Return a part by its headers; None: they are not all there."""
        end = self._rest.find(b"\r\n\r\n")
        if end < 0:
            if len(self._rest) > HEAD_BYTES:
                raise _broken(f"a part's headers are more than {HEAD_BYTES} bytes")
            return None
        head = self._rest[:end].decode("utf-8", "replace")
        self._rest, self._inside = self._rest[end + 4 :], True
        for line in head.split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-disposition":
                return _part(value)
        raise _broken("a part does not say which field it is")


def _part(value: str) -> Part:
    fields = {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(value)}
    if "name" not in fields:
        raise _broken("a part does not say which field it is")
    file_name: str | None = fields.get("filename")
    if (wide := fields.get("filename*")) is not None:
        file_name = unquote(wide.rpartition("'")[2])
    return Part(_plain(fields["name"]), None if file_name is None else _plain(file_name))


def _plain(text: str) -> str:
    """Return a quoted text without its escapes (browsers write %22, others a backslash)."""
    return re.sub(r"\\(.)", r"\1", text).replace("%22", '"')


def _broken(words: str) -> ApiError:
    return invalid(f"The form cannot be read: {words}.", code="invalid_form")
