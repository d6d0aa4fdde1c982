"""What clients may do to a connection beside asking nicely; over real sockets."""

import gc
import json
import re
import socket
import time
import weakref
from typing import Any

import pytest
from faulty_upstream import faulty_upstream
from gateway_world import MODEL, RunningWorld, running

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.company.serving.record import Closed, Opened
from tokenergy.serve.flight import Flight
from tokenergy.serve.passing import may_pass

CHAT = "/v1/chat/completions"


def door(world: RunningWorld) -> socket.socket:
    host, port = world.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def post(path: str = CHAT, *lines: str, version: str = "1.1", **body: Any) -> bytes:
    """Return a request as it travels."""
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]} | body
    text = json.dumps(asked).encode()
    head = [
        f"POST {path} HTTP/{version}", "Host: a", "Authorization: Bearer tk-test",
        "Content-Type: application/json", f"Content-Length: {len(text)}", *lines,
    ]  # fmt: skip
    return "\r\n".join(head).encode() + b"\r\n\r\n" + text


def rest(client: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    found = b""
    try:
        while data := client.recv(65_536):
            found += data
    except ConnectionResetError:
        pass
    return found


def answer(client: socket.socket) -> bytes:
    """Return one answer with a content-length."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += client.recv(65_536)
    head, _, body = found.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += client.recv(65_536)
    return head + b"\r\n\r\n" + body


# ---- addresses that are passed on ----


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/v1/Chat/Completions",
        "/v1/rerank%0d%0aX-Admin:%201",
        "/v1/rerank%20x",
        "/v1/rerank%3Fa=b",
        "/v1/load_lora_adapter",
        "/v1/" + "x" * 200,
    ],
)
def test_an_address_that_a_server_may_read_otherwise_is_not_passed_on(path: str) -> None:
    """`/v1/chat/completions/` would be answered by some servers, without our cap and budget."""
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        client.sendall(post(path, "Connection: close"))
        assert b" 404 " in rest(client).split(b"\r\n")[0]
        assert server.counters.requests == 0
        assert world.records() == []


def test_plain_addresses_are_passed_on() -> None:
    assert may_pass("/v1/rerank")
    assert may_pass("/v1/audio/speech_2.wav")
    assert not may_pass("/v1/")
    assert not may_pass("/v2/rerank")
    assert not may_pass("/v1/réranking")


# ---- the protocol ----


def test_a_client_that_offers_another_protocol_is_answered_by_this_one() -> None:
    """Java's own client offers h2c with its first request over plain HTTP."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA")
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        text = "say\\r\\nupgrade: now"
        for _ in range(2):
            client.sendall(post(CHAT, *offer, user=text))
            told = answer(client)
            assert told.startswith(b"HTTP/1.1 200")
            assert b"completion_tokens" in told
        assert json.loads(server.seen[-1].body)["user"] == text


def test_http_1_0_gets_a_stream_without_chunks() -> None:
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        client.sendall(post(CHAT, version="1.0", stream=True))
        head, _, body = rest(client).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        assert body.startswith(b"data: ")
        assert body.endswith(b"data: [DONE]\n\n")


def test_expect_100_that_is_refused_closes_so_that_nothing_is_taken_for_a_body() -> None:
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        head = (
            f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\n"
            "Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n"
        )
        client.sendall(head.encode())
        told = rest(client)
        assert told.startswith(b"HTTP/1.1 401")
        assert b"connection: close" in told


def test_expect_100_is_told_to_go_on() -> None:
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        head, _, body = post(CHAT, "Expect: 100-continue", "Connection: close").partition(
            b"\r\n\r\n"
        )
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert rest(client).startswith(b"HTTP/1.1 200")


def test_a_body_in_chunks_is_read() -> None:
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        text = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "x"}]}).encode()
        head = (
            f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer tk-test\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
            "Connection: close\r\n\r\n"
        )
        client.sendall(head.encode())
        for at in range(0, len(text), 20):
            part = text[at : at + 20]
            client.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        client.sendall(b"0\r\n\r\n")
        assert rest(client).startswith(b"HTTP/1.1 200")


def test_pipelined_requests_are_answered_in_their_order() -> None:
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        server.once(head_s=0.2, completion_tokens=3)
        client.sendall(post() + post(CHAT, "Connection: close"))
        told = rest(client)
        assert told.count(b"HTTP/1.1 200") == 2
        assert re.findall(rb'"completion_tokens": ?(\d+)', told) == [b"3", b"7"]


def test_a_client_that_pipelines_and_leaves_stops_the_request_that_runs() -> None:
    with faulty_upstream() as server, running(server) as world:
        server.always(head_s=20.0)
        with door(world) as client:
            client.sendall(post())
            world.wait(lambda: server.counters.running, "the request at its server")
            client.sendall(post())
            time.sleep(0.2)
        world.wait(lambda: server.counters.disconnects == 1, "the server's notice")
        world.wait(lambda: not world.gateway.flights, "its end")
        assert [type(one) for one in world.records()] == [Opened, Closed]
        assert world.records()[-1].outcome == "cancelled"  # type: ignore[union-attr]


def test_the_end_of_a_head_may_come_in_two_pieces() -> None:
    """Its last byte comes with a body that is longer than a head may be."""
    with (
        faulty_upstream() as server,
        running(server, limits=LimitsPlan(head_bytes=2_000)) as world,
        door(world) as client,
    ):
        head, _, body = post(CHAT, "Connection: close", pad="x" * 9_000).partition(b"\r\n\r\n")
        client.sendall(head + b"\r\n\r")
        time.sleep(0.2)
        client.sendall(b"\n" + body)
        assert rest(client).startswith(b"HTTP/1.1 200")


def test_a_body_that_does_not_end_after_its_answer_is_not_waited_for_for_ever() -> None:
    """401 goes out before the body; one byte now and then must not hold the connection."""
    limits = LimitsPlan(head_s=0.5)
    with (
        faulty_upstream() as server,
        running(server, limits=limits) as world,
        door(world) as client,
    ):
        client.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\n"
            "Content-Length: 5000\r\n\r\n".encode()
        )
        assert answer(client).startswith(b"HTTP/1.1 401")
        until_s = time.monotonic() + 8.0
        try:
            while time.monotonic() < until_s:
                client.sendall(b"x")
                time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() < until_s
        assert rest(client) == b""  # not a second answer


def test_the_rest_of_a_refused_body_is_passed_over_and_the_connection_goes_on() -> None:
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        client.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\n"
            "Content-Length: 5000\r\n\r\n".encode()
        )
        assert answer(client).startswith(b"HTTP/1.1 401")
        client.sendall(b"x" * 5000 + post())
        assert answer(client).startswith(b"HTTP/1.1 200")


def test_empty_lines_do_not_keep_an_idle_connection_from_being_swept() -> None:
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        client.sendall(post())
        answer(client)
        protocol = world.worker._protocol
        world.wait(lambda: len(protocol.idle) == 1, "the idle connection")
        client.sendall(b"\r\n")
        time.sleep(0.1)
        assert len(protocol.idle) == 1


def test_a_client_that_never_reads_its_last_answer_is_let_go() -> None:
    """It is closed for writing at once, and would be held as long as the client likes."""
    limits = LimitsPlan(write_stall_s=0.5)
    with faulty_upstream() as server, running(server, limits=limits) as world:
        server.always(pad_bytes=12_000_000)
        host, port = world.url.removeprefix("http://").split(":")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall(post(CHAT, "Connection: close"))
            world.wait(lambda: any(isinstance(one, Closed) for one in world.records()), "CLOSE")
            server_state = world.worker._protocol
            world.wait(lambda: server_state.stalls, "the stall")
            world.wait(lambda: not server_state.stalls, "its end")


def test_a_request_and_its_connection_do_not_hold_each_other() -> None:
    """Else long bodies would stay until the collector looks for circles."""
    with faulty_upstream() as server, running(server) as world:
        flights: list[Any] = []
        run = world.gateway.run

        async def noted(flight: Flight) -> None:
            flights.append(weakref.ref(flight))
            await run(flight)

        world.gateway.run = noted  # type: ignore[method-assign]
        gc.disable()
        try:
            for _ in range(3):
                assert world.chat("hello").status_code == 200
            world.wait(lambda: all(one() is None for one in flights[:2]), "their end")
        finally:
            gc.enable()
