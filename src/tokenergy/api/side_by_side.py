"""Threads that share compiled work: each lets go of the interpreter while it runs."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tokenergy.lp.chain_factor import Each


@contextmanager
def side_by_side(threads_count: int) -> Iterator[Each]:
    """Open a pool of threads; with one or none, everything runs one after the other."""
    if threads_count <= 1:
        yield map
        return
    with ThreadPoolExecutor(threads_count, thread_name_prefix="plan") as pool:

        def each(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterable[Any]:
            return pool.map(function, items)

        yield each
