"""Bodies and events of `faulty_upstream`: OpenAI's shapes, our figures."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faulty_upstream import Behaviour

WORD = " tok"


def error_body(status: int) -> bytes:
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": f"told to say {status}", "type": kind, "param": None, "code": None}
    return json.dumps({"error": error}).encode()


def usage_of(endpoint: str, behaviour: "Behaviour", tokens: int) -> dict[str, Any] | None:
    """The usage object; the Responses API has names of its own."""
    if behaviour.usage == "omit":
        return None
    zero = behaviour.usage == "zero"
    prompt, cached = (0, 0) if zero else (behaviour.prompt_tokens, behaviour.cached_tokens)
    tokens = 0 if zero else tokens
    total = prompt + tokens
    if behaviour.usage == "inconsistent":
        cached, total = prompt + 5, total - 1
    if endpoint == "embeddings":
        return {"prompt_tokens": prompt, "total_tokens": prompt}
    if endpoint == "responses":
        return {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": total,
        }
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def answer_of(endpoint: str, asked: dict[str, Any], behaviour: "Behaviour", tokens: int) -> bytes:
    """A whole answer."""
    model, text = asked.get("model", "m"), WORD * tokens
    finish = "length" if tokens < behaviour.completion_tokens else "stop"
    body: dict[str, Any]
    if endpoint == "responses":
        body = _response(model, behaviour, tokens, status="completed", text=text)
    elif endpoint == "embeddings":
        vectors = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 1.0]}]
        body = {"object": "list", "model": model, "data": vectors}
        body["usage"] = usage_of(endpoint, behaviour, tokens)
    else:
        body = {"id": "x-1", "object": _object(endpoint), "created": 1, "model": model}
        choice = {"text": text} if endpoint == "completions" else {
            "message": {"role": "assistant", "content": text}
        }  # fmt: skip
        body["choices"] = [
            {"index": at, **choice, "logprobs": None, "finish_reason": finish}
            for at in range(asked.get("n") or 1)
        ]
        body["usage"] = usage_of(endpoint, behaviour, tokens)
    if body.get("usage") is None:
        body.pop("usage", None)
    if behaviour.pad_bytes:
        body["pad"] = "x" * behaviour.pad_bytes
    return json.dumps(body).encode()


def events_of(
    endpoint: str, asked: dict[str, Any], behaviour: "Behaviour", tokens: int
) -> Iterator[tuple[bool, bytes]]:
    """The events of a stream, and whether each is a token."""
    if endpoint == "responses":
        yield from _responses_events(asked, behaviour, tokens)
        return
    if behaviour.fault == "garbage_sse":
        yield False, b"data: {this is no JSON\n\n"
    options = asked.get("stream_options") or {}
    base = {"id": "x-1", "object": _object(endpoint, stream=True), "created": 1}
    base["model"] = asked.get("model", "m")
    if behaviour.pad_bytes:
        base["pad"] = "x" * behaviour.pad_bytes

    def event(choices: list[Any], count: int | None) -> bytes:
        usage = None if count is None else usage_of(endpoint, behaviour, count)
        body = {**base, "choices": choices}
        if options.get("include_usage"):
            body["usage"] = usage
        return _data(body)

    def choice(text: str, finish: str | None) -> dict[str, Any]:
        if endpoint == "completions":
            return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}

    running = bool(options.get("continuous_usage_stats"))
    for at in range(tokens):
        whole = event([choice(WORD, None)], at + 1 if running else None)
        if behaviour.fault == "half_event" and at == tokens - 1:
            yield False, whole[: len(whole) // 2]
            return
        yield True, whole
    finish = "length" if tokens < behaviour.completion_tokens else "stop"
    yield False, event([choice("", finish)], tokens if running else None)
    if options.get("include_usage") and behaviour.usage != "omit":
        yield False, event([], tokens)
    if behaviour.fault != "no_done":
        yield False, b"data: [DONE]\n\n"


def _responses_events(
    asked: dict[str, Any], behaviour: "Behaviour", tokens: int
) -> Iterator[tuple[bool, bytes]]:
    model = asked.get("model", "m")

    def named(kind: str, **more: Any) -> bytes:
        return b"event: " + kind.encode() + b"\n" + _data({"type": kind, **more})

    yield (
        False,
        named("response.created", response=_response(model, behaviour, 0, status="in_progress")),
    )
    if behaviour.fault == "garbage_sse":
        yield False, b"data: {this is no JSON\n\n"
    for at in range(tokens):
        whole = named("response.output_text.delta", item_id="i", output_index=0, delta=WORD)
        if behaviour.fault == "half_event" and at == tokens - 1:
            yield False, whole[: len(whole) // 2]
            return
        yield True, whole
    if behaviour.fault != "no_done":
        done = _response(model, behaviour, tokens, status="completed", text=WORD * tokens)
        yield False, named("response.completed", response=done)


def _response(
    model: str, behaviour: "Behaviour", tokens: int, *, status: str, text: str = ""
) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "i", "status": status, "role": "assistant", "content": [part]}
    body: dict[str, Any] = {"id": "r-1", "object": "response", "created_at": 1, "model": model}
    body |= {"status": status, "output": [item] if text else []}
    body |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    if status == "completed":
        body["usage"] = usage_of("responses", behaviour, tokens)
    return body


def _object(endpoint: str, *, stream: bool = False) -> str:
    if endpoint == "completions":
        return "text_completion"
    return "chat.completion.chunk" if stream else "chat.completion"


def _data(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"
