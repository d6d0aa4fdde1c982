"""Ends that a request may come to beside the usual one: none leaves anything behind, or lies."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from faulty_upstream import Server, faulty_upstream
from gateway_world import ANN, KEY, MODEL, RunningWorld, board_of, running
from request_boards import board, candidate, rung, workload

from tokenergy.company.serving.plan import AccountPlan, LimitsPlan, TenantPlan
from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Closed, Opened, Refused
from tokenergy.serve import holding, relay
from tokenergy.serve.board_file import encoded_board
from tokenergy.serve.board_watch import BOARD

SPEND = AccountPlan(
    name="spend:ann", unit="nano_usd", limit=10**12, tenant=ANN, window="day", time_zone="UTC"
)


@contextmanager
def one_site(**more: Any) -> Iterator[tuple[RunningWorld, Server]]:
    with faulty_upstream() as near, running(near, **more) as world:
        yield world, near


def asked(**more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]} | more


def raw(world: RunningWorld, *lines: str, **body: Any) -> socket.socket:
    """Return a connection on which a chat was asked."""
    text = json.dumps(asked(**body)).encode()
    host, port = world.url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)), timeout=10)
    head = [
        "POST /v1/chat/completions HTTP/1.1", "Host: a", f"Authorization: Bearer {KEY}",
        "Content-Type: application/json", f"Content-Length: {len(text)}", *lines,
    ]  # fmt: skip
    client.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + text)
    return client


def closed_of(world: RunningWorld) -> Closed:
    world.wait(lambda: isinstance(world.records()[-1], Closed), "its CLOSE")
    found = world.records()[-1]
    assert isinstance(found, Closed)
    return found


def nothing_is_left(world: RunningWorld) -> None:
    """Nothing is under way, reserved, or counted for anybody."""
    gateway = world.gateway
    world.wait(lambda: not gateway.flights, "the end of all requests")
    assert gateway.state is not None
    assert sum(gateway.state.counts.in_flight) == 0
    assert sum(gateway.counts.totals()) == 0
    assert not any(gateway._at_once.values())
    assert not any(part > 1e-12 for part in gateway._room._load)
    balances = gateway.leases._balances.values()  # type: ignore[attr-defined]
    assert [one.reserved for one in balances] == [0] * len(balances)


def hold_ahead(world: RunningWorld, *, before_s: float) -> float:
    """Let the next interval be cheap, and the clock stand so long before it; return its begin."""
    made = board_of(world.plan, prices_usd_per_mtok=(4.0,), ahead_usd_per_mtok=(4.0, 1.0, 4.0))
    world.put_board(made)
    edge_s = made.start_s + made.interval_s
    world.gateway._offset_s = edge_s - before_s - time.time()
    return edge_s


# ---- faults of ours ----


def test_a_fault_of_ours_leaves_nothing_reserved_and_has_its_close() -> None:
    with one_site(accounts=(SPEND,)) as (world, _):
        client = world.gateway.pool._benches[f"{MODEL}@near"][0].client
        real = client.open

        async def broken(_call: Any) -> Any:
            raise ValueError("a secret of the prompt")

        client.open = broken  # type: ignore[method-assign]
        told = world.chat("hello")
        client.open = real  # type: ignore[method-assign]
        assert told.status_code == 500
        assert told.json()["error"]["code"] == "internal_error"
        assert "secret" not in told.text
        closed = closed_of(world)
        assert (closed.outcome, closed.charge_nano_usd, closed.settled) == ("failed", 0, (0,))
        nothing_is_left(world)
        assert world.chat("hello").status_code == 200  # its circuit is not opened by us


def test_a_fault_between_reservation_and_open_gives_the_reservation_back() -> None:
    with one_site(accounts=(SPEND,)) as (world, _):
        real = world.gateway.pool.pick

        def broken(_deployment: str) -> Any:
            raise KeyError("x")

        world.gateway.pool.pick = broken  # type: ignore[method-assign]
        assert world.chat("hello").status_code == 500
        world.gateway.pool.pick = real  # type: ignore[method-assign]
        assert [type(one) for one in world.records()] == [Refused]
        nothing_is_left(world)


def test_a_step_of_the_workers_that_fails_does_not_end_the_others() -> None:
    """A disk that takes no metrics file must not let leases run out, or boards grow old."""
    with one_site() as (world, _):
        kept = threading.Event()

        def full(*_: Any, **__: Any) -> Any:
            raise OSError(28, "No space left on device")

        world.worker._metrics_file = world.folder / "metrics"
        world.gateway.tally.encoded = full  # type: ignore[method-assign]
        world.gateway.overdue = full  # type: ignore[method-assign]
        world.wait(lambda: ("tokenergy_errors", ("500", "OSError")) in world.gateway.tally.counts,
                   "the first fault")  # fmt: skip
        leases = world.gateway.leases
        leases.keep_up = lambda **_: kept.set()  # type: ignore[attr-defined]
        assert kept.wait(10.0)
        world.put_board(board_of(world.plan, prices_usd_per_mtok=(3.0,)))


# ---- durability ----


def test_strict_holds_the_last_byte_until_the_disk_has_its_close() -> None:
    with one_site(strict=True) as (world, _):
        numbers: list[int] = []
        gate = threading.Event()
        journal: Any = world.gateway.journal

        async def synced(number: int) -> None:
            numbers.append(number)
            while not gate.is_set():
                await relay.asyncio.sleep(0.01)

        journal.synced = synced
        told: list[Any] = []
        thread = threading.Thread(target=lambda: told.append(world.chat("a")))
        thread.start()
        world.wait(lambda: numbers, "the wait for the disk")
        assert not told
        gate.set()
        thread.join()
        assert told[0].status_code == 200
        world.chat("a", stream=True)
        assert numbers == [2, 4]  # OPEN 1, CLOSE 2; OPEN 3, CLOSE 4


def test_strict_gives_no_answer_that_the_disk_refuses() -> None:
    with one_site(strict=True) as (world, _):
        journal: Any = world.gateway.journal

        async def synced(_number: int) -> None:
            raise StoreFault("the disk refused this record of the journal")

        journal.synced = synced
        told = world.chat("a")
        assert told.status_code == 503
        assert told.json()["error"]["code"] == "journal_full"
        streamed = world.chat("a", stream=True)
        assert '"journal_full"' in streamed.text
        assert "[DONE]" not in streamed.text
        assert [type(one) for one in world.records()] == [Opened, Closed] * 2


# ---- its end ----


def test_at_the_end_a_whole_answer_that_did_not_come_is_told_and_not_charged() -> None:
    with one_site(accounts=(SPEND,), limits=LimitsPlan(drain_s=0.2)) as (world, near):
        near.always(head_s=30.0)
        told: list[Any] = []
        thread = threading.Thread(target=lambda: told.append(world.chat("a" * 4_000)))
        thread.start()
        world.wait(lambda: near.counters.running, "the request at its server")
        world.stop()
        thread.join()
        assert told[0].status_code == 503
        assert told[0].json()["error"]["code"] == "stopping"
        closed = closed_of(world)
        assert (closed.outcome, closed.charge_nano_usd) == ("interrupted", 0)
        assert closed.input_tokens > 0  # what it took stands there all the same


def test_at_the_end_held_requests_are_told_and_cost_nothing() -> None:
    with one_site(limits=LimitsPlan(drain_s=0.2)) as (world, near):
        hold_ahead(world, before_s=60.0)
        told: list[Any] = []
        threads = [
            threading.Thread(target=lambda stream=stream: told.append(
                world.chat("a", service_tier="flex", stream=stream)
            ))
            for stream in (False, True)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        world.wait(lambda: world.gateway.holding.count == 2, "both held")
        world.stop()
        for thread in threads:
            thread.join()
        assert sorted(one.status_code for one in told) == [200, 503]
        for one in told:
            assert '"code":"stopping"' in one.text
        ends = [one for one in world.records() if isinstance(one, Closed)]
        assert [(one.outcome, one.charge_nano_usd) for one in ends] == [("interrupted", 0)] * 2
        assert near.counters.requests == 0


def test_an_answer_that_takes_too_long_is_not_charged_where_none_was_given() -> None:
    with one_site(limits=LimitsPlan(total_s=0.3)) as (world, near):
        near.always(head_s=30.0)
        assert world.chat("a" * 4_000).status_code == 504
        closed = closed_of(world)
        assert (closed.outcome, closed.charge_nano_usd) == ("failed", 0)
        nothing_is_left(world)


def test_a_task_that_somebody_else_cancels_has_its_close_too() -> None:
    with one_site() as (world, near):
        near.always(head_s=30.0)
        with raw(world):
            world.wait(lambda: near.counters.running, "the request at its server")
            (flight,) = world.gateway.flights
            assert flight._task is not None
            world.loop.call_soon_threadsafe(flight._task.cancel)
            closed = closed_of(world)
            assert closed.outcome == "interrupted"
        nothing_is_left(world)


def test_a_server_that_does_not_end_its_stream_does_not_keep_the_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its last event has come, its last chunk has not."""
    monkeypatch.setattr(relay, "END_S", 0.2)
    listening = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        client, _ = listening.accept()
        with client:
            client.recv(65_536)
            chunk = {"id": "x", "object": "chat.completion.chunk", "model": "fake-model"}
            usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
            last = {**chunk, "choices": [], "usage": usage}
            text = f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode()
            client.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(text), text)
            )
            done.wait(10.0)

    class Silent:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with running(Silent()) as world:
            told = world.chat("a", stream=True)
            assert told.text.endswith("data: [DONE]\n\n")
            nothing_is_left(world)
    finally:
        done.set()
        thread.join()
        listening.close()


def test_a_retry_that_fails_tells_no_first_byte_of_the_place_before_it() -> None:
    with faulty_upstream() as near, faulty_upstream() as far, running(near, far) as world:
        near.always(status=500)
        far.always(fault="reset", head_s=0.2)
        assert world.chat("a").status_code in (502, 503)
        assert closed_of(world).first_byte_s is None


# ---- held ----


def test_a_stream_that_was_held_is_told_the_servers_refusal_as_an_event() -> None:
    """Its head is out: another one in the middle would be no HTTP."""
    with one_site() as (world, near):
        hold_ahead(world, before_s=0.5)
        near.always(status=400)
        told = world.chat("hello", service_tier="flex", stream=True)
        assert told.status_code == 200
        assert "HTTP/1.1" not in told.text
        last = told.text.strip().rsplit("\n\n", 1)[-1]
        assert "error" in json.loads(last.removeprefix("data: "))
        assert closed_of(world).outcome == "failed"
        nothing_is_left(world)


def test_whoever_leaves_the_hold_is_forgotten_and_gives_its_place_back() -> None:
    """Places of the plan, the memory of who waits, the account: else leaving empties them all."""
    with one_site(accounts=(SPEND,)) as (world, _):
        hold_ahead(world, before_s=100.0)
        held = world.gateway.holding
        for _ in range(3):
            clients = [raw(world, service_tier="flex") for _ in range(60)]
            world.wait(lambda: held.count == 60, "all held")
            assert world.gateway.state is not None
            assert sum(world.gateway.state.counts.held_tokens.values()) > 0
            for client in clients:
                client.close()
            world.wait(lambda: held.count == 0, "all gone")
        assert len(held._heap) <= holding.KEPT_LEFT_COUNT + 60
        assert not world.gateway.state.counts.held_tokens
        nothing_is_left(world)


def test_a_long_queue_looks_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """160 in the queue, 16 look at once: each looks every tenth time, so every 0.2 s."""
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    class Waiting:
        now_s = staticmethod(lambda: 0.0)
        holding = type("Holding", (), {"queued_count": 159})()

    class Asking:
        gateway = Waiting()
        request = type("Request", (), {"arrival_s": 0.0, "deadline_s": None})()

    decision = type("Decision", (), {"queue_s": 2.0})()
    monkeypatch.setattr(holding.asyncio, "sleep", sleep)
    with pytest.raises(StopIteration):
        holding.queue(Asking(), decision).send(None)  # type: ignore[arg-type]
    assert waits == pytest.approx([0.2])
    assert Waiting.holding.queued_count == 159  # type: ignore[attr-defined]


# ---- what heads say ----


def test_a_head_tells_the_price_of_its_own_row_and_the_policy_of_now() -> None:
    """One place, 1 USD/Mtok for chats and 3 for the patient, as its prices differ by workload."""
    with one_site() as (world, _):
        moment = time.time()
        start_s = moment - moment % 3600.0
        rows = [
            workload(
                [rung([candidate(f"{MODEL}@near", price, share=1.0, site="near")])],
                name=load.name, tier=load.tier, service_tier=load.service_tier,
            )
            for load, price in zip(world.plan.workloads, (1.0, 3.0), strict=True)
        ]  # fmt: skip
        world.put_board(
            board(*rows, made_at_s=moment, start_s=start_s, valid_until_s=start_s + 3600.0)
        )
        name = "x-tokenergy-marginal-usd-per-mtok"
        assert world.chat("a").headers[name] == "1"
        assert world.chat("a", service_tier="flex").headers[name] == "3"
        assert world.chat("a").headers["x-tokenergy-policy"] == "mpc"
        world.gateway._offset_s = start_s + 3601.0 - time.time()
        assert world.chat("a").headers["x-tokenergy-policy"] == "reserve"


# ---- once and once only ----


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_left_and_comes_again_with_its_key_gets_the_answer_once(
    stream: bool,
) -> None:
    """Its first request is read to its end without it: one answer, one bill."""
    with one_site(accounts=(SPEND,)) as (world, near):
        near.always(head_s=0.3, token_s=0.02)
        lines = ("Idempotency-Key: k1", "Connection: close")
        with raw(world, *lines, stream=stream):
            world.wait(lambda: near.counters.running, "the request at its server")
        told = []
        for _ in range(2):
            with raw(world, *lines, stream=stream) as client:
                told.append(b"".join(iter(lambda client=client: client.recv(65_536), b"")))
        assert told[0] == told[1]
        assert told[0].startswith(b"HTTP/1.1 200")
        assert not stream or told[0].endswith(b"data: [DONE]\n\n")
        assert near.counters.requests == 1
        closes = [one for one in world.records() if isinstance(one, Closed)]
        assert [(one.outcome, one.output_tokens) for one in closes] == [("drained", 7)]


def test_a_stream_that_broke_is_not_kept_under_its_key() -> None:
    with one_site() as (world, near):
        near.once(fault="reset", at_byte=900, completion_tokens=60)
        first = world.chat("hi", idempotency_key="k", stream=True)
        assert "[DONE]" not in first.text
        second = world.chat("hi", idempotency_key="k", stream=True)
        assert second.text.endswith("data: [DONE]\n\n")


def test_whoever_waits_for_a_key_and_leaves_asks_the_store_no_more() -> None:
    with one_site(limits=LimitsPlan(drain_s=0.1)) as (world, near):
        near.always(head_s=20.0)
        claims: list[str] = []
        store: Any = world.gateway.idempotency
        real = store.claim

        def claim(*words: Any, **more: Any) -> Any:
            claims.append(words[1])
            return real(*words, **more)

        store.claim = claim
        with raw(world, "Idempotency-Key: k"):
            world.wait(lambda: near.counters.running, "the first")
            with raw(world, "Idempotency-Key: k"):
                world.wait(lambda: len(claims) >= 3, "the second, waiting")
            time.sleep(0.3)
            count = len(claims)
            time.sleep(0.6)
            assert len(claims) == count
        world.stop()


# ---- whose money ----


def test_a_tenants_requests_at_once_come_back_whatever_becomes_of_them() -> None:
    tenants = (TenantPlan(name=ANN, tiers=("free", "slow"), origin="eu", concurrent_count=1),)
    with one_site(tenants=tenants) as (world, near):
        for behaviour in ({"status": 500}, {"fault": "reset"}, {"status": 404}, {}):
            near.once(**behaviour)
            world.chat("a")
        near.once(head_s=5.0)
        with raw(world):
            world.wait(lambda: near.counters.running, "the request at its server")
            assert world.chat("a").status_code == 429
        nothing_is_left(world)
        assert world.chat("a").status_code == 200


# ---- at its begin ----


def test_a_board_that_came_since_the_last_look_is_found_by_the_request_that_needs_it() -> None:
    """Several workers look at different moments: one that is called ready speaks for all."""
    with one_site(board_first=False) as (world, _):
        assert world.chat("a").status_code == 503
        world.loop.call_soon_threadsafe(setattr, world.worker, "_step", lambda _step: None)
        time.sleep(0.3)  # from now on nobody looks by itself
        (world.folder / BOARD).write_bytes(encoded_board(board_of(world.plan)))
        assert world.chat("a").status_code == 200
