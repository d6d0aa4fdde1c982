"""Verb: read `POST /v1/responses`."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from tokenergy.serve.answer_json import EMPTY
from tokenergy.serve.body import cap_of, checked_model, typed
from tokenergy.serve.governed import NOTHING, Asked
from tokenergy.serve.openai_chat import SYSTEM_ROLES, TOOLS, ResponseFormat, format_needs, set_parts
from tokenergy.serve.openai_error import invalid, missing
from tokenergy.serve.prompt_parts import PromptSeen, bytes_of, head_of

LOGPROBS: Final = "message.output_text.logprobs"


class _Text(msgspec.Struct, gc=False):
    format: ResponseFormat | None = None


class _Conversation(msgspec.Struct, gc=False):
    id: str


class _Responses(msgspec.Struct, gc=False):
    model: str
    input: str | list[Any] | None = None
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    n_predict: int | None = None
    service_tier: str | None = None
    tools: list[Raw] | None = None
    text: _Text | None = None
    include: list[str] | None = None
    top_logprobs: int | None = None
    background: bool | None = None
    prompt: Raw = EMPTY
    previous_response_id: str | None = None
    conversation: str | _Conversation | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Responses)


def read_responses(body: bytes, fields: dict[str, Raw]) -> Asked:
    """Return a request for a response.

    Raises:
        ApiError: 400; `background` too, whose answer would come when nobody meters it.
    """
    wanted = typed(_DECODER, body)
    if wanted.background:
        raise invalid(
            "Responses in the background are not offered; use a batch, or service_tier 'flex'.",
            param="background",
            code="unsupported_value",
        )
    if wanted.input is None and not wanted.prompt and not wanted.previous_response_id:
        raise missing("input")
    conversation = wanted.conversation
    asked = Asked(
        endpoint="responses",
        model=checked_model(wanted.model),
        fields=fields,
        stream=wanted.stream is True,
        client_wants_usage=True,
        cap_tokens=cap_of("responses", wanted.max_output_tokens, wanted.n_predict),
        service_tier=wanted.service_tier,
        previous=wanted.previous_response_id or "",
        user=wanted.safety_identifier or wanted.user or "",
    )
    system = wanted.instructions or ""
    first, said = _set_input(asked, wanted.input)
    asked.text_bytes_count += bytes_of(system)
    if wanted.prompt_cache_key:
        asked.head = b"k" + wanted.prompt_cache_key.encode()
    elif conversation is not None:
        name = conversation if isinstance(conversation, str) else conversation.id
        asked.head = b"c" + name.encode()
    elif asked.previous:
        asked.head = b"p" + asked.previous.encode()
    else:
        asked.head = head_of(system or said, first)
    _set_needs(asked, wanted)
    return asked


def _set_input(asked: Asked, given: str | list[Any] | None) -> tuple[str, str]:
    """Count the input; return the first text of the user, and of the system."""
    if isinstance(given, str):
        asked.text_bytes_count += bytes_of(given)
        return given, ""
    if given is None:
        return "", ""
    if not given:
        raise invalid("Invalid 'input': empty array.", param="input", code="empty_array")
    seen, first, system = PromptSeen(), "", ""
    asked.messages_count = len(given)
    for index, item in enumerate(given):
        if not isinstance(item, dict):
            raise invalid(
                f"Invalid type for 'input[{index}]': an object is expected.",
                param=f"input[{index}]",
                code="invalid_type",
            )
        text = _item_text(seen, item)
        if item.get("role") in SYSTEM_ROLES:
            system = system or text
        elif item.get("role") == "user":
            first = first or text
    set_parts(asked, seen, "input")
    return first, system


def _item_text(seen: PromptSeen, item: dict[str, Any]) -> str:
    """Take one item: a message, a call and its output, a reference."""
    text = seen.content(item["content"]) if "content" in item else ""
    for key, value in item.items():
        if key in ("output", "summary") and isinstance(value, list):
            seen.content(value)
        elif key in ("output", "arguments", "input", "summary"):
            seen.tree(value)
        elif key in ("image_url", "file_url", "file_data"):
            seen.part({key: value})
    return text


def _set_needs(asked: Asked, wanted: _Responses) -> None:
    needs = NOTHING
    if wanted.tools:
        needs |= TOOLS
        asked.text_bytes_count += len(bytes(asked.fields["tools"]))
    if wanted.text is not None and wanted.text.format is not None:
        needs |= format_needs(wanted.text.format)
        if "json_schema" in needs:
            asked.text_bytes_count += len(bytes(asked.fields["text"]))
    if wanted.top_logprobs or (wanted.include is not None and LOGPROBS in wanted.include):
        needs |= {"logprobs"}
    if needs:
        asked.needs |= needs
