"""The protocol before the door: slow heads, large heads, what is no HTTP; over real sockets."""

import socket
import time

from faulty_upstream import faulty_upstream
from gateway_world import RunningWorld, running

from tokenergy.company.serving.plan import LimitsPlan


def door(world: RunningWorld) -> socket.socket:
    host, port = world.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def rest(client: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    found = b""
    try:
        while data := client.recv(4096):
            found += data
    except ConnectionResetError:
        pass
    return found


def test_a_head_that_never_ends_is_ended() -> None:
    """One byte every 50 ms: after 0.5 s of them the head is late."""
    with faulty_upstream() as server, running(server, limits=LimitsPlan(head_s=0.5)) as world:
        with door(world) as client:
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n")
            until_s = time.monotonic() + 8.0
            try:
                while time.monotonic() < until_s:
                    client.sendall(b"x")
                    time.sleep(0.05)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert time.monotonic() < until_s
        assert world.chat("hello").status_code == 200


def test_an_idle_new_connection_is_ended_with_408() -> None:
    with faulty_upstream() as server, running(server, limits=LimitsPlan(head_s=0.3)) as world:
        with door(world) as client:
            told = rest(client)
        assert told.startswith(b"HTTP/1.1 408")
        assert b'"code":"request_timeout"' in told


def test_a_flood_of_headers_is_431() -> None:
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
        for at in range(2000):
            try:
                client.sendall(b"x-%d: %s\r\n" % (at, b"y" * 100))
            except (BrokenPipeError, ConnectionResetError):
                break
        told = rest(client)
        assert told == b"" or told.startswith(b"HTTP/1.1 431")
        assert world.chat("hello").status_code == 200


def test_what_is_no_http_is_400_in_the_right_shape() -> None:
    with faulty_upstream() as server, running(server) as world, door(world) as client:
        client.sendall(b"\x16\x03\x01\x02\x00\x01 hello\r\n\r\n")
        told = rest(client)
        assert told.startswith(b"HTTP/1.1 400")
        assert b'"type":"invalid_request_error"' in told


def test_two_lengths_or_a_length_beside_chunks_are_refused() -> None:
    """Two readers of such a head may see two requests (smuggling)."""
    heads = (
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    )
    with faulty_upstream() as server, running(server) as world:
        for head in heads:
            with door(world) as client:
                client.sendall(
                    b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                    b"Authorization: Bearer tk-test\r\n" + head + b"\r\n{}"
                )
                client.shutdown(socket.SHUT_WR)
                assert rest(client).startswith(b"HTTP/1.1 400")
        assert server.counters.requests == 0


def test_a_slow_body_is_408_and_nothing_is_recorded() -> None:
    limits = LimitsPlan(body_grace_s=0.5, body_bytes_per_s=1000.0)
    with faulty_upstream() as server, running(server, limits=limits) as world:
        with door(world) as client:
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer tk-test"
                b"\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
            )
            told = rest(client)
        assert told.startswith(b"HTTP/1.1 408")
        assert world.records() == []


def test_an_address_has_so_many_connections() -> None:
    limits = LimitsPlan(connections_per_address_count=3)
    with faulty_upstream() as server, running(server, limits=limits) as world:
        held = [door(world) for _ in range(3)]
        time.sleep(0.1)
        with door(world) as one_more:
            assert rest(one_more) == b""
        for client in held:
            client.close()
        world.wait(lambda: world.chat("hello").status_code == 200, "room again")
