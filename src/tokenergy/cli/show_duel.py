"""A duel of two company files as tables for people."""

from tokenergy.api.duelling import Fought
from tokenergy.cli.columns import console, decimals_for, figure, put, say
from tokenergy.cli.show import banner
from tokenergy.thesis.duel_gap import DuelMonth

EVERY_MONTHS = 6


def duel(found: Fought) -> None:
    """Print what decides, both companies over the months, and the gap by the rival's delay."""
    banner(found.own)
    banner(found.rival)
    for line in found.lines():
        say(line)
    console.print()
    months = [month for month in found.duel.path.months if month.month % EVERY_MONTHS == 0]
    put(
        f"Both companies, every {EVERY_MONTHS} months (full: all that is paid, over the tokens)",
        _month_cells(months),
        left=("month",),
        right=(
            "own full/Mtok", "rival full/Mtok", "own Mtok", "rival Mtok", "own MW", "rival MW",
            "gap at file's price", "at full cost",
        ),
    )  # fmt: skip
    console.print()
    put(
        "The margin gap over all months, by the delay of the rival's megawatts",
        [
            [
                f"{path.delay_months:g}",
                figure(path.total_usd("stated"), 0),
                figure(path.present_usd("stated"), 0),
                figure(path.total_usd("cost"), 0),
                _month(path.closes_month("stated")),
            ]
            for path in found.duel.sweep
        ],
        left=("months",),
        right=("gap at file's price", "discounted", "at full cost", "closes in month"),
    )


def _month_cells(months: list[DuelMonth]) -> list[list[str]]:
    costs = [cost for m in months for cost in (m.own.full_usd_per_mtok, m.rival.full_usd_per_mtok)]
    decimals = 2 + decimals_for(cost for cost in costs if cost is not None)
    return [
        [
            str(month.month),
            figure(month.own.full_usd_per_mtok, decimals),
            figure(month.rival.full_usd_per_mtok, decimals),
            figure(month.own.served_mtok, 0),
            figure(month.rival.served_mtok, 0),
            figure(month.own.peak_mw, 1),
            figure(month.rival.peak_mw, 1),
            figure(month.gap_usd("stated"), 0),
            figure(month.gap_usd("cost"), 0),
        ]
        for month in months
    ]


def _month(closes: int | None) -> str:
    return "never" if closes is None else str(closes)
