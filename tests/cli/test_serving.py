"""What `tokenergy serve` says to people and to scripts; a gateway itself is started elsewhere."""

from collections.abc import Callable
from typing import Any

import pytest
from commands import SMALL, strict

from tokenergy.api.serving import ServeAsk


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ServeAsk]:
    """Put in the gateway's place what tells two things and ends."""
    asks: list[ServeAsk] = []

    def serve(
        ask: ServeAsk,
        *,
        tell: Callable[[str], None],
        on_start: Callable[[dict[str, Any]], None] | None = None,
    ) -> int:
        asks.append(ask)
        if on_start is not None:
            on_start({"api": "http://127.0.0.1:1/v1", "page": "http://127.0.0.1:1/"})
        tell("Small at http://127.0.0.1:1/v1   Ctrl-C ends it")
        return 3 if ask.port == 1 else 0

    monkeypatch.setattr("tokenergy.api.serving.serve", serve)
    return asks


def test_people_read_lines(inside, asked: list[ServeAsk]) -> None:
    done = inside("serve", SMALL, "--workers", 2, "--at", "2026-03-02T18:00Z")
    assert (done.status, done.out) == (0, "")
    assert done.err == "Small at http://127.0.0.1:1/v1   Ctrl-C ends it\n"
    assert (asked[0].port, asked[0].workers_count) == (8088, 2)


def test_scripts_read_an_object_a_line_the_addresses_first(inside, asked: list[ServeAsk]) -> None:
    done = inside("serve", SMALL, "--port", 0, "--json")
    assert (done.status, done.err) == (0, "")
    first, second = map(strict, done.out.splitlines())
    assert first["event"] == "listening"
    assert first["at"].endswith("Z")
    assert first["page"] == "http://127.0.0.1:1/"
    assert (second["event"], second["text"][:5]) == ("told", "Small")


def test_it_ends_as_the_gateway_does(inside, asked: list[ServeAsk]) -> None:
    assert inside("serve", SMALL, "--port", 1).status == 3
    assert inside("serve", SMALL, "--port", 70000).status == 2
