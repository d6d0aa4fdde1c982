"""One contract for all clients of upstreams, against a real server on this machine.

`fast` runs on both loops: the worker's uvloop, and asyncio's own, which tells a lost connection in
other words.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvloop
from faulty_upstream import Server, faulty_upstream

from tokenergy.serve.upstream import Call, Exchange, UpstreamClient, UpstreamFault
from tokenergy.serve.upstream_aiohttp import AiohttpClient
from tokenergy.serve.upstream_fast import FastClient
from tokenergy.serve.upstream_simulated import SimulatedUpstream

LIMIT_S = 20.0
KINDS = ("fast", "fast on asyncio", "aiohttp")
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
HEADERS = ((b"content-type", b"application/json"), (b"x-request-id", b"r-1"))


class Speed:
    """A timing law that needs no time."""

    def __init__(self, ttft_s: float = 0.0, tpot_s: float = 0.0) -> None:
        self.told = ttft_s, tpot_s

    def of(self, in_flight_count: int) -> tuple[float, float]:
        return self.told


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with faulty_upstream() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """The server, with nothing left over from the last test."""
    running.always()
    running.script.clear()
    return running


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=(*KINDS, "simulated"))
def any_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def client_of(kind: str, port: int, connect_s: float = 2.0) -> UpstreamClient:
    if kind == "simulated":
        return SimulatedUpstream("m", Speed(), answer_tokens=50)
    if kind == "aiohttp":
        return AiohttpClient(f"http://127.0.0.1:{port}", connect_s=connect_s)
    return FastClient("127.0.0.1", port, connect_s=connect_s)


def run(
    kind: str,
    port: int,
    act: Callable[[UpstreamClient], Awaitable[Any]],
    connect_s: float = 2.0,
) -> Any:
    """Run a test's body in a loop of its own, and close the client; no test hangs."""

    async def main() -> Any:
        client = client_of(kind, port, connect_s)
        try:
            async with asyncio.timeout(LIMIT_S):
                return await act(client)
        finally:
            await client.aclose()

    factory = None if kind == "fast on asyncio" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())


def call(
    *,
    whole: bool = True,
    first_byte_s: float = 10.0,
    between_s: float = 10.0,
    path: str = "/v1/chat/completions",
    **changes: Any,
) -> Call:
    body = json.dumps({**ASKED, **changes}).encode()
    return Call("POST", path, HEADERS, body, whole, first_byte_s, between_s)


def stream_call(**changes: Any) -> Call:
    options = {"include_usage": True}
    return call(**{"whole": False, "stream": True, "stream_options": options, **changes})


async def rest(exchange: Exchange) -> bytes:
    pieces = []
    while piece := await exchange.chunk():
        pieces.append(piece)
    return b"".join(pieces)


async def fault_of(awaited: Awaitable[Any]) -> UpstreamFault:
    with pytest.raises(UpstreamFault) as caught:
        await awaited
    return caught.value


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(LIMIT_S):
        while not true():
            await asyncio.sleep(0.005)


# ---- what goes well ----


def test_a_whole_answer_comes_at_once(any_kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        exchange = await client.open(call())
        assert exchange.status == 200
        assert dict(exchange.headers)[b"content-type"] == b"application/json"
        assert exchange.body is not None
        assert json.loads(exchange.body)["usage"]["completion_tokens"] == 5
        assert await exchange.chunk() == b""
        exchange.close()

    run(any_kind, server.port, act)


@pytest.mark.parametrize("frame", ["length", "chunked", "eof"])
def test_every_way_to_end_an_answer_is_understood(kind: str, server: Server, frame: str) -> None:
    server.always(frame=frame, pad_bytes=200_000)

    async def act(client: UpstreamClient) -> None:
        for _ in range(3):
            whole = await client.open(call())
            assert whole.body is not None
            assert len(json.loads(whole.body)["pad"]) == 200_000
            piecewise = await client.open(call(whole=False))
            assert piecewise.body is None
            assert await rest(piecewise) == whole.body

    run(kind, server.port, act)


def test_a_stream_comes_as_it_is_sent(any_kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        exchange = await client.open(stream_call())
        assert exchange.body is None
        text = await rest(exchange)
        assert await exchange.chunk() == b""
        exchange.close()
        events = [event for event in text.split(b"\n\n") if event]
        assert events[-1] == b"data: [DONE]"
        assert json.loads(events[-2].removeprefix(b"data: "))["usage"]["completion_tokens"] == 5

    run(any_kind, server.port, act)


@pytest.mark.parametrize("size", [1, 7, 61])
def test_events_may_be_cut_anywhere(kind: str, server: Server, size: int) -> None:
    async def act(client: UpstreamClient) -> tuple[bytes, bytes]:
        plain = await rest(await client.open(stream_call()))
        server.once(split_bytes=size)
        return plain, await rest(await client.open(stream_call()))

    plain, cut = run(kind, server.port, act)
    assert plain == cut


def test_what_is_sent_arrives_and_nothing_else(kind: str, server: Server) -> None:
    """Host and length are the client's; there is no other header than those of the call."""

    async def act(client: UpstreamClient) -> bytes:
        asked = call(path="/v1/chat/completions?a=b", filler="x" * 300_000)
        await client.open(asked)
        return asked.body

    body = run(kind, server.port, act)
    seen = server.seen[-1]
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/chat/completions?a=b", body)
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "content-length": str(len(body)),
        "content-type": "application/json",
        "x-request-id": "r-1",
    }


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_a_status_is_an_answer_and_no_fault(kind: str, server: Server, status: int) -> None:
    async def act(client: UpstreamClient) -> None:
        server.once(status=status, headers={"Retry-After": "7"})
        exchange = await client.open(call())
        assert exchange.status == status
        assert dict(exchange.headers)[b"retry-after"] == b"7"
        assert b"told to say" in (exchange.body or b"")

    run(kind, server.port, act)


def test_no_redirect_is_followed(kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        server.once(status=307, headers={"Location": f"{server.url}/v1/models"})
        before = server.counters.requests
        assert (await client.open(call())).status == 307
        assert server.counters.requests == before + 1

    run(kind, server.port, act)


def test_a_coding_is_not_undone(kind: str, server: Server) -> None:
    """What says that it is gzip is handed on as it came, even though it is none."""

    async def act(client: UpstreamClient) -> None:
        server.once(headers={"Content-Encoding": "gzip"})
        exchange = await client.open(call())
        assert (exchange.body or b"").startswith(b"{")

    run(kind, server.port, act)


# ---- connections ----


def test_a_connection_is_used_again(kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        before = server.counters.connections
        for _ in range(4):
            await client.open(call())
            await rest(await client.open(stream_call()))
        assert server.counters.connections == before + 1

    run(kind, server.port, act)


def test_calls_at_once_have_connections_of_their_own(kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        before = server.counters.connections
        server.always(head_s=0.05)
        found = await asyncio.gather(*(client.open(call(max_tokens=at)) for at in range(1, 9)))
        told = [json.loads(one.body or b"")["usage"]["completion_tokens"] for one in found]
        assert told == [1, 2, 3, 4, 5, 6, 7, 7]
        assert server.counters.connections == before + 8

    run(kind, server.port, act)


def test_a_connection_that_the_server_ended_is_replaced(kind: str, server: Server) -> None:
    """The server closes after each answer without a word; no call is lost by that."""
    server.always(keep_alive=False)

    async def act(client: UpstreamClient) -> None:
        for _ in range(10):
            assert (await client.open(call())).status == 200

    run(kind, server.port, act)


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_kept_connection_that_breaks_is_replaced_once(
    kind: str, server: Server, fault: str
) -> None:
    async def act(client: UpstreamClient) -> None:
        await client.open(call())
        server.once(fault=fault)
        before = server.counters.requests
        assert (await client.open(call())).status == 200
        assert server.counters.requests == before + 2
        server.once(fault=fault)
        server.once(fault=fault)
        # where the replacement was not kept, the first try is on a new connection already
        told = await fault_of(client.open(call()))
        assert (told.kind, told.sent) == ("reset", True)

    run(kind, server.port, act)


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_new_connection_that_breaks_is_not(kind: str, server: Server, fault: str) -> None:
    async def act(client: UpstreamClient) -> None:
        server.once(fault=fault)
        before = server.counters.requests
        told = await fault_of(client.open(call()))
        assert (told.kind, told.sent) == ("reset", True)
        assert server.counters.requests == before + 1

    run(kind, server.port, act)


@pytest.mark.parametrize("kind", ["fast", "fast on asyncio"])
def test_a_call_is_never_sent_twice_once_a_byte_came(kind: str, server: Server) -> None:
    """Not so for aiohttp, which does not tell whether half a head came."""

    async def act(client: UpstreamClient) -> None:
        await client.open(call())
        server.once(fault="reset", at_byte=20)
        before = server.counters.requests
        assert (await fault_of(client.open(call()))).kind == "reset"
        assert server.counters.requests == before + 1

    run(kind, server.port, act)


# ---- how it fails ----


def test_nobody_listens(kind: str) -> None:
    with faulty_upstream() as gone:
        port = gone.port

    async def act(client: UpstreamClient) -> None:
        told = await fault_of(client.open(call()))
        assert (told.kind, told.sent) == ("refused", False)

    run(kind, port, act)


@pytest.mark.parametrize("fault", ["reset", "close"])
@pytest.mark.parametrize("whole", [True, False])
def test_an_answer_that_ends_too_early_is_a_fault(
    kind: str, server: Server, fault: str, whole: bool
) -> None:
    """After 150 bytes: the head is there, the body is not; of a stream what came can be read."""

    async def act(client: UpstreamClient) -> None:
        server.once(fault=fault, at_byte=150)
        if whole:
            assert (await fault_of(client.open(call()))).kind == "reset"
            return
        exchange = await client.open(stream_call())
        assert (await fault_of(rest(exchange))).kind == "reset"

    run(kind, server.port, act)


def test_silence_before_the_head(any_kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        if isinstance(client, SimulatedUpstream):
            client = SimulatedUpstream("m", Speed(ttft_s=5.0))
        server.once(fault="stall")
        told = await fault_of(client.open(call(first_byte_s=0.05)))
        assert (told.kind, told.sent) == ("timeout", True)

    run(any_kind, server.port, act, connect_s=0.2)


@pytest.mark.parametrize("whole", [True, False])
def test_silence_inside(kind: str, server: Server, whole: bool) -> None:
    async def act(client: UpstreamClient) -> None:
        server.once(fault="stall", at_byte=150)
        if whole:
            told = await fault_of(client.open(call(between_s=0.05)))
        else:
            exchange = await client.open(stream_call(between_s=0.05))
            told = await fault_of(rest(exchange))
        assert (told.kind, told.sent) == ("timeout", True)

    run(kind, server.port, act)


def test_what_is_no_http(kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        server.once(fault="garbage")
        assert (await fault_of(client.open(call()))).kind == "garbage"
        assert (await client.open(call())).status == 200

    run(kind, server.port, act)


# ---- whoever asked leaves ----


def test_closing_early_ends_the_connection(kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        server.once(token_s=0.02, completion_tokens=500)
        before = server.counters.disconnects
        exchange = await client.open(stream_call(max_tokens=500))
        await exchange.chunk()
        exchange.close()
        exchange.close()
        await until(lambda: server.counters.disconnects == before + 1)
        assert (await fault_of(exchange.chunk())).kind == "closed"
        assert (await client.open(call())).status == 200

    run(kind, server.port, act)


def test_a_cancelled_call_ends_the_connection(any_kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        simulated = SimulatedUpstream("m", Speed(ttft_s=5.0))
        if isinstance(client, SimulatedUpstream):
            client = simulated
        server.once(fault="stall")
        before = server.counters.disconnects
        began = server.counters.requests
        task = asyncio.create_task(client.open(call()))
        if any_kind != "simulated":
            await until(lambda: server.counters.requests == began + 1)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if any_kind == "simulated":
            assert (simulated.counters.left_count, simulated.counters.in_flight_count) == (1, 0)
        else:
            await until(lambda: server.counters.disconnects == before + 1)

    run(any_kind, server.port, act)


def test_a_closed_client_takes_nothing(any_kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        await client.open(call())
        await client.aclose()
        told = await fault_of(client.open(call()))
        assert (told.kind, told.sent) == ("closed", False)
        await client.aclose()

    run(any_kind, server.port, act)


def test_closing_wakes_whoever_waits(any_kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        if isinstance(client, SimulatedUpstream):
            client = SimulatedUpstream("m", Speed(tpot_s=5.0))
        server.once(token_s=5.0, completion_tokens=500)
        exchange = await client.open(stream_call(max_tokens=500))
        task = asyncio.create_task(rest(exchange))
        await asyncio.sleep(0.01)
        exchange.close()
        assert (await fault_of(task)).kind == "closed"

    run(any_kind, server.port, act)


def test_closing_the_client_ends_what_runs(kind: str, server: Server) -> None:
    async def act(client: UpstreamClient) -> None:
        server.once(token_s=0.02, completion_tokens=500)
        exchange = await client.open(stream_call(max_tokens=500))
        await exchange.chunk()
        task = asyncio.create_task(rest(exchange))
        await asyncio.sleep(0)
        await client.aclose()
        assert (await fault_of(task)).kind == "closed"

    run(kind, server.port, act)


# ---- nobody reads ----


def test_nothing_is_read_ahead_while_nobody_asks(kind: str, server: Server) -> None:
    """An answer of 40 MB is begun and not read: the server cannot get rid of most of it.

    Both kernels' buffers take some megabytes on this machine, so far fewer than 2,000 events of
    20 KB can have been written.
    """

    async def act(client: UpstreamClient) -> None:
        server.once(pad_bytes=20_000, completion_tokens=2_000)
        before = server.counters.completion_tokens
        exchange = await client.open(stream_call(max_tokens=2_000))
        seen = -1
        while seen != (seen := server.counters.completion_tokens):
            await asyncio.sleep(0.15)
        assert server.counters.completion_tokens - before < 1_200
        piece = await exchange.chunk()
        assert 0 < len(piece) <= 65_536
        exchange.close()
        slow = await client.open(stream_call())
        assert (await rest(slow)).endswith(b"[DONE]\n\n")

    run(kind, server.port, act)
