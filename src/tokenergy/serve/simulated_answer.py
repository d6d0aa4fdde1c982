"""What a simulated model server says: OpenAI's shapes, and in each of them that nothing was run."""

from base64 import b64encode
from collections.abc import Iterator
from itertools import cycle, islice
from struct import pack
from typing import Any, Final, Literal, NamedTuple
from zlib import crc32

import msgspec

Endpoint = Literal["chat", "completions", "responses", "embeddings", "models"]
FINGERPRINT: Final = "tokenergy-simulated"
"""Stands as `system_fingerprint` in every answer that has one, and in its id."""
WORDS: Final = ("This", " answer", " is", " simulated", " by", " Tokenergy", ";", " no", " model",
                " has", " run", ".", " ")  # fmt: skip
"""One token each, over and over."""
BYTES_PER_TOKEN: Final = 4
IMAGE_TOKENS: Final = 256
"""Input tokens of whatever is no text."""
VECTOR_COUNT: Final = 64
"""Numbers of an embedding where the request names none."""
PATHS: Final[dict[str, Endpoint]] = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
    "/v1/embeddings": "embeddings",
    "/v1/models": "models",
}
_CAPS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_encode: Final = msgspec.json.Encoder().encode


class Asked(NamedTuple):
    """A request that can be answered.

    Attributes:
        output_tokens: of all its answers together.
        cut: whether the cap ended it.
        usage_told, usage_running: whether a stream tells its usage, at its end or all along.
        vector_count, as_base64: of an embedding.
        inputs_count: things to embed.
        digest: of the body, so that ids and vectors are the same for the same body.
    """

    endpoint: Endpoint
    model: str
    stream: bool
    prompt_tokens: int
    output_tokens: int
    answers_count: int
    cut: bool
    usage_told: bool
    usage_running: bool
    vector_count: int
    as_base64: bool
    inputs_count: int
    digest: int


class Refusal(NamedTuple):
    """A request that cannot be answered; always the caller's fault."""

    status: int
    message: str
    param: str | None

    def body(self) -> bytes:
        """Return it in OpenAI's shape."""
        return _encode(
            {
                "error": {
                    "message": f"{self.message} ({FINGERPRINT})",
                    "type": "invalid_request_error",
                    "param": self.param,
                    "code": None,
                }
            }
        )


def read(path: str, body: bytes, *, model: str, natural_tokens: int) -> Asked | Refusal:
    """Return what a call asks for.

    Args:
        path: of the call.
        body: its JSON.
        model: the only one that is known.
        natural_tokens: length of an answer that no cap cuts.
    """
    endpoint = PATHS.get(path.partition("?")[0])
    if endpoint is None:
        return Refusal(404, "unknown path", None)
    try:
        told = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError:
        return Refusal(400, "the body is no JSON", None)
    if not isinstance(told, dict):
        return Refusal(400, "the body is no object", None)
    if endpoint != "models" and told.get("model") != model:
        return Refusal(404, "the model does not exist here", "model")
    inputs = told.get({"chat": "messages", "completions": "prompt"}.get(endpoint, "input"))
    if endpoint != "models" and not inputs:
        return Refusal(400, "there is nothing to answer", "messages")
    caps = [told[name] for name in _CAPS if isinstance(told.get(name), int)]
    each_tokens = min([natural_tokens, *(cap for cap in caps if cap > 0)])
    answers = told.get("n") if isinstance(told.get("n"), int) else 1
    answers_count = min(max(1, answers or 1), 128) if endpoint in ("chat", "completions") else 1
    options = told.get("stream_options")
    options = options if isinstance(options, dict) else {}
    return Asked(
        endpoint=endpoint,
        model=model,
        stream=told.get("stream") is True and endpoint not in ("embeddings", "models"),
        prompt_tokens=_tokens_of(inputs),
        output_tokens=0 if endpoint in ("embeddings", "models") else each_tokens * answers_count,
        answers_count=answers_count,
        cut=each_tokens < natural_tokens,
        usage_told=options.get("include_usage") is True,
        usage_running=options.get("continuous_usage_stats") is True,
        vector_count=_vector_count(told.get("dimensions")),
        as_base64=told.get("encoding_format") == "base64",
        inputs_count=len(inputs) if isinstance(inputs, list) else 1,
        digest=crc32(body),
    )


def _vector_count(told: object) -> int:
    return min(told, 4_096) if isinstance(told, int) and told > 0 else VECTOR_COUNT


def _tokens_of(told: object) -> int:
    """Return tokens of an input: bytes of its texts by four, and a fixed number for all else."""
    text_bytes, other_tokens = 0, 0
    rest = [told]
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            text_bytes += len(part.encode("utf-8", "surrogatepass"))
        elif isinstance(part, list):
            rest.extend(part)
        elif isinstance(part, dict):
            kind = part.get("type")
            if kind in (None, "text", "input_text", "output_text", "message"):
                rest += [part.get(name) for name in ("content", "text")]
            else:
                other_tokens += IMAGE_TOKENS
        elif isinstance(part, int) and not isinstance(part, bool):
            other_tokens += 1
    return -(-text_bytes // BYTES_PER_TOKEN) + other_tokens


class Answer:
    """The answer to a request, whole or as events."""

    def __init__(self, asked: Asked, *, created_s: int) -> None:
        """Say nothing yet.

        Args:
            asked: the request.
            created_s: moment that it tells, seconds since the Unix epoch.
        """
        self._asked, self._created_s = asked, created_s
        self._id = f"{FINGERPRINT}-{asked.digest:08x}"
        self._finish = "length" if asked.cut else "stop"
        self._each_tokens = asked.output_tokens // asked.answers_count

    def whole(self) -> bytes:
        """Return the whole answer."""
        asked = self._asked
        if asked.endpoint == "models":
            listed = {"id": asked.model, "object": "model", "created": 0, "owned_by": FINGERPRINT}
            return _encode({"object": "list", "data": [listed]})
        if asked.endpoint == "embeddings":
            return _encode(self._embeddings())
        text = _text(self._each_tokens)
        if asked.endpoint == "responses":
            return _encode(self._response(text, asked.output_tokens, done=True))
        choices = [self._choice(at, text, self._finish) for at in range(asked.answers_count)]
        return _encode(
            {**self._base(), "choices": choices, "usage": self._usage(asked.output_tokens)}
        )

    def events(self) -> Iterator[tuple[int, bytes]]:
        """Yield the events of a stream, each with its tokens, 0 or 1."""
        if self._asked.endpoint == "responses":
            yield from self._response_events()
            return
        asked = self._asked
        told_tokens = 0
        for word in islice(cycle(WORDS), self._each_tokens):
            for at in range(asked.answers_count):
                told_tokens += 1
                running = told_tokens if asked.usage_running else None
                yield 1, self._event([self._delta(at, word, None)], running)
        ends = [self._delta(at, "", self._finish) for at in range(asked.answers_count)]
        yield 0, self._event(ends, told_tokens if asked.usage_running else None)
        if asked.usage_told:
            yield 0, self._event([], told_tokens)
        yield 0, b"data: [DONE]\n\n"

    def _base(self) -> dict[str, Any]:
        kind = "text_completion"
        if self._asked.endpoint == "chat":
            kind = "chat.completion.chunk" if self._asked.stream else "chat.completion"
        return {
            "id": self._id,
            "object": kind,
            "created": self._created_s,
            "model": self._asked.model,
            "system_fingerprint": FINGERPRINT,
        }

    def _choice(self, at: int, text: str, finish: str) -> dict[str, Any]:
        said: dict[str, Any] = {"text": text}
        if self._asked.endpoint == "chat":
            said = {"message": {"role": "assistant", "content": text, "refusal": None}}
        return {"index": at, **said, "logprobs": None, "finish_reason": finish}

    def _delta(self, at: int, word: str, finish: str | None) -> dict[str, Any]:
        said: dict[str, Any] = {"text": word}
        if self._asked.endpoint == "chat":
            said = {"delta": {"role": "assistant", "content": word} if word else {}}
        return {"index": at, **said, "logprobs": None, "finish_reason": finish}

    def _event(self, choices: list[Any], told_tokens: int | None) -> bytes:
        body = {**self._base(), "choices": choices}
        if self._asked.usage_told:
            body["usage"] = None if told_tokens is None else self._usage(told_tokens)
        return b"data: " + _encode(body) + b"\n\n"

    def _usage(self, output_tokens: int) -> dict[str, Any]:
        prompt_tokens = self._asked.prompt_tokens
        total_tokens = prompt_tokens + output_tokens
        if self._asked.endpoint == "embeddings":
            return {"prompt_tokens": prompt_tokens, "total_tokens": total_tokens}
        if self._asked.endpoint == "responses":
            return {
                "input_tokens": prompt_tokens,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": total_tokens,
            }
        return {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": total_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    def _embeddings(self) -> dict[str, Any]:
        asked = self._asked
        rows = []
        for index in range(asked.inputs_count):
            vector = [
                ((asked.digest * 31 + index * 17 + at * 7_919) % 2_001 - 1_000) / 1_000
                for at in range(asked.vector_count)
            ]
            told: object = vector
            if asked.as_base64:
                told = b64encode(pack(f"<{len(vector)}f", *vector)).decode()
            rows.append({"object": "embedding", "index": index, "embedding": told})
        return {
            "object": "list",
            "data": rows,
            "model": asked.model,
            "system_fingerprint": FINGERPRINT,
            "usage": self._usage(0),
        }

    # ---- the Responses API, which has words of its own ----

    def _response(self, text: str, output_tokens: int, *, done: bool) -> dict[str, Any]:
        cut = self._asked.cut
        ended = "incomplete" if cut else "completed"
        return {
            "id": f"resp-{self._id}",
            "object": "response",
            "created_at": self._created_s,
            "status": ended if done else "in_progress",
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if done and cut else None,
            "instructions": None,
            "metadata": {"simulated_by": FINGERPRINT},
            "model": self._asked.model,
            "output": [self._item(text, ended)] if done else [],
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": self._usage(output_tokens) if done else None,
        }

    def _item(self, text: str, status: str) -> dict[str, Any]:
        content = [_part(text)] if text else []
        return {
            "type": "message",
            "id": f"msg-{self._id}",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def _response_events(self) -> Iterator[tuple[int, bytes]]:
        asked, number = self._asked, 0
        place = {"item_id": f"msg-{self._id}", "output_index": 0, "content_index": 0}

        def event(kind: str, **more: Any) -> bytes:
            nonlocal number
            body = {"type": kind, "sequence_number": number, **more}
            number += 1
            return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(body))

        began = self._response("", 0, done=False)
        yield 0, event("response.created", response=began)
        yield 0, event("response.in_progress", response=began)
        item = self._item("", "in_progress")
        yield 0, event("response.output_item.added", output_index=0, item=item)
        yield 0, event("response.content_part.added", **place, part=_part(""))
        for word in islice(cycle(WORDS), asked.output_tokens):
            yield 1, event("response.output_text.delta", **place, delta=word, logprobs=[])
        text = _text(asked.output_tokens)
        ended = "incomplete" if asked.cut else "completed"
        yield 0, event("response.output_text.done", **place, text=text, logprobs=[])
        yield 0, event("response.content_part.done", **place, part=_part(text))
        item = self._item(text, ended)
        yield 0, event("response.output_item.done", output_index=0, item=item)
        done = self._response(text, asked.output_tokens, done=True)
        yield 0, event(f"response.{ended}", response=done)


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _text(tokens_count: int) -> str:
    """Return so many tokens of text."""
    return "".join(islice(cycle(WORDS), tokens_count))
