"""Verb: read `POST /v1/chat/completions`."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from tokenergy.serve.answer_json import EMPTY, size_of
from tokenergy.serve.body import answers_of, cap_of, checked_model, typed
from tokenergy.serve.governed import NOTHING, Asked
from tokenergy.serve.openai_error import invalid
from tokenergy.serve.prompt_parts import PromptSeen, head_of

SYSTEM_ROLES: Final = frozenset({"system", "developer"})
TOOLS: Final = frozenset({"tools"})


class StreamOptions(msgspec.Struct, gc=False):
    """`stream_options`; other keys of it stay as they came."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class ResponseFormat(msgspec.Struct, gc=False):
    """`response_format`, or `text.format` of a response."""

    type: str | None = None


class _Message(msgspec.Struct, gc=False):
    role: str
    content: str | list[Any] | None = None
    tool_calls: Raw = EMPTY
    reasoning_content: Raw = EMPTY


class _Chat(msgspec.Struct, gc=False):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    n_predict: int | None = None
    n: int | None = None
    best_of: int | None = None
    service_tier: str | None = None
    tools: list[Raw] | None = None
    functions: list[Raw] | None = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None
    modalities: list[str] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Chat)
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def read_chat(body: bytes, fields: dict[str, Raw]) -> Asked:
    """Return a chat request.

    Raises:
        ApiError: 400.
    """
    chat = typed(_DECODER, body)
    if not chat.messages:
        raise invalid(
            "Invalid 'messages': empty array; at least one message is needed.",
            param="messages",
            code="empty_array",
        )
    text_bytes, system, first = 0, "", ""
    seen: PromptSeen | None = None
    for message in chat.messages:
        content = message.content
        if type(content) is str:
            text_bytes += len(content) if content.isascii() else len(content.encode())
            text = content
        elif content is None:
            text = ""
        else:
            seen = seen or PromptSeen()
            text = seen.content(content)
        if message.tool_calls or message.reasoning_content:
            text_bytes += size_of((message.tool_calls, message.reasoning_content))
        if not first:
            if message.role in SYSTEM_ROLES:
                system = system or text
            elif message.role == "user":
                first = text
    asked = Asked(
        endpoint="chat",
        model=checked_model(chat.model),
        fields=fields,
        cap_tokens=cap_of("chat", chat.max_completion_tokens, chat.max_tokens, chat.n_predict),
        text_bytes_count=text_bytes,
        messages_count=len(chat.messages),
        service_tier=chat.service_tier,
        head=(
            b"k" + chat.prompt_cache_key.encode()
            if chat.prompt_cache_key
            else head_of(system, first)
        ),
        user=chat.safety_identifier or chat.user or "",
    )
    if chat.n is not None or chat.best_of is not None:
        asked.answers_count = max(answers_of("n", chat.n), answers_of("best_of", chat.best_of))
    if chat.stream or chat.stream_options is not None:
        set_stream(asked, chat.stream, chat.stream_options)
    if chat.tools or chat.response_format or chat.logprobs or chat.functions or chat.modalities:
        _set_needs(asked, chat)
    if seen is not None:
        set_parts(asked, seen, "messages")
    return asked


def _set_needs(asked: Asked, chat: _Chat) -> None:
    needs = NOTHING
    for name, tools in (("tools", chat.tools), ("functions", chat.functions)):
        if tools:
            needs = TOOLS
            asked.text_bytes_count += len(bytes(asked.fields[name]))
    if chat.response_format is not None:
        needs |= format_needs(chat.response_format)
        if needs and chat.response_format.type == "json_schema":
            asked.text_bytes_count += len(bytes(asked.fields["response_format"]))
    if chat.logprobs:
        needs |= {"logprobs"}
    if chat.modalities is not None and "audio" in chat.modalities:
        needs |= {"audio"}
    asked.needs = needs


def format_needs(wanted: ResponseFormat) -> frozenset[str]:
    """Return the features that a wanted form of the answer needs."""
    if wanted.type in ("json_schema", "json_object"):
        return frozenset({wanted.type})
    return NOTHING


def set_stream(asked: Asked, stream: bool | None, options: StreamOptions | None) -> None:
    """Set what a request says of its stream.

    Raises:
        ApiError: 400 for options of a stream that is not asked for.
    """
    if stream:
        asked.stream = True
        if options is not None:
            asked.client_wants_usage = options.include_usage is True
            asked.client_wants_continuous = options.continuous_usage_stats is True
    elif options is not None:
        raise invalid(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )


def set_parts(asked: Asked, seen: PromptSeen, key: str) -> None:
    """Add what a prompt in parts amounts to.

    A prompt with media is written anew from what was read here, so that no server reads another
    address in it than the one that was checked.
    """
    asked.text_bytes_count += seen.text_bytes_count
    asked.other_tokens += seen.other_tokens
    asked.remote_urls_count += seen.remote_urls_count
    if seen.needs:
        asked.needs |= seen.needs
    if seen.media and key in asked.fields:
        asked.fields[key] = Raw(_encode(_decode_any(asked.fields[key])))
