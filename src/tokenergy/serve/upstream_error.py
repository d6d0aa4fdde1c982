"""What a model server says when it refuses a request, in OpenAI's shape."""

from typing import Any, Final

import msgspec

from tokenergy.serve.openai_error import ApiError

MESSAGE_CHARS_COUNT: Final = 2_000
TYPES: Final = {400: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_error"}
"""OpenAI's classes for a server that states none."""


class _Said(msgspec.Struct, gc=False):
    error: msgspec.Raw | None = None
    message: Any = None
    detail: Any = None
    type: Any = None
    code: Any = None
    param: Any = None


class _Inner(msgspec.Struct, gc=False):
    message: Any = None
    type: Any = None
    code: Any = None
    param: Any = None


_SAID: Final = msgspec.json.Decoder(_Said, strict=False)
_INNER: Final = msgspec.json.Decoder(_Inner, strict=False)


def upstream_refused(status: int, body: bytes) -> ApiError:
    """Return an upstream's refusal as ours: its status, its words, its code.

    vLLM, SGLang and FastAPI servers write the same facts at other places (`message` at the top,
    `detail`); what is no JSON is told by its status alone. A status that is no refusal, such as an
    unasked redirect, is 502: it is never followed.
    """
    if not 400 <= status < 600:
        return ApiError(
            502, "upstream_unexpected", "The model server's answer was none.", type="server_error"
        )
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    said: _Said | _Inner | None = None
    try:
        outer = _SAID.decode(body)
        said = outer
        if outer.error is not None:
            raw = bytes(outer.error)
            said = _INNER.decode(raw) if raw[:1] == b"{" else _Inner(message=_text(raw))
        message = said.message if said.message is not None else outer.detail
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        message = None
    if not isinstance(message, str):
        message = f"The model server refused the request (status {status})."
    code = getattr(said, "code", None)
    param = getattr(said, "param", None)
    stated = getattr(said, "type", None)
    return ApiError(
        status,
        code if isinstance(code, str) else _code_of(stated, status),
        message[:MESSAGE_CHARS_COUNT],
        type=stated if isinstance(stated, str) and stated.endswith("error") else kind,
        param=param if isinstance(param, str) else None,
    )


def _code_of(stated: object, status: int) -> str:
    """Return a code where the server gave none, or a number: its type, else the status."""
    return stated if isinstance(stated, str) and stated else f"upstream_{status}"


def _text(raw: bytes) -> object:
    return msgspec.json.decode(raw)
