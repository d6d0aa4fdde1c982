"""The terms of an energy curve: each thing that costs joules, apart, so that they add up to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenergy.energy.curve import EnergyCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveTerm:
    """One term of a curve: what it adds to a token, to a step, and to a step by experts touched.

    Attributes:
        name: what it stands for, e.g. `shared weights`.
        how: the arithmetic behind it, in words and figures.
        token_j: J that every output token pays for itself.
        shared_step_j: J of a step, whoever is in it.
        experts_step_j: J of a step in which all experts are touched.
    """

    name: str
    how: str
    token_j: float = 0.0
    shared_step_j: float = 0.0
    experts_step_j: float = 0.0

    def average_j_per_token(self, batch_count: float, *, routed_share: float) -> float:
        """Return what the term adds to e(B), joules per output token.

        Raises:
            InputError: if the batch is not a positive number.
        """
        return curve_of((self,), routed_share=routed_share).average_j_per_token(batch_count)


def curve_of(terms: Sequence[CurveTerm], *, routed_share: float) -> EnergyCurve:
    """Return the curve that some terms add up to."""
    return EnergyCurve(
        token_j=sum(term.token_j for term in terms),
        shared_step_j=sum(term.shared_step_j for term in terms),
        experts_step_j=sum(term.experts_step_j for term in terms),
        routed_share=routed_share,
    )
