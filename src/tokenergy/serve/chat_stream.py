"""Noun: a stream of chat completions, or of completions.

A usual chunk differs from the one before in its text alone. So the bytes before and after the text
of a chunk that was parsed are kept, and a chunk that begins and ends with them, and has no quote
and no backslash between, is known to be one more of the same without parsing it.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from tokenergy.serve.answer_json import EMPTY, garbage, model_field, size_of, tier_field, truthful
from tokenergy.serve.answer_stream import Detail, EventStream, encode
from tokenergy.serve.events import cut, read_event
from tokenergy.serve.openai_error import ApiError
from tokenergy.serve.openai_usage import Reported, UsageSeen, reported, reported_in
from tokenergy.serve.stream_error import stream_error

NEVER: Final = b"\xff\xfe" * 32
"""No chunk begins and ends with it: it is no UTF-8."""
DONE: Final = b"[DONE]"
ABSENT: Final = (b"", b"null")
USAGE_FIELD: Final = b',"usage":'
LESSONS_COUNT: Final = 8
"""So many chunks may be learned in vain before learning stops."""

_TEXT: Final = re.compile(rb'"(?:content|text|reasoning_content|reasoning)"\s*:\s*"')
_USAGE: Final = re.compile(rb',\s*"usage"\s*:\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}')


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: Raw = EMPTY
    function_call: Raw = EMPTY
    audio: Raw = EMPTY


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: Reported | None = None
    error: Raw = EMPTY


_decode = msgspec.json.Decoder(_Chunk).decode
_decode_usage = msgspec.json.Decoder(Reported).decode
_decode_any = msgspec.json.Decoder().decode


class ChatStream(EventStream):
    """A stream of chat completions, or of completions; see `answer_stream.Stream`."""

    __slots__ = (
        "_after",
        "_after_count",
        "_before",
        "_before_count",
        "_by_choice",
        "_detail",
        "_held_usage",
        "_joint",
        "_lessons_count",
        "_middle",
        "_model_field",
        "_plain",
        "_show_usage",
        "_strips",
        "_taught_count",
        "_tier_field",
        "_told_after",
        "_told_before",
        "_told_joint",
        "_usage_is_last",
    )

    def __init__(
        self,
        endpoint: str,
        *,
        served: str,
        name: str,
        show_usage: bool,
        hide_continuous: bool = False,
        service_tier: str | None = None,
        detail: bool = False,
    ) -> None:
        """Begin; see `stream_of`."""
        super().__init__(endpoint)
        self._show_usage = show_usage or detail
        self._strips = hide_continuous or not self._show_usage
        self._detail = detail
        self._model_field = b"" if served == name else model_field(name)
        self._tier_field = b"" if service_tier is None else tier_field(service_tier)
        self._plain = not self._model_field and not self._tier_field
        self._held_usage = b""
        self._by_choice: dict[int, UsageSeen] = {}
        self._usage_is_last = False
        self._lessons_count = LESSONS_COUNT
        self._taught_count = 0
        self._forget()

    # ---- what comes in ---------------------------------------------------------------------

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes of the server's body; return what goes to the client now, maybe b""."""
        if chunk.startswith(self._before):
            told = self._more(chunk) if chunk.endswith(self._after) else self._counted_more(chunk)
            if told is not None:
                return told
        return b"" if self.ended else self._feed(chunk)

    def _more(self, chunk: bytes) -> bytes | None:
        """Return what goes on of usual events, known by what stands around their texts."""
        text = chunk[self._before_count : -self._after_count]
        if not text or b"\\" in text:
            return None
        if b'"' not in text:
            if b"\n" in text:
                return None
            self.chunks_count += 1
            self.told_bytes_count += len(text)
            return chunk if self._plain else self._told_before + text + self._told_after
        texts = text.split(self._joint)
        joined = b"".join(texts)
        if b'"' in joined or b"\n" in joined or not all(texts):
            return None
        self.chunks_count += len(texts)
        self.told_bytes_count += len(joined)
        return self._told_before + self._told_joint.join(texts) + self._told_after

    def _counted_more(self, chunk: bytes) -> bytes | None:
        """Return what goes on of one usual event that carries its usage so far."""
        begin, middle = self._before_count, self._middle
        end = chunk.find(b'"', begin)
        if end <= begin or not chunk.startswith(middle, end) or not chunk.endswith(b"}\n\n"):
            return None
        text = chunk[begin:end]
        if b"\\" in text or b"\n" in text:
            return None
        try:
            seen = reported(_decode_usage(chunk[end + len(middle) : -3]), "counted")
        except (msgspec.DecodeError, RecursionError):
            return None
        self.chunks_count += 1
        self.told_bytes_count += len(text)
        if seen is not None:
            self.seen = seen
        return self._told_before + text + self._told_after

    def _feed(self, chunk: bytes) -> bytes:
        cutter = self._cutter
        if not cutter.holds and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            events = cut(chunk)
        else:
            events = cutter.whole(chunk)
            if cutter.overflowed:
                self._fail(garbage())
                return b""
        told = self._event(events[0]) if len(events) == 1 else b"".join(map(self._event, events))
        if cutter.holds or self.ended:
            # a chunk must not be taken for a whole event in the middle of another
            self._forget()
        return told

    def _event(self, event: bytes) -> bytes:
        """Take one whole event; return what of it goes on."""
        if self.ended:
            return b""
        read = read_event(event)
        if read is None:
            self._fail(garbage())
            return b""
        name, data = read
        if data is None:
            return event
        if data.startswith(b"[") and data.strip() == DONE:
            self.ended, self.ending = True, event
            return b""
        try:
            chunk = _decode(data)
        except msgspec.ValidationError:
            return self._odd(event, data)
        except (msgspec.DecodeError, RecursionError):
            self._fail(garbage())
            return b""
        if name == b"error" or bytes(chunk.error) not in ABSENT:
            self._fail(stream_error(data))
            return b""
        return self._chunk(event, chunk)

    def _chunk(self, event: bytes, chunk: _Chunk) -> bytes:
        if not self.model:
            self.model, self.answer_id = chunk.model or "", chunk.id or ""
        choices = chunk.choices
        said = 0
        if choices:
            for choice in choices:
                if choice.finish_reason is not None and self.finish != "length":
                    self.finish = choice.finish_reason
                said += self._count(choice)
            usual = said == 1 == len(choices) and choices[0].finish_reason is None
            if usual and self._lessons_count > 0:
                self._learn(event, with_usage=chunk.usage is not None)
        if chunk.usage is not None:
            return self._usage_event(event, chunk)
        return event if self._plain else self._renamed(event)

    def _count(self, choice: _Choice) -> int:
        """Count a choice's part of a chunk as a token, if it has any; return 1 then, else 0."""
        delta = choice.delta
        text = choice.text
        if delta is not None:
            text = delta.content or delta.reasoning_content or delta.reasoning or delta.refusal
            if not text:
                size = size_of((delta.tool_calls, delta.function_call, delta.audio))
                if size <= 0:
                    return 0
                # calls come in pieces of text inside an object of some size: one token each
                self.chunks_count += 1
                return 2
        if not text:
            return 0
        self.chunks_count += 1
        self.told_bytes_count += len(text) if text.isascii() else len(text.encode())
        return 1

    def _odd(self, event: bytes, data: bytes) -> bytes:
        """Take an event whose fields have other types than OpenAI's: it goes on as it came."""
        try:
            read: Any = _decode_any(data)
        except (msgspec.DecodeError, RecursionError):
            self._fail(garbage())
            return b""
        if not isinstance(read, dict):
            self._fail(garbage())
            return b""
        if read.get("error"):
            self._fail(stream_error(data))
            return b""
        choices = read.get("choices")
        if isinstance(read.get("usage"), dict):
            seen = reported_in(encode(read["usage"]))
            if seen is not None:
                self.seen, self._usage_is_last = seen, True
            if not choices and not self._show_usage:
                return b""
        if choices:
            self.chunks_count += 1
        return self._renamed(event)

    # ---- usage ------------------------------------------------------------------------------

    def _usage_event(self, event: bytes, chunk: _Chunk) -> bytes:
        """Take an event with usage: the last one, or one of many (continuous)."""
        choices = chunk.choices
        if not choices:
            seen = reported(chunk.usage)
            if seen is not None:
                self.seen, self._usage_is_last = seen, True
            if not self._show_usage:
                return b""
            told = self._renamed(event)
            if self._detail:
                self._held_usage = told
                return b""
            return told
        if not self._usage_is_last:
            seen = reported(chunk.usage, "reported" if self.finish else "counted")
            if seen is not None:
                self._continuous(choices, seen)
        if self._strips:
            event = _USAGE.sub(b"", event, count=1)
        return self._renamed(event)

    def _continuous(self, choices: list[_Choice], seen: UsageSeen) -> None:
        """Keep a usage so far: of several answers each has its own, and the prompt counts once."""
        by_choice = self._by_choice
        for choice in choices:
            by_choice[choice.index] = seen
        if len(by_choice) > 1 and len(choices) == 1:
            seen = seen._replace(
                output_tokens=sum(one.output_tokens for one in by_choice.values()),
                reasoning_tokens=sum(one.reasoning_tokens for one in by_choice.values()),
            )
        self.seen = seen

    # ---- what goes out ----------------------------------------------------------------------

    def _renamed(self, event: bytes) -> bytes:
        """Return an event with our name of the model and the tier that was really given."""
        if self._plain:
            return event
        return truthful(event, self._model_field, self._tier_field)

    def _forget(self) -> None:
        self._before = self._after = self._middle = NEVER
        self._joint = self._told_joint = self._told_before = self._told_after = NEVER
        self._before_count = self._after_count = len(NEVER)

    def _learn(self, event: bytes, *, with_usage: bool) -> None:
        """Keep what stands around the text of a usual event.

        Its parse found one choice with one text. Where that text has neither quote nor backslash,
        any other such text between the same bytes parses alike.
        """
        if self.chunks_count - self._taught_count > 1:
            self._lessons_count = LESSONS_COUNT
        self._taught_count = self.chunks_count
        self._lessons_count -= 1
        places = [found.end() for found in _TEXT.finditer(event) if event[found.end()] != 0x22]
        if len(places) != 1 or not event.startswith(b"data: {"):
            return
        begin = places[0]
        end = event.find(b'"', begin)
        if b"\\" in event[begin:end]:
            return
        before, after = event[:begin], event[end:]
        if with_usage:
            at = after.find(USAGE_FIELD)
            if at < 0 or not self._strips:
                return
            self._middle = after[: at + len(USAGE_FIELD)]
            after = _USAGE.sub(b"", after, count=1)
            self._after, self._after_count = NEVER, len(NEVER)
        else:
            self._after, self._after_count = after, len(after)
            self._middle = NEVER
        self._before, self._before_count = before, begin
        told = self._renamed(before + NEVER + after)
        self._told_before, _, self._told_after = told.partition(NEVER)
        self._joint = after + before
        self._told_joint = self._told_after + self._told_before

    def _fail(self, error: ApiError) -> None:
        super()._fail(error)
        self._forget()

    def closing(self, detail: Detail | None = None) -> bytes:
        """Return what is left to send, once its record is written."""
        if not self._detail or detail is None or self.error is not None:
            return self._held_usage + self.ending
        shown = b',"tokenergy":' + encode(detail) + b"}\n\n"
        held = self._held_usage.rstrip()
        if held.endswith(b"}"):
            return held[:-1] + shown + self.ending
        kind = "chat.completion.chunk" if self._endpoint == "chat" else "text_completion"
        made = encode(
            {"id": self.answer_id, "object": kind, "created": 0, "model": self.model, "choices": []}
        )
        return b"data: " + made[:-1] + shown + self.ending
