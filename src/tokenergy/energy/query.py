"""What is asked of the energy model: one request of tokens, or items of an image or video model."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tokenergy.company.energy_words import Boundary
from tokenergy.company.finding import Finding
from tokenergy.energy.facility import FacilityTerms
from tokenergy.energy.predict import CHAT_INPUT_RATIO
from tokenergy.errors import FindingsError

MIX_RATIO: Final = CHAT_INPUT_RATIO
"""Rho: input per output token whose prefill an output token's joules hold already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyQuery:
    """One request to a language model, and the replica that answers it.

    Attributes:
        model: id or hub id of the catalogue.
        accelerator: of the catalogue.
        gpus_count: accelerators of one replica.
        batch_count: mean sequences in a decode step.
        output_tokens: of the request.
        input_tokens: of the request, cached ones among them; None: as many as the benchmark's
            chat mix has for this output, whose prefill is in the curve.
        cached_input_tokens: of them, out of a prefix cache: they cost no prefill.
        context_tokens_count: mean context while decoding; None: input + output/2.
        bytes_per_weight: another precision than the catalogue's (2 BF16, 1 FP8).
        stack: engine and version, like `vllm 0.11.1`; None: the reference, and said to be.
        boundary: what the figures are to include.
        facility: the site's host, idle and PUE.
    """

    model: str
    accelerator: str
    gpus_count: int = 1
    batch_count: float
    output_tokens: int
    input_tokens: int | None = None
    cached_input_tokens: int = 0
    context_tokens_count: float | None = None
    bytes_per_weight: float | None = None
    stack: str | None = None
    boundary: Boundary = "facility"
    facility: FacilityTerms = field(default_factory=FacilityTerms)

    def __post_init__(self) -> None:
        """Refuse what no request can be, everything at once.

        Raises:
            FindingsError: naming each value with its limit.
        """
        findings = [
            *_too_low("gpus_count", self.gpus_count, least=1, unit="GPUs"),
            *_not_positive("batch_count", self.batch_count, unit="sequences"),
            *_too_low("output_tokens", self.output_tokens, least=1, unit="tokens"),
            *_too_low("input_tokens", self.input_tokens, least=0, unit="tokens"),
            *_too_low("cached_input_tokens", self.cached_input_tokens, least=0, unit="tokens"),
            *self._cached_beyond_input(),
            *_negative("context_tokens_count", self.context_tokens_count, unit="tokens"),
            *_not_positive("bytes_per_weight", self.bytes_per_weight, unit="bytes"),
            *self.facility.findings(),
        ]
        if findings:
            raise FindingsError(findings)

    @property
    def all_input_tokens(self) -> float:
        """Return the input of the request, or of the benchmark's mix where none is stated."""
        return MIX_RATIO * self.output_tokens if self.input_tokens is None else self.input_tokens

    @property
    def uncached_input_tokens(self) -> float:
        """Return the input that is prefilled."""
        return self.all_input_tokens - self.cached_input_tokens

    @property
    def context_tokens(self) -> float:
        """Return the mean context while decoding."""
        if self.context_tokens_count is not None:
            return self.context_tokens_count
        return self.all_input_tokens + self.output_tokens / 2.0

    def _cached_beyond_input(self) -> Iterator[Finding]:
        if self.cached_input_tokens > max(0.0, self.all_input_tokens):
            yield finding(
                "cached_input_tokens",
                self.cached_input_tokens,
                limit=f"{self.all_input_tokens:g}",
                unit="tokens",
                reason="more input came out of the cache than there is",
                remedy="State input_tokens as all of the input, cached tokens among them",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaQuery:
    """Some images or clips of one shape; what is left out is the shape that was measured.

    Attributes:
        model: id or hub id of the catalogue.
        accelerator: of the catalogue.
        gpus_count: accelerators of one replica.
        items_count: images or clips asked for.
        items_per_batch: made together.
        height, width: of a frame, pixels.
        frames: of an item; or `duration_s`, at the model's own frame rate; never both.
        steps: of the diffusion.
        stack: engine and version; None: the reference, and said to be.
        boundary: what the figures are to include.
        facility: the site's host, idle and PUE.
    """

    model: str
    accelerator: str
    gpus_count: int = 1
    items_count: int = 1
    items_per_batch: int = 1
    height: int | None = None
    width: int | None = None
    frames: int | None = None
    duration_s: float | None = None
    steps: int | None = None
    stack: str | None = None
    boundary: Boundary = "facility"
    facility: FacilityTerms = field(default_factory=FacilityTerms)

    def __post_init__(self) -> None:
        """Refuse what no picture can be, everything at once.

        Raises:
            FindingsError: naming each value with its limit.
        """
        findings = [
            found
            for name, unit in (
                ("gpus_count", "GPUs"), ("items_count", "items"), ("items_per_batch", "items"),
                ("height", "pixels"), ("width", "pixels"), ("frames", "frames"),
                ("steps", "steps"),
            )
            for found in _too_low(name, getattr(self, name), least=1, unit=unit)
        ]  # fmt: skip
        findings += _not_positive("duration_s", self.duration_s, unit="s")
        if self.frames is not None and self.duration_s is not None:
            findings.append(
                finding(
                    "frames",
                    self.frames,
                    limit="one of the two",
                    unit="",
                    reason="a length is stated in frames and in seconds",
                    remedy="State one of them",
                )
            )
        findings += self.facility.findings()
        if findings:
            raise FindingsError(findings)


def finding(
    path: str, quantity: float, *, limit: str, unit: str, reason: str, remedy: str
) -> Finding:
    """Return what is wrong with one value of a query."""
    return Finding(
        code="ENERGY_QUERY",
        path=path,
        value=f"{quantity:g}",
        limit=limit,
        unit=unit,
        reason=reason,
        remedy=remedy,
    )


def _too_low(name: str, count: int | None, *, least: int, unit: str) -> Iterator[Finding]:
    if count is not None and not least <= count < math.inf:
        yield finding(
            name,
            count,
            limit=f"at least {least}",
            unit=unit,
            reason=f"{name} is too low",
            remedy=f"State {least} or more",
        )


def _not_positive(name: str, figure_count: float | None, *, unit: str) -> Iterator[Finding]:
    if figure_count is not None and not 0.0 < figure_count < math.inf:
        yield finding(
            name,
            figure_count,
            limit="above 0",
            unit=unit,
            reason=f"{name} must be finite and above 0",
            remedy="State a number above 0",
        )


def _negative(name: str, figure_count: float | None, *, unit: str) -> Iterator[Finding]:
    if figure_count is not None and not 0.0 <= figure_count < math.inf:
        yield finding(
            name,
            figure_count,
            limit="at least 0",
            unit=unit,
            reason=f"{name} cannot be negative, nor infinite",
            remedy="State 0 or more",
        )
