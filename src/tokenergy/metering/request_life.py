"""A request as the journal knows it: when it ran, and how many tokens it had at any moment."""

from typing import Final, NamedTuple

from tokenergy.company.serving.record import Closed, Marked, Opened
from tokenergy.metering.attribute import TokenWeights

DECODE_LEAST_SHARE: Final = 0.05
"""An output token weighs at least so much of what the curve says of it: where prompts are so long
that the curve is all prefill, nothing would be left (energy sheet, section 6)."""


class RequestLife(NamedTuple):
    """One request at one server, from its OPEN to its CLOSE.

    Attributes:
        opened_s: when it was sent on.
        streams: whether its first byte is its first token; a whole answer's is its last.
        expected_input_tokens: before anything is known of them.
        kappa_ratio: joules of an input token over those of an output token.
        rho_ratio: input tokens that are in the joules of an output token already.
        j_per_token: of an output token, by the board that it was decided by.
        marks: moments and output tokens so far, in order.
        closed_s: None: it has not ended, as far as is known.
        first_byte_s: seconds after `opened_s`; None: none came, or it has not ended.
        input_tokens, output_tokens: 0 before its end; of the input only what no cache answered.
        outcome: "" before its end.
    """

    request_id: str
    tenant: str
    tier: str
    workload: str
    site: str
    model: str
    accelerator: str
    upstream: str
    opened_s: float
    streams: bool
    expected_input_tokens: int
    kappa_ratio: float
    rho_ratio: float
    j_per_token: float
    marks: tuple[tuple[float, int], ...] = ()
    closed_s: float | None = None
    first_byte_s: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    outcome: str = ""

    def is_known_at(self, at_s: float) -> bool:
        """Tell whether its tokens at a moment are known: it has ended, or a later MARK tells."""
        return self.closed_s is not None or (bool(self.marks) and self.marks[-1][0] >= at_s)

    def weights(self, *, of_one_model: bool) -> TokenWeights:
        """Return what a token of it weighs.

            e_dec = e (1 - kappa rho),  e_in = e kappa

        for the curve's joules of an output token have `rho` input tokens in them.

        Args:
            of_one_model: whether all that share the meter run the same model: then only kappa
                counts, and a board that changed in between moves nothing.
        """
        e_j_per_token = 1.0 if of_one_model or self.j_per_token <= 0.0 else self.j_per_token
        decode_share = max(DECODE_LEAST_SHARE, 1.0 - self.kappa_ratio * self.rho_ratio)
        return TokenWeights(
            decode_j_per_token=e_j_per_token * decode_share,
            prefill_j_per_token=e_j_per_token * self.kappa_ratio,
        )


def opened_life(opened: Opened) -> RequestLife:
    """Return a request that was just sent on."""
    decided = opened.decided
    _, kappa_ratio, rho_ratio, j_per_token = decided.rates
    return RequestLife(
        opened.request_id, opened.tenant, opened.tier, opened.workload, opened.site,
        decided.model, opened.accelerator, opened.upstream, opened.at_s, opened.stream,
        max(0, opened.asked.input_tokens - decided.cached_tokens),
        kappa_ratio, rho_ratio, j_per_token,
    )  # fmt: skip


def marked_life(life: RequestLife, marked: Marked) -> RequestLife:
    """Return it with a MARK more; one that is told again changes nothing."""
    if life.marks and marked.at_s <= life.marks[-1][0]:
        return life
    return life._replace(marks=(*life.marks, (marked.at_s, marked.output_tokens)))


def closed_life(life: RequestLife, closed: Closed) -> RequestLife:
    """Return it as it ended."""
    return life._replace(
        closed_s=closed.at_s,
        first_byte_s=closed.first_byte_s,
        input_tokens=max(0, closed.input_tokens - closed.cached_tokens),
        output_tokens=closed.output_tokens,
        outcome=closed.outcome,
        model=closed.model or life.model,
    )


def tokens_within(
    life: RequestLife, start_s: float, end_s: float, *, tokens_per_s: float = 1.0
) -> tuple[int, int]:
    """Return the output tokens and the uncached input tokens of a request in `[start, end)`.

    The journal has no moment of each token, so they are spread:

    - output of a stream: on straight lines from its first byte over its MARKs (every two seconds)
      to its end. The error is how unevenly it wrote between two of these, at most two seconds of
      its tokens at each end of a window. MARKs count events: where a server puts several tokens
      into one, the rest falls after the last MARK.
    - output of a whole answer: evenly from OPEN to its end, for its first byte is its last. The
      prefill and the wait in the server's queue are in that span, so the error is their share of
      it, moved to the front.
    - input: evenly from OPEN to the first byte of a stream, to the end of a whole answer. A server
      reads a prompt in one burst after its queue: the error is at most that burst, moved to the
      front, and shows only where it crosses a window's end.
    - of a request that has not ended (a window waits for that, but not for ever): from OPEN over
      its MARKs and on at their rate, else at `tokens_per_s`; its expected input at the first.

    A token counts when it is whole, so that the windows of a request add up to its tokens.

    Args:
        life: what is known of the request.
        start_s, end_s: of the window.
        tokens_per_s: of a request of which nothing is known.
    """
    closed_s = life.closed_s
    if closed_s is not None and start_s <= life.opened_s and closed_s <= end_s:
        return life.output_tokens, life.input_tokens
    return (
        int(_written(life, end_s, tokens_per_s)) - int(_written(life, start_s, tokens_per_s)),
        int(_read(life, end_s)) - int(_read(life, start_s)),
    )


def _written(life: RequestLife, at_s: float, tokens_per_s: float) -> float:
    """Return the output tokens before a moment."""
    closed_s, total = life.closed_s, life.output_tokens
    if closed_s is not None and at_s >= closed_s:
        return total
    before_s, before = _begin_s(life), 0
    if at_s <= before_s:
        return 0
    for mark_s, told in life.marks:
        if mark_s <= before_s or (closed_s is not None and mark_s >= closed_s):
            continue
        count = told if closed_s is None else min(told, total)
        count = max(before, count)
        if at_s < mark_s:
            return _on_line(at_s, before_s, before, mark_s, count)
        before_s, before = mark_s, count
    if closed_s is not None:
        return _on_line(at_s, before_s, before, closed_s, total)
    rate = before / (before_s - life.opened_s) if before else tokens_per_s
    return before + rate * (at_s - before_s)


def _begin_s(life: RequestLife) -> float:
    """Return from when on it may have written."""
    if life.streams and life.first_byte_s is not None:
        return life.opened_s + life.first_byte_s
    return life.opened_s


def _read(life: RequestLife, at_s: float) -> float:
    """Return the uncached input tokens before a moment."""
    if at_s <= life.opened_s:
        return 0
    if life.closed_s is None:
        return life.expected_input_tokens
    until_s = life.closed_s
    if life.streams and life.first_byte_s is not None:
        until_s = min(until_s, life.opened_s + life.first_byte_s)
    if at_s >= until_s:
        return life.input_tokens
    return _on_line(at_s, life.opened_s, 0, until_s, life.input_tokens)


def _on_line(at_s: float, from_s: float, low: int, to_s: float, high: int) -> float:
    return min(float(high), low + (high - low) * (at_s - from_s) / (to_s - from_s))
