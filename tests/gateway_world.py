"""A whole gateway in this process, before servers that do as they are told: for tests of `serve`.

    with faulty_upstream() as near, faulty_upstream() as far, running(near, far) as world:
        world.chat("hello")          an httpx.Response
        world.records()              what its journal says

The board is made by hand, so that every price in a test is a round figure: `near` costs 1 USD/Mtok,
`far` 2, work is worth 5. Everything else is real: uvicorn, the journal, leases, a socket.
"""

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2 as httpx
from request_boards import board, candidate, rung, workload

from tokenergy.company.board import Board
from tokenergy.company.serving.plan import (
    AccountPlan,
    AliasPlan,
    LimitsPlan,
    PricePlan,
    TenantPlan,
    UpstreamPlan,
    WorkerPlan,
    WorkloadPlan,
)
from tokenergy.company.serving.ports import Claim, KeyFacts, Remembered
from tokenergy.company.serving.record import Record
from tokenergy.serve.board_file import encoded_board
from tokenergy.serve.board_watch import BOARD, BoardWatch
from tokenergy.serve.counts import SharedCounts, budget_names
from tokenergy.serve.gateway import Gateway
from tokenergy.serve.pool import Pool
from tokenergy.serve.worker import Worker
from tokenergy.store.leases import SqliteLeases
from tokenergy.store.segment_read import read_segment
from tokenergy.store.segments import SegmentJournal

MODEL = "large"
KEY = "tk-test"
ANN, BOB = "ann", "bob"
ALL = frozenset({"inference", "batches", "usage", "value"})
HEADERS = frozenset({"cookie", "idempotency_key", "traceparent"})
Side = Callable[[Gateway, Path], tuple[Any, Callable[[], None]]]
STARTS_WITHIN_S = 10.0
ANSWERS_WITHIN_S = 20.0


class KeysByHand:
    """Keys of two tenants, without a store."""

    def __init__(self) -> None:
        self.known: dict[bytes, KeyFacts] = {
            KEY.encode(): KeyFacts("k-ann", ANN, (), ALL),
            b"tk-bob": KeyFacts("k-bob", BOB, (), ALL),
            b"tk-usage": KeyFacts("k-usage", ANN, (), frozenset({"usage"})),
        }

    def find(self, key: bytes) -> KeyFacts | None:
        return self.known.get(key)


class RememberedInMemory:
    """Idempotency of one process."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], tuple[str, Remembered | None]] = {}

    def claim(self, tenant: str, key: str, *, digest: str, now_s: float) -> Claim:
        if (tenant, key) not in self.known:
            self.known[tenant, key] = (digest, None)
            return Claim(True, True, None)
        first, outcome = self.known[tenant, key]
        return Claim(False, first == digest, outcome)

    def keep(self, tenant: str, key: str, outcome: Remembered) -> None:
        self.known[tenant, key] = (self.known[tenant, key][0], outcome)

    def release(self, tenant: str, key: str) -> None:
        self.known.pop((tenant, key), None)


class Steady:
    """A timing for simulated upstreams."""

    def of(self, _in_flight_count: int) -> tuple[float, float]:
        return 0.01, 0.001


def plan_of(urls: Sequence[str], **more: Any) -> WorkerPlan:
    """Return the plan of a company with one model at as many sites as there are addresses."""
    sites = ("near", "far", "third")
    upstreams = tuple(
        UpstreamPlan(
            name=f"{site}-1", deployment=f"{MODEL}@{site}", site=site, accelerator="H100",
            model=MODEL, served_model="fake-model", kind="openai", url=url,
        )
        for site, url in zip(sites, urls, strict=False)
    )  # fmt: skip
    tier = {
        "origin": "eu", "must_serve": False, "ladder": (MODEL,), "input_tokens": 100.0,
        "output_tokens": 200.0, "ttft_limit_s": 2.0, "tpot_limit_s": 0.1,
    }  # fmt: skip
    stated: dict[str, Any] = {
        "company": "By hand", "digest": "0", "run_id": "serve",
        "deployments": tuple(sorted(one.deployment for one in upstreams)),
        "upstreams": upstreams,
        "workloads": (
            WorkloadPlan(name="chat", tier="free", service_tier="default", deadline_s=0.0, **tier),
            WorkloadPlan(name="late", tier="slow", service_tier="flex", deadline_s=7200.0, **tier),
        ),
        "aliases": (AliasPlan(name="chat-auto", ladder=(MODEL,)),),
        "tenants": (
            TenantPlan(name=ANN, tiers=("free", "slow"), origin="eu", may_state_value=True),
            TenantPlan(name=BOB, tiers=("free",), origin="eu"),
        ),
        "prices": tuple(
            PricePlan(
                model=MODEL, tier=tier_name, input_nano_usd_per_mtok=1_000_000_000,
                cached_input_nano_usd_per_mtok=100_000_000,
                output_nano_usd_per_mtok=4_000_000_001,
            )
            for tier_name in ("free", "slow")
        ),
        "price_version": "p1",
        "limits": LimitsPlan(first_byte_least_s=5.0, between_chunks_s=5.0),
    }  # fmt: skip
    return WorkerPlan(**stated | more)


def board_of(
    plan: WorkerPlan,
    *,
    prices_usd_per_mtok: Sequence[float] = (1.0, 2.0, 3.0),
    shares: Sequence[float] = (1.0, 0.0, 0.0),
    now_s: float | None = None,
    ahead_usd_per_mtok: Sequence[float] = (),
    age_s: float = 0.0,
    **more: Any,
) -> Board:
    """Return a board of this hour for the plan; candidates in the order of its upstreams."""
    moment = time.time() if now_s is None else now_s
    start_s = moment - moment % 3600.0
    places = [
        candidate(one.deployment, price, share=share, site=one.site, **more)
        for one, price, share in zip(
            plan.upstreams, prices_usd_per_mtok, shares, strict=False
        )
    ]  # fmt: skip
    step = rung(places, ahead_usd_per_mtok=ahead_usd_per_mtok)
    loads = [
        workload([step], name=load.name, tier=load.tier, service_tier=load.service_tier)
        for load in plan.workloads
    ]
    return board(
        *loads, made_at_s=moment - age_s, start_s=start_s, valid_until_s=start_s + 3600.0,
        refresh_s=3600.0,
    )  # fmt: skip


@dataclass
class RunningWorld:
    """A gateway that answers at `url`."""

    folder: Path
    plan: WorkerPlan
    gateway: Gateway
    url: str
    worker: Worker
    loop: asyncio.AbstractEventLoop
    client: httpx.Client
    keys: KeysByHand
    ended: threading.Event = field(default_factory=threading.Event)

    def post(
        self, path: str, body: Any, *, key: str | None = KEY, **headers: str
    ) -> httpx.Response:
        """Post JSON, or bytes as they are."""
        head = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            head["authorization"] = f"Bearer {key}"
        if isinstance(body, bytes):
            head.setdefault("content-type", "application/json")
            return self.client.post(path, content=body, headers=head)
        return self.client.post(path, json=body, headers=head)

    def chat(self, text: str = "hello", *, key: str | None = KEY, **more: Any) -> httpx.Response:
        """Ask for a chat completion; what begins with `x_`, and two names, are headers."""
        named = {name for name in more if name.startswith("x_") or name in HEADERS}
        headers = {name: more.pop(name) for name in named}
        body = more
        asked = {"model": MODEL, "messages": [{"role": "user", "content": text}]} | body
        return self.post("/v1/chat/completions", asked, key=key, **headers)

    def put_board(self, made: Board) -> None:
        """Put another board in force."""
        fresh = self.folder / "board.new"
        fresh.write_bytes(encoded_board(made))
        fresh.replace(self.folder / BOARD)
        until_s = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < until_s:
            held = self.gateway.board
            if held is not None and held.board_id == made.board_id:
                return
            time.sleep(0.02)
        raise AssertionError("the board was not taken over")

    def records(self) -> list[Record]:
        """Return all records of the journal, in order."""
        files = sorted((self.folder / "journal" / "1").glob("*.seg"))
        return [entry.record for file in files for entry in read_segment(file).entries]

    def wait(self, done: Any, what: str) -> None:
        """Wait until something is so."""
        until_s = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < until_s:
            if done():
                return
            time.sleep(0.02)
        raise AssertionError(f"it did not come: {what}")

    def stop(self) -> None:
        """Tell it to end, as SIGTERM does."""
        self.loop.call_soon_threadsafe(self.worker.end)


@contextlib.contextmanager
def running(
    *servers: Any,
    plan: WorkerPlan | None = None,
    made: Board | None = None,
    accounts: Sequence[AccountPlan] = (),
    board_first: bool = True,
    side: Side | None = None,
    **more: Any,
) -> Iterator[RunningWorld]:
    """Run a gateway before servers until the block ends.

    `side` makes what answers beside the hot path, and what is called when the worker ends.
    """
    plan = plan or plan_of([server.url for server in servers], accounts=tuple(accounts), **more)
    with TemporaryDirectory(prefix="gateway") as name:
        folder = Path(name)
        if board_first:
            (folder / BOARD).write_bytes(encoded_board(made or board_of(plan)))
        door = socket.socket()
        door.bind(("127.0.0.1", 0))
        door.listen(512)
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        begun: list[RunningWorld] = []
        ready, ended = threading.Event(), threading.Event()

        def body() -> None:
            async def main() -> None:
                world = _made(folder, plan, door, url, side)
                begun.append(world)
                ready.set()
                await world.worker.run()

            try:
                asyncio.run(main())
            finally:
                ready.set()
                ended.set()

        thread = threading.Thread(target=body, name="gateway", daemon=True)
        thread.start()
        ready.wait(STARTS_WITHIN_S)
        world = begun[0]
        world.ended = ended
        try:
            yield world
        finally:
            world.client.close()
            if not ended.is_set():
                world.stop()
            thread.join(30.0)
            assert not thread.is_alive(), "the gateway did not end"
            for held in (world.gateway.journal, world.gateway.leases):
                held.close()  # type: ignore[attr-defined]
            world.gateway.counts.close()


def _made(
    folder: Path, plan: WorkerPlan, door: socket.socket, url: str, beside: Side | None
) -> RunningWorld:
    counts_file = folder / "counts.bin"
    SharedCounts.create(counts_file, 1, plan.deployments, budget_names(plan)).close()
    journal = SegmentJournal(
        folder / "journal" / "1", worker=1, limit_bytes=plan.limits.journal_bytes
    )
    leases = SqliteLeases(
        folder / "leases.sqlite", plan.accounts, plan.tenants, worker=1, epoch=journal.epoch
    )
    keys = KeysByHand()
    numbers = itertools.count(1)
    gateway = Gateway(
        plan,
        keys=keys,
        journal=journal,
        leases=leases,
        idempotency=RememberedInMemory(),
        pool=Pool.from_plan(plan, environ={}, now=time.monotonic, timing=lambda _: Steady()),
        counts=SharedCounts.opened(counts_file, 1),
        watch=BoardWatch(folder, deployments=plan.deployments),
        secret=b"s" * 32,
        new_id=lambda: f"r{next(numbers):06d}",
    )

    async def side(scope: Any, _receive: Any, send: Any) -> None:
        status = 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    answers, stop = (side, None) if beside is None else beside(gateway, folder)
    worker = Worker(
        gateway, answers, sockets=[door], keepers=[leases], takes_signals=False,
        stops=() if stop is None else [stop],
    )  # fmt: skip
    client = httpx.Client(base_url=url, timeout=ANSWERS_WITHIN_S, trust_env=False)
    return RunningWorld(
        folder, plan, gateway, url, worker, asyncio.get_running_loop(), client, keys
    )
