"""A small model server that does what it is told: answers, or fails in a way of your choice.

In a thread:          with faulty_upstream(completion_tokens=3) as server: ... server.url
In its own process:   python tests/faulty_upstream.py --port 0      (prints its address)
The next request only: server.once(fault="reset", at_byte=40)   or POST /once  {"fault": "reset"}
All from now on:       server.always(status=500)                or POST /always {"status": 500}
What it served:        server.counters                          or GET /counters
It speaks /v1/{chat/completions,completions,responses,embeddings,models}, and tells running
requests at /metrics as vLLM does.
"""

import asyncio
import contextlib
import json
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from faulty_answers import answer_of, error_body, events_of

Fault = Literal[
    "", "reset", "close", "stall", "half_event", "no_done", "garbage", "garbage_sse", "half_json"
]


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a request is answered.

    `reset` (RST), `close` (FIN) and `stall` (silence for `stall_s`) strike after `at_byte` bytes of
    the answer, head included: 0 is before the head. A body with `max_tokens` has no more tokens.
    """

    status: int = 200
    prompt_tokens: int = 10
    cached_tokens: int = 0
    completion_tokens: int = 7
    usage: Literal["right", "omit", "zero", "inconsistent"] = "right"
    fault: Fault = ""
    at_byte: int = 0
    stall_s: float = 30.0
    head_s: float = 0.0
    """Wait before the head."""
    token_s: float = 0.0
    """Wait before each token of a stream."""
    split_bytes: int = 0
    """Writes of a stream are so long, whatever events they cut; 0: an event each."""
    frame: Literal["length", "chunked", "eof"] = "length"
    """How a whole answer says its end; streams are chunked unless `eof`."""
    keep_alive: bool = True
    """False: the connection is closed after the answer, without a word of it in the head."""
    pad_bytes: int = 0
    """Length of a filler in each answer or event."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Counters:
    """What was really served: tokens count once they are written."""

    connections: int = 0
    requests: int = 0
    running: int = 0
    answered: int = 0
    errors: int = 0
    streams: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    disconnects: int = 0
    """Requests whose client left before their end."""
    faults: int = 0


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ClientLeft(Exception):
    """The other side has closed the connection."""


class Server:
    """The server; begin it in a running loop with `start`, or use `faulty_upstream`."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.script: deque[Behaviour] = deque()
        self.counters = Counters()
        self.seen: deque[Seen] = deque(maxlen=200)
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def once(self, **changes: Any) -> None:
        """The next request not yet spoken for is answered so; several calls queue up."""
        self.script.append(replace(self.behaviour, **changes))

    def always(self, **changes: Any) -> None:
        self.behaviour = replace(Behaviour(), **changes)

    async def start(self, port: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = await asyncio.start_server(self._begin, "127.0.0.1", port, backlog=1024)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop_listening(self) -> None:
        """From now on connections are refused, and those that stand end."""
        if self._listener is not None:
            self._listener.close()
            await self.drop()
            await self._listener.wait_closed()
            self._listener = None

    async def listen_again(self) -> None:
        await self.start(self.port)

    async def drop(self) -> None:
        """End all connections, idle ones too."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def run(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run `stop_listening`, `listen_again` or `drop` from another thread."""
        assert self._loop is not None

        async def acted() -> None:
            await action()

        asyncio.run_coroutine_threadsafe(acted(), self._loop).result(10)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counters.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                if not await self._request(request, reader, writer):
                    break
        except (ClientLeft, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort() if reader.at_eof() else writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _request(
        self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; False ends the connection."""
        told = self._control(seen)
        if told is not None:
            writer.write(_head(200, len(told), {"content-type": told_type(seen)}) + told)
            await writer.drain()
            return True
        self.seen.append(seen)
        behaviour = self.script.popleft() if self.script else self.behaviour
        self.counters.requests += 1
        self.counters.running += 1
        try:
            out = _Out(behaviour, reader, writer)
            whole = await self._answer(seen, behaviour, out)
        except _Struck:
            self.counters.faults += 1
            return False
        except (ClientLeft, ConnectionError):
            self.counters.disconnects += 1
            raise
        finally:
            self.counters.running -= 1
        if whole:
            self.counters.answered += 1
        else:
            self.counters.faults += 1
        return whole and behaviour.keep_alive and behaviour.frame != "eof"

    async def _answer(self, seen: Seen, behaviour: Behaviour, out: "_Out") -> bool:
        """Write one answer; False if it was broken on purpose and the connection must end."""
        await out.pause(behaviour.head_s)
        if behaviour.fault == "garbage":
            await out.write(b"\x00\x01this is no HTTP\r\n\r\n")
            return False
        extra = behaviour.headers
        if behaviour.status >= 400:
            self.counters.errors += 1
            await out.whole(behaviour.status, error_body(behaviour.status), extra)
            return True
        asked = json.loads(seen.body) if seen.body else {}
        endpoint = (
            seen.path.partition("?")[0].removeprefix("/v1/").replace("chat/completions", "chat")
        )
        tokens = _tokens(asked, behaviour) if endpoint != "embeddings" else 0
        if not asked.get("stream"):
            body = answer_of(endpoint, asked, behaviour, tokens)
            if behaviour.fault == "half_json":
                body = body[: len(body) // 2]
            await out.whole(behaviour.status, body, extra)
            self._count(behaviour, tokens=tokens)
            return True
        self.counters.streams += 1
        self._count(behaviour, tokens=0)
        await out.begin(extra)
        for is_token, event in events_of(endpoint, asked, behaviour, tokens):
            if is_token:
                await out.pause(behaviour.token_s)
            await out.event(event)
            self.counters.completion_tokens += is_token
        await out.end()
        return behaviour.fault != "half_event"

    def _count(self, behaviour: Behaviour, *, tokens: int) -> None:
        self.counters.prompt_tokens += behaviour.prompt_tokens
        self.counters.cached_tokens += behaviour.cached_tokens
        self.counters.completion_tokens += tokens

    def _control(self, seen: Seen) -> bytes | None:
        match seen.method, seen.path:
            case "GET", "/counters":
                return json.dumps(asdict(self.counters)).encode()
            case "GET", "/seen":
                rows = [{**asdict(one), "body": one.body.decode("latin-1")} for one in self.seen]
                return json.dumps(rows).encode()
            case "POST", "/once":
                self.once(**json.loads(seen.body))
                return b"{}"
            case "POST", "/always":
                self.always(**json.loads(seen.body))
                return b"{}"
            case "GET", "/v1/models":
                return json.dumps(
                    {"object": "list", "data": [{"id": "m", "object": "model"}]}
                ).encode()
            case "GET", "/metrics":
                from engine_server import vllm_page

                counts = self.counters
                return vllm_page(
                    prompt=counts.prompt_tokens,
                    cached=counts.cached_tokens,
                    output=counts.completion_tokens,
                    requests=counts.answered,
                    running=counts.running,
                    waiting=0,
                )
        return None


class _Struck(Exception):
    """The fault has struck: nothing more is written."""


class _Out:
    """Writes an answer up to the byte at which the fault strikes."""

    def __init__(
        self, behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._behaviour, self._reader, self._writer = behaviour, reader, writer
        strikes = behaviour.fault in ("reset", "close", "stall")
        self._left = behaviour.at_byte if strikes else None
        self._held = b""

    async def pause(self, seconds: float) -> None:
        """Wait, and notice a client that leaves meanwhile."""
        if self._left == 0:
            await self._strike()
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    if not await self._reader.read(1):
                        raise ClientLeft
            except TimeoutError:
                return
        elif self._reader.at_eof():
            raise ClientLeft

    async def write(self, data: bytes) -> None:
        if self._left is not None:
            data, over = data[: self._left], len(data) > self._left
            self._left -= len(data)
            self._writer.write(data)
            if over:
                await self._strike()
        else:
            self._writer.write(data)
        if self._reader.at_eof():
            raise ClientLeft
        await self._writer.drain()

    async def whole(self, status: int, body: bytes, extra: dict[str, str]) -> None:
        headers = {"content-type": "application/json", **extra}
        frame = self._behaviour.frame
        if frame == "length":
            await self.write(_head(status, len(body), headers) + body)
            return
        self._chunked = frame == "chunked"
        await self.write(_head(status, None, headers, chunked=self._chunked))
        half = len(body) // 2
        for part in (body[:half], body[half:]):
            await self._framed(part)
        await self.end()

    async def begin(self, extra: dict[str, str]) -> None:
        self._chunked = self._behaviour.frame != "eof"
        headers = {"content-type": "text/event-stream; charset=utf-8", **extra}
        await self.write(_head(200, None, headers, chunked=self._chunked))

    async def event(self, event: bytes) -> None:
        size = self._behaviour.split_bytes
        if not size:
            await self._framed(event)
            return
        self._held += event
        while len(self._held) >= size:
            await self._framed(self._held[:size])
            self._held = self._held[size:]
            await asyncio.sleep(0)

    async def end(self) -> None:
        if self._held:
            await self._framed(self._held)
        if self._chunked and self._behaviour.fault != "half_event":
            await self.write(b"0\r\n\r\n")

    async def _framed(self, data: bytes) -> None:
        if data:
            await self.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    async def _strike(self) -> None:
        await self._writer.drain()
        if self._behaviour.fault == "stall":
            self._left = None
            await self.pause(self._behaviour.stall_s)
        elif self._behaviour.fault == "reset":
            raw = self._writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        raise _Struck


def _tokens(asked: dict[str, Any], behaviour: Behaviour) -> int:
    caps = [asked.get(f"max_{name}tokens") for name in ("", "completion_", "output_")]
    return min([behaviour.completion_tokens, *(cap for cap in caps if isinstance(cap, int))])


def told_type(seen: Seen) -> str:
    return "text/plain; version=0.0.4" if seen.path == "/metrics" else "application/json"


def _head(
    status: int, length: int | None, headers: dict[str, str], *, chunked: bool = False
) -> bytes:
    lines = [f"HTTP/1.1 {status} told", *(f"{name}: {value}" for name, value in headers.items())]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    """Read one request; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, path, headers, body)


@contextlib.contextmanager
def faulty_upstream(**behaviour: Any) -> Iterator[Server]:
    """Run a server in a thread with a loop of its own."""
    server = Server(Behaviour(**behaviour))
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await server.start()
        ready.set()
        await stop.wait()
        await server.stop_listening()
        await server.drop()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(10), "the faulty upstream does not start"
    try:
        yield server
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()


async def _alone(port: int) -> None:
    server = Server()
    await server.start(port)
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            _alone(int(sys.argv[sys.argv.index("--port") + 1]) if "--port" in sys.argv else 0)
        )
