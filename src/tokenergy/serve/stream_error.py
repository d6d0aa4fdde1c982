"""Verb: read what a server says went wrong in the middle of a stream.

The client's head is long out by then, so the error can only be an event; its status goes to the
record. Servers write it as an object, a text, with the status as `code` or without.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tokenergy.serve.openai_error import ApiError, cut_short

MESSAGE_CHARS_COUNT: Final = 1_000
WORD_CHARS_COUNT: Final = 100
CLIENTS_FAULT: Final = frozenset({400, 404, 413, 422})
TOO_LONG: Final = frozenset({"exceed_context_size_error", "context_length_exceeded"})

_decode = msgspec.json.Decoder().decode


def stream_error(data: bytes | msgspec.Raw) -> ApiError:
    """Return the error that an event carries; a server's own fault is 502."""
    told = said_in(data)
    message, status = told.get("message"), told.get("code")
    if not isinstance(message, str) or not message:
        return cut_short("upstream_error")
    if len(message) > MESSAGE_CHARS_COUNT:
        message = message[:MESSAGE_CHARS_COUNT] + "…"
    code, param = word(told, "code"), word(told, "param")
    if word(told, "type") in TOO_LONG or code in TOO_LONG:
        return ApiError(400, "context_length_exceeded", message, param=param)
    if isinstance(status, int) and status in CLIENTS_FAULT:
        return ApiError(status, None, message, param=param)
    return ApiError(502, code or "upstream_error", message, type="server_error", param=param)


def said_in(data: bytes | msgspec.Raw) -> dict[str, Any]:
    """Return the object with `message`, wherever a server puts it; {} if there is none."""
    try:
        read = _decode(data)
    except (msgspec.DecodeError, RecursionError):
        return {}
    if isinstance(read, dict) and read.get("error"):
        read = read["error"]
    if isinstance(read, str):
        return {"message": read}
    if not isinstance(read, dict):
        return {}
    if "message" not in read and isinstance(read.get("detail"), str):
        return {**read, "message": read["detail"]}
    return read


def word(told: Mapping[str, object], key: str) -> str | None:
    """Return a short text of an error, such as its code; None where it is no text."""
    value = told.get(key)
    return value[:WORD_CHARS_COUNT] if isinstance(value, str) else None
