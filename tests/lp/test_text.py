"""A program in words."""

import numpy as np

from tokenergy.lp.program import Program
from tokenergy.lp.text import column_lines, row_lines

INF = float("inf")


def made() -> Program:
    program = Program(2)
    program.add_columns("energy", 1)
    program.add_columns("charge", 2)
    program.add_rows("store", 1)
    program.add_rows("free", 1)
    program.link("store", "energy", values=1.0)
    program.link("store", "energy", values=-1.0, lag=1)
    program.link("store", "charge", row_at=[0, 0], column_at=[0, 1], values=[-0.95, 2.0])
    return program


def test_rows_read_as_they_are_written():
    """The ring is broken before slot 0, so only slot 1 remembers the slot before."""
    lower = np.array([[1.5, -INF], [-INF, -INF]])
    upper = np.array([[1.5, INF], [7.0, INF]])
    assert row_lines(made(), lower, upper, labels={"charge": ("day", "night")}) == [
        "store[0]@0: + 1 energy[0]@0 - 0.95 charge[day]@0 + 2 charge[night]@0 = 1.5",
        "store[0]@1: - 1 energy[0]@0 + 1 energy[0]@1 - 0.95 charge[day]@1 + 2 charge[night]@1 <= 7",
        "free[0]@0: 0 free",
        "free[0]@1: 0 free",
    ]


def test_columns_read_as_they_are_bounded():
    costs = np.array([[1.0, 0.0, -2.5], [0.0, 0.0, 0.0]])
    lower = np.array([[0.0, 1.0, -INF], [2.0, 0.0, 0.0]])
    upper = np.array([[INF, 3.0, 4.0], [2.0, 0.0, 0.0]])
    assert column_lines(made(), costs, lower, upper, blocks=("energy", "charge")) == [
        "cost 1: energy[0]@0 >= 0",
        "cost 0: energy[0]@1 = 2",
        "cost 0: 1 <= charge[0]@0 <= 3",
        "cost -2.5: charge[1]@0 <= 4",
        "cost 0: charge[0]@1 = 0",
        "cost 0: charge[1]@1 = 0",
    ]
