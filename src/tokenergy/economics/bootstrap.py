"""How sure a sum over a horizon is: its weeks drawn again and again, whole.

Hours that follow each other are alike, so that single hours must not be drawn: blocks are weeks
where the horizon holds at least four, else days, and the result says which.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.units import H_PER_DAY, H_PER_WEEK

FloatArray = NDArray[np.float64]
DRAWS_COUNT: Final = 2_000
LEAST_WEEKS_COUNT: Final = 4
"""Fewer weeks than this say little about weeks: days are drawn instead."""
LEAST_DAYS_COUNT: Final = 4
"""Fewer days than this say nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Where a sum may lie if the horizon's blocks had come in other numbers.

    Attributes:
        usd: the sum itself.
        low_usd, high_usd: ends of the middle 90 % of the draws: P5 and P95.
        p10_usd, p90_usd: the tenth and the ninetieth percentile.
        block_h: length of a block: 168 h, or 24 h where the horizon is short.
        blocks_count: how many blocks there are to draw from.
    """

    usd: float
    low_usd: float
    high_usd: float
    p10_usd: float
    p90_usd: float
    block_h: float
    blocks_count: int

    @property
    def by_week(self) -> bool:
        """Whether weeks were drawn, as they should be."""
        return self.block_h == H_PER_WEEK

    def to_dict(self) -> dict[str, Any]:
        """Return the band as a JSON-ready mapping."""
        return asdict(self)


def band(values_usd: FloatArray, *, step_h: float, seed: int) -> Band | None:
    """Return the band of the sum of a series by a block bootstrap; None below four days.

    Whole blocks are drawn with replacement, as many as there are; what is left over at the end of
    the horizon stands as it is.

    Args:
        values_usd: amounts by interval [T].
        step_h: length of an interval.
        seed: of the draws.
    """
    hours = values_usd.size * step_h
    block_h = H_PER_WEEK if hours >= LEAST_WEEKS_COUNT * H_PER_WEEK else H_PER_DAY
    per_block = round(block_h / step_h)
    count = values_usd.size // per_block
    if count < LEAST_DAYS_COUNT:
        return None
    whole = values_usd[: count * per_block].reshape(count, per_block).sum(axis=1)
    rest_usd = float(values_usd[count * per_block :].sum())
    drawn = np.random.default_rng(seed).integers(0, count, size=(DRAWS_COUNT, count))
    sums = whole[drawn].sum(axis=1) + rest_usd
    low, p10, p90, high = (float(each) for each in np.quantile(sums, (0.05, 0.1, 0.9, 0.95)))
    return Band(
        usd=float(values_usd.sum()),
        low_usd=low,
        high_usd=high,
        p10_usd=p10,
        p90_usd=p90,
        block_h=block_h,
        blocks_count=count,
    )
