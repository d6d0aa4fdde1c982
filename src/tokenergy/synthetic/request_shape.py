"""The shape of a workload's requests: rate, bursts, lengths, conversations, users, worth."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tokenergy.synthetic.request_lengths import (
    AZURE_INPUT_SIGMA_RATIO,
    AZURE_OUTPUT_SIGMA_RATIO,
    RequestLengths,
)

FloatArray = NDArray[np.float64]
INPUT_MOST_TOKENS: Final = 131_072
OUTPUT_MOST_TOKENS: Final = 16_384
"""A guess for both: common limits of context and of an answer in 2025."""
AZURE_BURST_RATIO: Final = 0.14
AZURE_BURST_S: Final = 10.0
"""Ours, from the Azure trace 2023 (conversations): without a cubic trend over its hour, counts
in slots of 10 s have 2.07 times the variance of Poisson counts at 55.3 a slot: (1.07/55.3)^0.5."""
TURNS_MOST_COUNT: Final = 1_000
_HALVINGS_COUNT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversations:
    """Turns that follow one another, each with all that was said before as its prefix.

    Turns are geometric up to a most. A turn that would not fit into the longest prompt drops
    what was said before, and finds nothing cached.

    Attributes:
        mean_turns_count: mean turns of a conversation. 2: a guess, about what is reported of
            public chats; agents have many more.
        most_turns_count: no conversation has more. 50: a guess.
        think_s: mean time from the end of an answer to the next turn. 60 s: a guess.
        think_sigma_ratio: standard deviation of its logarithm. 1: a guess.
        tpot_s: time that an answer takes, per token, in the absence of a simulator:
            a turn is not sent before the answer to the last one is there. 0.02 s: a guess.
    """

    mean_turns_count: float = 2.0
    most_turns_count: int = 50
    think_s: float = 60.0
    think_sigma_ratio: float = 1.0
    tpot_s: float = 0.02

    def faults(self) -> Iterator[str]:
        """Yield every figure that is out of its range."""
        if not 1 <= self.most_turns_count <= TURNS_MOST_COUNT:
            yield f"most_turns_count is {self.most_turns_count}, not from 1 to {TURNS_MOST_COUNT}"
        elif not 1.0 <= self.mean_turns_count <= self.most_turns_count:
            yield (
                f"mean_turns_count is {self.mean_turns_count:g}, not from 1 to "
                f"{self.most_turns_count}"
            )
        if not 0.0 <= self.think_s <= 86_400.0:
            yield f"think_s is {self.think_s:g}, not from 0 to 86400 s"
        if not 0.0 <= self.think_sigma_ratio <= 5.0:
            yield f"think_sigma_ratio is {self.think_sigma_ratio:g}, not from 0 to 5"
        if not 0.0 <= self.tpot_s <= 10.0:
            yield f"tpot_s is {self.tpot_s:g}, not from 0 to 10 s"

    @property
    def last_share(self) -> float:
        """Probability that a turn is the last, as long as there may be more."""
        return _last_share(self.mean_turns_count, self.most_turns_count)

    def turns_share(self) -> FloatArray:
        """Return the probability of 1, 2, ... turns, [most_turns_count]."""
        before = np.arange(self.most_turns_count, dtype=np.float64)
        share = np.asarray(self.last_share * (1.0 - self.last_share) ** before, dtype=np.float64)
        share[-1] = 1.0 - share[:-1].sum()
        return share

    @property
    def mean_turn_count(self) -> float:
        """Which turn a request is on average: E[T (T + 1) / 2] / E[T]."""
        share, turns = self.turns_share(), np.arange(1, self.most_turns_count + 1)
        return float((share * turns * (turns + 1) / 2).sum() / (share * turns).sum())

    def gap_s(self, mean_output_tokens: float) -> float:
        """Return the mean time from one turn's arrival to the next."""
        return self.think_s + self.tpot_s * mean_output_tokens


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestShape:
    """How the requests of one workload come, how long they are, and from whom.

    Attributes:
        workload: its name.
        requests_per_s: mean rate in each interval, [intervals]; every turn is a request.
        input_lengths: of prompts; what its mean counts, `input_counts` says.
        output_lengths: of answers.
        input_counts: "uncached": the new tokens of a turn, as in a company file; "all": the
            whole prompt, as in most logs (of conversations, earlier turns count again).
        conversations: how turns follow; None: every request stands alone.
        users_count: users that are told apart. 1,000: a guess.
        top_tenth_share: part of the requests that the heaviest tenth of users asks for; 0.1:
            even.
        burst_ratio: standard deviation over mean of the rate from slot to slot, within the day.
        burst_s: about how long a slot is; a whole number of them fills an interval.
        sample_share: part of the conversations that is made, each whole; see `Sampled`.
        value_usd: mean worth of a request; None: as the tier says.
        value_top_tenth_share: part of it in the most valuable tenth of requests; 0.1: even.
    """

    workload: str
    requests_per_s: FloatArray
    input_lengths: RequestLengths
    output_lengths: RequestLengths
    input_counts: Literal["uncached", "all"] = "uncached"
    conversations: Conversations | None = field(default_factory=Conversations)
    users_count: int = 1_000
    top_tenth_share: float = 0.1
    burst_ratio: float = AZURE_BURST_RATIO
    burst_s: float = AZURE_BURST_S
    sample_share: float = 1.0
    value_usd: float | None = None
    value_top_tenth_share: float = 0.1

    @classmethod
    def of_means(
        cls,
        workload: str,
        *,
        requests_per_s: FloatArray,
        input_tokens: float,
        output_tokens: float,
        most_input_tokens: int = INPUT_MOST_TOKENS,
        most_output_tokens: int = OUTPUT_MOST_TOKENS,
    ) -> "RequestShape":
        """Return the shape of a workload of which only rates and mean lengths are known."""
        return cls(
            workload=workload,
            requests_per_s=requests_per_s,
            input_lengths=RequestLengths(
                mean_tokens=input_tokens,
                sigma_ratio=AZURE_INPUT_SIGMA_RATIO,
                most_tokens=most_input_tokens,
            ),
            output_lengths=RequestLengths(
                mean_tokens=output_tokens,
                sigma_ratio=AZURE_OUTPUT_SIGMA_RATIO,
                most_tokens=most_output_tokens,
            ),
        )

    def sampled_to(self, requests_count: float, *, interval_s: float) -> "RequestShape":
        """Return the shape with the share at which this many requests are made on average."""
        expected_count = float(self.requests_per_s.sum()) * interval_s
        return replace(self, sample_share=min(1.0, requests_count / max(expected_count, 1e-9)))

    def faults(self) -> Iterator[str]:
        """Yield every figure that is out of its range."""
        rates = self.requests_per_s
        if rates.ndim != 1 or not rates.size or not (np.isfinite(rates) & (rates >= 0.0)).all():
            yield "requests_per_s is not an array [intervals] of rates from 0 requests/s"
        if not 0.0 < self.sample_share <= 1.0:
            yield f"sample_share is {self.sample_share:g}, not above 0 and up to 1"
        if not 0.0 <= self.burst_ratio <= 10.0:
            yield f"burst_ratio is {self.burst_ratio:g}, not from 0 to 10"
        if not 0.01 <= self.burst_s <= 86_400.0:
            yield f"burst_s is {self.burst_s:g}, not from 0.01 to 86400 s"
        if self.value_usd is not None and not 0.0 <= self.value_usd < math.inf:
            yield f"value_usd is {self.value_usd:g}, not from 0 USD"
        if self.conversations is not None:
            own = tuple(self.conversations.faults())
            yield from own
            if not own and self.new_tokens < 1.0:
                yield (
                    f"a mean prompt of {self.input_lengths.mean_tokens:g} tokens in all leaves "
                    f"{self.new_tokens:.3g} new ones a turn, beside the answers before it; 1 is "
                    "needed: state fewer turns, or input_counts: uncached"
                )

    @property
    def new_tokens(self) -> float:
        """Mean new tokens of a prompt, beside what was said before."""
        mean = self.input_lengths.mean_tokens
        if self.conversations is None or self.input_counts == "uncached":
            return mean
        turn_count = self.conversations.mean_turn_count
        return (mean - (turn_count - 1.0) * self.output_lengths.mean_tokens) / turn_count


@lru_cache(maxsize=64)
def _last_share(mean_turns_count: float, most_turns_count: int) -> float:
    """Return p of the geometric that, held below the most, has this mean: (1 - (1-p)^m) / p."""
    if mean_turns_count <= 1.0:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS_COUNT):
        middle = 0.5 * (low + high)
        if -math.expm1(most_turns_count * math.log1p(-middle)) / middle > mean_turns_count:
            low = middle
        else:
            high = middle
    return high
