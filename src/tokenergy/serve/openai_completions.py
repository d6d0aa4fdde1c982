"""Verb: read `POST /v1/completions`."""

from typing import Final

import msgspec
from msgspec import Raw

from tokenergy.serve.body import answers_of, cap_of, checked_model, typed
from tokenergy.serve.governed import NOTHING, Asked
from tokenergy.serve.openai_chat import ResponseFormat, StreamOptions, format_needs, set_stream
from tokenergy.serve.openai_error import invalid, missing
from tokenergy.serve.prompt_parts import bytes_of, head_of

MOST_PROMPTS_COUNT: Final = 2_048
"""OpenAI's bound of prompts, or of texts to embed, in one request."""

Prompt = str | list[str | int | list[int]]


class _Completions(msgspec.Struct, gc=False):
    model: str
    prompt: Prompt | None = None
    suffix: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n_predict: int | None = None
    n: int | None = None
    best_of: int | None = None
    service_tier: str | None = None
    response_format: ResponseFormat | None = None
    logprobs: int | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Completions)


def read_completions(body: bytes, fields: dict[str, Raw]) -> Asked:
    """Return a completion request.

    Raises:
        ApiError: 400.
    """
    wanted = typed(_DECODER, body)
    if wanted.prompt is None:
        raise missing("prompt")
    prompts_count, text_bytes, ids_count, first = prompts_of(wanted.prompt, "prompt")
    each = max(answers_of("n", wanted.n), answers_of("best_of", wanted.best_of))
    suffix = wanted.suffix or ""
    asked = Asked(
        endpoint="completions",
        model=checked_model(wanted.model),
        fields=fields,
        cap_tokens=cap_of(
            "completions", wanted.max_tokens, wanted.max_completion_tokens, wanted.n_predict
        ),
        answers_count=each * prompts_count,
        text_bytes_count=text_bytes + bytes_of(suffix),
        messages_count=prompts_count,
        other_tokens=ids_count,
        service_tier=wanted.service_tier,
        needs=NOTHING if wanted.logprobs is None else frozenset({"logprobs"}),
        head=(
            b"k" + wanted.prompt_cache_key.encode()
            if wanted.prompt_cache_key
            else head_of("", first)
        ),
        user=wanted.safety_identifier or wanted.user or "",
    )
    if wanted.response_format is not None:
        asked.needs |= format_needs(wanted.response_format)
    set_stream(asked, wanted.stream, wanted.stream_options)
    return asked


def prompts_of(prompt: Prompt, name: str) -> tuple[int, int, int, str]:
    """Return the number of prompts, their bytes of text, their token ids, and their first text.

    Raises:
        ApiError: 400 for an empty list, one of mixed kinds, or one of too many.
    """
    if isinstance(prompt, str):
        return 1, bytes_of(prompt), 0, prompt
    if not prompt:
        raise invalid(f"Invalid '{name}': empty array.", param=name, code="empty_array")
    kinds = {type(one) for one in prompt}
    if len(kinds) > 1:
        raise invalid(
            f"Invalid '{name}': texts, token ids and arrays of them cannot be mixed.",
            param=name,
            code="invalid_type",
        )
    if kinds == {int}:
        return 1, 0, len(prompt), " ".join(map(str, prompt[:256]))
    if len(prompt) > MOST_PROMPTS_COUNT:
        raise invalid(
            f"Invalid '{name}': {len(prompt)} prompts are more than {MOST_PROMPTS_COUNT}.",
            param=name,
            code="array_above_max_length",
        )
    text_bytes, ids_count = 0, 0
    for one in prompt:
        if isinstance(one, str):
            text_bytes += bytes_of(one)
        elif isinstance(one, list):
            ids_count += len(one)
    first = prompt[0]
    head = first if isinstance(first, str) else " ".join(map(str, _ids(first)[:256]))
    return len(prompt), text_bytes, ids_count, head


def _ids(prompt: int | list[int]) -> list[int]:
    return prompt if isinstance(prompt, list) else [prompt]
