"""Noun: an answer that comes as a stream: what of it goes on to the client, and what it took.

    out = stream.feed(chunk)          forward at once
    if stream.ended: ...              write CLOSE with stream.usage, then send stream.closing()
    at the server's end of body:      stream.cut_off(), which ends it if it has not ended

Events leave as they came, but for the model's name, the tier, and a usage that the client had not
asked for. What ends a stream (`[DONE]`, `response.completed`, an error) is held back until the
caller asks for it with `closing`: the record is written first.
"""

import math
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from tokenergy.serve.answer_json import BYTES_OF_A_TOKEN_COUNT
from tokenergy.serve.events import EventCutter
from tokenergy.serve.openai_error import ApiError, cut_short
from tokenergy.serve.openai_usage import UsageSeen

WIDE_CHUNK_BYTES_COUNT: Final = 8
"""Chunks with more text than this on the mean hold several tokens each: then bytes are counted."""
Detail = Mapping[str, object]

encode = msgspec.json.Encoder().encode


class Stream(Protocol):
    """What the relay knows of a stream.

    Attributes:
        ended: whether nothing more of it is forwarded; then `closing` is due.
        ending: what ends it: `[DONE]`, a last event, or the event of an error.
        error: why it failed; None: it did not. The client is told by `ending`.
        finish: finish reason; "" as long as there is none.
        model: the name that the server gives; "" as long as it gave none.
        answer_id: id of the answer; "" as long as there is none.
        output_tokens_so_far: counted: for MARK and for a stream that is cut.
    """

    ended: bool
    ending: bytes
    error: ApiError | None
    finish: str
    model: str
    answer_id: str

    @property
    def output_tokens_so_far(self) -> int:
        """Output tokens counted so far."""
        ...

    @property
    def usage(self) -> UsageSeen | None:
        """Usage as reported, or so far (source `counted`); None: none that can be used came."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes of the server's body; return what goes to the client now, maybe b""."""
        ...

    def cut_off(self, error: ApiError | None = None) -> None:
        """End it, if it has not ended: the body is over, or broke for the reason given."""
        ...

    def closing(self, detail: Detail | None = None) -> bytes:
        """Return what is left to send, once its record is written.

        Args:
            detail: facts for the object `tokenergy` in the usage chunk, if the stream was made
                with `detail`.
        """
        ...

    def counted(self, input_tokens: int) -> UsageSeen:
        """Return the best usage there is: reported, else counted, else estimated.

        Args:
            input_tokens: of the prompt, expected; a count of the server's own goes before it.
        """
        ...


class EventStream:
    """What streams of all endpoints have in common."""

    __slots__ = (
        "_closing",
        "_cutter",
        "_endpoint",
        "answer_id",
        "chunks_count",
        "ended",
        "ending",
        "error",
        "finish",
        "model",
        "seen",
        "told_bytes_count",
    )

    def __init__(self, endpoint: str) -> None:
        """Begin with nothing seen."""
        self._endpoint = endpoint
        self._cutter = EventCutter()
        self._closing = b""
        self.ended = False
        self.ending = b""
        self.error: ApiError | None = None
        self.finish = ""
        self.model = ""
        self.answer_id = ""
        self.chunks_count = 0
        self.told_bytes_count = 0
        self.seen: UsageSeen | None = None

    @property
    def usage(self) -> UsageSeen | None:
        """Usage as reported, or None."""
        return self.seen

    @property
    def output_tokens_so_far(self) -> int:
        """Output tokens: reported, else a token for each chunk, else by the length of the text."""
        if self.seen is not None:
            return self.seen.output_tokens
        if self.told_bytes_count > WIDE_CHUNK_BYTES_COUNT * self.chunks_count:
            return math.ceil(self.told_bytes_count / BYTES_OF_A_TOKEN_COUNT)
        return self.chunks_count

    def counted(self, input_tokens: int) -> UsageSeen:
        """Return the best usage there is: reported, else counted, else estimated."""
        if self.seen is not None:
            return self.seen
        wide = self.told_bytes_count > WIDE_CHUNK_BYTES_COUNT * self.chunks_count
        tokens = self.output_tokens_so_far
        return UsageSeen(input_tokens, 0, tokens, 0, "estimated" if wide else "counted")

    def cut_off(self, error: ApiError | None = None) -> None:
        """End it with an error, if it has not ended."""
        if not self.ended:
            self._fail(cut_short() if error is None else error)

    def _fail(self, error: ApiError) -> None:
        self.ended = True
        self.error = error
        self.ending = error.event(self._endpoint, sequence=self.chunks_count)
