"""Ways to solve a program whose answer did not hold: from what costs least and changes least."""

from dataclasses import dataclass

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
