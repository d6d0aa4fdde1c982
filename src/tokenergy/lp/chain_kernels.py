# mypy: disable-error-code="no-untyped-def"
"""The arithmetic of a chain's normal matrix, compiled: eliminate, factor, solve, slot by slot."""

import numpy as np

from tokenergy.compiled import compiled

LEAST_PIVOT = 1e-30
"""A pivot below it is of a row that others imply: its dual stays where it is."""
SHUT = 1e100


@compiled
def eliminate(
    begin, end, made, diagonal, placed, pivots, neighbours, neighbour_starts, updates,
    update_starts, kept, summed, scratch_count, values, theta, slack, inverse, factors, packed,
    sums,
):  # fmt: skip
    """Make each slot's part of the normal matrix and eliminate its local rows.

    Writes 1 / pivot (`inverse` [T, l]), factors [T, N], what the chain takes over (`packed`
    [T, k]), and what the border sums up over these slots (`sums` [s]).
    """
    scratch = np.empty(scratch_count)
    sums[:] = 0.0
    for t in range(begin, end):
        scratch[:] = 0.0
        for p in range(made.shape[0]):
            product = values[t, made[p, 2]] * values[t, made[p, 3]]
            scratch[made[p, 0]] += theta[t, made[p, 1]] * product
        for p in range(diagonal.shape[0]):
            scratch[diagonal[p, 0]] += slack[t, diagonal[p, 1]]
        for p in range(placed.shape[0]):
            scratch[placed[p, 0]] += values[t, placed[p, 1]]
        for k in range(pivots.shape[0]):
            pivot = scratch[pivots[k]]
            one_over = 1.0 / pivot if pivot > LEAST_PIVOT else 0.0
            inverse[t, k] = one_over
            for i in range(neighbour_starts[k], neighbour_starts[k + 1]):
                factors[t, i] = scratch[neighbours[i, 0]] * one_over
            for u in range(update_starts[k], update_starts[k + 1]):
                other = scratch[neighbours[updates[u, 2], 0]]
                scratch[updates[u, 0]] -= factors[t, updates[u, 1]] * other
        for p in range(kept.shape[0]):
            packed[t, p] = scratch[kept[p, 0]]
        for p in range(summed.shape[0]):
            sums[p] += scratch[summed[p, 0]]


@compiled
def _block(t, kept, packed, square, border):
    """Lay out a slot's own chain block and its border; both start from what they hold."""
    for p in range(kept.shape[0]):
        kind, i, j = kept[p, 1], kept[p, 2], kept[p, 3]
        if kind == 0:
            square[i, j] += packed[t, p]
            if i != j:
                square[j, i] += packed[t, p]
        elif kind == 3:
            border[i, j] += packed[t, p]
    if t > 0:
        for p in range(kept.shape[0]):
            kind, i, j = kept[p, 1], kept[p, 2], kept[p, 3]
            if kind == 1:
                square[i, j] += packed[t - 1, p]
                if i != j:
                    square[j, i] += packed[t - 1, p]
            elif kind == 4:
                border[i, j] += packed[t - 1, p]


@compiled
def _factored(square):
    """Turn a symmetric block into its lower factor, in place; what is above is left behind.

    Row k of the upper half holds column k of the factor meanwhile, so that every inner loop runs
    along a row.
    """
    size = square.shape[0]
    for k in range(size):
        pivot = square[k, k]
        root = np.sqrt(pivot) if pivot > LEAST_PIVOT else SHUT
        for j in range(k, size):
            square[k, j] /= root
        square[k, k] = root
        for i in range(k + 1, size):
            factor = square[k, i]
            if factor != 0.0:
                for j in range(i, size):
                    square[i, j] -= factor * square[k, j]
    for i in range(size):
        for j in range(i):
            square[i, j] = square[j, i]


@compiled
def _forward(lower, wide):
    """wide = lower^-1 wide, in place: four rows above at a time."""
    size, width = wide.shape
    for i in range(size):
        k = 0
        while k + 4 <= i:
            a, b, c, d = lower[i, k], lower[i, k + 1], lower[i, k + 2], lower[i, k + 3]
            for j in range(width):
                wide[i, j] -= (
                    a * wide[k, j] + b * wide[k + 1, j] + c * wide[k + 2, j] + d * wide[k + 3, j]
                )
            k += 4
        while k < i:
            a = lower[i, k]
            for j in range(width):
                wide[i, j] -= a * wide[k, j]
            k += 1
        root = lower[i, i]
        for j in range(width):
            wide[i, j] /= root


@compiled
def _squared(wide, whole):
    """whole = wide' wide, its upper half: four rows of `wide` at a time."""
    size, width = wide.shape
    for i in range(width):
        for j in range(i, width):
            whole[i, j] = 0.0
        k = 0
        while k + 4 <= size:
            a, b, c, d = wide[k, i], wide[k + 1, i], wide[k + 2, i], wide[k + 3, i]
            if a != 0.0 or b != 0.0 or c != 0.0 or d != 0.0:
                for j in range(i, width):
                    whole[i, j] += (
                        a * wide[k, j]
                        + b * wide[k + 1, j]
                        + c * wide[k + 2, j]
                        + d * wide[k + 3, j]
                    )
            k += 4
        while k < size:
            a = wide[k, i]
            for j in range(i, width):
                whole[i, j] += a * wide[k, j]
            k += 1


@compiled
def factor_half(first, last, step, kept, packed, lower, coupled, carry_square, carry_border, sums):
    """Factor the chain from slot `first` towards `last` (left out), stepping by 1 or -1.

    Writes each block's lower factor and its coupling to the next block in line. What the block
    after the last loses is in `carry_square` and `carry_border`, what the border loses in `sums`.
    """
    size, width = carry_border.shape
    wide = np.empty((size, size + width))
    whole = np.zeros((size + width, size + width))
    border = np.empty((size, width))
    t = first
    while t != last:
        square = lower[t]
        square[:, :] = -carry_square
        border[:, :] = -carry_border
        _block(t, kept, packed, square, border)
        _factored(square)
        wide[:, :size] = 0.0
        wide[:, size:] = border
        for p in range(kept.shape[0]):
            if kept[p, 1] == 2:
                i, j = kept[p, 2], kept[p, 3]
                if step > 0:
                    wide[i, j] += packed[t, p]
                elif t > 0:
                    wide[j, i] += packed[t - 1, p]
        _forward(square, wide)
        coupled[t] = wide[:, :size]
        _squared(wide, whole)
        for i in range(size):
            for j in range(size):
                carry_square[i, j] = whole[min(i, j), max(i, j)]
            for j in range(width):
                carry_border[i, j] = whole[i, size + j]
        for i in range(width):
            for j in range(i, width):
                sums[i, j] += whole[size + i, size + j]
        t += step


@compiled
def factor_middle(t, kept, packed, lower, carry_square, carry_border, sums):
    """Factor the block at which both halves meet."""
    size, width = carry_border.shape
    square, border = lower[t], np.empty((size, width))
    square[:, :] = -carry_square
    border[:, :] = -carry_border
    _block(t, kept, packed, square, border)
    _factored(square)
    _forward(square, border)
    for k in range(size):
        for i in range(width):
            for j in range(i, width):
                sums[i, j] += border[k, i] * border[k, j]


@compiled
def reduce_rows(
    begin, end, local, neighbours, neighbour_starts, factors, y, chain_rows, own, after
):
    """Take the local rows out of a right-hand side; what the next slot's chain gets is `after`."""
    for t in range(begin, end):
        for i in range(chain_rows.shape[0]):
            own[t, i] = y[t, chain_rows[i]]
        after[t, :] = 0.0
        for k in range(local.shape[0]):
            value = y[t, local[k]]
            for i in range(neighbour_starts[k], neighbour_starts[k + 1]):
                kind, at = neighbours[i, 1], neighbours[i, 2]
                if kind == 0:
                    y[t, at] -= factors[t, i] * value
                elif kind == 1:
                    own[t, at] -= factors[t, i] * value
                elif kind == 2:
                    after[t, at] -= factors[t, i] * value


@compiled
def forward_half(first, last, step, lower, coupled, own, after, carry):
    """own = lower^-1 (own - carry), block by block; `carry` is what the next block loses."""
    size = carry.shape[0]
    t = first
    while t != last:
        for i in range(size):
            value = own[t, i] - carry[i]
            if t > 0:
                value += after[t - 1, i]
            for k in range(i):
                value -= lower[t, i, k] * own[t, k]
            own[t, i] = value / lower[t, i, i]
        for j in range(size):
            carry[j] = 0.0
        for i in range(size):
            for j in range(size):
                carry[j] += coupled[t, i, j] * own[t, i]
        t += step


@compiled
def back_half(first, last, step, lower, coupled, own):
    """own = lower'^-1 (own - coupled x the block before), from the middle outwards."""
    size = own.shape[1]
    t = first
    while t != last:
        for i in range(size):
            value = own[t, i]
            for j in range(size):
                value -= coupled[t, i, j] * own[t - step, j]
            own[t, i] = value
        back_block(lower[t], own[t])
        t += step


@compiled
def back_block(lower, own):
    """own = lower'^-1 own."""
    size = own.shape[0]
    for i in range(size - 1, -1, -1):
        own[i] /= lower[i, i]
        value = own[i]
        for k in range(i):
            own[k] -= lower[i, k] * value


@compiled
def expand_rows(
    begin, end, local, neighbours, neighbour_starts, factors, inverse, y, chain_rows, own
):
    """Put the local rows back, from what the chain rows of their slot and the next are."""
    last = own.shape[0] - 1
    for t in range(begin, end):
        for i in range(chain_rows.shape[0]):
            y[t, chain_rows[i]] = own[t, i]
        for k in range(local.shape[0] - 1, -1, -1):
            value = y[t, local[k]] * inverse[t, k]
            for i in range(neighbour_starts[k], neighbour_starts[k + 1]):
                kind, at = neighbours[i, 1], neighbours[i, 2]
                if kind == 0:
                    value -= factors[t, i] * y[t, at]
                elif kind == 1:
                    value -= factors[t, i] * own[t, at]
                elif kind == 2 and t < last:
                    value -= factors[t, i] * own[t + 1, at]
            y[t, local[k]] = value
