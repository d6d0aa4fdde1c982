"""What a program's optimum is: values, duals, and how sure of it one may be."""

from dataclasses import dataclass

from tokenergy.lp.program import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """An optimum that has passed our own check.

    Attributes:
        objective_usd: the optimum, constants included.
        columns: values of the columns.
        row_duals: derivative of the optimum by each row's right-hand side.
        reduced_costs: cost less the duals of its rows, by column.
        iterations_count: simplex iterations of this solve.
        gap_share: |primal - dual| over max(1, |primal|).
        integer: whether some columns are whole numbers: duals are those of the program in which
            they stay what they are.
        integer_gap_share: how far a better choice of whole numbers could lie below the optimum,
            at most, over max(1, |optimum|).
    """

    objective_usd: float
    columns: FloatArray
    row_duals: FloatArray
    reduced_costs: FloatArray
    iterations_count: int
    gap_share: float
    integer: bool = False
    integer_gap_share: float = 0.0
