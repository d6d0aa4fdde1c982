"""Everything that can go wrong, as one tree.

TokenergyError
├── InputError              the caller's: something in a file or an argument
│   ├── FindingsError       all findings of one input at once
│   ├── UnknownName         a name that is not in the catalogue or the company
│   │   ├── UnknownModel
│   │   └── UnknownAccelerator
│   ├── DoesNotFit          a model larger than the memory of its GPUs
│   ├── SloUnreachable      a latency limit that the hardware misses at any load
│   └── InfeasiblePower     more power or energy taken than there is, or less than must be
├── InfeasibleProgram       no dispatch satisfies the company's own limits: explained
└── UnexpectedError         ours
    ├── SolverFailure       the solver's answer did not survive our own check
    │   └── UnboundedProgram    the cost falls without end: a ray proves it
    ├── LimitBroken         (simulate/interval) a policy asked for more than a thing can give
    └── BillsDiffer         (simulate/account) the two writings of a bill disagree
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenergy.company.finding import Finding


class TokenergyError(Exception):
    """Any error that this package raises on purpose."""


class InputError(TokenergyError):
    """The caller's input cannot be used; the message says what to change."""


class FindingsError(InputError):
    """An input with findings of severity error, all of them at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Keep the findings; the message is their text, one a line."""
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class UnknownName(InputError):
    """A name nobody knows; the message lists the nearest known ones."""


class UnknownModel(UnknownName):
    """A model that the catalogue does not hold."""


class UnknownAccelerator(UnknownName):
    """An accelerator that the catalogue does not hold."""


class DoesNotFit(InputError):
    """A model's weights exceed the memory of the GPUs of one replica."""


class SloUnreachable(InputError):
    """A latency limit below what one request alone would see."""


class InfeasiblePower(InputError):
    """More power or energy than an asset can give or take, or less than must be taken."""


class InfeasibleProgram(TokenergyError):
    """The program has no solution; the message names the rows in the user's words."""


class UnexpectedError(TokenergyError):
    """A fault of ours, never of the input."""


class SolverFailure(UnexpectedError):
    """The solver returned no optimum, or one that fails our residual and gap check."""


class UnboundedProgram(SolverFailure):
    """The cost falls without end along a ray: money for nothing that `check` should have found."""
