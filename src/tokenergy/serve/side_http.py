"""What all routes beside the hot path share: bodies within limits, answers and errors as JSON."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from functools import wraps
from typing import Any, Final, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.company.serving.ports import KeyFacts, StoreFault
from tokenergy.serve.openai_error import (
    ApiError,
    invalid,
    method_not_allowed,
    not_found,
    too_large,
    too_slow,
    unavailable,
    unexpected,
)
from tokenergy.serve.side import Side

JSON_BYTES: Final = 1_048_576
"""Longest JSON body of a request that is about no completion."""
LONGEST_LIST_COUNT: Final = 10_000
Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
Handler = Callable[[Request], Awaitable[Response]]
_Told = TypeVar("_Told")
_encode = msgspec.json.Encoder(decimal_format="number").encode


def json_answer(
    value: object, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a value as JSON."""
    return Response(_encode(value), status, headers=headers, media_type="application/json")


def error_answer(error: ApiError) -> Response:
    """Return an error in OpenAI's shape."""
    answer = Response(error.body(), error.status, media_type="application/json")
    answer.raw_headers += list(error.headers)
    return answer


def guarded(handler: Handler) -> Handler:
    """Let a handler answer its faults in OpenAI's shape."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            return error_answer(error)
        except StoreFault:
            return error_answer(unavailable("store_unavailable", "The store cannot be used now."))
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it

    return answer


async def http_fault(request: Request, fault: Exception) -> Response:
    """Answer what Starlette finds by itself: no such address, or another method."""
    if isinstance(fault, HTTPException) and fault.status_code == 405:
        allowed = (fault.headers or {}).get("Allow", "another method")
        return error_answer(method_not_allowed(request.method, allowed))
    if isinstance(fault, HTTPException) and fault.status_code != 404:
        return error_answer(ApiError(fault.status_code, None, fault.detail))
    return error_answer(not_found(request.url.path))


def caller_of(side: Side, request: Request, *, scope: str) -> KeyFacts:
    """Return who asks.

    Raises:
        ApiError: 401 without a valid key, 403 without the scope, 503 if keys cannot be read.
    """
    return side.caller(request.headers.raw, scope=scope)


async def chunks(request: Request, *, limits: LimitsPlan, most_bytes: int) -> AsyncIterator[bytes]:
    """Yield a request's body, while it comes fast enough and is no longer than allowed.

    Raises:
        ApiError: 413 or 408.
    """
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > most_bytes:
        raise too_large(most_bytes)
    stream = request.stream()
    began_s, came_bytes = time.monotonic(), 0
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), limits.body_grace_s)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise too_slow("body") from None
        came_bytes += len(chunk)
        if came_bytes > most_bytes:
            raise too_large(most_bytes)
        late_s = time.monotonic() - began_s - limits.body_grace_s
        if came_bytes < late_s * limits.body_bytes_per_s:
            raise too_slow("body")
        yield chunk


async def json_body(
    request: Request, kind: type[_Told], *, limits: LimitsPlan, most_bytes: int = JSON_BYTES
) -> _Told:
    """Return a request's body as a noun.

    Raises:
        ApiError: 400 for what is no JSON or does not fit, with the field; 408, 413.
    """
    body = b"".join(
        [chunk async for chunk in chunks(request, limits=limits, most_bytes=most_bytes)]
    )
    return decoded(body, kind)


def decoded(body: bytes, kind: type[_Told]) -> _Told:
    """Return JSON as a noun.

    Raises:
        ApiError: 400 for what is no JSON or does not fit, with the field.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as fault:
        words, _, path = str(fault).partition(" - at `$")
        param = path.removeprefix(".").removesuffix("`") or None
        if words.startswith("Object missing required field `"):
            param = words.split("`")[1] if param is None else f"{param}.{words.split('`')[1]}"
        raise invalid(words, param=param, code="invalid_type") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("The body is no JSON.", code="invalid_json") from None


def whole_number(
    asked: Mapping[str, str], name: str, *, default: int, least: int, most: int
) -> int:
    """Return a whole number of a query.

    Raises:
        ApiError: 400 for another text, or a number outside the limits.
    """
    text = asked.get(name)
    if text is None or text == "":
        return default
    if not text.lstrip("-").isdecimal() or len(text) > 20 or not least <= int(text) <= most:
        raise invalid(f"'{name}' is a whole number from {least} to {most}.", param=name)
    return int(text)


def page_of(items: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """Return a list as the API pages it."""
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }


def faults() -> Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]:
    """Return what answers the faults that no handler answers, as Starlette takes it."""
    return {HTTPException: http_fault, Exception: fault_of_ours}


async def fault_of_ours(_: Request, __: Exception) -> Response:
    """Answer a fault of ours: its details are in the log, never here."""
    return error_answer(unexpected())
