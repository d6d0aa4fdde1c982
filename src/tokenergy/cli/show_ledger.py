"""Sums of a ledger as a table for people."""

from collections.abc import Sequence
from typing import Final

from tokenergy.cli.columns import figure, put, say
from tokenergy.store.sqlite import LedgerSum
from tokenergy.units import NANO_USD_PER_USD

WHOLE: Final = ("requests", "input tokens", "of it cached", "output tokens", "charged USD")


def _whole(row: LedgerSum) -> tuple[str, ...]:
    """Return the whole-number sums of requests, for a ledger that has any."""
    served = row.served
    counts = (
        served.requests_count, served.input_tokens, served.cached_input_tokens,
        served.output_tokens,
    )  # fmt: skip
    return (
        *(f"{count:,}" for count in counts),
        figure(served.charged_nano_usd / NANO_USD_PER_USD, 6),
    )


def sums(rows: Sequence[LedgerSum], *, runs: Sequence[str]) -> None:
    """Print sums of a ledger, and of how many runs they are."""
    if not rows:
        say("the ledger has no rows")
        return
    told = any(row.served.requests_count or row.served.charged_nano_usd for row in rows)
    put(
        "",
        [
            [
                *(value or "-" for value in row.group.values()),
                f"{row.entries_count:,}",
                figure(row.amount_usd, 2),
                figure(row.energy_mwh, 3),
                figure(row.served_mtok, 1),
                *(_whole(row) if told else ()),
            ]
            for row in rows
        ],
        left=list(rows[0].group),
        right=("rows", "amount USD", "energy MWh", "served Mtok", *(WHOLE if told else ())),
    )
    worlds = {run.rpartition("/")[0] for run in runs}
    if len(worlds) > 1:
        say(
            f"These are sums over {len(worlds)} simulations; --by run_id tells them apart, "
            "--run shows one."
        )
