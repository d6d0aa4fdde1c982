"""Verb: read `POST /v1/embeddings`."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from tokenergy.serve.body import checked_model, typed
from tokenergy.serve.governed import Asked
from tokenergy.serve.openai_chat import set_parts
from tokenergy.serve.openai_completions import Prompt, prompts_of
from tokenergy.serve.openai_error import invalid, missing
from tokenergy.serve.prompt_parts import PromptSeen


class _Embeddings(msgspec.Struct, gc=False):
    model: str
    input: Prompt | None = None
    messages: list[dict[str, Any]] | None = None
    service_tier: str | None = None
    stream: bool | None = None
    safety_identifier: str | None = None
    user: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Embeddings)


def read_embeddings(body: bytes, fields: dict[str, Raw]) -> Asked:
    """Return a request for embeddings; it has no output tokens, and one answer for each text.

    Raises:
        ApiError: 400.
    """
    wanted = typed(_DECODER, body)
    if wanted.stream:
        raise invalid("Embeddings cannot be streamed.", param="stream")
    asked = Asked(
        endpoint="embeddings",
        model=checked_model(wanted.model),
        fields=fields,
        service_tier=wanted.service_tier,
        user=wanted.safety_identifier or wanted.user or "",
    )
    if wanted.input is not None:
        count, text_bytes, ids_count, _ = prompts_of(wanted.input, "input")
        asked.answers_count = count
        asked.text_bytes_count, asked.other_tokens = text_bytes, ids_count
    elif wanted.messages is None:
        raise missing("input")
    if wanted.messages is not None:
        # vLLM embeds a chat, with its pictures
        seen = PromptSeen()
        for message in wanted.messages:
            seen.content(message.get("content"))
        set_parts(asked, seen, "messages")
    return asked
