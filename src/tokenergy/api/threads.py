"""Threads for compiled code: the core starts none, and takes a `map` that does."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def over_threads(function: Callable[[T], R], parts: Iterable[T], /) -> Iterator[R]:
    """Call a function on each part, on as many threads as the process has cores.

    Results come in the order of the parts. Worth it only for functions that hold no lock, such as
    compiled ones: `simulate_replicas(spec, requests, spread=over_threads)`.
    """
    cores_count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    with ThreadPoolExecutor(cores_count or os.cpu_count()) as pool:
        yield from pool.map(function, parts)
