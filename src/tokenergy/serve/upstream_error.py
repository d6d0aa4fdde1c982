"""Verb: turn a model server's refusal into what its client is told, in OpenAI's shape.

Servers write errors in many shapes: OpenAI's, vLLM's older one without the outer object, FastAPI's
`detail`, a text. What the client did wrong is passed on in the server's words. What is between the
gateway and the server (our key there, an unasked redirect, a fault) is 502 without them: such a
text may name an address.
"""

from collections.abc import Mapping
from typing import Final

from tokenergy.serve.openai_error import ApiError, overloaded, upstream_failed
from tokenergy.serve.stream_error import TOO_LONG, said_in, word

MESSAGE_CHARS_COUNT: Final = 2_000
PASSED_ON: Final = frozenset({400, 402, 404, 405, 406, 409, 410, 411, 413, 415, 422, 451, 501})
"""Statuses that are about the request itself."""
SLOW: Final = frozenset({408, 425})
BUSY_WAIT_S: Final = 2.0
STATED_TYPES: Final = frozenset({"invalid_request_error", "not_found_error", "not_supported_error"})


def upstream_refused(status: int, body: bytes, *, retry_s: float | None = None) -> ApiError:
    """Return a server's refusal as ours.

    Args:
        status: of its answer, other than 200.
        body: of its answer, whole or its beginning.
        retry_s: its `Retry-After` in seconds; None: it told none.
    """
    if status == 429 or status in SLOW:
        return overloaded(retry_s=BUSY_WAIT_S if retry_s is None else retry_s)
    if status not in PASSED_ON:
        return upstream_failed(code="upstream_error" if status >= 400 else "upstream_unexpected")
    return _passed_on(status, said_in(body))


def _passed_on(status: int, said: Mapping[str, object]) -> ApiError:
    message = said.get("message")
    if not isinstance(message, str) or not message:
        message = f"The model server refused the request (status {status})."
    kind, code = word(said, "type"), word(said, "code")
    if kind in TOO_LONG or code in TOO_LONG:
        status, code = 400, "context_length_exceeded"
    return ApiError(
        status,
        code or kind or f"upstream_{status}",
        message[:MESSAGE_CHARS_COUNT],
        type=kind if kind in STATED_TYPES else "invalid_request_error",
        param=word(said, "param"),
    )
