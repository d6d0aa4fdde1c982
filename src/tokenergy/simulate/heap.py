"""A heap of whole numbers in a row of an array, for compiled code: the least is in front."""

from tokenergy.compiled import compiled_part
from tokenergy.simulate.replica_state import Slots


@compiled_part
def push(slots: Slots, row: int, length: int, key: int) -> None:
    """Add a key to the heap of that length in a row; there must be room behind it."""
    place = length
    while place > 0:
        above = (place - 1) // 2
        if slots[row, above] <= key:
            break
        slots[row, place] = slots[row, above]
        place = above
    slots[row, place] = key


@compiled_part
def pop_least(slots: Slots, row: int, length: int) -> int:
    """Take the least key out of the heap of that length, at least 1, and return it."""
    least = slots[row, 0]
    last = length - 1
    key = slots[row, last]
    place = 0
    while True:
        below = 2 * place + 1
        if below >= last:
            break
        if below + 1 < last and slots[row, below + 1] < slots[row, below]:
            below += 1
        if slots[row, below] >= key:
            break
        slots[row, place] = slots[row, below]
        place = below
    slots[row, place] = key
    return int(least)
