"""Which upstream a request goes to, and which deployments are out."""

import asyncio
from collections import Counter
from collections.abc import Callable

from faulty_upstream import faulty_upstream
from hypothesis import given
from hypothesis import strategies as st
from serve_plans import plan_of, upstream_of

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.breaker import Verdict, verdict_of_status
from tokenergy.serve.pool import Pool, Seat
from tokenergy.serve.upstream import Call, UpstreamFault
from tokenergy.serve.upstream_simulated import SimulatedUpstream

LIMITS = LimitsPlan(breaker_failures_count=2, breaker_open_s=10.0)


class Clock:
    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


class Speed:
    def of(self, in_flight_count: int) -> tuple[float, float]:
        return 0.0, 0.0


def pool_of(*deployments: str, clock: Callable[[], float] | None = None, more: str = "") -> Pool:
    """One simulated upstream for each name, called `name-0`, `name-1` ..."""
    return Pool(
        [
            (upstream_of(f"{name}-{at}", name), SimulatedUpstream("m", Speed()), ())
            for at, name in enumerate(deployments)
        ],
        limits=LIMITS,
        now=clock or Clock(),
        deployments=(*deployments, more) if more else deployments,
    )


def taken(pool: Pool, deployment: str) -> Seat:
    seat = pool.pick(deployment)
    assert seat is not None
    return seat


def fail(pool: Pool, deployment: str, times: int = 2) -> None:
    for _ in range(times):
        taken(pool, deployment).done("fault")


def test_the_least_in_flight_is_picked_and_equals_take_turns() -> None:
    pool = pool_of("a", "a", "a")
    seats = [taken(pool, "a") for _ in range(9)]
    assert set(Counter(seat.upstream.name for seat in seats).values()) == {3}
    assert pool.in_flight_count("a") == 9
    for seat in seats:
        if seat.upstream.name == "a-1":
            seat.done("ok")
            seat.done("ok")
    assert pool.in_flight_count("a") == 6
    assert [taken(pool, "a").upstream.name for _ in range(3)] == ["a-1"] * 3
    one_by_one = pool_of("b", "b")
    names = []
    for _ in range(4):
        seat = taken(one_by_one, "b")
        names.append(seat.upstream.name)
        seat.done("ok")
    assert Counter(names) == {"b-0": 2, "b-1": 2}


def test_nobody_stands_for_an_unknown_name() -> None:
    pool = pool_of("a", more="empty")
    assert pool.pick("empty") is None
    assert pool.pick("never heard of") is None
    assert pool.down_deployments() == {"empty"}
    assert pool.wait_s("empty") is None


def test_a_deployment_is_down_when_all_its_circuits_are_open() -> None:
    clock = Clock()
    pool = pool_of("a", "a", "b", clock=clock)
    up = pool.down_deployments()
    assert up == frozenset()
    assert pool.down_deployments() is up
    fail(pool, "a", times=3)  # turns: one upstream has 2 faults now, the other one 1
    assert pool.down_deployments() == frozenset()
    fail(pool, "a", times=1)
    assert pool.down_deployments() == {"a"}
    assert pool.down_deployments() is pool.down_deployments()
    assert pool.pick("a") is None
    assert pool.wait_s("a") == 10.0
    assert pool.circuits() == {"a-0": "open", "a-1": "open", "b-2": "closed"}


def test_one_probe_decides() -> None:
    clock = Clock()
    pool = pool_of("a", clock=clock)
    fail(pool, "a")
    clock.now_s += 10.0
    assert pool.down_deployments() == frozenset()
    probe = taken(pool, "a")
    assert pool.pick("a") is None
    assert pool.down_deployments() == {"a"}
    probe.judged("ok")  # the head has come; the stream goes on
    assert pool.down_deployments() == frozenset()
    other = taken(pool, "a")
    other.done("ok")
    probe.done("ok")
    assert pool.in_flight_count("a") == 0
    assert pool.circuits() == {"a-0": "closed"}


def test_a_probe_that_left_lets_the_next_one_try() -> None:
    clock = Clock()
    pool = pool_of("a", clock=clock)
    fail(pool, "a")
    clock.now_s += 10.0
    taken(pool, "a").done("left")
    assert pool.down_deployments() == frozenset()
    taken(pool, "a").done("fault")
    assert pool.down_deployments() == {"a"}
    assert pool.wait_s("a") == 10.0


def test_streams_that_break_after_their_heads_open_the_circuit() -> None:
    pool = pool_of("a")
    for state in ("closed", "open"):
        seat = taken(pool, "a")
        seat.judged("ok")
        seat.done("fault")
        assert pool.circuits() == {"a-0": state}


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["pick", "ok", "fault", "left", "wait"])),
        max_size=60,
    )
)
def test_places_and_the_down_set_are_always_right(steps: list[tuple[int, str]]) -> None:
    """A place is picked exactly where a deployment is not down, and all come back in the end."""
    clock = Clock()
    pool = pool_of("a", "a", "b", clock=clock)
    seats: list[Seat] = []
    for at, step in steps:
        name = "ab"[at % 2]
        if step == "wait":
            clock.now_s += 4.0
        elif step == "pick":
            down = pool.down_deployments()
            seat = pool.pick(name)
            assert (seat is None) == (name in down)
            seats += [] if seat is None else [seat]
        elif seats:
            verdict: Verdict = step  # type: ignore[assignment]
            seats.pop(at % len(seats)).done(verdict)
        taken_count = pool.in_flight_count("a") + pool.in_flight_count("b")
        assert taken_count == len(seats)
    for seat in seats:
        seat.done("ok")
    assert pool.in_flight_count("a") == pool.in_flight_count("b") == 0


# ---- with real servers ----


async def ask(seat: Seat) -> int:
    """Ask as the gateway does, and give the place back; 0 for a fault."""
    body = b'{"model": "m", "messages": [{"role": "user", "content": "x"}]}'
    call = Call("POST", "/v1/chat/completions", seat.headers, body, True, 5.0, 5.0)
    try:
        exchange = await seat.client.open(call)
    except UpstreamFault:
        seat.done("fault")
        return 0
    seat.done(verdict_of_status(exchange.status))
    return exchange.status


def run_on(url: str, act: Callable[[Pool], object], key: str = "") -> None:
    async def main() -> None:
        upstream = upstream_of("one", "a", url=url, key_env="KEY" if key else None)
        pool = Pool.from_plan(
            plan_of(upstream), environ={"KEY": key}, now=Clock(), timing=lambda name: Speed()
        )
        assert pool.findings == ()
        try:
            await act(pool)  # type: ignore[misc]
        finally:
            await pool.aclose()

    asyncio.run(main())


def test_a_flood_of_4xx_leaves_the_circuit_shut_and_5xx_do_not() -> None:
    with faulty_upstream(status=429) as server:

        async def act(pool: Pool) -> None:
            for _ in range(50):
                assert await ask(taken(pool, "a")) == 429
            assert pool.circuits() == {"one": "closed"}
            server.always(status=503)
            for _ in range(5):
                assert await ask(taken(pool, "a")) == 503
            assert pool.circuits() == {"one": "open"}
            assert pool.pick("a") is None

        run_on(server.url, act)


def test_a_key_goes_along() -> None:
    with faulty_upstream() as server:

        async def act(pool: Pool) -> None:
            assert await ask(taken(pool, "a")) == 200

        run_on(server.url, act, key="s3cret")
        assert server.seen[-1].headers["authorization"] == "Bearer s3cret"
