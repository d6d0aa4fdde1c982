"""The one who owns the shadow prices of all budgets: workers count, he reckons, they take it over.

Gateway sheet, section 3.5: with several workers what was seen and used is summed each second, and
lambda comes back. Between two seconds a worker moves the price that it took over by its own
requests; then the owner's stands again, in which all workers' are.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tokenergy.routing.pacing import Pacer, Pacing, opened
from tokenergy.serve.counts import BudgetPrice, BudgetTotal, SharedCounts

EVERY_S: Final = 1.0
"""How often the owner sums."""


class OwnedBudget(msgspec.Struct, frozen=True, kw_only=True):
    """Where a budget stood, as it is kept over a restart.

    Attributes:
        start_s: begin of the window that it is about.
        lambda_usd_per_unit, left_quantity, seen_count: see `BudgetPrice`.
    """

    start_s: float
    lambda_usd_per_unit: float
    left_quantity: float
    seen_count: float


_WRITER: Final = msgspec.json.Encoder()
_READER: Final = msgspec.json.Decoder(dict[str, OwnedBudget])


class BudgetOwner:
    """Paces the budgets of a gateway from what its workers count."""

    def __init__(
        self, counts: SharedCounts, names: Sequence[str], *, kept: bytes | None = None
    ) -> None:
        """Begin where the counts stand.

        Args:
            counts: the shared file, as control has it.
            names: of the budgets, in the order of their numbers in that file.
            kept: what `words` told before a restart; None: nothing.

        Raises:
            msgspec.MsgspecError: if `kept` is broken.
        """
        self._counts, self._names = counts, tuple(names)
        self._kept = {} if kept is None else _READER.decode(kept)
        self._pacers: dict[str, Pacer] = {}
        self._told: list[BudgetTotal] = list(counts.budget_totals())

    def refreshed(self, pacings: Sequence[Pacing]) -> None:
        """Take the windows of a new board over; a window that goes on keeps its price."""
        for pacing in pacings:
            held = self._pacers.get(pacing.budget)
            if held is not None and held.pacing.start_s == pacing.start_s:
                continue
            kept = self._kept.get(pacing.budget)
            if kept is not None and kept.start_s == pacing.start_s:
                told = (kept.lambda_usd_per_unit, kept.left_quantity, kept.seen_count)
                self._pacers[pacing.budget] = Pacer(pacing, *told)
            else:
                self._pacers[pacing.budget] = opened(pacing)

    def step(self, now_s: float) -> None:
        """Sum what was seen and used since the last step, and tell the prices."""
        totals = self._counts.budget_totals()
        for at, (name, total, told) in enumerate(zip(self._names, totals, self._told, strict=True)):
            pacer = self._pacers.get(name)
            if pacer is None:
                continue
            seen = total.seen_count - told.seen_count
            used = total.used_quantity - told.used_quantity
            if seen != 0.0:
                pacer = pacer.admitted(used, now_s, requests_count=seen)
            elif used != 0.0:  # settled, and nobody came
                pacer = pacer.settled(expected_quantity=0.0, actual_quantity=used)
            self._pacers[name] = pacer
            self._counts.price(at, _price(pacer))
        self._told = list(totals)

    def words(self) -> bytes:
        """Return where all budgets stand, to be kept over a restart."""
        return _WRITER.encode(
            {
                name: OwnedBudget(
                    start_s=pacer.pacing.start_s,
                    lambda_usd_per_unit=pacer.lambda_usd_per_unit,
                    left_quantity=pacer.left_quantity,
                    seen_count=pacer.seen_count,
                )
                for name, pacer in sorted(self._pacers.items())
            }
        )


def pacers_of(
    pacings: Sequence[Pacing], names: Sequence[str], prices: Sequence[BudgetPrice]
) -> Mapping[str, Pacer]:
    """Return the pacers that a worker goes on with: the owner's prices in the board's windows.

    A window that the owner has not begun yet stands at the board's own warm start.

    Args:
        pacings: of the board.
        names: of the budgets, in the order of their numbers.
        prices: as the shared file tells them.
    """
    told = dict(zip(names, prices, strict=True))
    found = {}
    for pacing in pacings:
        price = told.get(pacing.budget)
        if price is None or price.start_s != pacing.start_s:
            found[pacing.budget] = opened(pacing)
        else:
            found[pacing.budget] = Pacer(pacing, *price[1:])
    return found


def _price(pacer: Pacer) -> BudgetPrice:
    return BudgetPrice(
        pacer.pacing.start_s, pacer.lambda_usd_per_unit, pacer.left_quantity, pacer.seen_count
    )
