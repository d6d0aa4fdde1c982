"""How unevenly users use: what a few heavy ones ask for, and what a cap or a price does to them.

Economics sheet, section 4. `Empirical` holds the ledger's own users and is preferred;
`Lognormal` stands in where there is no ledger, and only when it is asked for. Usage is in Mtok
of one user over the span that the price is for, usually a month.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tokenergy.errors import InputError

FloatArray = NDArray[np.float64]
TENTH_SHARE: Final = 0.1
_NORMAL: Final = NormalDist()
_SQRT_2: Final = math.sqrt(2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginSplit:
    """What users bring one by one where a price is flat and usage is not.

    Attributes:
        unprofitable_share: part of the users that cost more than they bring.
        loss_usd_per_user: what those lose, spread over all users; never negative.
        gain_usd_per_user: what the others bring, spread over all users; never negative.
    """

    unprofitable_share: float
    loss_usd_per_user: float
    gain_usd_per_user: float

    @property
    def mean_usd_per_user(self) -> float:
        """The mean margin of a user."""
        return self.gain_usd_per_user - self.loss_usd_per_user


class UsageDistribution(Protocol):
    """Usage of users: what is asked of it holds for a ledger and for a lognormal alike.

    A share outside [0, 1], a negative cap and a negative cost of a Mtok are an InputError.
    """

    @property
    def mean_mtok(self) -> float:
        """Mean usage."""

    @property
    def median_mtok(self) -> float:
        """Usage of the user in the middle."""

    @property
    def top_tenth_share(self) -> float:
        """Part of all tokens that the heaviest tenth of users asks for."""

    def quantile_mtok(self, below_share: float) -> float:
        """Return the least usage that at least this share of users does not exceed."""

    def share_above(self, mtok: float) -> float:
        """Return the part of users that use more than this."""

    def tokens_above_share(self, mtok: float) -> float:
        """Return the part of all tokens asked for by users that use more than this."""

    def kept_share(self, cap_mtok: float) -> float:
        """Return E[min(X, cap)] / E[X]: the part of all tokens that a cap leaves."""

    def lorenz_share(self, users_share: float) -> float:
        """Return the part of all tokens that this share of users, the lightest, asks for."""

    def margin(
        self, *, fixed_usd: float, usd_per_mtok: float, cap_mtok: float = math.inf
    ) -> MarginSplit:
        """Split the margin `fixed - usd_per_mtok x min(X, cap)` into gains and losses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lognormal:
    """Usage whose logarithm is normal: X = mean exp(sigma Z - sigma^2 / 2).

    `sigma_ratio` 0 is even usage: everyone uses the mean.
    """

    mean_mtok: float
    sigma_ratio: float

    def __post_init__(self) -> None:
        """Refuse a mean or a spread that no usage has.

        Raises:
            InputError: naming every figure that is out of its range.
        """
        faults = []
        if not (self.mean_mtok > 0.0 and math.isfinite(self.mean_mtok)):
            faults.append(f"mean_mtok is {self.mean_mtok:g} Mtok, above 0 is needed")
        if not (self.sigma_ratio >= 0.0 and math.isfinite(self.sigma_ratio)):
            faults.append(f"sigma_ratio is {self.sigma_ratio:g}, 0 or more is needed")
        if faults:
            raise InputError("lognormal usage: " + "; ".join(faults))

    @classmethod
    def from_top_tenth_share(cls, top_tenth_share: float, *, mean_mtok: float) -> "Lognormal":
        """Return the lognormal whose heaviest tenth asks for this part of all tokens.

        sigma = z_0.9 + Phi^-1(q); a q of 0.1 is even usage.

        Raises:
            InputError: if the share is not in [0.1, 1).
        """
        return cls(mean_mtok=mean_mtok, sigma_ratio=sigma_of(top_tenth_share))

    @property
    def median_mtok(self) -> float:
        """Usage of the user in the middle: mean exp(-sigma^2 / 2)."""
        return self.mean_mtok * math.exp(-0.5 * self.sigma_ratio**2)

    @property
    def top_tenth_share(self) -> float:
        """Part of all tokens that the heaviest tenth of users asks for."""
        return _below(self.sigma_ratio - _z(1.0 - TENTH_SHARE))

    def quantile_mtok(self, below_share: float) -> float:
        """Return the usage that this share of users does not exceed.

        Raises:
            InputError: if the share is not in [0, 1].
        """
        _refuse_no_share(below_share, "below_share")
        if self.sigma_ratio == 0.0:
            return self.mean_mtok
        if below_share in (0.0, 1.0):
            return math.inf if below_share else 0.0
        return self.median_mtok * math.exp(self.sigma_ratio * _z(below_share))

    def share_above(self, mtok: float) -> float:
        """Return the part of users that use more than this."""
        return _below(-self._z_at(mtok))

    def tokens_above_share(self, mtok: float) -> float:
        """Return the part of all tokens asked for by users that use more than this."""
        return _below(self.sigma_ratio - self._z_at(mtok))

    def kept_share(self, cap_mtok: float) -> float:
        """Return the part of all tokens that a cap leaves, with k = cap / mean.

            Phi((ln k - sigma^2/2) / sigma) + k (1 - Phi((ln k + sigma^2/2) / sigma))

        Raises:
            InputError: if the cap is negative.
        """
        _refuse_negative_cap(cap_mtok)
        if math.isinf(cap_mtok):
            return 1.0
        z = self._z_at(cap_mtok)
        return _below(z - self.sigma_ratio) + cap_mtok / self.mean_mtok * _below(-z)

    def lorenz_share(self, users_share: float) -> float:
        """Return the part of all tokens of this share of users, the lightest.

        Raises:
            InputError: if the share is not in [0, 1].
        """
        _refuse_no_share(users_share, "users_share")
        if self.sigma_ratio == 0.0 or users_share in (0.0, 1.0):
            return users_share
        return _below(_z(users_share) - self.sigma_ratio)

    def margin(
        self, *, fixed_usd: float, usd_per_mtok: float, cap_mtok: float = math.inf
    ) -> MarginSplit:
        """Split the margin of users whose price is flat into gains and losses.

        A user loses who uses more than `fixed / usd_per_mtok`; nobody does whom a cap keeps below.

        Args:
            fixed_usd: what a user brings, whatever is used.
            usd_per_mtok: what a Mtok costs; not negative.
            cap_mtok: most that one user gets.

        Raises:
            InputError: if a Mtok costs less than nothing, or the cap is negative.
        """
        _refuse_negative_cost(usd_per_mtok)
        cost_usd, kept = usd_per_mtok * self.mean_mtok, self.kept_share(cap_mtok)
        mean_usd = fixed_usd - cost_usd * kept
        if fixed_usd < 0.0:
            return _split(1.0, loss_usd=-mean_usd, mean_usd=mean_usd)
        even_mtok = fixed_usd / usd_per_mtok if usd_per_mtok else math.inf
        if cap_mtok <= even_mtok:
            return _split(0.0, loss_usd=0.0, mean_usd=mean_usd)
        above = self.share_above(even_mtok)
        losers_used = kept - (1.0 - self.tokens_above_share(even_mtok))
        loss_usd = cost_usd * losers_used - fixed_usd * above
        return _split(above, loss_usd=loss_usd, mean_usd=mean_usd)

    def _z_at(self, mtok: float) -> float:
        """Return the standard normal of a usage: P(X <= mtok) = Phi(z)."""
        if mtok <= 0.0:
            return -math.inf
        ratio = mtok / self.mean_mtok
        if self.sigma_ratio == 0.0:
            return math.inf if ratio >= 1.0 else -math.inf
        return (math.log(ratio) if ratio > 0.0 else -math.inf) / self.sigma_ratio + (
            0.5 * self.sigma_ratio
        )


class Empirical:
    """Usage of the users that a ledger knows; the order in which they come means nothing."""

    __slots__ = ("_cum_mtok", "_mtok")

    def __init__(self, users_mtok: FloatArray | tuple[float, ...]) -> None:
        """Keep the usage of every user, sorted.

        Args:
            users_mtok: usage by user, Mtok [U]; a user that asked for nothing counts with 0.

        Raises:
            InputError: if nobody used anything, or a usage is negative or no number.
        """
        mtok = np.sort(np.asarray(users_mtok, dtype=np.float64).ravel())
        if not mtok.size or not np.isfinite(mtok).all() or mtok[0] < 0.0 or not mtok[-1] > 0.0:
            raise InputError(
                f"usage of {mtok.size} users: each must be 0 Mtok or more and finite, and one "
                "above 0; give at least one user with tokens"
            )
        self._mtok = mtok
        self._cum_mtok = np.concatenate(([0.0], np.cumsum(mtok)))

    @property
    def users_count(self) -> int:
        """Number of users."""
        return int(self._mtok.size)

    @property
    def mean_mtok(self) -> float:
        """Mean usage."""
        return float(self._cum_mtok[-1]) / self.users_count

    @property
    def median_mtok(self) -> float:
        """Usage of the user in the middle, or the mean of the two that are."""
        return float(np.median(self._mtok))

    @property
    def top_tenth_share(self) -> float:
        """Part of all tokens that the heaviest tenth of users asks for."""
        return 1.0 - self.lorenz_share(1.0 - TENTH_SHARE)

    def quantile_mtok(self, below_share: float) -> float:
        """Return the least usage that at least this share of users does not exceed."""
        _refuse_no_share(below_share, "below_share")
        return float(np.quantile(self._mtok, below_share, method="inverted_cdf"))

    def share_above(self, mtok: float) -> float:
        """Return the part of users that use more than this."""
        return 1.0 - self._until(mtok) / self.users_count

    def tokens_above_share(self, mtok: float) -> float:
        """Return the part of all tokens asked for by users that use more than this."""
        return 1.0 - float(self._cum_mtok[self._until(mtok)] / self._cum_mtok[-1])

    def kept_share(self, cap_mtok: float) -> float:
        """Return the part of all tokens that a cap leaves."""
        _refuse_negative_cap(cap_mtok)
        if math.isinf(cap_mtok):
            return 1.0
        below = self._until(cap_mtok)
        kept_mtok = float(self._cum_mtok[below]) + (self.users_count - below) * cap_mtok
        return kept_mtok / float(self._cum_mtok[-1])

    def lorenz_share(self, users_share: float) -> float:
        """Return the part of all tokens of this share of users, linear within one user."""
        _refuse_no_share(users_share, "users_share")
        places = np.arange(self.users_count + 1)
        cum_mtok = np.interp(users_share * self.users_count, places, self._cum_mtok)
        return float(cum_mtok / self._cum_mtok[-1])

    def margin(
        self, *, fixed_usd: float, usd_per_mtok: float, cap_mtok: float = math.inf
    ) -> MarginSplit:
        """Split the margin of users whose price is flat into gains and losses, user by user."""
        _refuse_negative_cost(usd_per_mtok)
        _refuse_negative_cap(cap_mtok)
        mtok = np.minimum(self._mtok, cap_mtok)
        margin_usd = fixed_usd - usd_per_mtok * mtok
        # By usage and not by money: who uses p / lambda exactly loses nothing, whatever rounds.
        breaks_even = fixed_usd >= 0.0 and usd_per_mtok > 0.0
        loses = mtok > fixed_usd / usd_per_mtok if breaks_even else margin_usd < 0.0
        loss_usd = -float(margin_usd[loses].sum()) / self.users_count
        return _split(float(loses.mean()), loss_usd=loss_usd, mean_usd=float(margin_usd.mean()))

    def _until(self, mtok: float) -> int:
        """Return how many users use no more than this."""
        return int(np.searchsorted(self._mtok, mtok, side="right"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueClass:
    """Requests of about one value: `requests_share` of all, worth `value_ratio` x the mean."""

    requests_share: float
    value_ratio: float


def value_classes(
    top_tenth_share: float, count: int, *, tail_count: int = 1
) -> tuple[ValueClass, ...]:
    """Return a lognormal of values cut into classes, the least valuable first.

    `count` classes as likely as each other, of which the most valuable is cut again into
    `tail_count`, each half as likely as the one below it (the last two alike). A class is worth
    its conditional mean, so that the mean over all classes is exactly 1, whatever the cut.

    Raises:
        InputError: if a count is below 1, or the share is not in [0.1, 1).
    """
    if min(count, tail_count) < 1:
        raise InputError(f"{count} classes, {tail_count} in the tail; each must be 1 or more")
    sigma_ratio = sigma_of(top_tenth_share)
    above = [(count - at) / count for at in range(count)]
    above += [2.0**-at / count for at in range(1, tail_count)] + [0.0]
    held = [_value_above(each, sigma_ratio) for each in above]
    classes = []
    for at in range(len(above) - 1):
        share = above[at] - above[at + 1]
        value = (held[at] - held[at + 1]) / share
        classes.append(ValueClass(requests_share=share, value_ratio=value))
    return tuple(classes)


def sigma_of(top_tenth_share: float) -> float:
    """Return sigma = z_0.9 + Phi^-1(q) of a lognormal whose top tenth holds q; 0 at q = 0.1.

    Raises:
        InputError: if the share is not in [0.1, 1).
    """
    if not TENTH_SHARE <= top_tenth_share < 1.0:
        raise InputError(
            f"top_tenth_share is {top_tenth_share:g}: the top tenth holds from 0.1 (even) to "
            "below 1"
        )
    if top_tenth_share == TENTH_SHARE:
        return 0.0
    return _z(1.0 - TENTH_SHARE) + _z(top_tenth_share)


def _value_above(above_share: float, sigma_ratio: float) -> float:
    """Return what the most valuable share holds of a unit mean: Phi(sigma - z)."""
    if sigma_ratio == 0.0 or above_share in (0.0, 1.0):
        return above_share
    return _below(sigma_ratio + _z(above_share))


def _split(unprofitable_share: float, *, loss_usd: float, mean_usd: float) -> MarginSplit:
    """Make a split from its losses and its mean; rounding leaves no loss and no gain below 0."""
    loss_usd = max(0.0, loss_usd, -mean_usd)
    return MarginSplit(
        unprofitable_share=unprofitable_share,
        loss_usd_per_user=loss_usd,
        gain_usd_per_user=mean_usd + loss_usd,
    )


def _below(z_ratio: float) -> float:
    """Return Phi(z), exact in both tails (1 - Phi would not be)."""
    return 0.5 * math.erfc(-z_ratio / _SQRT_2)


def _z(below_share: float) -> float:
    """Return Phi^-1 of a share strictly between 0 and 1."""
    return _NORMAL.inv_cdf(below_share)


def _refuse_no_share(share: float, name: str) -> None:
    if not 0.0 <= share <= 1.0:
        raise InputError(f"{name} is {share:g}: a share lies from 0 to 1")


def _refuse_negative_cap(cap_mtok: float) -> None:
    if not cap_mtok >= 0.0:
        raise InputError(f"a cap of {cap_mtok:g} Mtok: 0 or more is needed; inf is no cap")


def _refuse_negative_cost(usd_per_mtok: float) -> None:
    if not usd_per_mtok >= 0.0:
        raise InputError(
            f"a cost of {usd_per_mtok:g} USD/Mtok: 0 or more is needed to tell who loses"
        )
