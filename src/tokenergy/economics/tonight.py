"""What to do with a free tier tonight: go on, restrain it, or suspend it.

Three companies on the capacity that stands, at today's users: what each earns in a year, and what
a suspended tier would have brought in subscriptions to come, which is a belief and no cash.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from tokenergy.dispatch.world import World
from tokenergy.economics.books import WINDOW_H, BookKeeper, Books, Size

Choice = Literal["go on", "restrain", "suspend"]
NOBODY_RATIO: Final = 0.0
TIE_SHARE: Final = 1e-6
"""Options that differ by less than this share of the largest come to the same."""
SMALL_SHARE: Final = 0.01
"""Below this a share is told with two decimals: 0 % would be no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing to do, and what a year of it comes to.

    Attributes:
        choice: what is done.
        profit_usd_per_year: cash, capital included.
        conversions_usd_per_year: what free work is believed to be worth in subscriptions to come.
        free_served_share: part of what free users ask for today that is still made.
    """

    choice: Choice
    profit_usd_per_year: float
    conversions_usd_per_year: float
    free_served_share: float

    @property
    def believed_usd_per_year(self) -> float:
        """Cash and belief together."""
        return self.profit_usd_per_year + self.conversions_usd_per_year

    def to_dict(self) -> dict[str, Any]:
        """Return the option as a JSON-ready mapping."""
        return asdict(self) | {"believed_usd_per_year": self.believed_usd_per_year}


def free_tiers(world: World) -> frozenset[str]:
    """Return the tiers with users who pay nothing."""
    return frozenset(t.name for t in world.company.tiers if t.users is not None and t.is_free)


def options(
    today: World, limited: World | None, *, window_h: float = WINDOW_H
) -> tuple[Option, ...]:
    """Return what going on, restraining and suspending the free tiers comes to.

    Nothing where no tier with users is free. Suspending leaves the paying users as they are: a
    guess in its favour, since some of them came through the free tier.

    Args:
        today: the company as it is.
        limited: the same under its own restraint; None where it states none.
        window_h: hours of the horizon that stand for the year.
    """
    free = free_tiers(today)
    if not free:
        return ()
    keeper = BookKeeper(today, window_h=window_h)
    going = keeper.books(Size())
    asked_mtok = _free_mtok(going, free, served=False)
    found = [_option("go on", going, free, asked_mtok)]
    if limited is not None:
        kept = BookKeeper(limited, window_h=window_h).books(Size())
        found.append(_option("restrain", kept, free, asked_mtok))
    ended = keeper.books(Size(users_ratio=NOBODY_RATIO, tiers=free))
    return (*found, _option("suspend", ended, free, asked_mtok))


def says(found: tuple[Option, ...], *, currency: str) -> Iterator[str]:
    """Say which option earns most cash, and which if conversions are what they are believed."""
    if not found:
        return
    for option in found:
        word = "earns" if option.profit_usd_per_year >= 0.0 else "loses"
        yield (
            f"To {option.choice} {word} {abs(option.profit_usd_per_year):,.0f} {currency} a year, "
            f"makes {option.free_served_share:.0%} of what free users ask for today, and brings "
            f"{option.conversions_usd_per_year:z,.0f} in subscriptions to come, if they are worth "
            "what the file believes."
        )
    best = _best(found, lambda option: option.profit_usd_per_year)
    cash = _best(best, lambda option: option.believed_usd_per_year)
    if len(cash) > 1:
        yield f"Tonight: {_listed(cash)} come to the same, by cash and by what is believed."
        return
    belief = _best(found, lambda option: option.believed_usd_per_year)[0]
    if cash[0] is belief:
        same = f" (by cash alone {_listed(best)} come to the same)" if len(best) > 1 else ""
        yield f"Tonight: {cash[0].choice}, by cash and by what is believed{same}."
        return
    yield _needed_text(cash[0], belief)


def _best(found: Sequence[Option], of: Callable[[Option], float]) -> tuple[Option, ...]:
    """Return the options that come to most; those that differ by rounding only are all named."""
    most = max(of(option) for option in found)
    size = max(abs(of(option)) for option in found)
    return tuple(option for option in found if most - of(option) <= TIE_SHARE * size)


def _listed(options: Sequence[Option]) -> str:
    """Write what is done in a row: to go on, to restrain and to suspend."""
    said = [f"to {option.choice}" for option in options]
    return f"{', '.join(said[:-1])} and {said[-1]}"


def _needed_text(cash: Option, belief: Option) -> str:
    """Say which option earns most cash, and how much of the belief has to come true against it."""
    needed = needed_share(cash, belief)
    decimals = 0 if needed >= SMALL_SHARE else 2
    return (
        f"Tonight, by cash: {cash.choice}. To {belief.choice} is better only if at least "
        f"{needed:.{decimals}%} of those subscriptions come."
    )


def needed_share(cash: Option, belief: Option) -> float:
    """Return the part of the belief that has to come true for the second to beat the first."""
    behind_usd = cash.profit_usd_per_year - belief.profit_usd_per_year
    return behind_usd / (belief.conversions_usd_per_year - cash.conversions_usd_per_year)


def _option(choice: Choice, books: Books, free: frozenset[str], asked_mtok: float) -> Option:
    made_mtok = _free_mtok(books, free, served=True)
    return Option(
        choice=choice,
        profit_usd_per_year=books.profit_usd_per_year,
        conversions_usd_per_year=books.conversions_usd_per_year,
        free_served_share=made_mtok / asked_mtok if asked_mtok > 0.0 else 0.0,
    )


def _free_mtok(books: Books, free: frozenset[str], *, served: bool) -> float:
    return sum(
        tier.asked_mtok_per_year * (tier.served_share if served else 1.0)
        for tier in books.tiers
        if tier.tier in free
    )
