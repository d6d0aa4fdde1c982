"""What a clean MWh is planned to be worth, from the weeks before the horizon."""

from dataclasses import replace

import numpy as np
import pytest
from worlds import plain

from tokenergy.dispatch.clean_price import with_clean_prices
from tokenergy.dispatch.targets import planned
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.world import World


def sunny(*, target: float, history=168, short=None) -> World:
    """4 MWh of work an hour, each worth 100 at a power price of 40; 5 MW are clean by day."""
    total = history + 48
    made = plain(
        [np.full(total, 40.0)],
        [np.full(total, 4.0)],
        marginal=1.0,
        value=100.0,
        history=history,
        spread=0.0,
    )
    term = Matching(
        contract_id="cfe",
        site=0,
        target_share=target,
        premium_usd_per_mwh=0.0,
        shortfall_usd_per_mwh=short,
        planned_usd_per_mwh=None,
        periods=Periods.of_labels(["2026"] * total),
        takes=(),
        clean_mw=np.where(np.arange(total) % 24 < 12, 5.0, 0.0),
        grid_share=np.zeros(total),
    )
    return replace(made, terms=(term,))


def price_of(made: World) -> float | None:
    (term,) = made.terms
    assert isinstance(term, Matching)
    return term.planned_usd_per_mwh


def test_a_target_below_what_comes_by_itself_is_worth_nothing() -> None:
    """Half of the load is matched anyway: 40 % ask for nothing."""
    assert price_of(with_clean_prices(sunny(target=0.4))) == pytest.approx(0.0)


def test_a_target_above_it_is_worth_what_the_last_night_hour_earns() -> None:
    """At 60 % some work by night is refused: 40 + 0.6 mu = 100, so mu = 100."""
    assert price_of(with_clean_prices(sunny(target=0.6))) == pytest.approx(100.0)
    assert price_of(planned(sunny(target=0.6))) == pytest.approx(100.0)


def test_nothing_is_planned_where_the_contract_has_a_price_or_the_past_is_short() -> None:
    for made in (sunny(target=0.6, short=30.0), sunny(target=0.6, history=100)):
        assert with_clean_prices(made) is made
