"""The live page's stream: what comes, in which order, to whom, and how it ends.

Over a real port; the ledger and the gateway are by hand, so that every event is known.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from live_events import listening
from side_fake import KEYS, FakeSide, Served, plan, served, until

from tokenergy.company.serving.live import LiveDecision, LiveDecisions, LiveSum, LiveSums
from tokenergy.company.serving.ports import KeyFacts, StoreFault
from tokenergy.serve import live_api, live_hub, live_stream
from tokenergy.serve.live_api import LiveApi
from tokenergy.serve.live_face import ASKED, FACE, PAGE, FaceFiles
from tokenergy.serve.live_hub import LiveHub
from tokenergy.serve.live_standing import Standing

ROOT = "tk-root"


def decision(number: int, **more: Any) -> LiveDecision:
    stated: dict[str, Any] = {
        "cursor": number, "request_id": f"req-{number}", "at": "2027-01-15T08:00:00.000000Z",
        "tenant": "ann", "tier": "free", "workload": "chat", "model": "small", "site": "north",
        "decision": "serve", "reason": "value_above_cost", "outcome": "completed",
        "input_tokens": 10, "output_tokens": 20, "cost_usd": 2e-5, "charged_usd": 4e-5,
        "use_j": 3.0, "energy_tier": "modelled", "marginal_usd_per_mtok": 1.0,
        "value_usd": 1e-4, "next_admitted_s": None, "policy": "mpc",
    }  # fmt: skip
    return LiveDecision(**stated | more)


class RowsByHand:
    """A ledger of decisions 1, 2, 3, ... by hand."""

    def __init__(self, count: int) -> None:
        self.told = [decision(number) for number in range(1, count + 1)]
        self.fault = ""
        self.asked_count = 0

    def decisions(self, after: int | None) -> LiveDecisions:
        self.asked_count += 1
        if self.fault:
            raise StoreFault(self.fault)
        top = self.told[-1].cursor if self.told else 0
        first = after if after is not None and after <= top else 0
        newest = [one for one in self.told if one.cursor > first]
        return LiveDecisions(tuple(newest[-50:]), top, max(0, len(newest) - 50) if after else 0)

    def interrupt(self) -> None:
        self.interrupted = True

    def sums(self, *, now_s: float) -> LiveSums:
        row = LiveSum(
            "ann", "free", "small", "north", len(self.told), 10, 20, 1e-3, 2e-3, 3.0, None
        )
        return LiveSums("2027-01-14T08:00:00Z", (row,), ())


class World:
    """A side application with a live page, its hub and its ledger."""

    def __init__(self, folder: Path, side: FakeSide | None = None) -> None:
        self.folder, self.side, self.rows = folder, side or FakeSide(), RowsByHand(3)
        self.hub = LiveHub(
            self.side,
            standing=Standing(self.side, in_flight=lambda: 4),
            faces=FaceFiles(folder),
            rows=self.rows,
        )
        self.running: Served

    @property
    def url(self) -> str:
        return self.running.url

    def stop(self) -> None:
        """Tell it to end as a worker does, in its own loop."""
        task = self.hub._task
        if task is None:
            self.hub.stop()
        else:
            task.get_loop().call_soon_threadsafe(self.hub.stop)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look fifty times a second."""
    for name, value_s in (("LOOK_S", 0.02), ("STANDING_S", 0.04), ("SUMS_S", 0.04)):
        monkeypatch.setattr(live_hub, name, value_s)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from running(World(tmp_path))


def running(world: World) -> Iterator[World]:
    api = LiveApi(world.side, world.hub)
    with served(world.side, world.folder, runs=False, live=api) as there:
        world.running = there
        yield world
        world.stop()
        until(lambda: world.hub.listeners_count == 0)


def test_a_listener_is_told_everything_once_and_then_what_is_new(world: World) -> None:
    (world.folder / FACE).write_text('{"board_id": "b1", "html": "<p>"}')
    with listening(world.url, key=ROOT) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["x-accel-buffering"] == "no"
        seen: dict[str, Any] = {}
        for event in stream.events():
            seen.setdefault(event.name, event)
            if len(seen) == 4:
                break
        assert stream.retry == "2000"
        assert seen["face"].data == {"board_id": "b1", "html": "<p>"}
        assert seen["sums"].data["rows"][0]["requests_count"] == 3
        assert seen["sums"].data["rows"][0]["measured_joules"] is None
        standing = seen["standing"].data
        assert standing["company"] == "Fake"
        assert standing["in_flight_count"] == 4
        assert {one["name"]: one["status"] for one in standing["checks"]}["ledger"] == "ok"
        assert [one["id"] for one in seen["decisions"].data] == ["req-1", "req-2", "req-3"]
        assert seen["decisions"].id == "3"
        assert "worth 0.0001 USD" in seen["decisions"].data[0]["words"]
        world.rows.told.append(decision(4))
        assert [one["id"] for one in stream.next("decisions")] == ["req-4"]
        assert stream.last_id == "4"
        (world.folder / FACE).write_text('{"board_id": "b2"}')
        assert stream.next("face") == {"board_id": "b2"}


def test_a_stream_that_was_cut_off_goes_on_where_it_was(world: World) -> None:
    """A cursor that is none of this ledger's begins with the newest."""
    for how in ({"after": "1"}, {"path": "/v1/tokenergy/live?after=1"}):
        with listening(world.url, key=ROOT, **how) as stream:
            assert [one["id"] for one in stream.next("decisions")] == ["req-2", "req-3"]
    for after in ("-1", "x", "99999999999999999999", "7"):
        with listening(world.url, key=ROOT, after=after) as stream:
            assert len(stream.next("decisions")) == 3, after


def test_another_ledger_in_its_place_is_told_from_its_begin(world: World) -> None:
    with listening(world.url, key=ROOT) as stream:
        stream.next("decisions")
        world.rows.told = [decision(1, request_id="new-1")]
        assert [one["id"] for one in stream.next("decisions")] == ["new-1"]
        assert stream.last_id == "1"


def test_only_operators_listen(world: World) -> None:
    for key, status in ((None, 401), ("tk-nobody", 401), ("tk-ann", 403)):
        with listening(world.url, key=key) as stream:
            assert stream.status == status
            assert stream.body()["error"]["message"]


def test_other_methods_are_not_allowed(world: World) -> None:
    for path in ("/", "/v1/tokenergy/live"):
        with listening(world.url, key=ROOT, path=path, method="POST") as stream:
            assert (stream.status, "GET" in stream.headers["allow"]) == (405, True)
    with listening(world.url, key=ROOT, method="HEAD") as stream:
        assert stream.status == 200


def test_a_key_that_is_revoked_ends_its_stream(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_api, "RECHECK_S", 0.01)
    monkeypatch.setitem(KEYS, "tk-op", KeyFacts("k", "ann", (), frozenset({"admin"})))
    with listening(world.url, key="tk-op") as stream:
        stream.next("standing")
        monkeypatch.delitem(KEYS, "tk-op")
        assert stream.next("over")["reason"] == "key"
        assert list(stream.events()) == []  # a whole answer: no error of a broken stream


def test_the_worker_ends_and_so_do_its_streams(world: World) -> None:
    with listening(world.url, key=ROOT) as one, listening(world.url, key=ROOT) as two:
        for stream in (one, two):
            stream.next("standing")
        world.stop()
        for stream in (one, two):
            assert stream.next("over")["reason"] == "stopping"
            assert list(stream.events()) == []
    with listening(world.url, key=ROOT) as late:
        assert late.status == 503
        assert late.body()["error"]["code"] == "stopping"


def test_so_many_listen_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_api, "MOST_LISTENERS_COUNT", 1)
    with listening(world.url, key=ROOT) as one:
        one.next("standing")
        with listening(world.url, key=ROOT) as two:
            assert (two.status, two.headers["retry-after"]) == (503, "1")
            assert "1 listen to this worker already" in two.body()["error"]["message"]
    until(lambda: world.hub.listeners_count == 0)
    with listening(world.url, key=ROOT) as three:
        assert three.status == 200


def test_nobody_listens_and_nobody_looks(world: World) -> None:
    with listening(world.url, key=ROOT) as stream:
        stream.next("standing")
        assert (world.folder / ASKED).exists()
    until(lambda: world.hub._task is None)
    asked = world.rows.asked_count
    time.sleep(0.1)
    assert world.rows.asked_count == asked
    world.rows.told += [decision(number) for number in (4, 5)]
    with listening(world.url, key=ROOT) as stream:  # a second visitor is told the newest, once
        assert [one["id"] for one in stream.next("decisions")][-2:] == ["req-4", "req-5"]
        world.rows.told.append(decision(6))
        assert [one["id"] for one in stream.next("decisions")] == ["req-6"]


def test_a_ledger_that_cannot_be_read_is_said_and_comes_back(world: World) -> None:
    world.rows.fault = "ledger: database is locked"
    with listening(world.url, key=ROOT) as stream:
        told = stream.next("standing")
        (check,) = [one for one in told["checks"] if one["name"] == "ledger"]
        assert (check["status"], "locked" in check["reason"]) == ("degraded", True)
        assert [one["code"] for one in told["alarms"]] == ["LEDGER_NOT_OK"]
        world.rows.fault = ""
        assert [one["id"] for one in stream.next("decisions")] == ["req-1", "req-2", "req-3"]
        stream.next("standing", lambda told: not told["alarms"])


def test_a_look_that_fails_leaves_the_stream_alive(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_stream, "HEARTBEAT_S", 0.03)
    with listening(world.url, key=ROOT) as stream:
        stream.next("standing")
        leases = world.side.leases
        world.side.leases = None
        world.side.plan = msgspec.structs.replace(world.side.plan, accounts=(object(),))  # type: ignore[arg-type]
        time.sleep(0.2)
        world.side.plan, world.side.leases = plan(), leases
        stream.next("standing")
        assert stream.comments_count > 0


# ---- the door that is open -----------------------------------------------------------------


@pytest.fixture
def open_world(tmp_path: Path) -> Iterator[World]:
    """No key was ever made: this machine may come in without one."""
    side = FakeSide(plan=plan(open_door=True))
    side.caller = lambda headers, scope: KEYS["tk-ann"]  # type: ignore[method-assign]
    yield from running(World(tmp_path, side))


OWN = ("localhost:8088", "LOCALHOST", "[::1]:8088", "[::1]", "127.0.0.1")
OTHERS = (
    "evil.example", "evil.example:8088", "127.0.0.1.evil.example", "", "127.0.0.1:80@evil.example",
)  # fmt: skip


def test_an_open_door_answers_under_this_machines_names_alone(open_world: World) -> None:
    """DNS rebinding: another name that leads here reads neither page nor stream."""
    (open_world.folder / PAGE).write_text("<p>shell</p>")
    with listening(open_world.url, path="/", headers={"Host": "localhost"}):
        assert (open_world.folder / ASKED).exists()  # drawn before the stream is asked for
    for path in ("/v1/tokenergy/live", "/"):
        for host in (*OWN, *OTHERS):
            with listening(open_world.url, path=path, headers={"Host": host}) as stream:
                assert stream.status == (200 if host in OWN else 403), (path, host)


def test_a_door_that_is_shut_ends_the_streams_that_came_in_by_it(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_api, "RECHECK_S", 0.01)
    with listening(open_world.url) as stream:
        stream.next("standing")
        del open_world.side.caller
        open_world.side.plan = plan(open_door=False)
        assert stream.next("over")["reason"] == "key"


# ---- the page ------------------------------------------------------------------------------


def test_the_shell_needs_no_key_and_is_sent_once(world: World) -> None:
    with listening(world.url, path="/") as early:
        assert (early.status, early.headers["retry-after"]) == (503, "1")
        assert 'http-equiv="refresh"' in early._answer.read().decode()
    assert not (world.folder / ASKED).exists()  # nobody draws for one who shows no key
    (world.folder / PAGE).write_text("<!DOCTYPE html><title>shell</title>")
    with listening(world.url, path="/") as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/html; charset=utf-8"
        assert stream.headers["x-frame-options"] == "DENY"
        assert stream.headers["content-security-policy"] == "frame-ancestors 'none'"
        mark = stream.headers["etag"]
    with listening(world.url, path="/", headers={"If-None-Match": mark}) as known:
        assert (known.status, known._answer.read()) == (304, b"")
    with listening(world.url, key=ROOT) as told:  # so that a page knows of another release's
        assert f'"{told.next("standing")["page"]}"' == mark
    (world.folder / PAGE).write_text("<!DOCTYPE html><title>another</title>")
    with listening(world.url, path="/", headers={"If-None-Match": mark}) as fresh:
        assert fresh.status == 200


def test_a_face_that_is_no_json_leaves_the_one_before(tmp_path: Path) -> None:
    faces = FaceFiles(tmp_path)
    assert faces.face() is None
    binding = '{"made_at": "1970-01-01T01:00Z", "binding": [["texas", 5.5, 15.0]]}'
    (tmp_path / FACE).write_text(binding)
    first = faces.face()
    assert first is not None
    assert (first.made_at_s, first.binding[0]) == (3_600.0, ("texas", 5.5, 15.0))
    (tmp_path / FACE).write_text("{")
    assert faces.face() is first
