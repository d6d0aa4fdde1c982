"""Small programs written as tables."""

import numpy as np

from tokenergy.lp.program import Matrix

INF = float("inf")


def matrix_of(table) -> Matrix:
    table = np.asarray(table, float)
    columns, rows = np.nonzero(table.T)
    return Matrix(
        rows=rows,
        columns=columns,
        values=table[rows, columns],
        rows_count=table.shape[0],
        columns_count=table.shape[1],
    )
