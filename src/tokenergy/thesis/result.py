"""What an experiment answers: a number against a threshold, and how far it can be trusted."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tokenergy.thesis.inputs import ThesisInputs

Label = Literal["identity", "sensitivity", "evidence"]
Verdict = Literal["PASS", "FAIL", "NOT_APPLICABLE"]
Told = Callable[[int, int], None]
"""Told (done, of) by an experiment that takes longer than a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer of one experiment.

    Attributes:
        id: `T1` to `T14`.
        claim: the essay's claim in a few words.
        label: identity (arithmetic, or true by construction), sensitivity (holds for these
            inputs; `holds_share` says in how many of the draws) or evidence (real series).
        number: the figure that is held against the threshold; None where there is none.
        unit: of the number.
        threshold: what the number has to be, in words and signs.
        verdict: a FAIL is a result, not an error.
        says: the answer in one or two sentences, also where it is no.
        holds_share: part of the draws from the sourced ranges in which the claim holds.
        draws_count: how many draws that was.
        inputs_hash: eight characters that differ where the inputs do.
        figures: everything else that was measured, by name with its unit.
        findings: what a reader must know about the inputs (`Finding.to_dict()`).
    """

    id: str
    claim: str
    label: Label
    number: float | None
    unit: str
    threshold: str
    verdict: Verdict
    says: str
    holds_share: float | None = None
    draws_count: int | None = None
    inputs_hash: str
    figures: Mapping[str, Any]
    findings: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-ready mapping."""
        return asdict(self)


Experiment = Callable[[ThesisInputs, Told | None], Result]
"""Runs one experiment on its inputs; the same inputs give the same numbers, to the bit."""


def verdict_of(holds: bool) -> Verdict:
    """Return the verdict of a condition."""
    return "PASS" if holds else "FAIL"


def hash_of(inputs: Mapping[str, Any]) -> str:
    """Return eight characters that differ where JSON-ready inputs do."""
    text = json.dumps(inputs, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
