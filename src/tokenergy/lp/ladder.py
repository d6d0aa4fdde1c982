"""Ways to solve a program whose answer did not hold: from what costs least and changes least."""

from dataclasses import dataclass

from tokenergy.lp.check import CHECK_TOLERANCE

SCALED_TO = 2.0**14
"""What larger bounds are brought down to where that is tried: the last bit is then 1/500 of
the solver's tolerance. By a power of two, so that nothing is rounded; costs and duals stay."""
Options = tuple[tuple[str, str | int | float], ...]
"""Names and values of options of the solver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One more way to solve a program whose answer did not hold.

    Attributes:
        solver: `simplex` or `ipx`.
        options: of the solver, beside the usual ones.
        scaled: whether bounds above `SCALED_TO` are brought down to it.
        keeps_basis: whether the basis of the rung before is factored anew, all else standing.
    """

    name: str
    solver: str = "simplex"
    options: Options = ()
    scaled: bool = False
    keeps_basis: bool = False


STRICT: tuple[str, float] = ("factor_pivot_threshold", 0.5)
"""Least pivot over the largest entry of its column, the most that HiGHS takes; usual is 0.1.
In a basis that repeats hour by hour the usual pivots can let errors grow tenfold an hour."""
UNREDUCED: tuple[str, str] = ("presolve", "off")
RUNGS = (
    Rung(name="anew"),
    Rung(name="strict", keeps_basis=True, options=(STRICT,)),
    Rung(name="scaled", scaled=True, options=(STRICT,)),
    Rung(name="unreduced", scaled=True, options=(STRICT, UNREDUCED)),
    Rung(name="primal", scaled=True, options=(STRICT, UNREDUCED, ("simplex_strategy", 4))),
    Rung(name="interior", solver="ipx", scaled=True, options=(STRICT, UNREDUCED)),
)
"""The ladder: from what costs least and changes least. The first is what was always done."""
USUAL = (
    ("solver", "simplex"),
    ("simplex_strategy", 1),
)
"""What a rung is left with: the next solve goes on from its basis by warm dual simplex. Strict
pivots stay, since the same program would need them again."""
CHOOSING: Options = (
    ("mip_rel_gap", CHECK_TOLERANCE),
    ("mip_abs_gap", CHECK_TOLERANCE),
    ("mip_feasibility_tolerance", 1e-9),
    ("mip_max_nodes", 2000),
    ("mip_heuristic_run_rins", False),
    ("mip_heuristic_run_rens", False),
    ("mip_heuristic_run_root_reduced_cost", False),
)
"""Whole numbers are chosen within our own tolerance of the best, or as well as 2,000 branches
allow: a count, no clock, so that the same program has the same answer. The gap is told. Searches
in parts of the program took four fifths of the time and found nothing better."""
