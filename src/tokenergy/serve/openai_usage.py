"""How many tokens an answer took, and how that is known: reported > counted > estimated.

Cached tokens are a subset of the prompt's, reasoning tokens of the completion's: each is billed
once. An explicit zero is a zero. A usage that contradicts itself is a finding,
`USAGE_INCONSISTENT`; what stands in its main fields counts then.
"""

from typing import Final, NamedTuple

import msgspec

from tokenergy.company.serving.record import UsageSource

USAGE_INCONSISTENT: Final = "USAGE_INCONSISTENT"
MOST_TOKENS: Final = 2**40
"""No request has so many: a larger figure is no figure."""


class UsageSeen(NamedTuple):
    """Tokens of one request.

    Attributes:
        input_tokens: all of the prompt, cached ones included.
        cached_tokens: those of them that a cache answered.
        output_tokens: all of the answer, reasoning included.
        reasoning_tokens: those of them that were thought.
        source: how they are known.
        finding: what was wrong with a reported usage, beginning with its code; "": nothing.
    """

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    source: UsageSource
    finding: str = ""


NO_USAGE: Final = UsageSeen(0, 0, 0, 0, "none")


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class Reported(msgspec.Struct, gc=False):
    """The object `usage` of any endpoint, as servers write it; other fields are theirs."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


_decode_lax = msgspec.json.Decoder(Reported, strict=False).decode


def reported(usage: Reported | None, source: UsageSource = "reported") -> UsageSeen | None:
    """Return what a server reported, or None where it reported nothing that can be used.

    Args:
        usage: its object.
        source: `counted` for a figure of a stream that goes on.
    """
    if usage is None:
        return None
    prompt = usage.prompt_tokens if usage.input_tokens is None else usage.input_tokens
    output = usage.completion_tokens if usage.output_tokens is None else usage.output_tokens
    total = usage.total_tokens
    if output is None:
        # embeddings have no output; others leave it out where the total says the rest
        if prompt is None:
            return None
        output = 0 if total is None or total < prompt else total - prompt
    elif prompt is None:
        if total is None or total < output:
            return None
        prompt = total - output
    inner = usage.prompt_tokens_details or usage.input_tokens_details
    outer = usage.completion_tokens_details or usage.output_tokens_details
    cached = (inner.cached_tokens if inner is not None else usage.cached_tokens) or 0
    thought = (outer.reasoning_tokens if outer is not None else usage.reasoning_tokens) or 0
    if (
        0 <= cached <= prompt <= MOST_TOKENS
        and 0 <= thought <= output <= MOST_TOKENS
        and (total is None or total == prompt + output)
    ):
        return UsageSeen(prompt, cached, output, thought, source)
    return _mended(prompt, cached, output, thought, total, source)


def reported_in(text: bytes | msgspec.Raw) -> UsageSeen | None:
    """Return what the JSON of a usage object says; integral floats and numeric texts are read."""
    try:
        return reported(_decode_lax(text))
    except (msgspec.DecodeError, RecursionError):
        return None


def estimated(*, input_tokens: int, output_tokens: int) -> UsageSeen:
    """Return a usage that nobody reported or counted, from the lengths of the texts."""
    return UsageSeen(max(0, input_tokens), 0, max(0, output_tokens), 0, "estimated")


def _mended(
    prompt: int, cached: int, output: int, thought: int, total: int | None, source: UsageSource
) -> UsageSeen | None:
    """Return a usage that contradicts itself, with its finding; None where it is no count."""
    if not (0 <= prompt <= MOST_TOKENS and 0 <= output <= MOST_TOKENS):
        return None
    faults = []
    if total is not None and total != prompt + output:
        faults.append(f"total {total} is not prompt {prompt} + completion {output}")
        if thought > 0 and total == prompt + output + thought:
            # some providers count reasoning beside the completion: the total shows it
            output += thought
    if not 0 <= cached <= prompt:
        faults.append(f"cached {cached} is not within prompt {prompt}")
        cached = min(max(cached, 0), prompt)
    if not 0 <= thought <= output:
        faults.append(f"reasoning {thought} is not within completion {output}")
        thought = min(max(thought, 0), output)
    text = f"{USAGE_INCONSISTENT}: {'; '.join(faults)} (tokens)"
    return UsageSeen(prompt, cached, output, thought, source, text)
