"""What a request costs at a place: price times work, a lost prefix included.

    cost_usd = price_usd_per_mtok x work / 1e6
    work     = max(0, out + kappa (uncached_in - rho out)) + kappa lost

A price is that of a Mtok of output with the workload's mean uncached input, rho of it for each
output token. So a request of the mean mix works its output tokens; more input costs kappa each,
less input saves as much (energy sheet, section 6). Away from the place that holds its prefix the
cached tokens are read anew: lost. The network's part is in the price already.
"""

from math import ceil
from typing import Final, NamedTuple

from tokenergy.company.board import BoardWorkload, Candidate
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.units import TOKENS_PER_MTOK

USD_PER_TOKEN: Final = 1.0 / TOKENS_PER_MTOK
"""A price in USD/Mtok for each token."""
PROMPT_MARGIN_SHARE: Final = 1.25
"""What a prompt may be over its estimate where nothing bounds it; a guess of the gateway sheet."""


class Size(NamedTuple):
    """How large a request is on one rung, in tokens.

    Attributes:
        output_tokens: expected output under every cap.
        uncached_tokens: input that no cache holds, wherever it goes.
        cached_tokens: input that only the place of its session holds.
        excess_tokens: uncached input over the mean that the prices hold: uncached - rho output.
    """

    output_tokens: int
    uncached_tokens: int
    cached_tokens: int
    excess_tokens: float


def work_tokens(size: Size, kappa_ratio: float, *, lost_tokens: int) -> float:
    """Return the output tokens with their mean input that a request costs as much as."""
    work = size.output_tokens + kappa_ratio * size.excess_tokens
    return (work if work > 0.0 else 0.0) + kappa_ratio * lost_tokens


def least_work_tokens(size: Size, *, least_kappa_ratio: float, most_kappa_ratio: float) -> float:
    """Return a work that no candidate with its kappa between these goes below, prefix lost.

    `max(0, out + kappa excess)` is least at one of the ends, or 0 between them; the lost prefix
    adds `kappa lost`, least at the lower end.
    """
    excess = size.excess_tokens
    kappa = least_kappa_ratio if excess > 0.0 else most_kappa_ratio
    work = size.output_tokens + kappa * excess
    return (work if work > 0.0 else 0.0) + least_kappa_ratio * size.cached_tokens


def most_work_tokens(size: Size, *, least_kappa_ratio: float, most_kappa_ratio: float) -> float:
    """Return a work that no candidate with its kappa between these goes above, prefix lost."""
    excess = size.excess_tokens
    kappa = most_kappa_ratio if excess > 0.0 else least_kappa_ratio
    work = size.output_tokens + kappa * excess
    return (work if work > 0.0 else 0.0) + most_kappa_ratio * size.cached_tokens


def most_input_tokens(request: Request) -> int:
    """Return the most input that a request can be billed, for its reservations."""
    if request.input_most_tokens is not None:
        return request.input_most_tokens
    return ceil(PROMPT_MARGIN_SHARE * request.input_tokens)


def worst_work_tokens(
    candidate: Candidate, *, rho_ratio: float, input_most_tokens: int, most_tokens: int
) -> float:
    """Return the work of a request at its worst: the longest answer to the longest prompt.

    Nothing is cached. More output never makes it less, since kappa x rho, the input's part of a
    price, is at most 1.
    """
    excess = input_most_tokens - rho_ratio * most_tokens
    return max(0.0, most_tokens + candidate.kappa_ratio * excess)


class Usage(NamedTuple):
    """What a request that was served really took, to settle its decision with.

    Attributes:
        decision: the decision it was served by.
        input_tokens: all input tokens.
        cached_tokens: those of them that a cache answered.
        output_tokens: tokens of the answer.
        cost_usd: what it cost.
        use_j: joules at the meter.
    """

    decision: Decision
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float
    use_j: float


def usage_of(
    decision: Decision,
    load: BoardWorkload,
    *,
    input_tokens: int,
    cached_tokens: int,
    output_tokens: int,
) -> Usage:
    """Return a usage priced as its decision was: for a simulation, or until a meter tells more.

    A decision that sent nothing anywhere has no cost.
    """
    place = decision.candidate
    if place is None:
        return Usage(decision, input_tokens, cached_tokens, output_tokens, 0.0, 0.0)
    uncached = input_tokens - cached_tokens
    size = Size(output_tokens, uncached, 0, uncached - load.rho_ratio * output_tokens)
    work = work_tokens(size, place.kappa_ratio, lost_tokens=0)
    return Usage(
        decision,
        input_tokens,
        cached_tokens,
        output_tokens,
        cost_usd=place.high_usd_per_mtok * work * USD_PER_TOKEN,
        use_j=place.j_per_token * work,
    )
