"""T3, Sora: what a free video clip cost, by two published estimates that differ fifteen-fold.

Economics sheet, sections 8 and 9. An identity: it checks the arithmetic of other people's
figures and the price that a clip would have to bring. It is no evidence of what Sora cost.
Nothing of either estimate is ever shown without the other.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

from tokenergy.company.preset import select
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.thresholds import PACK_USD_PER_CLIP, PRODUCT_NEAR_SHARE

NAMES: Final = ("sora_cantor", "sora_wsj", "sora_conflict", "sora_pack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What clips cost in a day, and what they would bring at the price of the pack.

    Attributes:
        estimate: A or B, and whose.
        users_count: users that it stands on.
        clips_per_day_count: clips that they make.
        cost_usd_per_day: what the clips cost.
        pack_usd_per_clip: what an extra clip sold for.
    """

    estimate: str
    users_count: float
    clips_per_day_count: float
    cost_usd_per_day: float
    pack_usd_per_clip: float

    @property
    def break_even_usd_per_clip(self) -> float:
        """Price of every clip at which the day breaks even: the cost of a clip."""
        return self.cost_usd_per_day / self.clips_per_day_count

    def loss_usd_per_day(self, *, sold_share: float) -> float:
        """Return cost less revenue, with this share of the clips sold at the pack's price."""
        revenue_usd = sold_share * self.clips_per_day_count * self.pack_usd_per_clip
        return self.cost_usd_per_day - revenue_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as a JSON-ready mapping."""
        return asdict(self) | {
            "break_even_usd_per_clip": self.break_even_usd_per_clip,
            "loss_all_free_usd_per_day": self.loss_usd_per_day(sold_share=0.0),
            "loss_all_sold_usd_per_day": self.loss_usd_per_day(sold_share=1.0),
        }


def estimate_a(inputs: ThesisInputs) -> Estimate:
    """Return the estimate from below: users, the share that makes clips, clips, cost of a clip."""

    def told(fact: str) -> float:
        return inputs.preset("sora_cantor", fact).quantity

    clips = told("users_count") * told("active_share") * told("clips_per_active_user_day")
    return Estimate(
        estimate="A, Forbes and Cantor Fitzgerald",
        users_count=told("users_count"),
        clips_per_day_count=clips,
        cost_usd_per_day=clips * told("usd_per_clip"),
        pack_usd_per_clip=inputs.preset("sora_pack", "usd_per_clip").quantity,
    )


def estimates_b(inputs: ThesisInputs) -> tuple[Estimate, Estimate]:
    """Return the estimate from above, a cost per day, at the most and the fewest users.

    It says nothing of clips: those per user are estimate A's.
    """
    conflict = inputs.preset("sora_conflict", "clips_per_user_day").quantity

    def at(fact: str, when: str) -> Estimate:
        users_count = inputs.preset("sora_wsj", fact).quantity
        return Estimate(
            estimate=f"B, Wall Street Journal, {when}",
            users_count=users_count,
            clips_per_day_count=users_count * conflict,
            cost_usd_per_day=inputs.preset("sora_wsj", "usd_per_day").quantity,
            pack_usd_per_clip=inputs.preset("sora_pack", "usd_per_clip").quantity,
        )

    return at("peak_users_count", "at the peak"), at("last_users_count", "at the end")


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Redo the published product, and hold the break-even of estimate A against the pack."""
    del told  # it takes a moment
    a = estimate_a(inputs)
    peak, last = estimates_b(inputs)
    printed_usd = inputs.preset("sora_cantor", "printed_usd_per_day").quantity
    off_share = a.cost_usd_per_day / printed_usd - 1.0
    holds = abs(off_share) <= PRODUCT_NEAR_SHARE and a.break_even_usd_per_clip > PACK_USD_PER_CLIP
    rows, findings = select(inputs.presets, NAMES, at=inputs.prices.start, paths=NAMES)
    conflict = {
        "printed_ratio": printed_usd / peak.cost_usd_per_day,
        "product_ratio": a.cost_usd_per_day / peak.cost_usd_per_day,
        "of_it_users_ratio": a.users_count / peak.users_count,
        "of_it_cost_of_a_clip_ratio": a.break_even_usd_per_clip / peak.break_even_usd_per_clip,
    }
    return Result(
        id="T3",
        claim="a free video clip cost more than an extra one sold for",
        label="identity",
        number=a.break_even_usd_per_clip,
        unit="USD a clip, estimate A",
        threshold=(
            f"> {PACK_USD_PER_CLIP:.2f}, with the published product within "
            f"{PRODUCT_NEAR_SHARE:.0%}; no verdict on estimate B"
        ),
        verdict=verdict_of(holds),
        says=_says(a, peak, last, off_share=off_share, printed_usd=printed_usd) + _closed(inputs),
        inputs_hash=hash_of({f"{row.preset}.{row.fact}": row.to_dict() for row in rows}),
        figures={
            "a": a.to_dict(),
            "a_printed_usd_per_day": printed_usd,
            "a_product_off_share": off_share,
            "b_peak": peak.to_dict(),
            "b_last": last.to_dict(),
            "b_low_usd_per_clip": peak.break_even_usd_per_clip,
            "b_high_usd_per_clip": last.break_even_usd_per_clip,
            "b_verdict": None,
            "conflict": conflict,
            "pack_usd_per_clip": a.pack_usd_per_clip,
            "published": [row.to_dict() for row in rows],
        },
        findings=tuple(finding.to_dict() for finding in findings),
    )


def _says(
    a: Estimate, peak: Estimate, last: Estimate, *, off_share: float, printed_usd: float
) -> str:
    """Say both estimates, how far they lie apart, and what follows from neither."""
    low, high = sorted((peak.break_even_usd_per_clip, last.break_even_usd_per_clip))
    clips_ratio = a.break_even_usd_per_clip / peak.break_even_usd_per_clip
    return (
        "An arithmetic check on other people's figures, not evidence. Estimate A: "
        f"{a.clips_per_day_count / 1e6:.2f} M clips cost {a.cost_usd_per_day / 1e6:.1f} M USD a "
        f"day (published: about {printed_usd / 1e6:.0f} M, {abs(off_share):.1%} off); a clip "
        f"would have to bring {a.break_even_usd_per_clip:.2f} USD, and an extra one sold for "
        f"{a.pack_usd_per_clip:.2f}. Estimate B: about {peak.cost_usd_per_day / 1e6:.0f} M USD a "
        f"day, or {low:.2f} to {high:.2f} a clip at A's clips per user: no verdict. The two "
        f"differ {printed_usd / peak.cost_usd_per_day:.0f}-fold as published, "
        f"{a.cost_usd_per_day / peak.cost_usd_per_day:.1f} by the product: "
        f"{a.users_count / peak.users_count:.1f} times the users, {clips_ratio:.2f} times the cost "
        "of a clip. OpenAI gave no official cause. "
    )


def _closed(inputs: ThesisInputs) -> str:
    """Say what the essay understates."""
    app = inputs.preset("sora_wsj", "app_closed_after_days").as_of
    api = inputs.preset("sora_wsj", "api_closed_after_app_days").as_of
    return f"More than a free tier ended: the app closed on {app}, the API on {api}."
