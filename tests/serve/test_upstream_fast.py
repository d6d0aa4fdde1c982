"""The fast client against bytes as told: what HTTP allows, and what must not be taken.

The contract with real answers is in `test_upstream_contract`.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.serve import upstream_fast
from tokenergy.serve.upstream import Call, UpstreamFault
from tokenergy.serve.upstream_fast import FastClient

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ASK = Call("POST", "/x", (), b"{}", True, 5.0, 5.0)
PIECEWISE = ASK._replace(whole=False)


class Scripted:
    """Answers call number n on any connection with script[n]; b"" in it ends the connection."""

    def __init__(self, *script: tuple[bytes, ...]) -> None:
        self.script, self.calls, self.connections = list(script), [b""][:0], 0
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self.serve(reader, writer))
        self.tasks.add(task)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                self.calls.append(head + await reader.readexactly(length))
                for piece in self.script.pop(0):
                    if not piece:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def run(server: Scripted, act: Callable[[FastClient], Awaitable[Any]], **more: Any) -> Any:
    async def main() -> Any:
        listener = await asyncio.start_server(server.begin, "127.0.0.1", 0)
        client = FastClient(
            "127.0.0.1", listener.sockets[0].getsockname()[1], connect_s=2.0, **more
        )
        try:
            async with asyncio.timeout(20):
                return await act(client)
        finally:
            await client.aclose()
            listener.close()
            for task in server.tasks:
                task.cancel()
            await asyncio.gather(*server.tasks, return_exceptions=True)
            await listener.wait_closed()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def answer_to(*script: tuple[bytes, ...], call: Call = ASK, times: int = 1) -> list[Any]:
    """Ask so often; return (status, body), or the kind of the fault, of each."""

    async def act(client: FastClient) -> list[Any]:
        found: list[Any] = []
        for _ in range(times):
            try:
                exchange = await client.open(call)
                body = exchange.body
                while body is None or not call.whole:
                    piece = await exchange.chunk()
                    body = (body or b"") + piece
                    if not piece:
                        break
                found.append((exchange.status, body))
            except UpstreamFault as fault:
                found.append(fault.kind)
        return found

    return run(Scripted(*script), act)


def test_interim_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    assert answer_to((b"HTTP/1.1 100 Continue\r\n\r\n" + early + OK,)) == [(200, b"ok")]
    assert answer_to((b"HTTP/1.1 100 Continue\r\n\r\n", OK), call=PIECEWISE) == [(200, b"ok")]


def test_answers_without_a_body() -> None:
    empty = b"HTTP/1.1 204 No Content\r\n\r\n"
    assert answer_to((empty,), (OK,), times=2) == [(204, b""), (200, b"ok")]


def test_an_old_server_ends_its_answer_by_closing() -> None:
    old = b"HTTP/1.0 200 OK\r\n\r\n"
    for call in (ASK, PIECEWISE):
        assert answer_to((old, b"abc", b"def", b""), (OK,), call=call, times=2) == [
            (200, b"abcdef"),
            (200, b"ok"),
        ]


def test_trailers_are_no_headers() -> None:
    text = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-late: 1\r\n\r\n"

    async def act(client: FastClient) -> None:
        for _ in range(2):
            exchange = await client.open(ASK)
            assert exchange.headers == ((b"transfer-encoding", b"chunked"),)
            assert exchange.body == b"ok"

    run(Scripted((text,), (text,)), act)


@pytest.mark.parametrize("when", ["with it", "after it"])
def test_bytes_after_an_answer_reach_no_other_call(when: str) -> None:
    """A second answer to one call would be taken for the answer to the next one: never."""
    evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    pieces = (OK + evil,) if when == "with it" else (OK, evil)

    async def act(client: FastClient) -> None:
        assert (await client.open(ASK)).body == b"ok"
        await asyncio.sleep(0.05)
        assert (await client.open(ASK)).body == b"ok"

    server = Scripted(pieces, (OK,))
    run(server, act)
    assert server.connections == 2


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nok",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
    ],
)
def test_what_is_no_proper_answer_is_garbage(text: bytes) -> None:
    assert answer_to((text,), (OK,), times=2) == ["garbage", (200, b"ok")]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/a b", ()),
        ("/a\r\nx: y", ()),
        ("a", ()),
        ("/x", ((b"x", b"a\r\nevil: 1"),)),
        ("/x", ((b"x", b"a\nb"),)),
        ("/x", ((b"x\r", b"a"), (b"y", b"a"))),
        ("/x", ((b"x", b"a\x00"),)),
    ],
)
def test_no_header_can_hide_another(path: str, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    server = Scripted((OK,))

    async def act(client: FastClient) -> None:
        with pytest.raises(ValueError, match="upstream"):
            await client.open(ASK._replace(path=path, headers=headers))

    run(server, act)
    assert server.calls == []


def test_the_base_path_stands_before_the_path() -> None:
    server = Scripted((OK,))
    run(server, lambda client: client.open(ASK), base_path="/models/one")
    assert server.calls[0].startswith(b"POST /models/one/x HTTP/1.1\r\nhost: 127.0.0.1:")


def test_idle_connections_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_fast, "KEEP_IDLE_S", 0.01)

    async def act(client: FastClient) -> None:
        await client.open(ASK)
        assert len(client.connections) == 1
        while client.connections:
            await asyncio.sleep(0.01)
        assert client.idle == []
        assert (await client.open(ASK)).body == b"ok"

    run(Scripted((OK,), (OK,)), act)


def test_a_connection_that_dies_late_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server had the call for longer than it takes to notice a dead connection: it may run."""
    monkeypatch.setattr("tokenergy.serve.upstream_connection.STALE_S", 0.0)
    assert answer_to((OK,), (b"",), (OK,), times=3) == [(200, b"ok"), "reset", (200, b"ok")]


def test_names_are_looked_up_again_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """At first the name leads to a closed port of another address; then to the server."""
    server = Scripted((OK,))

    async def act(told: FastClient) -> None:
        port = told._port
        client = FastClient("moved.test", port, connect_s=2.0, addresses=("127.0.0.2",))

        async def look_up(*_: object, **__: object) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))] * 2

        try:
            with pytest.raises(UpstreamFault) as caught:
                await client.open(ASK)
            assert (caught.value.kind, caught.value.sent) == ("refused", False)
            loop = asyncio.get_running_loop()
            monkeypatch.setattr(client, "_looked_up", lambda loop: _first_of(look_up()))
            assert loop is not None
            assert (await client.open(ASK)).body == b"ok"
        finally:
            await client.aclose()

    run(server, act)


async def _first_of(found: Awaitable[list[Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in await found))


def test_an_address_that_is_not_allowed_is_not_connected_to() -> None:
    server = Scripted((OK,))

    async def act(client: FastClient) -> None:
        with pytest.raises(UpstreamFault) as caught:
            await client.open(ASK)
        assert caught.value.kind == "refused"

    run(server, act, allowed=lambda address: False)
    assert server.connections == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=300), max_size=6),
    st.lists(st.integers(1, 60), min_size=1, max_size=8),
    st.booleans(),
)
def test_chunks_arrive_whole_wherever_reads_are_cut(
    parts: list[bytes], cuts: list[int], whole: bool
) -> None:
    """The oracle is the text that was put into chunks."""
    text = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    text += b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    pieces = []
    at = 0
    while at < len(text):
        size = cuts[len(pieces) % len(cuts)] if len(pieces) < 12 else len(text)
        pieces.append(text[at : at + size])
        at += size
    call = ASK if whole else PIECEWISE
    assert answer_to(tuple(pieces), call=call) == [(200, b"".join(parts))]


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=120), st.booleans())
def test_any_bytes_are_an_answer_or_a_fault(text: bytes, proper: bool) -> None:
    """Whatever comes: an answer or one of the faults, and the next call is well."""
    head = b"HTTP/1.1 200 OK\r\n" if proper else b""
    found = answer_to((head + text, b""), (OK,), (OK,), times=2)
    assert found[0] in ("garbage", "reset") or found[0][0] >= 200
    assert found[1] == (200, b"ok")
