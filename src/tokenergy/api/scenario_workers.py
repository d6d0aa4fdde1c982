"""Who does the work of a scenario fan: this process, processes of this machine, or Dask workers.

All three call the same function on the same arguments, and every solve runs on one thread: so the
results are the same to the bit.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, Final, Protocol, TypeVar

from tokenergy import __version__
from tokenergy.errors import InputError, UnexpectedError

T = TypeVar("T")
R = TypeVar("R")
Stop = Callable[[], bool]
Told = Callable[[int, int], None]
POLL_S: Final = 0.2
"""How often a stop is asked for while others work."""
CONNECT_S: Final = 20.0
"""How long a Dask scheduler may take to answer."""


class Stopped(Exception):
    """Ends a fan whose results nobody waits for any more."""


class Workers(Protocol):
    """Calls a function on each task and returns the results in the order of the tasks."""

    def __call__(
        self, function: Callable[[T], R], tasks: Sequence[T], *, stop: Stop, told: Told
    ) -> list[R]:
        """Return the results.

        Raises:
            Stopped: once `stop` says so; what runs is then given up.
        """
        ...


@contextmanager
def workers(*, processes: int | None = None, dask: str | None = None) -> Iterator[Workers]:
    """Yield who does the work, and let them go in the end.

    Args:
        processes: how many of this machine; None: one per core, 1: this process.
        dask: address of the scheduler of a running Dask cluster; then it does the work.

    Raises:
        InputError: if there can be no such workers.
    """
    if dask is not None:
        with _dask_client(dask) as client:
            yield partial(_on_dask, client)
        return
    count = _cores_count() if processes is None else processes
    if count < 1:
        raise InputError(f"processes is {count}, must be at least 1")
    if count == 1:
        yield _here
        return
    context = multiprocessing.get_context("spawn")
    before = {child.pid for child in multiprocessing.active_children()}
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_leave_interrupts_to_us)
    try:
        yield partial(_on_pool, pool)
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            if child.pid not in before:
                child.terminate()  # nobody waits for what it does
        raise


def _cores_count() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _leave_interrupts_to_us() -> None:
    """Let Ctrl-C reach the process that started this one, which then ends it in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _here(function: Callable[[T], R], tasks: Sequence[T], *, stop: Stop, told: Told) -> list[R]:
    """Work through the tasks one by one."""
    results = []
    for done, task in enumerate(tasks):
        if stop():
            raise Stopped
        results.append(function(task))
        told(done + 1, len(tasks))
    return results


def _on_pool(
    pool: ProcessPoolExecutor,
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    stop: Stop,
    told: Told,
) -> list[R]:
    """Work through the tasks in processes of this machine."""
    futures: list[Future[R]] = [pool.submit(function, task) for task in tasks]
    waiting = set(futures)
    try:
        while waiting:
            if stop():
                raise Stopped
            ended, waiting = wait_for(waiting, timeout=POLL_S, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()  # what went wrong is told at once
            if ended:
                told(len(futures) - len(waiting), len(futures))
        return [future.result() for future in futures]
    except BrokenProcessPool as error:
        raise UnexpectedError(
            "a process that worked on a scenario was ended from outside (out of memory?): fewer "
            "at once need less"
        ) from error


def _on_dask(
    client: Any, function: Callable[[T], R], tasks: Sequence[T], *, stop: Stop, told: Told
) -> list[R]:
    """Work through the tasks on the workers of a Dask cluster."""
    futures = [client.submit(function, task, pure=False, retries=1) for task in tasks]
    done_count = 0
    try:
        while done_count < len(futures):
            if stop():
                raise Stopped
            time.sleep(POLL_S)
            ended = [future for future in futures if future.done()]
            for future in ended:
                if future.status != "finished":
                    future.result()  # what went wrong is told at once
            if len(ended) > done_count:
                done_count = len(ended)
                told(done_count, len(futures))
        return [future.result() for future in futures]
    finally:
        client.cancel(futures)


@contextmanager
def _dask_client(address: str) -> Iterator[Any]:
    """Connect to a running cluster whose workers have this release of ours.

    Raises:
        InputError: if Dask is not installed here, nobody answers, or a worker has another release.
    """
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise InputError(
            "--dask needs the package `distributed`: pip install 'tokenergy[dask]'"
        ) from error
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"--dask {address}: no Dask scheduler answers there within {CONNECT_S:.0f} s ({error})"
        ) from error
    with client:
        _check_releases(client, address)
        yield client


def _check_releases(client: Any, address: str) -> None:
    try:
        found = client.run(release)
    except ImportError as error:
        raise InputError(
            f"--dask {address}: its workers need Tokenergy {__version__} too ({error})"
        ) from error
    if not found:
        raise InputError(f"--dask {address}: the cluster has no workers")
    other = {where: version for where, version in found.items() if version != __version__}
    if other:
        told = ", ".join(f"{where} has {version}" for where, version in sorted(other.items()))
        raise InputError(f"--dask {address}: all need Tokenergy {__version__}, but {told}")


def release() -> str:
    """Return the release of Tokenergy where this is called."""
    return __version__
