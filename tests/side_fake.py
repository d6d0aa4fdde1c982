"""A gateway that answers without one, the side application on a real port, and its clients.

Run as a program it serves a folder until it is killed: `python side_fake.py DIR PORT_FILE`.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import uvicorn
from request_boards import board, candidate, rung, workload

from tokenergy.company.board import Board
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.company.serving.plan import (
    AliasPlan,
    PricePlan,
    TenantPlan,
    UpstreamPlan,
    WorkerPlan,
    WorkloadPlan,
)
from tokenergy.company.serving.ports import KeyFacts
from tokenergy.routing.decide import decide
from tokenergy.routing.state import State
from tokenergy.serve import openai_error
from tokenergy.serve.batch_runner import BatchRunner
from tokenergy.serve.side import Told
from tokenergy.serve.side_app import side_app
from tokenergy.store.batches import SqliteBatches

NOW_S = 1_800_000_000.0
"""Company time of the fake gateway; a whole hour (1.8e9 = 500,000 h)."""
if TYPE_CHECKING:
    from openai import OpenAI

SCOPES = frozenset({"inference", "batches", "usage"})
KEYS = {
    "tk-ann": KeyFacts("key_ann", "ann", (), SCOPES),
    "tk-bob": KeyFacts("key_bob", "bob", (), SCOPES),
    "tk-chat": KeyFacts("key_chat", "ann", (), frozenset({"inference"})),
    "tk-root": KeyFacts("key_root", "ann", (), SCOPES | {"admin"}),
}


def plan(**more: Any) -> WorkerPlan:
    """Return a plan of two tenants, two models at two sites, and a batch tier."""
    stated: dict[str, Any] = {
        "company": "Fake",
        "digest": "d",
        "run_id": "serve",
        "deployments": ("large@north", "small@north", "small@south"),
        "upstreams": tuple(
            UpstreamPlan(
                name=name, deployment=name, site=name.split("@")[1], accelerator="H100",
                model=name.split("@")[0], served_model=name.split("@")[0], kind="simulated",
            )
            for name in ("large@north", "small@north", "small@south")
        ),
        "workloads": (
            load_plan("chat", tier="free", ladder=("large", "small")),
            load_plan("bulk", tier="batch", ladder=("small",), service_tier="batch"),
        ),
        "aliases": (AliasPlan(name="chat-auto", ladder=("large", "small")),),
        "tenants": (
            TenantPlan(name="ann", tiers=("free", "batch"), origin="eu"),
            TenantPlan(name="bob", tiers=("free", "batch"), origin="eu"),
        ),
        "prices": (
            PricePlan(
                model="small", tier="free", input_nano_usd_per_mtok=100_000_000,
                cached_input_nano_usd_per_mtok=50_000_000, output_nano_usd_per_mtok=400_000_000,
            ),
        ),
        "price_version": "p1",
    }  # fmt: skip
    return WorkerPlan(**stated | more)


def load_plan(name: str, **more: Any) -> WorkloadPlan:
    """Return a row of ten input and ten output tokens."""
    stated: dict[str, Any] = {
        "name": name, "tier": "free", "origin": "eu", "service_tier": "default",
        "must_serve": False, "ladder": ("small",), "input_tokens": 10.0, "output_tokens": 10.0,
        "ttft_limit_s": 2.0, "tpot_limit_s": 0.1,
        "deadline_s": 86_400.0 if more.get("service_tier") == "batch" else 0.0,
    }  # fmt: skip
    return WorkloadPlan(**stated | more)


def a_board(*, release_mtok_per_h: Sequence[float] = (), **more: Any) -> Board:
    """Return a board of the hour of `NOW_S`."""
    small = rung([candidate("small@north", 1.0, share=0.5), candidate("small@south", 2.0)])
    large = rung([candidate("large@north", 3.0, share=0.5)])
    loads = (
        workload([large, small]),
        workload(
            [small], name="bulk", tier="batch", service_tier="batch",
            release_mtok_per_h=release_mtok_per_h,
        ),
    )  # fmt: skip
    stated: dict[str, Any] = {
        "made_at_s": NOW_S, "start_s": NOW_S, "valid_until_s": NOW_S + 3_600.0,
        "refresh_s": 3_600.0,
    }  # fmt: skip
    return board(*loads, **stated | more)


@dataclass
class FakeSide:
    """Keeps the promises of `Side`; it answers lines by their prompt.

    A prompt of `status:429` is refused so, `slow` takes a while; everything else is answered.
    """

    plan: WorkerPlan = field(default_factory=plan)
    board: Board | None = field(default_factory=a_board)
    ahead_s: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)
    answers: Callable[[str, str], Told | None] = lambda batch, prompt: None
    journal: Any = field(default_factory=lambda: SimpleNamespace(bytes_count=0))
    leases: Any = None
    log: Path | None = None
    real_clock: bool = False

    @property
    def state(self) -> State | None:
        return None if self.board is None else State.opened(self.board, now_s=self.now_s())

    def now_s(self) -> float:
        return (time.time() if self.real_clock else NOW_S) + self.ahead_s

    def caller(self, headers: Sequence[tuple[bytes, bytes]], *, scope: str) -> KeyFacts:
        key = dict(headers).get(b"authorization", b"").decode().removeprefix("Bearer ")
        found = KEYS.get(key)
        if found is None:
            raise openai_error.wrong_key() if key else openai_error.no_key()
        if scope not in found.scopes:
            raise openai_error.forbidden(f"This key may not be used for {scope}.")
        return found

    def tenant(self, caller: KeyFacts) -> TenantPlan:
        return next(one for one in self.plan.tenants if one.name == caller.tenant)

    async def ask(
        self, *, caller: KeyFacts, endpoint: str, body: bytes, tier: str | None = None,
        batch: str = "", deadline_s: float | None = None,
    ) -> Told:  # fmt: skip
        prompt = json.loads(body)["messages"][0]["content"]
        self.asked.append((batch, prompt))
        if self.log is not None:
            with self.log.open("a") as out:
                out.write(f"{batch}\n")
        if prompt == "slow":
            await asyncio.sleep(0.05)
        if (told := self.answers(batch, prompt)) is not None:
            return told
        if prompt.startswith("status:"):
            status = int(prompt.removeprefix("status:"))
            error = openai_error.ApiError(status, "by_request", "as asked")
            return Told(status, error.body(), "req-x")
        usage = {
            "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 2},
        }  # fmt: skip
        answer = {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "small",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": f"re: {prompt}"}}],
            "usage": usage,
        }  # fmt: skip
        return Told(200, json.dumps(answer, indent=1).encode(), f"req-{len(self.asked)}")

    def advise(self, request: Request) -> Decision:
        if self.board is None or self.state is None:
            raise openai_error.unavailable("no_prices", "No prices are known yet.")
        return decide(request, self.board, self.state)

    def workload_of(
        self, *, tenant: TenantPlan, tier: str | None, model: str, origin: str | None
    ) -> WorkloadPlan:
        tier = tenant.tiers[0] if tier is None else tier
        loads = [one for one in self.plan.workloads if one.tier == tier]
        ladders = {alias.name: alias.ladder for alias in self.plan.aliases}
        for load in loads:
            if model in load.ladder or ladders.get(model) == load.ladder:
                return load
        raise openai_error.unknown_model(model, sorted({m for one in loads for m in one.ladder}))


class Served:
    """The application on a port, with its runner, until `end`."""

    def __init__(self, app: Any, runners: Sequence[BatchRunner]) -> None:
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="none"
        )
        self.server = uvicorn.Server(config)
        self.runners = list(runners)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        until_s = time.monotonic() + 20.0
        while not self.server.started and time.monotonic() < until_s:
            time.sleep(0.005)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def _run(self) -> None:
        tasks = [asyncio.create_task(one.run()) for one in self.runners]
        await self.server.serve()
        for one in self.runners:
            one.stop()
        await asyncio.gather(*tasks)

    def client(self, key: str = "tk-ann") -> "OpenAI":
        from openai import OpenAI  # late: a served process needs none

        return OpenAI(
            api_key=key, admin_api_key=key, base_url=f"{self.url}/v1", max_retries=0, timeout=20.0
        )

    def end(self) -> None:
        self.server.should_exit = True
        self._thread.join()


@contextmanager
def served(
    side: FakeSide, folder: Path, *, usage: Any = None, runs: bool = True, **more: Any
) -> Iterator[Served]:
    """Serve the side application over a folder, with one runner."""
    batches = SqliteBatches(folder / "batches.sqlite", folder / "files")
    runner = BatchRunner(side, batches, owner="1", poll_s=0.02)
    app = side_app(side, batches=batches, usage=usage, wake=runner.wake, **more)
    running = Served(app, [runner] if runs else [])
    try:
        yield running
    finally:
        running.end()
        batches.close()


def line(custom_id: str, prompt: str, **more: Any) -> str:
    """Return a line of a batch's file."""
    body = {"model": "small", "messages": [{"role": "user", "content": prompt}]}
    stated = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions"}
    return json.dumps({**stated, "body": body, **more})


def until(found: Callable[[], Any], *, wait_s: float = 20.0) -> Any:
    """Return the first true thing that is found."""
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        if told := found():
            return told
        time.sleep(0.01)
    raise AssertionError("it never came")


def _main(folder: Path, port_file: Path) -> None:
    """Serve a folder until killed; what was asked is appended to `asked.log`."""
    side = FakeSide(log=folder / "asked.log", real_clock=True)
    side.board = a_board(made_at_s=time.time(), start_s=time.time(), valid_until_s=1e11)
    with served(side, folder) as running:
        ready = port_file.with_suffix(".new")
        ready.write_text(running.url)
        os.replace(ready, port_file)
        while True:
            time.sleep(1.0)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
