"""When an iteration ends, and which arrivals are there by then: one rule for both engines.

`step` adds one iteration at a time and `leap` many at once, so their clocks would drift apart by
rounding, and an arrival that falls exactly on a boundary would be seen an iteration later by one
of them. Two things keep them together. Clocks are sums with their rounding carried along, right
to about one unit in the last place however many iterations there were. And an arrival counts as
there when it lies within one part in 10^12 of the boundary, a thousand times more than the two
can differ by. Seconds should be counted from the start of the trace, not from an epoch.
"""

import math
from typing import Final

from tokenergy.compiled import compiled_part

TIE_SHARE: Final = 1e-12
"""How far past a boundary an arrival still counts as there, as a share of the time."""


@compiled_part
def has_come(moment_s: float, now_s: float) -> bool:
    """Tell whether a moment has come at a boundary: the tie rule, in the one place it stands."""
    return moment_s <= now_s + TIE_SHARE * now_s


@compiled_part
def iterations_until(moment_s: float, now_s: float, iteration_s: float, most_count: int) -> int:
    """Return after how many iterations a moment has come: at least 1, at most `most_count`."""
    ratio = (moment_s - now_s) / iteration_s
    count = most_count
    if ratio < most_count:
        count = max(1, math.ceil(ratio))
    while count > 1 and has_come(moment_s, now_s + (count - 1) * iteration_s):
        count -= 1
    while count < most_count and not has_come(moment_s, now_s + count * iteration_s):
        count += 1
    return count


@compiled_part
def added(total_quantity: float, rest_quantity: float, more_quantity: float) -> tuple[float, float]:
    """Return a total with more added, and the rounding error to be carried along; of any unit.

    The pair is the exact total to twice the precision of a float (Knuth's two-sum).
    """
    more = more_quantity + rest_quantity
    after = total_quantity + more
    shown = after - total_quantity
    return after, (total_quantity - (after - shown)) + (more - shown)
