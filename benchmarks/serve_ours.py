"""Our gateway as the benchmarks run it: everything on, one worker, two sites, a key, a ledger."""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from record import ROOT
from serve_native import pinned
from serve_peers import MODEL, Proxy

sys.path.append(str(ROOT / "tests"))  # the gateway's own tests start it in the same way

from faulty_upstream import Server, faulty_upstream
from serve_company import (
    INPUT_NANO_USD,
    OUTPUT_NANO_USD,
    SpendLimit,
    bill_nano_usd,
    company_text,
)
from serve_process import Gateway, serving

__all__ = [
    "INPUT_NANO_USD",
    "OUTPUT_NANO_USD",
    "Gateway",
    "Server",
    "SpendLimit",
    "as_proxy",
    "bill_nano_usd",
    "faulty_upstream",
    "gateway",
    "settled",
]

PLENTY_USD = 1e6
SETTLES_WITHIN_S = 60.0
STILL_S = 1.0


@contextmanager
def gateway(
    upstreams: Sequence[str],
    *,
    core: int | None = None,
    workers: int = 1,
    folder: Path | None = None,
    limits: str = "",
    spend_limits: Sequence[SpendLimit] = (SpendLimit(tenant="acme", usd=PLENTY_USD),),
    tenants: Sequence[str] = ("acme",),
    more: str = "",
    served_model: str = MODEL,
    **options: Any,
) -> Iterator[Gateway]:
    """Run `tokenergy serve` in front of the upstreams; it leaves nothing behind.

    The tenant has a spend limit that is never reached, so that every request is reserved, leased
    and settled, and a budget is part of what is measured.
    """
    with tempfile.TemporaryDirectory(prefix="tokenergy-serve-") as made:
        where = folder or Path(made)
        file = where / "crowd.yaml"
        text = company_text(
            upstreams,
            tenants=tenants,
            spend_limits=spend_limits,
            limits=limits,
            more=more,
            served_model=served_model,
        )
        file.write_text(text, encoding="utf-8")
        with serving(
            file, folder=where, workers=workers, tenants=tenants, prefix=pinned(core), **options
        ) as running:
            yield running


def as_proxy(running: Gateway) -> Proxy:
    """Return the gateway as a proxy to measure: its worker first, then all its processes."""
    workers = [each.pid for each in running.workers()]
    others = [each.pid for each in running.processes() if each.pid not in workers]
    return Proxy(
        name="tokenergy",
        port=running.port,
        pids=(*workers, *others),
        key=running.key("acme"),
        started_s=running.started_s,
    )


def settled(running: Gateway, within_s: float = SETTLES_WITHIN_S) -> bool:
    """Wait until the ledger grows no more; False: it still did."""
    until_s, seen, still_s = time.monotonic() + within_s, -1, time.monotonic()
    while time.monotonic() < until_s:
        found = running.rows("select max(rowid) from ledger")
        count = int(found[0][0] or 0) if found else 0
        if count != seen:
            seen, still_s = count, time.monotonic()
        elif time.monotonic() - still_s > STILL_S:
            return True
        time.sleep(0.1)
    return False
