"""Verb: read a whole answer: its usage, how it ended, which model it names; and rename it."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Raw

from tokenergy.serve.openai_error import ApiError, upstream_failed
from tokenergy.serve.openai_usage import Reported, UsageSeen, reported, reported_in

BYTES_OF_A_TOKEN_COUNT: Final = 4
"""A guess, for answers whose server tells no usage; callers know the mean of their tenant."""

EMPTY: Final = Raw()
"""A field that is not there; `null` is there."""
_encode = msgspec.json.Encoder().encode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class Answered(msgspec.Struct, kw_only=True, gc=False):
    """What an answer says of itself.

    Attributes:
        usage: as reported; None where the server reported none that can be used.
        finish: `length` if any of its parts was cut there, else the first reason; "" if none.
        model: the name that the server gives; "" if none.
        answer_id: its id, such as `resp_...`; "" if none.
        text_bytes_count: bytes of its text with escapes, for an estimate; 0 where usage is known.
        answers_count: parts of it (`choices`, `output`).
    """

    usage: UsageSeen | None = None
    finish: str = ""
    model: str = ""
    answer_id: str = ""
    text_bytes_count: int = 0
    answers_count: int = 0


class _Message(msgspec.Struct, gc=False):
    content: Raw = EMPTY
    reasoning_content: Raw = EMPTY
    reasoning: Raw = EMPTY
    tool_calls: Raw = EMPTY


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str | None = None
    message: _Message | None = None
    text: Raw = EMPTY


class _Chat(msgspec.Struct, gc=False):
    model: str | None = None
    id: str | None = None
    choices: list[_Choice] | None = None
    usage: Reported | None = None


class _Why(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """The object `response`, whole or inside the events of a stream."""

    model: str | None = None
    id: str | None = None
    status: str | None = None
    output: Raw = EMPTY
    usage: Reported | None = None
    incomplete_details: _Why | None = None
    error: Raw = EMPTY


class _Embedded(msgspec.Struct, gc=False):
    model: str | None = None
    usage: Reported | None = None


class _Loose(msgspec.Struct, gc=False):
    """The same of an answer whose shape is its server's own."""

    usage: Raw = EMPTY


class _Tiered(msgspec.Struct, gc=False):
    service_tier: Raw = EMPTY


_TIERED: Final = msgspec.json.Decoder(_Tiered)
_CHAT: Final = msgspec.json.Decoder(_Chat)
_RESPONSE: Final = msgspec.json.Decoder(Response)
_EMBEDDED: Final = msgspec.json.Decoder(_Embedded)
_LOOSE: Final = msgspec.json.Decoder(_Loose)


def read_answer(endpoint: str, body: bytes) -> Answered:
    """Return what a successful answer says of itself.

    Raises:
        ApiError: 502 if it is no JSON object: the server has failed, whatever its status says.
    """
    try:
        if endpoint == "responses":
            return _response(_RESPONSE.decode(body))
        if endpoint == "embeddings":
            embedded = _EMBEDDED.decode(body)
            return Answered(usage=reported(embedded.usage), model=embedded.model or "")
        return _chat(_CHAT.decode(body))
    except msgspec.ValidationError:
        return _loose(body)
    except (msgspec.DecodeError, RecursionError):
        raise garbage() from None


def garbage() -> ApiError:
    """Return 502 for an answer that cannot be read."""
    return upstream_failed(code="upstream_garbage")


def finish_of_response(response: Response) -> str:
    """Return the finish reason in the words of chat."""
    status = response.status or ""
    if status == "completed":
        return "stop"
    why = response.incomplete_details
    if status == "incomplete" and why is not None:
        return "length" if why.reason == "max_output_tokens" else why.reason or status
    return status


def size_of(raws: Iterable[Raw]) -> int:
    """Return the bytes of texts in JSON, without their quotes; none where they are not there."""
    return sum(max(0, len(text) - 2) for text in map(bytes, raws) if text != b"null")


def _chat(answer: _Chat) -> Answered:
    usage = reported(answer.usage)
    choices = answer.choices or ()
    finish, text_bytes = "", 0
    for choice in choices:
        why = choice.finish_reason
        if why is not None and (not finish or why == "length"):
            finish = why
        if usage is None:
            said = choice.message
            text_bytes += size_of((choice.text,))
            if said is not None:
                text_bytes += size_of(
                    (said.content, said.reasoning_content, said.reasoning, said.tool_calls)
                )
    return Answered(
        usage=usage,
        finish=finish,
        model=answer.model or "",
        answer_id=answer.id or "",
        text_bytes_count=text_bytes,
        answers_count=len(choices),
    )


def _response(answer: Response) -> Answered:
    usage = reported(answer.usage)
    return Answered(
        usage=usage,
        finish=finish_of_response(answer),
        model=answer.model or "",
        answer_id=answer.id or "",
        text_bytes_count=size_of((answer.output,)) if usage is None else 0,
        answers_count=1,
    )


def _loose(body: bytes) -> Answered:
    """Read an answer whose fields have other types than OpenAI's: its usage, if any."""
    try:
        usage = _LOOSE.decode(body).usage
    except (msgspec.DecodeError, RecursionError):
        raise garbage() from None
    seen = reported_in(usage)
    return Answered(usage=seen, text_bytes_count=0 if seen is not None else len(body))


# ---- the name of the model, and the tier ---------------------------------------------------

_MODEL_KEY: Final = b'"model"'
_TIER_KEY: Final = b'"service_tier"'
_MODEL: Final = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"')
_TIER: Final = re.compile(rb'"service_tier"\s*:\s*(?:null|"(?:[^"\\]|\\.)*")')


def renamed(body: bytes, *, served: str, name: str, service_tier: str | None = None) -> bytes:
    """Return an answer that tells the truth: our name of the model that ran, the tier really given.

    Keys cannot stand inside JSON strings with bare quotes, so a key that is found once in the
    bytes is found at its place; otherwise the top level is taken apart.

    Args:
        body: a JSON object.
        served: the name that the server was asked for.
        name: the company's name of the same model.
        service_tier: to be told; None: the field stays as it came.
    """
    at = body.find(_MODEL_KEY)
    if at > 0 and service_tier is not None and _TIER_KEY not in body:
        own = model_field(served)
        if body.startswith(own, at) and body.find(_MODEL_KEY, at + len(own)) < 0:
            # as most servers write it: the name where it stands, the tier behind it
            return body[:at] + named_field(name, service_tier) + body[at + len(own) :]
    told = body
    if served != name:
        if body.count(b'"model"') != 1:
            return _retold(body, name, service_tier)
        told = _MODEL.sub(lambda _: model_field(name), body, count=1)
    if service_tier is None:
        return told
    tiers_count = told.count(b'"service_tier"')
    if tiers_count == 1 and _has_tier(told):
        return _TIER.sub(lambda _: tier_field(service_tier), told, count=1)
    end = told.rfind(b"}")
    if tiers_count or end <= 0 or told[:end].rstrip()[-1:] == b"{":
        return _retold(told, name, service_tier)
    return told[:end] + b"," + tier_field(service_tier) + told[end:]


def _has_tier(body: bytes) -> bool:
    """Tell whether the top level of an answer has a tier."""
    try:
        return bool(_TIERED.decode(body).service_tier)
    except (msgspec.DecodeError, RecursionError):
        return False


def truthful(event: bytes, model: bytes, tier: bytes) -> bytes:
    """Return an event with our name of the model and the tier that was really given.

    The first key `model` of an event is the answer's own.

    Args:
        event: whole.
        model: the field as it shall be (`model_field`); b"": as it came.
        tier: likewise (`tier_field`); where the event has no tier, it comes behind the model.
    """
    if tier and b'"service_tier"' in event:
        event = _TIER.sub(lambda _: tier, event, count=1)
        tier = b""
    found = _MODEL.search(event)
    if found is None:
        return event
    field = model or found[0]
    if tier:
        field = field + b"," + tier
    return event[: found.start()] + field + event[found.end() :]


@lru_cache(maxsize=256)
def model_field(name: str) -> bytes:
    """Return `"model":"..."` in JSON."""
    return b'"model":' + _encode(name)


@lru_cache(maxsize=256)
def named_field(name: str, service_tier: str) -> bytes:
    """Return both fields, one after the other."""
    return model_field(name) + b"," + tier_field(service_tier)


@lru_cache(maxsize=16)
def tier_field(service_tier: str) -> bytes:
    """Return `"service_tier":"..."` in JSON."""
    return b'"service_tier":' + _encode(service_tier)


def _retold(body: bytes, name: str, service_tier: str | None) -> bytes:
    try:
        fields: dict[str, object] = dict(_decode_fields(body))
    except (msgspec.DecodeError, RecursionError):
        raise garbage() from None
    if "model" in fields:
        fields["model"] = name
    if service_tier is not None:
        fields["service_tier"] = service_tier
    return _encode(fields)
