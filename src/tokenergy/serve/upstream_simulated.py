"""A model server that is none: it answers in OpenAI's shapes, at a stated speed, and says so.

For demonstrations and tests, never as evidence: every answer carries `tokenergy-simulated` and
words to that effect. No bytes go over any wire.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final
from zlib import crc32

from tokenergy.serve.simulated_answer import Answer, Asked, Refusal, read
from tokenergy.serve.upstream import Call, Sink, UpstreamFault

if TYPE_CHECKING:
    from tokenergy.serve.pool import Timing

ANSWER_TOKENS: Final = 64
"""Mean length of an answer where nobody states one."""
JSON: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"content-type", b"application/json"),
    (b"x-simulated", b"tokenergy"),
)
EVENTS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"content-type", b"text/event-stream"),
    (b"x-simulated", b"tokenergy"),
)


class SimulatedCounters:
    """What was served: whole answers, and of streams the tokens that were handed over.

    Attributes:
        requests_count: answered with 200.
        refused_count: answered with 4xx.
        left_count: ended by whoever asked.
        in_flight_count: being answered now.
        prompt_tokens, completion_tokens: as the usage of the answers tells them.
    """

    __slots__ = (
        "completion_tokens", "in_flight_count", "left_count", "prompt_tokens", "refused_count",
        "requests_count",
    )  # fmt: skip

    def __init__(self) -> None:
        """Begin at 0."""
        self.requests_count = self.refused_count = self.left_count = self.in_flight_count = 0
        self.prompt_tokens = self.completion_tokens = 0


class SimulatedUpstream:
    """A simulated upstream; an `UpstreamClient`.

    The same body gets the same answer: its length is drawn from the body, between half and one and
    a half of the mean.
    """

    def __init__(
        self,
        served_model: str,
        timing: "Timing",
        *,
        answer_tokens: int = ANSWER_TOKENS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin idle.

        Args:
            served_model: the only model that it knows.
            timing: seconds to the first token and for each further one.
            answer_tokens: mean length of an answer.
            clock: tells the moment that an answer was made, in seconds since the Unix epoch.
        """
        self.clock = clock
        self._model, self._timing, self.answer_tokens = served_model, timing, answer_tokens
        self.counters = SimulatedCounters()
        self._going: set[SimulatedExchange] = set()
        self._closed = False

    async def open(self, call: Call) -> "SimulatedExchange":
        """Answer a call; see `UpstreamClient`."""
        if self._closed:
            raise UpstreamFault("closed", sent=False)
        asked = read(call.path, call.body, model=self._model, natural_tokens=self._natural(call))
        if isinstance(asked, Refusal):
            self.counters.refused_count += 1
            body = asked.body()
            return SimulatedExchange(self, None, status=asked.status, body=body, whole=call.whole)
        exchange = SimulatedExchange(self, asked, status=200, body=b"", whole=call.whole)
        self.began(exchange, asked)
        try:
            await exchange.begin(call)
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def aclose(self) -> None:
        """End all exchanges."""
        self._closed = True
        for exchange in tuple(self._going):
            exchange.close()

    def began(self, exchange: "SimulatedExchange", asked: Asked) -> None:
        """Count a request in, and give it its speed."""
        counters = self.counters
        counters.in_flight_count += 1
        self._going.add(exchange)
        exchange.ttft_s, exchange.tpot_s = self._timing.of(counters.in_flight_count)
        counters.prompt_tokens += asked.prompt_tokens

    def ended(self, exchange: "SimulatedExchange", *, whole: bool) -> None:
        """Count a request out."""
        if exchange in self._going:
            self._going.discard(exchange)
            self.counters.in_flight_count -= 1
            if whole:
                self.counters.requests_count += 1
            else:
                self.counters.left_count += 1

    def _natural(self, call: Call) -> int:
        """Return how long an answer to this body is where nothing cuts it."""
        mean = self.answer_tokens
        return max(1, mean // 2 + crc32(call.body) % (mean + 1))


class SimulatedExchange:
    """A simulated answer; see `Exchange`."""

    __slots__ = (
        "_asked", "_began_s", "_closed", "_events", "_owner", "_rest", "_told_tokens", "_waits",
        "body", "headers", "status", "tpot_s", "ttft_s",
    )  # fmt: skip

    def __init__(
        self,
        owner: SimulatedUpstream,
        asked: Asked | None,
        *,
        status: int,
        body: bytes,
        whole: bool,
    ) -> None:
        """Begin; an answer without `asked` is a refusal, and complete."""
        self._owner, self._asked = owner, asked
        self.status = status
        self.headers = EVENTS if asked is not None and asked.stream else JSON
        self.body: bytes | None = body if whole else None
        self._rest = body
        self._events: Iterator[tuple[int, bytes]] | None = None
        self.ttft_s = self.tpot_s = self._began_s = 0.0
        self._told_tokens = 0
        self._closed = False
        self._waits: asyncio.Future[None] | None = None

    async def begin(self, call: Call) -> None:
        """Wait until the head would come: with the first token, or with the whole answer.

        Raises:
            UpstreamFault: timeout, where that takes longer than the call waits.
        """
        asked = self._asked
        if asked is None:
            return
        self._began_s = asyncio.get_running_loop().time()
        answer = Answer(asked, created_s=int(self._owner.clock()))
        more = 0 if asked.stream else max(0, asked.output_tokens - 1)
        head_s = self.ttft_s + more * self.tpot_s
        if head_s > call.first_byte_s:
            await self._until(self._began_s + call.first_byte_s)
            raise UpstreamFault("timeout", sent=True)
        await self._until(self._began_s + head_s)
        if asked.stream:
            self._events = answer.events()
            if call.whole:
                self.body = b"".join([event for _, event in self._events])
                self._events = iter(())
                self._count(asked.output_tokens)
                self._end()
            return
        self._rest = answer.whole()
        self._count(asked.output_tokens)
        if call.whole:
            self.body, self._rest = self._rest, b""
        self._end()

    async def chunk(self) -> bytes:
        """Return the events that are due, or b"" at the end; see `Exchange`."""
        if self._events is None:
            rest, self._rest = (b"", b"") if self.body is not None else (self._rest, b"")
            return rest
        if self._closed:
            raise UpstreamFault("closed", sent=True)
        loop = asyncio.get_running_loop()
        due: list[bytes] = []
        for tokens, event in self._events:
            if tokens:
                at_s = self._began_s + self.ttft_s + self._told_tokens * self.tpot_s
                if at_s > loop.time():
                    await self._until(at_s)
                self._count(tokens)
            due.append(event)
            if tokens:
                return b"".join(due)
        self._end()
        self._events = iter(())
        return b"".join(due)

    async def pump(self, _sink: Sink) -> None:
        """Do no better than `chunk`."""

    def close(self) -> None:
        """End it early or late."""
        self._closed = True
        if self._waits is not None and not self._waits.done():
            self._waits.set_result(None)
        self._owner.ended(self, whole=False)

    def _end(self) -> None:
        self._owner.ended(self, whole=True)

    def _count(self, tokens: int) -> None:
        self._told_tokens += tokens
        self._owner.counters.completion_tokens += tokens

    async def _until(self, at_s: float) -> None:
        """Wait until a moment of the loop.

        Raises:
            UpstreamFault: closed, if it was ended meanwhile.
        """
        loop = asyncio.get_running_loop()
        self._waits = loop.create_future()
        timer = loop.call_at(at_s, _wake, self._waits)
        try:
            await self._waits
        finally:
            timer.cancel()
            self._waits = None
        if self._closed:
            raise UpstreamFault("closed", sent=True)


def _wake(waits: "asyncio.Future[None]") -> None:
    if not waits.done():
        waits.set_result(None)
