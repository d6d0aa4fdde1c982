"""What a client is told when it gets no answer: OpenAI's shape, and when asking again makes sense.

    {"error": {"message", "type", "param", "code", "tokenergy": {...}}}

A wait of up to 60 s goes out as `Retry-After` and the SDKs keep it; a longer one says
`x-should-retry: false` too, since they would come back by themselves long before. No text holds a
key, a prompt or a server's address; names that the client itself wrote are cut short.
"""

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from typing import Final

import msgspec

LONGEST_SDK_WAIT_S: Final = 60.0
"""Beyond it SDKs do not keep `Retry-After` but retry after 0.5 to 8 s."""
NAME_CHARS_COUNT: Final = 100
NAMES_TOLD_COUNT: Final = 20
NO_RETRY: Final = (b"x-should-retry", b"false")
RETRY: Final = (b"x-should-retry", b"true")
JSON_TYPE: Final = (b"content-type", b"application/json")

Header = tuple[bytes, bytes]
Extra = Mapping[str, object]

_encode = msgspec.json.Encoder(decimal_format="number").encode


class ApiError(Exception):
    """A request that ends without an answer.

    Attributes:
        status: of HTTP.
        code: what programs look at.
        message: what people read.
        type: OpenAI's class of the error.
        param: the field it is about, e.g. `messages[0].content`; None: none.
        headers: beside content type and length: when to retry.
        extra: facts for the object `tokenergy` inside the error; None: none.
        retry_s: seconds after which asking again makes sense; None: not said.
    """

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        retry_s: float | None = None,
        headers: tuple[Header, ...] = (),
        extra: Extra | None = None,
    ) -> None:
        """Keep it; `retry_s` becomes headers."""
        super().__init__(message)
        self.status, self.code, self.message, self.type = status, code, message, type
        self.param, self.extra, self.retry_s = param, extra, retry_s
        self.headers = headers if retry_s is None else (*headers, *retry_headers(retry_s))

    def error(self) -> dict[str, object]:
        """Return the object that stands under `error`."""
        told: dict[str, object] = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        if self.extra is not None:
            told["tokenergy"] = self.extra
        return told

    def body(self) -> bytes:
        """Return the answer's body."""
        return _encode({"error": self.error()})

    def event(self, endpoint: str, *, sequence: int = 0) -> bytes:
        """Return the same as an event of a stream that has begun.

        Args:
            endpoint: `responses` has a shape of its own.
            sequence: number of the event there.
        """
        if endpoint != "responses":
            return b"data: " + self.body() + b"\n\n"
        told = {"type": "error", "code": self.code, "message": self.message, "param": self.param}
        told |= {"sequence_number": sequence}  # type: ignore[dict-item]
        return b"event: error\ndata: " + _encode(told) + b"\n\n"

    def head(self) -> list[Header]:
        """Return the headers of the answer; its length is told by who sends it."""
        return [JSON_TYPE, *self.headers]


def retry_headers(retry_s: float) -> tuple[Header, ...]:
    """Return `Retry-After` in whole seconds, at least 1; beyond 60 s no retry by itself."""
    wait = b"%d" % max(1, math.ceil(retry_s))
    if retry_s > LONGEST_SDK_WAIT_S:
        return ((b"retry-after", wait), NO_RETRY)
    return ((b"retry-after", wait),)


def spread_s(start_s: float, end_s: float, request_id: str) -> float:
    """Return a moment of an interval, from a hash of the request: else all come back at once.

    Args:
        start_s: begin of the interval, seconds from now or from any zero.
        end_s: its end.
        request_id: tells requests apart; the same request gets the same moment.
    """
    digest = blake2b(request_id.encode("utf-8", "replace"), digest_size=4).digest()
    return start_s + (end_s - start_s) * (int.from_bytes(digest) / 2**32)


def shown(name: str) -> str:
    """Return a name that a client wrote, short enough for a message."""
    return name if len(name) <= NAME_CHARS_COUNT else name[: NAME_CHARS_COUNT - 1] + "…"


# ---- 4xx: the request ---------------------------------------------------------------------


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """Return 400 for a request that cannot be read."""
    return ApiError(400, code, message, param=param)


def missing(param: str) -> ApiError:
    """Return 400 for a field without which nothing can be done."""
    text = f"Missing required parameter: '{param}'."
    return ApiError(400, "missing_required_parameter", text, param=param)


def context_exceeded(*, limit_tokens: int, asked_tokens: int, param: str = "messages") -> ApiError:
    """Return 400 for a prompt with its cap that no model of the ladder holds."""
    text = (
        f"This model's maximum context length is {limit_tokens} tokens, but about {asked_tokens} "
        "tokens were requested, the answer's cap included. Shorten the prompt or lower the cap."
    )
    return ApiError(400, "context_length_exceeded", text, param=param)


def no_key() -> ApiError:
    """Return 401 where no key came."""
    text = (
        "You didn't provide an API key. Send it as `Authorization: Bearer KEY`; "
        "`tokenergy keys COMPANY create` makes one."
    )
    return ApiError(401, None, text, headers=((b"www-authenticate", b"Bearer"),))


def wrong_key() -> ApiError:
    """Return 401 for a key that is unknown, revoked or expired: which of them is not told."""
    text = "Incorrect API key provided. It is unknown, was revoked, or has expired."
    return ApiError(401, "invalid_api_key", text, headers=((b"www-authenticate", b"Bearer"),))


def forbidden(message: str, *, code: str = "insufficient_permissions") -> ApiError:
    """Return 403 for what a key's scopes, tiers or tenant do not allow."""
    return ApiError(403, code, message, type="permission_error")


def unknown_model(name: str, known: Sequence[str]) -> ApiError:
    """Return 404 for a model that is not served, with those that are: the nearest first."""
    near = get_close_matches(name[:NAME_CHARS_COUNT], known, n=3, cutoff=0.5)
    names = [*near, *(other for other in known if other not in near)][:NAMES_TOLD_COUNT]
    more = f" and {len(known) - len(names)} more" if len(known) > len(names) else ""
    text = f"The model '{shown(name)}' is not served here. Served: {', '.join(names) or 'none'}"
    return ApiError(404, "model_not_found", f"{text}{more}.", param="model")


def not_found(path: str) -> ApiError:
    """Return 404 for a path, or for an id that is not this tenant's."""
    return ApiError(404, "not_found", f"There is nothing at {shown(path)}.")


def method_not_allowed(method: str, allowed: str) -> ApiError:
    """Return 405."""
    text = f"Not allowed method {shown(method)}: this address takes {allowed}."
    return ApiError(
        405, "method_not_allowed", text, headers=((b"allow", allowed.encode("latin-1", "ignore")),)
    )


def too_slow(what: str) -> ApiError:
    """Return 408 for a head or body that did not come in time."""
    text = f"The {what} of the request did not come in time."
    return ApiError(408, "request_timeout", text, headers=((b"connection", b"close"),))


def conflict(message: str) -> ApiError:
    """Return 409 for an idempotency key that belongs to another request."""
    return ApiError(409, "idempotency_key_reused", message, type="idempotency_error")


def too_large(limit_bytes: int) -> ApiError:
    """Return 413 for a body over its limit; nothing more of it is read."""
    text = f"The request's body is larger than {limit_bytes} bytes."
    return ApiError(413, "request_too_large", text, headers=((b"connection", b"close"),))


def wrong_type(content_type: str) -> ApiError:
    """Return 415 for a body that is not JSON, or that is packed."""
    text = f"Send the body as plain application/json, not as {shown(content_type)}."
    return ApiError(415, "unsupported_media_type", text)


def head_too_large(limit: str) -> ApiError:
    """Return 431 for more headers than a request may have."""
    text = f"The request's headers are more than {limit}."
    return ApiError(431, "headers_too_large", text, headers=((b"connection", b"close"),))


# ---- 429: not now, or not for this --------------------------------------------------------


def not_worth_it(*, retry_s: float | None, extra: Extra, pacing: bool = False) -> ApiError:
    """Return 429 for a request that costs more than it is worth now.

    Args:
        retry_s: until the next interval that would admit it; None: none in sight, no retry.
        extra: value, marginal cost, lambda, `next_admitted`, alternatives.
        pacing: whether it would pass if its budget were not kept for later.
    """
    if pacing:
        code = "budget_pacing"
        text = "This request is refused so that its budget lasts: what is left is kept for later."
    else:
        code = "marginal_cost_exceeds_value"
        text = "Serving this request now costs more than its tier is worth."
    return _refused(code, text, retry_s=retry_s, extra=extra)


def no_room_in_time(*, retry_s: float | None, extra: Extra | None = None) -> ApiError:
    """Return 429 for a flex request that finds no room before its deadline."""
    text = "No capacity is free for this request before its deadline."
    return _refused("resource_unavailable", text, retry_s=retry_s, extra=extra)


def spend_limit(message: str, *, extra: Extra | None = None) -> ApiError:
    """Return 429 for a hard budget that is used up: retrying changes nothing."""
    return ApiError(
        429,
        "project_spend_limit_exceeded",
        message,
        type="insufficient_quota",
        headers=(NO_RETRY,),
        extra=extra,
    )


def rate_limited(message: str, *, retry_s: float, extra: Extra | None = None) -> ApiError:
    """Return 429 for a tenant over its requests or tokens a minute, or its requests at once."""
    return ApiError(
        429, "rate_limit_exceeded", message, type="rate_limit_error", retry_s=retry_s, extra=extra
    )


def overloaded(*, retry_s: float, extra: Extra | None = None) -> ApiError:
    """Return 429 where every place is full."""
    text = "All servers of this model are full at the moment."
    return _refused("server_is_overloaded", text, retry_s=retry_s, extra=extra)


def _refused(code: str, text: str, *, retry_s: float | None, extra: Extra | None) -> ApiError:
    kept = (NO_RETRY,) if retry_s is None else ()
    return ApiError(
        429, code, text, type="rate_limit_error", retry_s=retry_s, headers=kept, extra=extra
    )


# ---- 5xx: ours, or an upstream's ----------------------------------------------------------


def unavailable(code: str, message: str, *, retry_s: float = 1.0) -> ApiError:
    """Return 503: journal, store, board or keys are missing, or all circuits are open."""
    return ApiError(503, code, message, type="service_unavailable_error", retry_s=retry_s)


def upstream_failed(*, code: str = "upstream_error") -> ApiError:
    """Return 502 for a model server that failed; it may have worked, so nobody is told to retry."""
    return ApiError(502, code, "The model server failed to answer.", type="server_error")


def upstream_timeout() -> ApiError:
    """Return 504 for a model server that stayed silent too long."""
    text = "The model server did not answer in time."
    return ApiError(504, "upstream_timeout", text, type="server_error")


def cut_short(code: str = "stream_interrupted") -> ApiError:
    """Return the error of a stream that broke after it had begun."""
    text = "The stream ended before the answer was complete."
    return ApiError(502, code, text, type="server_error")


def unexpected() -> ApiError:
    """Return 500 for a fault of ours; details are in the log, never here."""
    return ApiError(500, "internal_error", "The gateway failed.", type="server_error")
