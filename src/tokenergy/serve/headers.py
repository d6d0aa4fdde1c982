"""Verb: read a request's headers, and choose those that go on, inwards and outwards.

Inwards go trace headers and nothing else of the client's; outwards a server's content type and
what it says of its own work. Who governs a request (length, key, type, our own `x-tokenergy-*`)
may speak once and on one line: two readers of a repeated header may follow two of them.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.openai_error import ApiError, head_too_large, invalid, too_large, wrong_type

Header = tuple[bytes, bytes]
OURS: Final = b"x-tokenergy-"
LINE_BYTES_COUNT: Final = 4
"""Colon, space and line end of a header."""
MOST_TEXT_CHARS_COUNT: Final = 256
MOST_DEADLINE_S: Final = 31 * 86_400.0

INWARDS: Final = frozenset({b"traceparent", b"tracestate", b"openai-beta"})
"""Headers of a client that reach a server; all others, cookies and addresses among them, do not."""
OUTWARDS: Final = frozenset({b"content-type", b"openai-version", b"openai-processing-ms"})
"""Headers of a server that reach a client; its own limits, cookies and names do not."""


class Wishes(NamedTuple):
    """What a client said in the documented `x-tokenergy-*` headers.

    Attributes:
        value_usd: what the request is worth to it; counts only where its key may say so.
        may_downgrade: False after `x-tokenergy-downgrade: never`.
        may_cap: False after `x-tokenergy-cap: never`.
        region: where the request comes from; "": as its tenant says.
        session: name of its conversation; b"": as its prompt says.
        detail: whether it wants cost and joules in the answer.
        deadline_s: seconds from now until the answer must be complete; None: as its tier says.
    """

    value_usd: float | None = None
    may_downgrade: bool = True
    may_cap: bool = True
    region: str = ""
    session: bytes = b""
    detail: bool = False
    deadline_s: float | None = None


NO_WISHES: Final = Wishes()


class Head(NamedTuple):
    """What governs a request before its body is read.

    Attributes:
        key: what stands after `Bearer`; b"": no key came.
        content_length: bytes to come; None: not told (chunked, or no body).
        content_type: without parameters, in lower case; "": not told.
        idempotency_key: "": none.
        wishes: of the documented headers.
        inwards: headers that go on to the server.
    """

    key: bytes = b""
    content_length: int | None = None
    content_type: str = ""
    idempotency_key: str = ""
    wishes: Wishes = NO_WISHES
    inwards: tuple[Header, ...] = ()


GOVERNING: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"idempotency-key",
        b"transfer-encoding",
        b"x-tokenergy-cap",
        b"x-tokenergy-deadline-s",
        b"x-tokenergy-detail",
        b"x-tokenergy-downgrade",
        b"x-tokenergy-region",
        b"x-tokenergy-session",
        b"x-tokenergy-value-usd",
    }
)


def read_head(headers: Sequence[Header], limits: LimitsPlan) -> Head:
    """Return what a request's headers say; their names are in lower case, as ASGI gives them.

    Raises:
        ApiError: 431 for too many or too large ones; 413 for a body announced over its limit; 415
            for a packed body; 400 for a governing header that is repeated, folded or cannot be
            read, and for Content-Length beside Transfer-Encoding.
    """
    if len(headers) > limits.headers_count:
        raise head_too_large(f"{limits.headers_count} lines")
    found = dict(headers)
    if len(found) != len(headers):
        names = [name for name, _ in headers]
        twice = next((one for one in names if one in GOVERNING and names.count(one) > 1), None)
        if twice is not None:
            raise _bad(twice, "stands more than once")
    values = b"".join([value for _, value in headers])
    size_count = sum(map(len, found)) + len(values) + LINE_BYTES_COUNT * len(headers)
    if size_count > limits.head_bytes:
        raise head_too_large(f"{limits.head_bytes} bytes")
    if not _is_plain(values):
        name = next(name for name, value in headers if not _is_plain(value))
        raise _bad(name, "is folded, or has bytes that no header may have")
    inwards: tuple[Header, ...] = ()
    if not INWARDS.isdisjoint(found):
        inwards = tuple(pair for pair in headers if pair[0] in INWARDS)
    return _head(found, inwards, limits)


def _head(found: Mapping[bytes, bytes], inwards: tuple[Header, ...], limits: LimitsPlan) -> Head:
    length = found.get(b"content-length")
    content_length = None
    if length is not None:
        if b"transfer-encoding" in found:
            raise _bad(b"content-length", "stands beside Transfer-Encoding")
        if not length.isdigit() or len(length) > 18:
            raise _bad(b"content-length", "is no whole number of bytes")
        content_length = int(length)
        if content_length > limits.body_bytes:
            raise too_large(limits.body_bytes)
    coding = found.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise _bad(b"transfer-encoding", "is not chunked")
    packed = found.get(b"content-encoding")
    if packed is not None and packed.lower() not in (b"", b"identity"):
        raise wrong_type(packed.decode("latin-1"))
    told_type = found.get(b"content-type")
    told_key = found.get(b"authorization")
    once = found.get(b"idempotency-key")
    return Head(
        b"" if told_key is None else _bearer(told_key),
        content_length,
        "" if told_type is None else _type_of(told_type),
        "" if once is None else _short_text(b"idempotency-key", once),
        NO_WISHES if _READ.keys().isdisjoint(found) else _wishes(found),
        inwards,
    )


@lru_cache(maxsize=64)
def _type_of(value: bytes) -> str:
    return value.partition(b";")[0].strip().lower().decode("latin-1")


def _is_plain(value: bytes) -> bool:
    """Tell whether a value stands on one line and holds no zero byte."""
    return not (b"\n" in value or b"\r" in value or b"\0" in value)


def _bearer(value: bytes) -> bytes:
    scheme, _, key = value.strip().partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


def _bad(name: bytes, why: str) -> ApiError:
    shown = name.decode("latin-1")
    return invalid(f"The header {shown} {why}.", param=shown, code="invalid_header")


def _short_text(name: bytes, value: bytes) -> str:
    text = value.strip().decode("latin-1")
    if len(text) > MOST_TEXT_CHARS_COUNT:
        raise _bad(name, f"is longer than {MOST_TEXT_CHARS_COUNT} characters")
    return text


# ---- what a client may say to us -----------------------------------------------------------


def _figure(name: bytes, value: bytes, *, least: float, most: float, unit: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise _bad(name, f"is no number ({unit})") from None
    if not (math.isfinite(number) and least <= number <= most):
        raise _bad(name, f"is outside {least:g}..{most:g} {unit}")
    return number


def _word(name: bytes, value: bytes, words: Mapping[bytes, bool]) -> bool:
    word = value.strip().lower()
    if word not in words:
        raise _bad(name, f"is none of {', '.join(one.decode() for one in words)}")
    return words[word]


_NEVER: Final = {b"never": False, b"allowed": True}
_YES: Final = {b"1": True, b"0": False, b"true": True, b"false": False}
_READ: Final[Mapping[bytes, tuple[str, Callable[[bytes, bytes], object]]]] = {
    b"x-tokenergy-value-usd": (
        "value_usd",
        lambda name, value: _figure(name, value, least=0.0, most=1e6, unit="USD"),
    ),
    b"x-tokenergy-deadline-s": (
        "deadline_s",
        lambda name, value: _figure(name, value, least=0.0, most=MOST_DEADLINE_S, unit="s"),
    ),
    b"x-tokenergy-downgrade": ("may_downgrade", lambda name, value: _word(name, value, _NEVER)),
    b"x-tokenergy-cap": ("may_cap", lambda name, value: _word(name, value, _NEVER)),
    b"x-tokenergy-detail": ("detail", lambda name, value: _word(name, value, _YES)),
    b"x-tokenergy-region": ("region", _short_text),
    b"x-tokenergy-session": ("session", lambda name, value: _short_text(name, value).encode()),
}


def _wishes(found: Mapping[bytes, bytes]) -> Wishes:
    said: dict[str, object] = {}
    for name, value in found.items():
        if name in _READ:
            field, read = _READ[name]
            said[field] = read(name, value)
    return NO_WISHES._replace(**said)  # type: ignore[arg-type]


def require_json(head: Head) -> None:
    """Check that a body claims to be JSON, or claims nothing.

    Raises:
        ApiError: 415.
    """
    told = head.content_type
    if told and told != "application/json" and not told.endswith("+json"):
        raise wrong_type(told)


# ---- what goes out -------------------------------------------------------------------------


def answer_headers(headers: Iterable[Header]) -> list[Header]:
    """Return those of a server's headers that reach the client; names in lower case."""
    return [pair for pair in headers if pair[0] in OUTWARDS and _is_plain(pair[1])]


def retry_after_s(headers: Iterable[Header]) -> float | None:
    """Return a server's `Retry-After` in seconds; None: none, or a date."""
    for name, value in headers:
        if name == b"retry-after" and value.isdigit() and len(value) <= 6:
            return float(value)
    return None


@lru_cache(maxsize=4_096)
def header_text(text: str) -> bytes:
    """Return a text of ours as the value of a header: other than printable ASCII becomes `?`."""
    return "".join(char if " " <= char <= "~" else "?" for char in text).strip().encode("ascii")


def our_header(name: str, value: str) -> Header:
    """Return `x-tokenergy-NAME: value`."""
    return OURS + name.encode("ascii"), header_text(value)
