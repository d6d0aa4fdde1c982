"""Expected tokens of a request, from its bytes, its limits and what was seen (gateway sheet, 3.4).

No tokenizer on the hot path: bytes of text over bytes per token, a moving mean that every usage
corrects. Images and audio count by their model's rule, never by their bytes: the caller adds them.
Answers that ended at a cap are censored observations and are left out, or caps would feed on
themselves.
"""

from collections.abc import Hashable
from typing import Final, NamedTuple

from tokenergy.routing.persistent import EMPTY, Kept

PRIOR_BYTES_PER_TOKEN: Final = 4.0
"""Of text nobody has been billed for yet; a guess."""
LEARNT_FROM_COUNT: Final = 30
"""Answers from which on the tier's prior has no say."""
MOVING_SHARE: Final = 0.05
"""Weight of one usage in the moving mean of bytes per token."""
REMEMBERED_COUNT: Final = 64
"""Answers that the mean and the 95th percentile are taken of."""
LATE_SHARE: Final = 0.95


class Expected(NamedTuple):
    """What is expected of one request's answer, in tokens.

    Attributes:
        mean_tokens: for scores and loads.
        late_tokens: 95th percentile, for deadlines.
        most_tokens: the worst case, for reservations; None: nothing bounds it.
    """

    mean_tokens: int
    late_tokens: int
    most_tokens: int | None


class Answers(NamedTuple):
    """The last answers of a tenant that ended by themselves.

    Attributes:
        last_tokens: their lengths, the newest last.
        mean_tokens: of them.
        late_tokens: their 95th percentile.
    """

    last_tokens: tuple[int, ...]
    mean_tokens: int
    late_tokens: int


def answers_with(seen: Answers | None, output_tokens: int) -> Answers:
    """Return the answers with one more; of the oldest so many are forgotten."""
    last = () if seen is None else seen.last_tokens[1 - REMEMBERED_COUNT :]
    last = (*last, output_tokens)
    late = sorted(last)[min(len(last) - 1, int(LATE_SHARE * len(last)))]
    return Answers(last, round(sum(last) / len(last)), late)


class Lengths(NamedTuple):
    """What was seen of texts and answers.

    Attributes:
        bytes_by: bytes per token, by (tenant, model).
        answers_by: the last answers that ended by themselves, by (tenant, model, tier).
    """

    bytes_by: Kept[Hashable, float] = EMPTY
    answers_by: Kept[Hashable, Answers] = EMPTY

    def input_tokens(
        self, *, tenant: str, model: str, text_bytes_count: int, other_tokens: int = 0
    ) -> int:
        """Return the expected input tokens: at least 1.

        Args:
            tenant: who asks.
            model: the model asked for.
            text_bytes_count: bytes of text in the request, images and audio left out.
            other_tokens: tokens of images and audio by the model's own rule.
        """
        each = self.bytes_by.get((tenant, model)) or PRIOR_BYTES_PER_TOKEN
        return max(1, round(text_bytes_count / each) + other_tokens)

    def output_tokens(
        self,
        *,
        tenant: str,
        model: str,
        tier: str,
        prior_mean_tokens: int,
        prior_late_tokens: int,
        cap_tokens: int | None,
        answers_count: int = 1,
    ) -> Expected:
        """Return what is expected of the answer, times the number of answers asked for.

        Args:
            tenant: who asks.
            model: the model asked for.
            tier: the tier it is asked under.
            prior_mean_tokens: the tier's mean, in force until 30 answers were seen.
            prior_late_tokens: its 95th percentile, likewise.
            cap_tokens: the client's cap of one answer; None: it states none.
            answers_count: n, answers to one prompt.
        """
        seen = self.answers_by.get((tenant, model, tier))
        mean, late = prior_mean_tokens, prior_late_tokens
        if seen is not None and len(seen.last_tokens) >= LEARNT_FROM_COUNT:
            mean, late = seen.mean_tokens, seen.late_tokens
        late = max(mean, late)
        if cap_tokens is not None:
            mean, late = min(mean, cap_tokens), min(late, cap_tokens)
        return Expected(
            mean_tokens=max(1, mean) * answers_count,
            late_tokens=max(1, late) * answers_count,
            most_tokens=None if cap_tokens is None else cap_tokens * answers_count,
        )

    def seen(
        self,
        *,
        tenant: str,
        model: str,
        tier: str,
        text_bytes_count: int,
        text_tokens: int,
        output_tokens: int,
        capped: bool,
    ) -> "Lengths":
        """Return what is known after a usage.

        Args:
            tenant: who asked.
            model: the model asked for.
            tier: the tier it was asked under.
            text_bytes_count: bytes of text in the request; 0: nothing is learnt of them.
            text_tokens: input tokens of that text, as billed.
            output_tokens: tokens of the answer.
            capped: whether a cap ended it: then its length says nothing.
        """
        bytes_by, answers_by = self.bytes_by, self.answers_by
        if text_bytes_count > 0 and text_tokens > 0:
            held = bytes_by.get((tenant, model)) or PRIOR_BYTES_PER_TOKEN
            moved = held + MOVING_SHARE * (text_bytes_count / text_tokens - held)
            bytes_by = bytes_by.put((tenant, model), moved)
        if not capped and output_tokens > 0:
            key = (tenant, model, tier)
            answers_by = answers_by.put(key, answers_with(answers_by.get(key), output_tokens))
        return Lengths(bytes_by, answers_by)
