"""The live stream in a whole worker: clients that do not read, and the end of the worker.

A real socket, uvicorn and our protocol: what waits for a slow reader is bounded there.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_upstream import faulty_upstream
from gateway_world import RunningWorld, plan_of, running
from live_events import STREAM, listening

from tokenergy.company.serving.plan import AccountPlan, LimitsPlan
from tokenergy.serve import live_hub
from tokenergy.serve.gateway import Gateway
from tokenergy.serve.live_api import LiveApi
from tokenergy.serve.live_face import FACE, FaceFiles
from tokenergy.serve.live_hub import LiveHub
from tokenergy.serve.live_standing import Standing
from tokenergy.serve.side_app import side_app

FACE_BYTES = 12_000_000
HUBS: list[LiveHub] = []


def beside(gateway: Gateway, folder: Path) -> tuple[Any, Callable[[], None]]:
    """Return the side application of a worker with a live page."""
    hub = LiveHub(
        gateway,
        standing=Standing(gateway, in_flight=lambda: sum(gateway.counts.totals())),
        faces=FaceFiles(folder),
    )
    HUBS.append(hub)
    return side_app(gateway, live=LiveApi(gateway, hub)), hub.stop


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningWorld]:
    """A gateway whose clients may stall for a second, with a budget; its door is open."""
    monkeypatch.setattr(live_hub, "LOOK_S", 0.02)
    monkeypatch.setattr(live_hub, "STANDING_S", 0.04)
    HUBS.clear()
    account = AccountPlan(
        name="budget:day", unit="nano_usd", limit=5_000_000, window="day", time_zone="UTC"
    )
    limits = LimitsPlan(first_byte_least_s=5.0, between_chunks_s=5.0, write_stall_s=0.3)
    with faulty_upstream() as near:
        plan = plan_of([near.url], accounts=(account,), limits=limits, open_door=True)
        with running(near, plan=plan, side=beside) as held:
            yield held


def test_a_client_that_does_not_read_costs_little_and_is_cut_off(world: RunningWorld) -> None:
    """A face of 12 MB: 64 KiB of it wait in our hands at most, and the rest is not made anew."""
    (world.folder / FACE).write_text(json.dumps({"html": "x" * FACE_BYTES}))
    door = socket.create_connection(("127.0.0.1", world.worker._sockets[0].getsockname()[1]))
    door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    door.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    try:
        world.wait(lambda: HUBS[0].listeners_count == 1, "a listener")
        protocol = world.worker._protocol
        world.wait(lambda: protocol.stalls, "a stall")
        (cycle,) = list(protocol.stalls)
        assert cycle.transport.get_write_buffer_size() < 100_000
        assert world.chat("meanwhile").status_code == 200
        world.wait(lambda: HUBS[0].listeners_count == 0, "it is cut off")
    finally:
        door.close()


def test_a_client_that_leaves_is_noticed(world: RunningWorld) -> None:
    with listening(world.url, headers={"Host": "localhost"}) as stream:
        stream.next("standing")
    world.wait(lambda: HUBS[0].listeners_count == 0, "it left")
    world.wait(lambda: HUBS[0]._task is None, "nobody looks")


def test_the_end_of_the_worker_is_the_end_of_its_streams(world: RunningWorld) -> None:
    """As SIGTERM does: a whole answer, and nobody waits for the drain of 10 s."""
    seen: list[str] = []

    def listen() -> None:
        with listening(world.url) as stream:
            seen.append("began")
            seen.extend(event.name for event in stream.events())
            seen.append("ended")

    listeners = [threading.Thread(target=listen) for _ in range(3)]
    for each in listeners:
        each.start()
    world.wait(lambda: HUBS[0].listeners_count == 3 and seen.count("standing") >= 3, "standings")
    began_s = time.monotonic()
    world.stop()
    for each in listeners:
        each.join(5.0)
    assert world.ended.wait(5.0)
    assert time.monotonic() - began_s < 5.0
    assert (seen.count("over"), seen.count("ended")) == (3, 3)


def test_what_a_budget_has_spent_is_told(world: RunningWorld) -> None:
    with listening(world.url) as stream:
        assert stream.next("standing")["budgets"][0]["spent"] == 0.0
        assert world.chat("hello").status_code == 200
        told = stream.next("standing", lambda told: told["budgets"][0]["spent"] > 0.0)
    (budget,) = told["budgets"]
    assert (budget["name"], budget["unit"], budget["limit"]) == ("day", "USD", 0.005)
    assert budget["left"] == pytest.approx(budget["limit"] - budget["spent"])
    assert budget["spent_share"] == pytest.approx(budget["spent"] / 0.005)
    assert told["in_flight_count"] == 0
