"""Restraint: what a tier would be like if it made only what is worth making."""

from typing import Self

from pydantic import Field, model_validator

from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share
from tokenergy.units import S_PER_H


class Restraint(Noun):
    """Limits on one tier, beside what it does today; `economics` shows both.

    Caps in seconds, resolution or steps are rungs of the ladder: models of a smaller shape.
    """

    tier: Name
    """The tier that the limits are for."""
    must_serve: bool | None = None
    """false: work that is worth less than it costs is refused; null: as today."""
    deadline_s: NonNegative | None = None
    """How long work may wait for a cheaper hour; null: as today."""
    ladder: tuple[Name, ...] | None = Field(default=None, min_length=1)
    """Models that may answer every workload of the tier, best first; the first is what is then
    offered; null: as today."""
    cap_ratio: Positive | None = None
    """Most that one user may ask for, in multiples of the tier's mean; needs the tail of its
    users; null: no cap."""
    churn_share: Share = 0.0
    """Part of the tier's users that leave because of the limits; 0 is an assumption."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        limits = (self.must_serve, self.deadline_s, self.ladder, self.cap_ratio)
        if all(limit is None for limit in limits):
            raise ValueError(
                "a restraint limits something: state must_serve, deadline_s, ladder or cap_ratio"
            )
        return self


def restrained_text(restraint: Restraint) -> str:
    """Say in a few words what a restraint changes."""
    said = []
    if restraint.must_serve is not None:
        refuses = "refuses what is worth less than it costs"
        said.append("serves whatever it costs" if restraint.must_serve else refuses)
    if restraint.deadline_s is not None:
        said.append(f"waits up to {restraint.deadline_s / S_PER_H:g} h")
    if restraint.ladder is not None:
        said.append("answers with " + ", then ".join(restraint.ladder))
    if restraint.cap_ratio is not None:
        said.append(f"caps a user at {restraint.cap_ratio:g} times the mean")
    return f"{restraint.tier}: " + "; ".join(said)
