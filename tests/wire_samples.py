"""Streams and bodies in the forms of real servers, written by hand with few tokens."""

import json
from typing import Any


def chat_body(**fields: Any) -> bytes:
    """Return a chat request; a field of None is left out."""
    body = {"model": "chat-auto", "messages": [{"role": "user", "content": "Hello"}]} | fields
    return json.dumps({key: value for key, value in body.items() if value is not None}).encode()


def event(data: Any) -> bytes:
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


def named(kind: str, **data: Any) -> bytes:
    text = json.dumps({"type": kind, **data}, separators=(",", ":")).encode()
    return b"event: " + kind.encode() + b"\ndata: " + text + b"\n\n"


DONE = b"data: [DONE]\n\n"


def vllm_chat(texts: list[str], *, usage: bool = True, continuous: bool = False) -> list[bytes]:
    """Return vLLM's events: role first, a chunk for each token, the reason, maybe the usage."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "served"}

    def chunk(delta: dict[str, Any], reason: str | None, count: int) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        told = head | {"choices": [choice]}
        return event(told | {"usage": vllm_usage(count)} if continuous else told)

    events = [chunk({"role": "assistant", "content": ""}, None, 0)]
    events += [chunk({"content": text}, None, n) for n, text in enumerate(texts, 1)]
    events.append(chunk({"content": ""}, "stop", len(texts)))
    if usage:
        events.append(event(head | {"choices": [], "usage": vllm_usage(len(texts))}))
    return [*events, DONE]


def vllm_usage(count: int) -> dict[str, int]:
    return {"prompt_tokens": 20, "total_tokens": 20 + count, "completion_tokens": count}


def llama_chat(texts: list[str], *, usage: bool = True) -> list[bytes]:
    """Return llama.cpp's events: `choices` first, the model behind, timings with the usage."""
    tail = {"created": 7, "id": "chatcmpl-2", "model": "served", "system_fingerprint": "b0"}
    tail |= {"object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        return event({"choices": [{"finish_reason": reason, "index": 0, "delta": delta}]} | tail)

    events = [chunk({"role": "assistant", "content": None})]
    events += [chunk({"content": text}) for text in texts]
    events.append(chunk({}, "length"))
    if usage:
        details = {"prompt_tokens_details": {"cached_tokens": 12}}
        told = {"choices": []} | tail | {"usage": vllm_usage(len(texts)) | details}
        events.append(event(told | {"timings": {"cache_n": 12, "prompt_ms": 559.204}}))
    return [*events, DONE]


def openai_chat(texts: list[str], *, usage: bool = True) -> list[bytes]:
    """Return OpenAI's events: usage null in all but the last, padding of a changing length."""
    head = {"id": "chatcmpl-3", "object": "chat.completion.chunk", "created": 7}
    head |= {"model": "served", "service_tier": "default", "system_fingerprint": None}

    def chunk(delta: dict[str, Any], reason: str | None, n: int) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        told = head | {"choices": [choice], "obfuscation": "x" * (n % 5)}
        return event(told | {"usage": None} if usage else told)

    events = [chunk({"role": "assistant", "content": "", "refusal": None}, None, 0)]
    events += [chunk({"content": text}, None, n) for n, text in enumerate(texts, 1)]
    events.append(chunk({}, "stop", 3))
    if usage:
        thought = {"completion_tokens_details": {"reasoning_tokens": 1}}
        events.append(event(head | {"choices": [], "usage": vllm_usage(len(texts)) | thought}))
    return [*events, DONE]


def sglang_chat(texts: list[str]) -> list[bytes]:
    """Return SGLang's events: many nulls, usage null until the last."""
    head = {"id": "4", "object": "chat.completion.chunk", "created": 7, "model": "served"}

    def chunk(content: str | None, reason: str | None, role: str | None = None) -> bytes:
        delta = {"role": role, "content": content, "reasoning_content": None, "tool_calls": None}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return event(head | {"choices": [choice | {"matched_stop": None}], "usage": None})

    events = [chunk("", None, "assistant"), *(chunk(text, None) for text in texts)]
    events += [chunk(None, "stop"), event(head | {"choices": [], "usage": vllm_usage(len(texts))})]
    return [*events, DONE]


def responses_stream(texts: list[str]) -> list[bytes]:
    """Return the events of a response, as OpenAI and vLLM send them."""
    begun = {"id": "resp_1", "object": "response", "created_at": 7, "model": "served"}
    begun |= {"output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    usage = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 16, "cache_write_tokens": 0},
        "output_tokens": len(texts),
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 20 + len(texts),
    }
    deltas = [
        named("response.output_text.delta", **place, delta=text, logprobs=[], sequence_number=n)
        for n, text in enumerate(texts, 1)
    ]
    last = len(texts) + 1
    return [
        named("response.created", response=begun | {"status": "in_progress"}, sequence_number=0),
        *deltas,
        named(
            "response.output_text.done",
            **place,
            text="".join(texts),
            logprobs=[],
            sequence_number=last,
        ),
        named(
            "response.completed",
            response=begun | {"status": "completed", "usage": usage, "service_tier": None},
            sequence_number=last + 1,
        ),
    ]
