"""Noun: a stream of a response: events with names, the usage inside the last of them."""

from typing import Final

import msgspec
from msgspec import Raw

from tokenergy.serve.answer_json import (
    EMPTY,
    Response,
    finish_of_response,
    garbage,
    model_field,
    tier_field,
    truthful,
)
from tokenergy.serve.answer_stream import Detail, EventStream, encode
from tokenergy.serve.events import cut, read_event
from tokenergy.serve.openai_usage import reported, reported_in
from tokenergy.serve.stream_error import stream_error

LAST_EVENTS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
DELTA: Final = b".delta"
USUAL: Final = b"event: response."


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    response: Response | None = None
    delta: Raw = EMPTY
    error: Raw = EMPTY


class _LooseResponse(msgspec.Struct, gc=False):
    usage: Raw = EMPTY


class _LooseEvent(msgspec.Struct, gc=False):
    type: str = ""
    response: _LooseResponse | None = None


_decode = msgspec.json.Decoder(_Event).decode
_decode_loose = msgspec.json.Decoder(_LooseEvent).decode


class ResponsesStream(EventStream):
    """A stream of a response; see `answer_stream.Stream`."""

    __slots__ = ("_detail", "_model_field", "_tier_field")

    def __init__(
        self,
        *,
        served: str,
        name: str,
        service_tier: str | None = None,
        detail: bool = False,
    ) -> None:
        """Begin; see `stream_of`."""
        super().__init__("responses")
        self._detail = detail
        self._model_field = b"" if served == name else model_field(name)
        self._tier_field = b"" if service_tier is None else tier_field(service_tier)

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes of the server's body; return what goes to the client now, maybe b""."""
        if self.ended:
            return b""
        cutter = self._cutter
        if not cutter.holds and chunk.endswith(b"}\n\n") and b"\r" not in chunk:
            events = cut(chunk)
        else:
            events = cutter.whole(chunk)
            if cutter.overflowed:
                self._fail(garbage())
                return b""
        if len(events) == 1:
            return self._event(events[0])
        return b"".join(map(self._event, events))

    def _event(self, event: bytes) -> bytes:
        if self.ended:
            # whatever a server sends behind its last event goes out behind it too
            if self.error is None:
                self.ending += event
            return b""
        if event.startswith(USUAL):
            end = event.find(b"\n")
            if event.endswith(DELTA, 0, end) and event.startswith(b"data: {", end + 1):
                self.chunks_count += 1
                return event
        read = read_event(event)
        if read is None:
            self._fail(garbage())
            return b""
        name, data = read
        if data is None:
            return event
        if data.strip() == b"[DONE]":
            # it ends no response: the event with the usage does
            self.cut_off()
            return b""
        try:
            said = _decode(data)
        except msgspec.ValidationError:
            return self._odd(event, data)
        except (msgspec.DecodeError, RecursionError):
            self._fail(garbage())
            return b""
        return self._said(event, data, said, said.type or name.decode("utf-8", "replace"))

    def _said(self, event: bytes, data: bytes, said: _Event, kind: str) -> bytes:
        if kind == "error" or bytes(said.error) not in (b"", b"null"):
            self._fail(stream_error(data))
            return b""
        if kind.endswith(".delta"):
            self.chunks_count += 1
            return event
        response = said.response
        if response is None:
            return event
        self.model = response.model or self.model
        self.answer_id = response.id or self.answer_id
        told = self._renamed(event)
        if kind not in LAST_EVENTS:
            return told
        self.seen = reported(response.usage)
        self.finish = finish_of_response(response)
        if kind == "response.failed":
            self.error = stream_error(bytes(response.error) or data)
        self.ended, self.ending = True, told
        return b""

    def _odd(self, event: bytes, data: bytes) -> bytes:
        """Take an event whose fields have other types than OpenAI's: it goes on as it came."""
        try:
            said = _decode_loose(data)
        except (msgspec.DecodeError, RecursionError):
            self._fail(garbage())
            return b""
        told = self._renamed(event)
        if said.type not in LAST_EVENTS:
            self.chunks_count += said.type.endswith(".delta")
            return told
        self.seen = None if said.response is None else reported_in(said.response.usage)
        self.finish = said.type.removeprefix("response.")
        self.ended, self.ending = True, told
        return b""

    def _renamed(self, event: bytes) -> bytes:
        """Return an event with our name of the model and the tier that was really given."""
        if not self._model_field and not self._tier_field:
            return event
        return truthful(event, self._model_field, self._tier_field)

    def closing(self, detail: Detail | None = None) -> bytes:
        """Return what is left to send, once its record is written."""
        if not self._detail or detail is None or self.error is not None:
            return self.ending
        first, end, rest = self.ending.partition(b"\n\n")
        if not first.endswith(b"}"):
            return self.ending
        return first[:-1] + b',"tokenergy":' + encode(detail) + b"}" + end + rest
