"""What a contract adds to the program beside spot, blocks and takes: columns, rows, and a rent.

A term is made once from the company file, as arrays over the world's intervals. The program asks
it for its blocks; the prices ask for its rent; the account asks what it charged, from the same
arrays. The bill is written a second time, from the contract's own words, in `company/settle`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tokenergy.dispatch.columns import ColumnRule
from tokenergy.dispatch.rows import Moving, RowRule
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import FloatArray, RateKind, World
from tokenergy.lp.program import Program

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.metered import Metered

Rent = RateKind
"""Under which part of a token's price the duals of a term's rows stand."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Added:
    """The blocks that a term put into a program.

    Attributes:
        columns: rule of each new block of columns; arrays are [n, m], of a whole block [1, m].
        rows: rule of each new block of rows, likewise.
        moving: links whose coefficients follow the window.
        integers: blocks of columns that hold whole numbers; with any, the program is a MILP.
        short: blocks of columns through which an elastic program may break this term's rows,
            and the unit they are in: what `explain` names.
    """

    columns: Mapping[str, ColumnRule]
    rows: Mapping[str, RowRule]
    moving: tuple[Moving, ...] = ()
    integers: tuple[str, ...] = ()
    short: Mapping[str, str] | None = None


class Term(Protocol):
    """One term of one contract; frozen, and comparable by identity."""

    @property
    def contract_id(self) -> str:
        """Name of the contract or tariff in the bill."""
        ...

    @property
    def component(self) -> str:
        """Which line of the bill it is."""
        ...

    @property
    def rent(self) -> Rent:
        """Part of the price that its duals belong to."""
        ...

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """Add its blocks to a program for windows that are cut like this one."""
        ...

    def charged_usd(self, world: World, metered: "Metered") -> FloatArray:
        """Return what it charged in each interval of the horizon [T], USD, from its own arrays.

        What belongs to a billing period stands in the period's last interval within the horizon.
        """
        ...


@runtime_checkable
class HasConstant(Protocol):
    """A term whose columns hold more than the horizon's own charge."""

    def constant_usd(self, world: World) -> float:
        """Return what its columns cost that the horizon is not charged, as an amount below 0."""
        ...


def following(link: int | None, values: Callable[[Window], FloatArray]) -> Moving:
    """Let the coefficients of a link that is not empty follow the window."""
    assert link is not None  # the caller's word
    return Moving(link=link, values=values)


def block_name(term: Term, block: str) -> str:
    """Return the name of a term's block in the program: tagged with its contract."""
    return f"{term.contract_id}.{term.component}.{block}"
