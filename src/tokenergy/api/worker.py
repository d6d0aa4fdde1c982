"""A worker's process: joins the stores to the gateway and serves until SIGTERM.

    python -m tokenergy.api.worker DIR NUMBER FD [--ledger FILE] [--lifeline FD] [--admin FD]

Nothing heavy is imported here: a worker idles in a few dozen megabytes.
"""

import argparse
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import msgspec
import uvloop
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tokenergy.api.children import end_with
from tokenergy.company.serving.plan import WorkerPlan, decoded_plan
from tokenergy.company.serving.ports import StoreFault
from tokenergy.serve.admin import admin_app
from tokenergy.serve.batch_runner import BatchRunner
from tokenergy.serve.board_timing import DeploymentTiming
from tokenergy.serve.board_watch import BoardWatch
from tokenergy.serve.counts import SharedCounts
from tokenergy.serve.door import AsgiApp
from tokenergy.serve.gateway import Gateway
from tokenergy.serve.gateway_metrics import Collector
from tokenergy.serve.health import Probe, Reason
from tokenergy.serve.key_cache import KeyCache
from tokenergy.serve.live_api import LiveApi
from tokenergy.serve.live_face import FaceFiles
from tokenergy.serve.live_hub import LiveHub
from tokenergy.serve.live_standing import Standing
from tokenergy.serve.metrics_files import read_counts
from tokenergy.serve.pool import Pool
from tokenergy.serve.side_app import side_app
from tokenergy.serve.video_desk import VideoDesk
from tokenergy.serve.worker import Worker
from tokenergy.store.batches import SqliteBatches
from tokenergy.store.idempotency import SqliteIdempotency
from tokenergy.store.keys import SqliteKeys, secret_in
from tokenergy.store.leases import SqliteLeases
from tokenergy.store.live_rows import SqliteLiveRows
from tokenergy.store.segments import SegmentJournal
from tokenergy.store.served_usage import ServedUsage

KEYS_LOOK_S: Final = 3.0
MAKER_SILENT_S: Final = 60.0
"""The board maker looks around every few seconds, and writes that down."""
NO_PRICE: Final = ("PRICE_NOT_CURRENT",)
"""Warnings of the maker that keep it from making a board."""


def main(words: Sequence[str] | None = None) -> None:
    """Serve as the words say: folder, number, socket."""
    parser = argparse.ArgumentParser(prog="tokenergy.api.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("door", type=int)
    parser.add_argument("--ledger", type=Path)
    parser.add_argument("--lifeline", type=int)
    parser.add_argument("--admin", type=int)
    given = parser.parse_args(words)
    if given.lifeline is not None:
        end_with(given.lifeline, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with ExitStack() as held:
        work = joined(
            given.folder,
            given.number,
            door=held.enter_context(socket.socket(fileno=given.door)),
            admin=None
            if given.admin is None
            else held.enter_context(socket.socket(fileno=given.admin)),
            ledger=given.ledger,
            held=held,
        )
        uvloop.run(work)


async def joined(
    folder: Path,
    number: int,
    *,
    door: socket.socket,
    admin: socket.socket | None,
    ledger: Path | None,
    held: ExitStack,
) -> None:
    """Join the parts of one worker and run it to its end.

    Args:
        folder: of the gateway, with its plan.
        number: of this worker, from 1.
        door: the socket that it answers at.
        admin: the socket of metrics and details; None: not here.
        ledger: where usage is read from; None: nowhere.
        held: closes what was opened, in the right order.
    """
    plan = decoded_plan((folder / "plan.json").read_bytes())
    keys = held.enter_context(closing(SqliteKeys.in_folder(folder)))
    batches = held.enter_context(
        closing(SqliteBatches(folder / "batches.sqlite", folder / "files"))
    )
    gateway, leases = _gateway(folder, number, plan, keys, held)
    watch = gateway.watch
    usage = None if ledger is None else ServedUsage(ledger)
    runner = BatchRunner(gateway, batches, owner=str(number))
    metrics = folder / "metrics"
    metrics.mkdir(mode=0o700, exist_ok=True)
    probes = (board_probe(watch, plan, gateway.now_s), runner.probe)
    hub = LiveHub(
        gateway,
        standing=Standing(
            gateway,
            probes=probes,
            maker=lambda: watch.maker,
            in_flight=lambda: sum(gateway.counts.totals()),
        ),
        faces=FaceFiles(folder),
        rows=None if ledger is None else SqliteLiveRows(ledger),
        counts=lambda: read_counts(metrics),
    )
    worker = Worker(
        gateway,
        _side(gateway, batches, usage, runner, probes, owner=str(number), hub=hub),
        sockets=[door],
        keepers=[leases, _DoorKeeper(gateway, keys)],
        tasks=[runner.run],
        stops=[runner.stop, hub.stop],
        metrics_file=metrics / str(number),
        admin=None if admin is None else (_admin(gateway, metrics, probes), admin),
    )
    await worker.run()


def _gateway(
    folder: Path, number: int, plan: WorkerPlan, keys: SqliteKeys, held: ExitStack
) -> tuple[Gateway, SqliteLeases]:
    """Return the gateway of a worker, and its leases, which close after its journal."""
    counts = held.enter_context(SharedCounts.opened(folder / "counts.bin", number))
    watch = BoardWatch(folder, deployments=plan.deployments)
    journal = SegmentJournal(
        folder / "journal" / str(number),
        worker=number,
        limit_bytes=plan.limits.journal_bytes,
    )
    leases = SqliteLeases(
        folder / "leases.sqlite",
        plan.accounts,
        plan.tenants,
        worker=number,
        epoch=journal.epoch,
    )
    held.callback(lambda: leases.close(now_s=time.time() + plan.clock_offset_s))
    held.enter_context(closing(journal))
    idempotency = held.enter_context(
        closing(
            SqliteIdempotency(
                folder / "idempotency.sqlite",
                keep_s=plan.limits.idempotency_s,
                worker=number,
                epoch=journal.epoch,
            )
        )
    )
    gateway = Gateway(
        plan,
        keys=KeyCache(keys),
        journal=journal,
        leases=leases,
        idempotency=idempotency,
        pool=Pool.from_plan(
            plan,
            environ=os.environ,
            now=time.monotonic,
            timing=lambda deployment: DeploymentTiming(watch, deployment),
        ),
        counts=counts,
        watch=watch,
        secret=secret_in(folder),
        new_id=request_ids(plan),
    )
    return gateway, leases


class _DoorKeeper:
    """Shuts the door for requests without a key as soon as somebody made one."""

    def __init__(self, gateway: Gateway, keys: SqliteKeys) -> None:
        self._gateway, self._keys = gateway, keys
        self._looked_s = 0.0

    def keep_up(self, *, now_s: float) -> None:
        """Look for keys, now and then, while the door is open."""
        gateway = self._gateway
        if not gateway.plan.open_door or now_s - self._looked_s < KEYS_LOOK_S:
            return
        self._looked_s = now_s
        try:
            made = bool(self._keys.listed())
        except StoreFault:
            made = True  # nobody knows: then nobody comes in without one
        if made:
            gateway.plan = msgspec.structs.replace(gateway.plan, open_door=False)


def request_ids(plan: WorkerPlan, clock: Callable[[], float] = time.time) -> Callable[[], str]:
    """Return what makes ids of requests: they begin with the time, and no two are alike."""
    salt, count = secrets.token_hex(4), 0

    def new_id() -> str:
        nonlocal count
        count += 1
        milliseconds = int((clock() + plan.clock_offset_s) * 1e3)
        return f"req-{milliseconds:011x}{salt}{count:06x}"

    return new_id


def board_probe(watch: BoardWatch, plan: WorkerPlan, now_s: Callable[[], float]) -> Probe:
    """Return what looks at prices that are missing, and at whoever makes boards."""
    served = {upstream.deployment for upstream in plan.upstreams}

    def probe() -> Reason:
        if missing := watch.price_missing(served):
            return Reason("prices", "failed", f"no price of {', '.join(missing)}")
        maker = watch.maker
        if maker is None or now_s() - maker.at_s > MAKER_SILENT_S:
            return Reason("prices", "degraded", "nothing was heard of the board maker lately")
        wrong = [
            f"{each.code} at {each.path}: {each.reason}"
            for each in maker.findings
            if each.severity == "error" or each.code in NO_PRICE
        ]
        return Reason("prices", "degraded" if wrong else "ok", "; ".join(wrong))

    return probe


def _side(
    gateway: Gateway,
    batches: SqliteBatches,
    usage: ServedUsage | None,
    runner: BatchRunner,
    probes: tuple[Probe, ...],
    *,
    owner: str,
    hub: LiveHub,
) -> AsgiApp:
    """Return the application beside the hot path; video jobs run under this worker's name."""
    desk = VideoDesk(gateway, batches.videos, owner=owner)
    return side_app(
        gateway,
        batches=batches,
        usage=usage,
        videos=(batches.videos, desk),
        wake=runner.wake,
        probes=probes,
        live=LiveApi(gateway, hub),
    )


def _admin(gateway: Gateway, metrics: Path, probes: tuple[Probe, ...]) -> AsgiApp:
    """Return the application of the other port: the counts of all workers, and details."""

    def exposition() -> bytes:
        registry = CollectorRegistry()
        registry.register(Collector(told=read_counts(metrics)))
        return generate_latest(registry)

    return admin_app(gateway, metrics=exposition, content_type=CONTENT_TYPE_LATEST, probes=probes)


if __name__ == "__main__":
    main()
