"""Outlets: what goes to a connection, and what is kept of it."""

import asyncio
from typing import Any

from tokenergy.serve.outlet import AsgiOutlet, CopyingOutlet, MemoryOutlet


def sent_by(act: Any) -> list[dict[str, Any]]:
    """Return the messages that an act on an outlet sends."""
    found: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        found.append(dict(message))

    asyncio.run(act(AsgiOutlet(send)))
    return found


def test_a_whole_answer_has_its_length() -> None:
    async def act(outlet: AsgiOutlet) -> None:
        await outlet.whole(200, [(b"a", b"b")], b"12345")
        assert outlet.began
        assert outlet.ended

    start, body = sent_by(act)
    assert start["status"] == 200
    assert (b"content-length", b"5") in start["headers"]
    assert body == {"type": "http.response.body", "body": b"12345", "more_body": False}


def test_a_copy_is_what_the_client_got() -> None:
    async def act(outlet: AsgiOutlet) -> None:
        copy = CopyingOutlet(outlet, limit_bytes=100)
        await copy.head(200, [(b"content-type", b"text/event-stream")])
        await copy.write(b"ab")
        await copy.end(b"cd")
        assert (copy.status, copy.body, copy.content_type) == (200, b"abcd", "text/event-stream")
        assert copy.ended
        assert not copy.too_long

    assert b"".join(one.get("body", b"") for one in sent_by(act)) == b"abcd"


def test_a_copy_that_grows_too_long_is_given_up_and_the_client_gets_all() -> None:
    async def act(outlet: AsgiOutlet) -> None:
        copy = CopyingOutlet(outlet, limit_bytes=3)
        await copy.head(200, [])
        await copy.write(b"ab")
        await copy.write(b"cd")
        await copy.end(b"e")
        assert copy.too_long
        assert copy.body == b""

    assert b"".join(one.get("body", b"") for one in sent_by(act)) == b"abcde"


def test_memory_keeps_status_and_body() -> None:
    outlet = MemoryOutlet()
    asyncio.run(outlet.whole(429, [(b"content-type", b"application/json")], b"{}"))
    assert (outlet.status, outlet.body, outlet.content_type) == (429, b"{}", "application/json")
