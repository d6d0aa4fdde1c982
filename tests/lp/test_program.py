"""Where columns, rows and coefficients of a program lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.lp.program import Program


def dense(program: Program, **options) -> np.ndarray:
    matrix = program.matrix(**options)
    table = np.zeros((matrix.rows_count, matrix.columns_count))
    table[matrix.rows, matrix.columns] = matrix.values
    return table


def chain(slots: int) -> Program:
    """Make a program with one store: `e[t] - e[t-1] = ...`."""
    program = Program(slots)
    program.add_columns("energy", 1)
    program.add_rows("store", 1)
    program.link("store", "energy", values=1.0)
    program.link("store", "energy", values=-1.0, lag=1)
    return program


def test_blocks_follow_one_another_within_a_slot_and_slots_follow_one_another():
    """Blocks a (2) and b (3): 5 columns a slot, so b[1] of slot 2 is 2 x 5 + 2 + 1 = 13."""
    program = Program(3)
    program.add_columns("a", 2)
    b = program.add_columns("b", 3)
    program.add_rows("r", 1)
    program.link("r", "b", row_at=[0], column_at=[1], values=[7.0])
    assert (b.offset, b.span, program.columns_per_slot) == (2, slice(2, 5), 5)
    table = dense(program)
    assert table.shape == (3, 15)
    assert [tuple(place) for place in np.argwhere(table)] == [(0, 3), (1, 8), (2, 13)]


def test_values_may_differ_by_slot():
    program = Program(2)
    program.add_columns("x", 2)
    program.add_rows("r", 2)
    program.link("r", "x", values=[[1.0, 2.0], [3.0, 4.0]])
    assert np.array_equal(np.diag(dense(program)), [1.0, 2.0, 3.0, 4.0])


def test_coefficients_on_one_place_add_up():
    """1 + 2 - 0.5 = 2.5, at one place of the matrix and not at three."""
    program = Program(1)
    program.add_columns("x", 1)
    program.add_rows("r", 1)
    for value in (1.0, 2.0, -0.5):
        program.link("r", "x", values=value)
    matrix = program.matrix()
    assert (matrix.rows.size, matrix.values.tolist()) == (1, [2.5])


def test_two_members_of_a_link_may_meet():
    program = Program(1)
    program.add_columns("x", 2)
    program.add_rows("r", 1)
    program.link("r", "x", row_at=[0, 0, 0], column_at=[1, 1, 0], values=[1.0, 4.0, 3.0])
    assert dense(program).tolist() == [[3.0, 5.0]]


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_the_ring_is_broken_before_its_break(broken):
    """Three slots: row t holds -1 at slot t - 1 (mod 3), but for the row of the break."""
    expected = np.eye(3)
    for slot in range(3):
        if slot != broken:
            expected[slot, slot - 1] = -1.0
    assert np.array_equal(dense(chain(3), break_slot=broken), expected)


def test_a_broken_link_keeps_its_place():
    matrix = chain(3).matrix(break_slot=1)
    places = set(zip(matrix.rows.tolist(), matrix.columns.tolist(), strict=True))
    assert (1, 0) in places
    assert matrix.values[(matrix.rows == 1) & (matrix.columns == 0)].tolist() == [0.0]


def test_one_slot_has_no_slot_before_it():
    """With one slot the slot before is the slot itself; the break leaves the 1 alone."""
    assert dense(chain(1)).tolist() == [[1.0]]


def test_an_empty_link_is_no_link():
    program = Program(2)
    program.add_columns("x", 0)
    program.add_columns("y", 1)
    program.add_rows("r", 1)
    program.link("r", "x", values=1.0)
    program.link("r", "y", row_at=[], column_at=[], values=np.zeros(0))
    assert not program.links


def test_values_of_another_length_than_their_places_are_refused():
    program = Program(2)
    program.add_columns("x", 3)
    program.add_rows("r", 3)
    with pytest.raises(ValueError, match="broadcast"):
        program.link("r", "x", values=[1.0, 2.0])


def test_a_second_block_of_one_name_is_refused():
    program = Program(2)
    program.add_columns("x", 3)
    program.add_rows("x", 1)
    with pytest.raises(ValueError, match="'x' already"):
        program.add_columns("x", 1)
    with pytest.raises(ValueError, match="'x' already"):
        program.add_rows("x", 1, whole=True)
    assert (program.columns_count, program.rows_count) == (6, 2)


@given(slots=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_matrix_is_sorted_by_column_and_names_each_place_once(slots, seed):
    rng = np.random.default_rng(seed)
    program = Program(slots)
    for name in ("a", "b"):
        program.add_columns(name, 3)
        program.add_rows(name.upper(), 2)
    for row in ("A", "B"):
        for column in ("a", "b"):
            program.link(
                row,
                column,
                row_at=rng.integers(0, 2, 4),
                column_at=rng.integers(0, 3, 4),
                values=rng.normal(size=4),
                lag=int(rng.integers(0, 2)),
            )
    matrix = program.matrix(break_slot=slots - 1)
    keys = matrix.columns * matrix.rows_count + matrix.rows
    assert np.all(np.diff(keys) > 0)
