"""Three policies on the film company's program: everything, what is worth it, or by chance.

The threshold is the program's own price: requests come in classes of value, and the program
refuses a class where its value lies below what one Mtok more costs then. A class is worth its
mean, so that what is gained within a class is left out.

What a clip is worth was settled before the first run: on the mean its full cost, were every clip
made. Such a tier just pays for itself.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tokenergy.dispatch.world import FloatArray
from tokenergy.economics.heavy_tail import value_classes
from tokenergy.thesis.film_company import Film, Served, film_of, served, served_whole, valued
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Told
from tokenergy.thesis.thresholds import RESTRAINT_INTERVAL_SHARE

CLASSES_COUNT: Final = 20
TAIL_COUNT: Final = 12
"""Of random dropping only: the most valuable twentieth cut down to one request in 40,000."""
RANDOM_SEEDS_COUNT: Final = 400
VALUE_OVER_COST_RATIO: Final = 1.0
"""Mean value of a clip over its full cost, were every clip made."""
STEPS_COUNT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one policy makes of the same demand; value is that of conversions, not cash."""

    policy: str
    served_mtok: float
    served_clips_count: float
    value_usd: float
    cost_usd: float
    lease_usd: float
    capital_usd: float

    @property
    def margin_usd(self) -> float:
        """Value of what is served less power and leases; capital is the same for all."""
        return self.value_usd - self.cost_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as a JSON-ready mapping."""
        margin_usd = self.margin_usd
        return asdict(self) | {
            "margin_usd": margin_usd,
            "margin_after_capital_usd": margin_usd - self.capital_usd,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """The three policies on the program.

    Attributes:
        film: the company.
        usd_per_clip: mean value of a clip.
        value_top_tenth_share: part of the value that the most valuable tenth holds.
        unlimited, threshold: what the program did.
        unlimited_policy, threshold_policy, random_policy: in figures; the last at its mean.
        random_margins_usd: the margin of random dropping by seed.
    """

    film: Film
    usd_per_clip: float
    value_top_tenth_share: float
    unlimited: Served
    threshold: Served
    unlimited_policy: Policy
    threshold_policy: Policy
    random_policy: Policy
    random_margins_usd: FloatArray

    @property
    def random_ends_usd(self) -> tuple[float, float]:
        """Both ends of the interval of random dropping."""
        half_share = 0.5 * (1.0 - RESTRAINT_INTERVAL_SHARE)
        low, high = np.quantile(self.random_margins_usd, (half_share, 1.0 - half_share))
        return float(low), float(high)

    @property
    def margin_up_share(self) -> float:
        """Gain over serving everything, in parts of that margin."""
        before_usd = self.unlimited_policy.margin_usd
        return (self.threshold_policy.margin_usd - before_usd) / abs(before_usd)

    @property
    def value_kept_share(self) -> float:
        """Value that the threshold keeps."""
        return self.threshold_policy.value_usd / self.unlimited_policy.value_usd

    @property
    def beats_random(self) -> bool:
        """Whether the threshold lies above the interval of random dropping."""
        return self.threshold_policy.margin_usd > self.random_ends_usd[1]


def trial_of(inputs: ThesisInputs, told: Told | None = None) -> Trial:
    """Run the three policies at the base of every range."""
    steps = iter(range(1, STEPS_COUNT + 1))

    def step() -> None:
        if told is not None:
            told(next(steps), STEPS_COUNT + 1)

    q = inputs.ranges["value_top_tenth_share"].base_quantity
    film = film_of(inputs)
    unlimited = served_whole(film)
    step()
    full_usd = (unlimited.cost_usd + film.capital_usd) / film.clips_count
    usd_per_clip = VALUE_OVER_COST_RATIO * full_usd
    classes = value_classes(q, CLASSES_COUNT)
    threshold = served(valued(film, classes, usd_per_clip=usd_per_clip))
    step()
    kept_mtok = threshold.served_mtok.sum(axis=0)
    dropped = served_whole(film, arrivals_mtok=kept_mtok)
    step()
    all_usd = usd_per_clip * film.clips_count
    shares = random_value_shares(film, kept_mtok, value_top_tenth_share=q, seed=inputs.seed)
    step()
    ratios = np.array([each.value_ratio for each in classes])
    value_usd = usd_per_clip * float(ratios @ threshold.served_mtok.sum(axis=1)) / film.clip_mtok
    random_usd = all_usd * shares
    return Trial(
        film=film,
        usd_per_clip=usd_per_clip,
        value_top_tenth_share=q,
        unlimited=unlimited,
        threshold=threshold,
        unlimited_policy=_policy("unlimited", film, unlimited, value_usd=all_usd),
        threshold_policy=_policy("threshold", film, threshold, value_usd=value_usd),
        random_policy=_policy("random", film, dropped, value_usd=float(random_usd.mean())),
        random_margins_usd=random_usd - dropped.cost_usd,
    )


def random_value_shares(
    film: Film, kept_mtok: FloatArray, *, value_top_tenth_share: float, seed: int
) -> FloatArray:
    """Return what part of all value is kept by each of many random droppings [seeds].

    The requests of every hour are drawn once, in fine classes of value; each seed then keeps
    as many of them as `kept_mtok` [T] allows, all alike in chance (hypergeometric by class).
    """
    random = np.random.default_rng([seed, 8, 0])
    fine = value_classes(value_top_tenth_share, CLASSES_COUNT, tail_count=TAIL_COUNT)
    asked = np.rint(film.world.arrivals_mtok[0] / film.clip_mtok).astype(np.int64)
    kept = np.minimum(asked, np.rint(kept_mtok / film.clip_mtok).astype(np.int64))
    shares = np.array([each.requests_share for each in fine])
    ratios = np.array([each.value_ratio for each in fine])
    there = random.multinomial(asked, shares / shares.sum())
    left = np.broadcast_to(kept, (RANDOM_SEEDS_COUNT, kept.size)).copy()
    others = asked.copy()
    value = np.zeros(RANDOM_SEEDS_COUNT)
    for at, ratio in enumerate(ratios):
        others -= there[:, at]
        taken = random.hypergeometric(there[:, at], others, left)
        left -= taken
        value += ratio * taken.sum(axis=1)
    return np.asarray(value / float(ratios @ there.sum(axis=0)))


def _policy(name: str, film: Film, done: Served, *, value_usd: float) -> Policy:
    mtok = float(done.served_mtok.sum())
    return Policy(
        policy=name,
        served_mtok=mtok,
        served_clips_count=mtok / film.clip_mtok,
        value_usd=value_usd,
        cost_usd=done.cost_usd,
        lease_usd=done.lease_usd,
        capital_usd=film.capital_usd,
    )
