"""The gateway whole: what clients are told, what the journal says, what upstreams see."""

import dataclasses
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from faulty_upstream import Server, faulty_upstream
from gateway_world import MODEL, RunningWorld, board_of, plan_of, running
from request_boards import request

from tokenergy.company.request import Request
from tokenergy.company.serving.plan import AccountPlan, LimitsPlan, TenantPlan, WorkerPlan
from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Closed, Marked, Opened, Refused


@contextmanager
def two_sites(**more: Any) -> Iterator[tuple[RunningWorld, Server, Server]]:
    """A gateway before two servers; `near` is cheap, `far` costs twice as much."""
    with faulty_upstream() as near, faulty_upstream() as far, running(near, far, **more) as world:
        yield world, near, far


def kinds(world: RunningWorld) -> list[str]:
    """Return the names of the journal's records, in order."""
    return [type(record).__name__ for record in world.records()]


def events(text: str) -> list[Any]:
    """Return the data of a stream's events."""
    found = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in found]


def request_at(plan: WorkerPlan) -> Request:
    """Return a request of the plan's first row, as the door would make it."""
    load = plan.workloads[0]
    return request(tenant="ann", tier=load.tier, workload=load.name, origin=load.origin)


# ---- answers ----


def test_a_chat_is_answered_priced_and_written_down() -> None:
    """10 input and 7 output tokens at 1 and 4.000000001 USD/Mtok.

    Charge: 10 x 1e9 / 1e6 = 10,000 nano-dollars, 7 x 4,000,000,001 / 1e6 = 28,000.000007 -> 28,000.
    Marginal cost: kappa 0, so 7 tokens x 1 USD/Mtok = 7,000 nano-dollars; 1 J a token: 7 J.
    """
    with two_sites() as (world, near, far):
        told = world.chat("hello")
        assert told.status_code == 200, told.text
        body = told.json()
        assert body["model"] == MODEL
        assert body["service_tier"] == "default"
        assert body["usage"]["completion_tokens"] == 7
        assert told.headers["x-tokenergy-site"] == "near"
        assert told.headers["x-tokenergy-decision"] == "serve"
        assert float(told.headers["x-tokenergy-cost-usd"]) == pytest.approx(7e-6)
        assert float(told.headers["x-tokenergy-joules"]) == pytest.approx(7.0)
        assert told.headers["x-tokenergy-marginal-usd-per-mtok"] == "1"
        opened, closed = world.records()
        assert isinstance(opened, Opened)
        assert isinstance(closed, Closed)
        assert opened.request_id == closed.request_id == told.headers["x-tokenergy-request-id"]
        assert (closed.input_tokens, closed.output_tokens) == (10, 7)
        assert (closed.charge_nano_usd, closed.cost_nano_usd) == (38_000, 7_000)
        assert closed.microjoules == 7_000_000
        assert (closed.usage_source, closed.outcome) == ("reported", "completed")
        assert near.counters.requests == 1
        assert far.counters.requests == 0


def test_an_upstream_is_asked_under_its_own_name_and_without_our_keys() -> None:
    with two_sites() as (world, near, _):
        world.chat("hello", x_tokenergy_session="s", cookie="no")
        seen = near.seen[-1]
        assert json.loads(seen.body)["model"] == "fake-model"
        names = {name.lower() for name in seen.headers}
        assert "authorization" not in names
        assert "cookie" not in names
        assert not [name for name in names if name.startswith("x-tokenergy")]


def test_a_name_that_no_header_can_hold_is_told_in_ascii() -> None:
    with two_sites() as (world, _, _):
        plan = world.plan
        made = board_of(plan)
        world.chat("hello")
        board, _, decision = world.gateway.decide(request_at(plan))
        place = decision.candidate
        assert place is not None
        odd = decision._replace(candidate=dataclasses.replace(place, site="Z\u00fcrich\r\nx: y"))
        said = dict(world.gateway.telling._said(odd, made))
        assert said[b"x-tokenergy-site"] == b"Z?rich??x: y"
        assert board is not None


def test_a_stream_passes_as_it_comes_and_its_usage_is_asked_for_and_hidden() -> None:
    with two_sites() as (world, near, _):
        told = world.chat("hello", stream=True)
        assert told.status_code == 200
        assert told.headers["content-type"].startswith("text/event-stream")
        found = events(told.text)
        assert found[-1] == "[DONE]"
        assert all(event["model"] == MODEL for event in found[:-1])
        assert not [event for event in found[:-1] if event.get("usage")]
        assert json.loads(near.seen[-1].body)["stream_options"]["include_usage"] is True
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert (closed.input_tokens, closed.output_tokens) == (10, 7)
        assert closed.usage_source == "reported"
        assert closed.first_byte_s is not None


def test_a_stream_whose_client_asks_is_told_tokens_joules_and_dollars() -> None:
    with two_sites() as (world, _, _):
        told = world.chat(
            "hello", stream=True, stream_options={"include_usage": True}, x_tokenergy_detail="1"
        )
        last = events(told.text)[-2]
        assert last["usage"]["completion_tokens"] == 7
        assert last["tokenergy"]["cost_usd"] == pytest.approx(7e-6)
        assert last["tokenergy"]["joules"] == pytest.approx(7.0)


def test_detail_of_a_whole_answer_has_the_price_in_its_parts() -> None:
    with two_sites() as (world, _, _):
        detail = world.chat("hello", x_tokenergy_detail="1").json()["tokenergy"]
        assert sum(detail["parts_usd"].values()) > 0.0
        assert detail["charge_usd"] == pytest.approx(38e-6)


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/responses", "/v1/embeddings"])
def test_other_endpoints_are_answered_and_metered(path: str) -> None:
    with two_sites() as (world, near, _):
        field = "prompt" if path == "/v1/completions" else "input"
        told = world.post(path, {"model": MODEL, field: "hello"})
        assert told.status_code == 200, told.text
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        world.wait(lambda: near.counters.answered == 1, "the server's own count")
        assert closed.input_tokens == near.counters.prompt_tokens
        assert closed.output_tokens == near.counters.completion_tokens


def test_an_endpoint_that_we_do_not_govern_is_passed_on_and_metered() -> None:
    with two_sites() as (world, near, _):
        told = world.post("/v1/rerank", {"model": MODEL, "query": "a", "documents": ["b"]})
        assert told.status_code == 200
        assert near.seen[-1].path == "/v1/rerank"
        assert json.loads(near.seen[-1].body)["documents"] == ["b"]
        opened, closed = world.records()
        assert isinstance(opened, Opened)
        assert isinstance(closed, Closed)
        assert (opened.endpoint, closed.outcome) == ("/v1/rerank", "completed")
        assert closed.input_tokens == near.counters.prompt_tokens
        assert world.post("/v1/rerank", {"query": "a"}).status_code == 400


def test_an_answer_without_usage_is_estimated_and_says_so() -> None:
    with two_sites() as (world, near, _):
        near.once(usage="omit")
        assert world.chat("hello").status_code == 200
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert closed.usage_source == "estimated"
        assert closed.output_tokens > 0


# ---- who may ask ----


def test_no_key_a_wrong_one_and_one_without_scope() -> None:
    with two_sites() as (world, near, _):
        assert world.chat(key=None).status_code == 401
        wrong = world.chat(key="tk-nobody")
        assert wrong.status_code == 401
        assert wrong.json()["error"]["code"] == "invalid_api_key"
        assert world.chat(key="tk-usage").status_code == 403
        assert near.counters.requests == 0
        assert kinds(world) == []


def test_an_unknown_model_is_told_the_known_ones() -> None:
    with two_sites() as (world, _, _):
        told = world.chat(model="larg")
        assert told.status_code == 404
        assert told.json()["error"]["param"] == "model"
        assert MODEL in told.json()["error"]["message"]
        (refused,) = world.records()
        assert isinstance(refused, Refused)
        assert (refused.code, refused.model_asked) == ("model_not_found", "")


def test_an_alias_stands_for_the_ladder() -> None:
    with two_sites() as (world, _, _):
        assert world.chat(model="chat-auto").status_code == 200
        assert world.chat(model="auto").status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"model": 1}', b"\xff\xfe", b'{"model":"large","messages":7}']
)
def test_a_body_that_cannot_be_read_is_told_in_the_right_shape(body: bytes) -> None:
    with two_sites() as (world, near, _):
        told = world.post("/v1/chat/completions", body)
        assert told.status_code == 400
        assert told.json()["error"]["type"] == "invalid_request_error"
        assert near.counters.requests == 0


def test_a_body_one_byte_over_its_limit_is_refused_and_one_within_is_served() -> None:
    with two_sites(limits=LimitsPlan(body_bytes=20_000)) as (world, _, _):
        shell = len(b'{"model":"large","messages":[{"role":"user","content":""}]}')

        def body(size: int) -> bytes:
            text = b"x" * (size - shell)
            return b'{"model":"large","messages":[{"role":"user","content":"%s"}]}' % text

        assert world.post("/v1/chat/completions", body(20_000)).status_code == 200
        assert world.post("/v1/chat/completions", body(20_001)).status_code == 413


# ---- what it costs ----


def test_what_costs_more_than_it_is_worth_is_refused_with_its_numbers() -> None:
    """Worth 5 USD/Mtok, at 9 and 8 USD/Mtok nothing pays."""
    with two_sites() as (world, near, _):
        world.put_board(board_of(world.plan, prices_usd_per_mtok=(9.0, 8.0)))
        told = world.chat("hello")
        assert told.status_code == 429
        error = told.json()["error"]
        assert error["code"] == "marginal_cost_exceeds_value"
        assert error["tokenergy"]["marginal_cost_usd"] > error["tokenergy"]["value_usd"]
        assert error["tokenergy"]["next_admitted"] is None
        assert told.headers["x-should-retry"] == "false"
        (refused,) = world.records()
        assert isinstance(refused, Refused)
        assert refused.value_usd == pytest.approx(200 * 5e-6)
        assert near.counters.requests == 0


def test_a_client_may_state_a_value_where_its_key_allows_it() -> None:
    with two_sites() as (world, _, _):
        world.put_board(board_of(world.plan, prices_usd_per_mtok=(9.0, 8.0)))
        assert world.chat("hello", x_tokenergy_value_usd="1").status_code == 200
        assert world.chat("hello", key="tk-bob", x_tokenergy_value_usd="1").status_code == 429


def test_traffic_moves_with_the_price_in_one_board() -> None:
    with two_sites() as (world, near, far):
        world.chat("a")
        world.put_board(board_of(world.plan, prices_usd_per_mtok=(2.0, 1.0), shares=(0.0, 1.0)))
        world.chat("b")
        assert (near.counters.requests, far.counters.requests) == (1, 1)
        first, second = (one for one in world.records() if isinstance(one, Opened))
        assert first.board_id != second.board_id


def test_no_board_yet_is_503_and_retried() -> None:
    with two_sites(board_first=False) as (world, _, _):
        told = world.chat("hello")
        assert told.status_code == 503
        assert told.json()["error"]["code"] == "no_prices"
        assert "retry-after" in told.headers
        world.put_board(board_of(world.plan))
        assert world.chat("hello").status_code == 200


def test_a_stale_board_serves_in_reserve_and_says_so() -> None:
    with two_sites() as (world, _, _):
        old = board_of(world.plan, prices_usd_per_mtok=(9.0, 8.0), age_s=-1.0)
        world.put_board(old)
        later_s = old.valid_until_s - time.time() + 1.0
        world.gateway._offset_s = later_s
        told = world.chat("hello")
        assert told.status_code == 200
        assert told.headers["x-tokenergy-policy"] == "reserve"


# ---- budgets, limits ----


def spend(limit: int) -> AccountPlan:
    return AccountPlan(
        name="spend:ann", unit="nano_usd", limit=limit, tenant="ann", window="day", time_zone="UTC"
    )


def test_a_spend_limit_holds_and_is_told_as_quota() -> None:
    """A request with a cap of 10 reserves 5 + 64 + 8 input tokens and 10 output.

    At 4 USD/Mtok of output and 1 of input that is 117,000 nano-dollars; it comes to 38,000, so a
    third fits, and a fourth does not.
    """
    with two_sites(accounts=[spend(200_000)]) as (world, _, _):
        statuses = [world.chat("hello", max_tokens=10).status_code for _ in range(8)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        refused = world.chat("hello", max_tokens=10)
        assert refused.json()["error"]["code"] == "project_spend_limit_exceeded"
        assert refused.headers["x-should-retry"] == "false"
        charged = sum(one.charge_nano_usd for one in world.records() if isinstance(one, Closed))
        assert charged == 38_000 * statuses.count(200)
        assert charged <= 200_000
        assert world.chat("hello", key="tk-bob").status_code == 200


def test_a_spend_limit_holds_where_every_byte_is_a_token() -> None:
    """Learnt at 4 bytes a token, then 300 bytes of 300 tokens each, to the end of the limit."""
    with two_sites(accounts=[spend(2_500_000)]) as (world, near, far):
        text = "x" * 300
        for server in (near, far):
            server.always(prompt_tokens=75)
        for _ in range(5):
            assert world.chat(text, max_tokens=5).status_code == 200
        for server in (near, far):
            server.always(prompt_tokens=300)
        statuses = [world.chat(text, max_tokens=5).status_code for _ in range(12)]
        assert 429 in statuses
        charged = sum(one.charge_nano_usd for one in world.records() if isinstance(one, Closed))
        assert 2_500_000 - 400_000 <= charged <= 2_500_000


def test_a_lease_that_cannot_be_had_at_once_is_asked_for_again() -> None:
    with two_sites(accounts=[spend(10**9)]) as (world, _, _):
        leases, busy = world.gateway.leases, iter([True, True, False])
        reserve = leases.reserve

        def busy_twice(wants: Any, *, now_s: float) -> Any:
            if next(busy, False):
                raise StoreFault("another worker is at the file")
            return reserve(wants, now_s=now_s)

        leases.reserve = busy_twice  # type: ignore[method-assign]
        assert world.chat("hello").status_code == 200

        def never(wants: Any, *, now_s: float) -> Any:
            raise StoreFault("the disk is gone")

        leases.reserve = never  # type: ignore[method-assign]
        told = world.chat("hello")
        assert (told.status_code, told.json()["error"]["code"]) == (503, "budgets_unavailable")
        leases.reserve = reserve  # type: ignore[method-assign]
        assert world.chat("hello").status_code == 200


def test_without_a_cap_the_reserved_one_is_sent_to_the_server() -> None:
    limits = LimitsPlan(cap_tokens=50)
    with two_sites(accounts=[spend(10**9)], limits=limits) as (world, near, _):
        world.chat("hello")
        assert json.loads(near.seen[-1].body)["max_completion_tokens"] == 50


def test_a_rate_limit_tells_what_is_left() -> None:
    tenants = (TenantPlan(name="ann", tiers=("free",), origin="eu", requests_per_min=3),)
    with two_sites(tenants=tenants) as (world, _, _):
        told = [world.chat("hello") for _ in range(5)]
        assert [one.status_code for one in told[:3]] == [200, 200, 200]
        assert told[-1].status_code == 429
        assert told[-1].json()["error"]["code"] == "rate_limit_exceeded"
        assert told[0].headers["x-ratelimit-limit-requests"] == "3"


# ---- servers that fail ----


@pytest.mark.parametrize("fault", ["reset", "close", "garbage"])
def test_a_server_that_breaks_before_its_answer_is_replaced_by_another_site(fault: str) -> None:
    with two_sites() as (world, near, far):
        near.always(fault=fault)
        told = world.chat("hello")
        assert told.status_code == 200
        assert told.headers["x-tokenergy-site"] == "far"
        assert far.counters.requests == 1
        assert kinds(world) == ["Opened", "Opened", "Closed"]
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert closed.retries_count == 1


def test_a_server_error_is_retried_and_a_refusal_of_the_server_is_not() -> None:
    with two_sites() as (world, near, far):
        near.once(status=500)
        assert world.chat("hello").headers["x-tokenergy-site"] == "far"
        near.once(status=400)
        told = world.chat("hello")
        assert told.status_code == 400
        assert far.counters.requests == 1
        assert world.records()[-1].outcome == "failed"  # type: ignore[union-attr]


def test_when_all_sites_fail_the_client_is_told_and_nothing_is_charged() -> None:
    with two_sites() as (world, near, far):
        near.always(status=500)
        far.always(status=500)
        told = world.chat("hello")
        assert told.status_code == 502
        assert told.json()["error"]["type"] == "server_error"
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert (closed.outcome, closed.charge_nano_usd) == ("failed", 0)
        assert world.gateway.state is not None
        assert sum(world.gateway.state.counts.in_flight) == 0


def test_a_stream_that_breaks_ends_with_an_error_event_and_is_charged_for_what_came() -> None:
    with two_sites() as (world, near, _):
        near.once(fault="no_done")
        told = world.chat("hello", stream=True)
        assert told.status_code == 200
        assert "error" in events(told.text)[-1]
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert closed.outcome == "failed"
        assert closed.output_tokens > 0


def test_a_request_that_takes_longer_than_any_may_is_ended() -> None:
    with two_sites(limits=LimitsPlan(total_s=0.4)) as (world, near, far):
        near.always(token_s=0.1, completion_tokens=400)
        told = world.chat("hello", stream=True)
        assert "error" in events(told.text)[-1]
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert closed.outcome == "failed"
        assert closed.output_tokens > 0
        near.always(head_s=30.0)
        far.always(head_s=30.0)
        late = world.chat("hello")
        assert late.status_code == 504
        assert world.gateway.state is not None
        assert sum(world.gateway.state.counts.in_flight) == 0


# ---- clients that leave ----


def test_a_client_that_stops_reading_is_left_alone_and_then_ended() -> None:
    """Its answer is 4 MB in events; buffers hold less, so the write stalls."""
    with two_sites(limits=LimitsPlan(write_stall_s=0.5)) as (world, near, _):
        near.always(completion_tokens=2_000, pad_bytes=2_000)
        text = json.dumps(asked(stream=True)).encode()
        host, port = world.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            head = (
                "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer tk-test\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            )
            client.sendall(head.encode() + text)
            world.wait(lambda: kinds(world)[-1:] == ["Closed"], "its CLOSE")
        assert world.records()[-1].outcome == "cancelled"  # type: ignore[union-attr]
        assert world.chat("hello", key="tk-bob").status_code == 200


def leave_after(
    world: RunningWorld, body: dict[str, Any], *, bytes_count: int, server: Server | None = None
) -> None:
    """Ask over a raw socket; leave after so many bytes of the answer, or once a server works."""
    text = json.dumps(body).encode()
    host, port = world.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer tk-test"
            f"\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        )
        client.sendall(head.encode() + text)
        if server is not None:
            world.wait(lambda: server.counters.running, "the request at its server")
        got = 0
        while got < bytes_count:
            got += len(client.recv(1024))


def asked(**more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]} | more


def test_a_client_that_leaves_a_stream_ends_the_servers_work_and_pays_for_what_came() -> None:
    with two_sites() as (world, near, _):
        near.always(token_s=0.05, completion_tokens=200)
        leave_after(world, asked(stream=True), bytes_count=1500)
        world.wait(lambda: kinds(world)[-1:] == ["Closed"], "its CLOSE")
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert closed.outcome == "cancelled"
        assert 0 < closed.output_tokens < 200
        world.wait(lambda: near.counters.disconnects == 1, "the server's notice")
        assert world.gateway.state is not None
        assert sum(world.gateway.state.counts.in_flight) == 0
        assert not world.gateway.flights


def test_a_client_that_leaves_before_a_whole_answer_ends_it_too() -> None:
    with two_sites() as (world, near, _):
        near.always(head_s=5.0)
        leave_after(world, asked(), bytes_count=0, server=near)
        world.wait(lambda: kinds(world)[-1:] == ["Closed"], "its CLOSE")
        assert world.records()[-1].outcome == "cancelled"  # type: ignore[union-attr]
        world.wait(lambda: near.counters.disconnects == 1, "the server's notice")


def test_a_tier_that_drains_reads_the_answer_to_its_end() -> None:
    with two_sites(when_client_leaves={"free": "drain"}) as (world, near, _):
        near.always(token_s=0.01, completion_tokens=40)
        leave_after(world, asked(stream=True), bytes_count=800)
        world.wait(lambda: kinds(world)[-1:] == ["Closed"], "its CLOSE")
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert (closed.outcome, closed.output_tokens) == ("drained", 40)


def test_long_streams_leave_marks() -> None:
    limits = LimitsPlan(mark_every_s=0.1)
    with two_sites(limits=limits) as (world, near, _):
        near.always(token_s=0.03, completion_tokens=20)
        world.chat("hello", stream=True)
        marks = [one for one in world.records() if isinstance(one, Marked)]
        assert len(marks) >= 2
        tokens = [one.output_tokens for one in marks]
        assert tokens == sorted(tokens)


# ---- held ----


def test_flex_work_is_held_until_its_cheap_interval() -> None:
    """Now 4 USD/Mtok, in the next interval 1: waiting gains 75 % of the cost.

    The gateway's clock is set 0.8 s before the edge of the interval.
    """
    with two_sites() as (world, near, _):
        made = board_of(
            world.plan, prices_usd_per_mtok=(4.0, 4.5), ahead_usd_per_mtok=(4.0, 1.0, 4.0)
        )
        world.put_board(made)
        edge_s = made.start_s + made.interval_s
        world.gateway._offset_s = edge_s - 0.8 - time.time()
        began_s = time.monotonic()
        told = world.chat("hello", service_tier="flex")
        assert told.status_code == 200, told.text
        assert time.monotonic() - began_s > 0.5
        assert told.json()["service_tier"] == "flex"
        assert near.counters.requests == 1
        assert kinds(world) == ["Opened", "Opened", "Closed"]


def test_flex_work_that_would_be_held_too_long_is_told_when() -> None:
    with two_sites(limits=LimitsPlan(hold_s=60.0)) as (world, near, _):
        made = board_of(
            world.plan, prices_usd_per_mtok=(4.0, 4.5), ahead_usd_per_mtok=(4.0, 1.0, 4.0)
        )
        world.put_board(made)
        world.gateway._offset_s = made.start_s + 1.0 - time.time()
        told = world.chat("hello", service_tier="flex")
        assert told.status_code == 429
        assert told.json()["error"]["code"] == "resource_unavailable"
        assert int(told.headers["retry-after"]) > 3000
        assert told.headers["x-should-retry"] == "false"
        assert near.counters.requests == 0


def test_a_client_that_leaves_the_hold_costs_nothing() -> None:
    with two_sites() as (world, near, _):
        made = board_of(
            world.plan, prices_usd_per_mtok=(4.0, 4.5), ahead_usd_per_mtok=(4.0, 1.0, 4.0)
        )
        world.put_board(made)
        world.gateway._offset_s = made.start_s + made.interval_s - 30.0 - time.time()
        leave_after(world, asked(stream=True, service_tier="flex"), bytes_count=200)
        world.wait(lambda: kinds(world)[-1:] == ["Closed"], "its CLOSE")
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert (closed.outcome, closed.charge_nano_usd) == ("left_the_hold", 0)
        assert near.counters.requests == 0
        assert world.gateway.holding.count == 0


# ---- once and once only ----


def test_an_idempotency_key_gives_the_first_outcome_again() -> None:
    with two_sites() as (world, near, _):
        first = world.chat("hello", idempotency_key="x1")
        again = world.chat("hello", idempotency_key="x1")
        other = world.chat("other", idempotency_key="x1")
        assert first.status_code == again.status_code == 200
        assert first.json() == again.json()
        assert again.headers["x-tokenergy-request-id"] == first.headers["x-tokenergy-request-id"]
        assert other.status_code == 409
        assert near.counters.requests == 1
        assert kinds(world) == ["Opened", "Closed"]


def test_a_second_request_joins_the_one_that_runs() -> None:
    with two_sites() as (world, near, _):
        near.always(head_s=0.5)
        told: list[Any] = []
        threads = [
            threading.Thread(target=lambda: told.append(world.chat("a", idempotency_key="k")))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [one.status_code for one in told] == [200, 200]
        assert told[0].json() == told[1].json()
        assert near.counters.requests == 1


# ---- its end ----


def test_an_end_lets_what_runs_come_to_its_end() -> None:
    with two_sites() as (world, near, _):
        near.always(token_s=0.02, completion_tokens=30)
        told: list[Any] = []
        thread = threading.Thread(target=lambda: told.append(world.chat("a", stream=True)))
        thread.start()
        world.wait(lambda: world.gateway.flights, "the request")
        world.stop()
        thread.join()
        assert events(told[0].text)[-1] == "[DONE]"
        assert world.ended.wait(10.0)
        assert world.records()[-1].outcome == "completed"  # type: ignore[union-attr]


def test_what_does_not_end_in_the_drain_is_written_down_as_interrupted() -> None:
    with two_sites(limits=LimitsPlan(drain_s=0.3)) as (world, near, _):
        near.always(token_s=0.05, completion_tokens=400)
        thread = threading.Thread(target=lambda: leave_after(
            world, asked(stream=True), bytes_count=900
        ))  # fmt: skip
        thread.start()
        world.wait(lambda: world.gateway.flights, "the request")
        world.stop()
        thread.join()
        assert world.ended.wait(10.0)
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert closed.outcome in ("interrupted", "cancelled")


def test_plans_are_made_of_what_they_are_told() -> None:
    assert plan_of(["http://a", "http://b"]).deployments == ("large@far", "large@near")
