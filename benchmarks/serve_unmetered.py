"""A gateway that writes nothing down and reserves nothing: what metering and budgets are held to.

    serve_unmetered.py control COMPANY DATA LEDGER      control, with such workers
    serve_unmetered.py worker DIR NUMBER FD ...         one of them

Everything else is the real one: keys, decisions, relay, counts. Never for serving.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenergy.company.serving.ports import RateTold, Reserved
from tokenergy.company.serving.record import Holding

TAKEN = RateTold(True, None, None, None, None, 0.0)


class NoJournal:
    """Takes records and keeps none."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.epoch, self.bytes_count, self._count = "none", 0, 0

    def write(self, record: object) -> int:
        self._count += 1
        return self._count

    async def synced(self, number: int) -> None:
        return None

    def close(self) -> None:
        return None


class NoLeases:
    """Grants everything and counts nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.findings: tuple[object, ...] = ()

    def reserve(self, wants: Sequence[tuple[str, int]], *, now_s: float) -> Reserved:
        return Reserved(tuple(Holding(name, 0.0, quantity) for name, quantity in wants), "")

    def settle(self, holdings: Sequence[Holding], actual: Sequence[int]) -> None:
        return None

    def take(self, tenant: str, **_: Any) -> RateTold:
        return TAKEN

    def spent(self, account: str, *, now_s: float) -> int:
        return 0

    def keep_up(self, *, now_s: float) -> None:
        return None

    def close(self, **_: Any) -> None:
        return None


def main() -> None:
    """Run control or a worker."""
    role, *words = sys.argv[1:]
    if role == "control":
        from tokenergy.api.serving import ServeAsk, serve

        company, data, ledger = map(Path, words[:3])
        ask = ServeAsk(
            company=company,
            data=data,
            ledger=ledger,
            port=0,
            worker=(sys.executable, __file__, "worker"),
        )
        sys.exit(serve(ask, tell=lambda line: print(line, flush=True)))
    from tokenergy.api import worker

    worker.SegmentJournal = NoJournal  # type: ignore[assignment,misc]
    worker.SqliteLeases = NoLeases  # type: ignore[assignment,misc]
    worker.main(words)


if __name__ == "__main__":
    main()
