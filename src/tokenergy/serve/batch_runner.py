"""Runs batches: checks their files, runs their lines at the board's pace, writes what came of it.

Every worker runs one. They share nothing but the store: lines and batches are theirs by lease, and
what all of them took of an interval is counted there. A worker that is killed leaves its lines to
the others, or to itself when it is back; the answers it had kept are never asked for again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec

from tokenergy.company.board import Board
from tokenergy.company.serving.batch import (
    Allowance,
    Batches,
    BatchFacts,
    Claimed,
    FileFacts,
    LineAnswer,
    LineFault,
)
from tokenergy.company.serving.ports import StoreFault
from tokenergy.serve.asked import ENDPOINT_PATHS
from tokenergy.serve.batch_answer import Later, judged
from tokenergy.serve.batch_check import Checked, LineAsked, checked_lines
from tokenergy.serve.health import Reason
from tokenergy.serve.openai_error import ApiError, unexpected
from tokenergy.serve.side import Side, Told
from tokenergy.units import S_PER_H, TOKENS_PER_MTOK

CONCURRENT_COUNT: Final = 16
"""Lines that a worker runs at once; a guess."""
POLL_S: Final = 0.5
RENEW_S: Final = 15.0
SWEEP_S: Final = 600.0
RUSH_SHARE: Final = 0.1
"""Last part of a batch's window in which its lines wait for no plan; a guess."""
FAULT_S: Final = 5.0
"""How long to wait where the store cannot be used."""


class BatchRunner:
    """One worker's share of all batches.

    Attributes:
        fault: why the store could not be used at the last try; "": it could.
    """

    def __init__(
        self,
        side: Side,
        batches: Batches,
        *,
        owner: str,
        concurrent_count: int = CONCURRENT_COUNT,
        poll_s: float = POLL_S,
    ) -> None:
        """Take the gateway and the store.

        Args:
            side: runs lines.
            batches: keeps them.
            owner: names this worker: the same after a restart, so that it frees what it held.
            concurrent_count: lines at once, at most.
            poll_s: how often it looks for work that others have made.
        """
        self._side, self._batches, self._owner = side, batches, owner
        self._concurrent_count, self._poll_s = concurrent_count, poll_s
        self._running: set[asyncio.Task[None]] = set()
        self._asking: set[asyncio.Task[None]] = set()
        self._stopping, self._woken, self._called = (asyncio.Event() for _ in range(3))
        self._inputs: dict[str, FileFacts] = {}
        self.fault = ""

    def wake(self) -> None:
        """Let it look for work at once."""
        self._called.set()
        self._woken.set()

    def stop(self) -> None:
        """Let `run` end: nothing more begins."""
        self._stopping.set()
        self.wake()

    async def run(self) -> None:
        """Run until `stop`; what runs then is given the drain's time, and put back after it."""
        await self._kept(self._freed)
        loops = [
            asyncio.create_task(self._loop(self._run_lines, self._poll_s, self._woken)),
            asyncio.create_task(self._loop(self._prepare, self._poll_s, self._called)),
            asyncio.create_task(self._loop(self._renew, RENEW_S, self._stopping)),
            asyncio.create_task(self._loop(self._sweep, SWEEP_S, self._stopping)),
        ]
        try:
            await asyncio.gather(*loops)
            if self._running:
                await asyncio.wait(self._running, timeout=self._side.plan.limits.drain_s)
        finally:
            for task in (*loops, *self._asking):
                task.cancel()
            if self._running:  # an answer that came is written down before its line is freed
                await asyncio.wait(self._running, timeout=FAULT_S)
            await asyncio.gather(*loops, return_exceptions=True)
            await self._kept(self._freed)

    async def _loop(
        self, step: Callable[[], Awaitable[bool]], every_s: float, called: asyncio.Event
    ) -> None:
        """Take a step again and again: at once while there was work, else after a while."""
        while not self._stopping.is_set():
            called.clear()
            if not await self._kept(step) and not self._stopping.is_set():
                seconds = max(every_s, FAULT_S) if self.fault else every_s
                with suppress(TimeoutError):
                    await asyncio.wait_for(called.wait(), seconds)

    async def _kept(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """Take a step; what cannot be done now is told by `probe`, and tried again later."""
        try:
            done = await step()
        except StoreFault as fault:
            self.fault = str(fault)
            return False
        except Exception as fault:  # one fault of ours must not end all batches
            self.fault = f"batches: {type(fault).__name__}"
            return False
        self.fault = ""
        return done

    def probe(self) -> Reason:
        """Return how it stands, for readiness: requests are served without it."""
        return Reason("batches", "degraded" if self.fault else "ok", self.fault)

    async def _freed(self) -> bool:
        return bool(await asyncio.to_thread(self._batches.free, self._owner))

    async def _renew(self) -> bool:
        """Prolong the leases of what runs here."""
        now_s = self._side.now_s()
        await asyncio.to_thread(lambda: self._batches.renew(self._owner, now_s=now_s))
        return False

    async def _sweep(self) -> bool:
        """Delete files that have expired."""
        now_s = self._side.now_s()
        await asyncio.to_thread(lambda: self._batches.files.sweep(now_s=now_s))
        return False

    # ---- before and after the lines ----

    async def _prepare(self) -> bool:
        """Check one new batch, end what is over, finish one that is done."""
        now_s, batches = self._side.now_s(), self._batches
        ended = await asyncio.to_thread(lambda: batches.expire(now_s=now_s))
        taken = await asyncio.to_thread(lambda: batches.take_unchecked(self._owner, now_s=now_s))
        if taken is not None:
            await asyncio.to_thread(self._check, taken)
            self._woken.set()
        done = await asyncio.to_thread(lambda: batches.take_finished(self._owner, now_s=now_s))
        if done is not None:
            await asyncio.to_thread(lambda: batches.finish(done, now_s=self._side.now_s()))
            self._inputs.pop(done.batch_id, None)
        return bool(ended or taken or done)

    def _check(self, batch: BatchFacts) -> None:
        """Check a batch's file, and let it go on or fail."""
        try:
            found = self._checked(batch)
        except StoreFault:
            raise
        except Exception as fault:  # one file must not keep all batches from being run
            self.fault = f"a batch's file: {type(fault).__name__}"
            found = _failed("internal_error", "The gateway failed to check the file.")
        now_s = self._side.now_s()
        if found.faults:
            self._batches.check_failed(
                batch, found.faults, total_count=found.total_count, now_s=now_s
            )
        else:
            self._batches.check_passed(batch, found.lines, model=found.model, now_s=now_s)

    def _checked(self, batch: BatchFacts) -> Checked:
        side = self._side
        try:
            tenant = side.tenant(batch.caller)
        except ApiError as error:
            return _failed(error.code or "invalid_tenant", error.message)
        file = self._batches.input_of(batch)
        if file is None:
            return _failed("file_not_found", "The batch's file is gone.")
        limits = side.plan.limits
        try:
            return checked_lines(
                self._batches.files.lines(file, most_bytes=limits.body_bytes),
                url=batch.endpoint,
                row_of=lambda model: side.workload_of(
                    tenant=tenant, tier=batch.tier, model=model, origin=None
                ),
                limits=limits,
            )
        except OSError as fault:
            raise StoreFault(f"batches: {fault.strerror}") from fault

    # ---- the lines ----

    async def _run_lines(self) -> bool:
        """Claim as many lines as there is room for, and begin them."""
        board = self._side.board
        room = self._concurrent_count - len(self._running)
        if board is None or room <= 0:
            return False
        now_s = self._side.now_s()
        names = await asyncio.to_thread(lambda: self._batches.waiting_workloads(now_s=now_s))
        if not names:
            return False
        allowances = {name: allowance(board, name, now_s=now_s) for name in names}
        claims = await asyncio.to_thread(
            lambda: self._batches.claim(
                self._owner,
                limit_count=room,
                now_s=now_s,
                allowances=allowances,
                rush_share=RUSH_SHARE,
            )
        )
        for batch, claimed in claims:
            task = asyncio.create_task(self._run(batch, claimed))
            self._running.add(task)
            self._asking.add(task)
            task.add_done_callback(self._ended)
        return bool(claims)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._asking.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.fault = f"a line of a batch: {type(fault).__name__}"
        self.wake()

    async def _run(self, batch: BatchFacts, claimed: Claimed) -> None:
        """Run one line, and keep what came of it."""
        told = await self._told(batch, claimed)
        if (task := asyncio.current_task()) is not None:
            self._asking.discard(task)
        verdict = judged(told, claimed, now_s=self._side.now_s())
        while True:
            try:
                await asyncio.to_thread(self._keep, claimed, verdict)
                return
            except StoreFault as fault:  # the answer is paid for: it is kept until it is written
                self.fault = str(fault)
                await asyncio.sleep(FAULT_S)

    def _keep(self, claimed: Claimed, verdict: LineAnswer | Later) -> None:
        if isinstance(verdict, Later):
            self._batches.put_back(
                claimed,
                not_before_s=verdict.not_before_s,
                faulty=verdict.faulty,
                pause_s=verdict.pause_s,
            )
        else:
            self._batches.answer(claimed, verdict)

    async def _told(self, batch: BatchFacts, claimed: Claimed) -> Told:
        """Return what the gateway says to a line; a fault of ours is an answer too."""
        try:
            body = await asyncio.to_thread(self._body, batch, claimed)
            return await self._side.ask(
                caller=batch.caller,
                endpoint=ENDPOINT_PATHS[batch.endpoint],
                body=body,
                tier=batch.tier,
                batch=f"{batch.batch_id}/{claimed.line.custom_id}",
                deadline_s=float(batch.expires_s),
            )
        except ApiError as error:
            return Told(error.status, error.body(), "")
        except StoreFault:
            return Told(503, unexpected().body(), "")
        except Exception as fault:
            self.fault = f"a line of a batch: {type(fault).__name__}"
            return Told(500, unexpected().body(), "")

    def _body(self, batch: BatchFacts, claimed: Claimed) -> bytes:
        """Return a line's body out of its file."""
        file = self._inputs.get(batch.batch_id)
        if file is None:
            file = self._batches.input_of(batch)
            if file is None:
                raise StoreFault("batches: the batch's file is gone")
            self._inputs[batch.batch_id] = file
        line = claimed.line
        text = self._batches.files.read(
            file, offset_bytes=line.offset_bytes, length_bytes=line.length_bytes
        )
        return bytes(msgspec.json.decode(text, type=LineAsked).body)


def allowance(board: Board, workload: str, *, now_s: float) -> Allowance | None:
    """Return what the board lets a workload use of its interval up to now; None: no plan."""
    load = board.by_name.get(workload)
    interval = int((now_s - board.start_s) // board.interval_s)
    if load is None or not 0 <= interval < len(load.release_mtok_per_h):
        return None
    start_s = board.interval_start_s(interval)
    passed_h = (now_s - start_s) / S_PER_H
    return Allowance(start_s, load.release_mtok_per_h[interval] * passed_h * TOKENS_PER_MTOK)


def _failed(code: str, message: str) -> Checked:
    return Checked((), (LineFault(code=code, message=message),), "", 0)
