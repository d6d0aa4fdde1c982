"""What is wrong with a series is told with its contract, its name and its moment."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from company.settle.metered import (
    LOAD,
    at,
    cfe,
    charged,
    demand,
    meter,
    peaks,
    residual,
    response,
    spot,
    taken,
    tariff,
    virtual,
)
from company.settle.metered import ppa as as_produced

from tokenergy.company.settle import delivered_mwh, settle
from tokenergy.errors import InputError


def test_missing_series_name_the_contract_and_themselves() -> None:
    with pytest.raises(InputError, match=r"contract 'spot' cannot be settled without spot_usd"):
        settle(spot(), meter())
    with pytest.raises(InputError, match=r"contract 'spot' cannot be settled without bought_mwh"):
        settle(spot(), meter(spot_usd_per_mwh=50))
    with pytest.raises(InputError, match="contract 'grid' cannot be settled without import_mwh"):
        charged(tariff(demand=(demand(),)), meter())
    words = virtual(hub_price={"synthetic": "texas"})
    with pytest.raises(InputError, match="contract 'vppa' cannot be settled without hub_price"):
        settle(words, meter(profile_share=1))
    with pytest.raises(InputError, match="contract 'cfe' cannot be settled without delivered_mwh"):
        settle(cfe(), meter(load_mwh=10))
    words = tariff(coincident=(peaks(),))
    with pytest.raises(InputError, match=r"'grid' cannot be settled without 4cp\.system_load"):
        charged(words, meter(import_mwh=1))


def test_series_of_another_length_say_both_lengths() -> None:
    series = meter(spot_usd_per_mwh=50, bought_mwh=LOAD, sold_mwh=(0.0,))
    with pytest.raises(InputError, match="'spot': sold_mwh has 1 intervals, the meter has 4"):
        settle(spot(), series)
    series = meter(profile_share=1, series={"hub_price": (1.0,) * 5})
    with pytest.raises(InputError, match="'vppa': hub_price has 5 intervals, the meter has 4"):
        settle(virtual(), series)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_told_with_its_first_moment(value: float) -> None:
    words = r"'spot': bought_mwh is (nan|-?inf) at 2026-03-02T01:00Z"
    with pytest.raises(InputError, match=words):
        settle(spot(), replace(residual(), bought_mwh=(1.0, value, value, 1.0)))
    with pytest.raises(InputError, match=r"'wind': taken_mwh is .* at 2026-03-02T00:00Z"):
        settle(as_produced(), taken((value, 5.0, 0.0, 20.0)))
    series = meter(import_mwh=1, step_h=0.25, series={"4cp.system_load": (1.0, 1.0, 1.0, value)})
    with pytest.raises(InputError, match=r"'grid': 4cp.system_load is .* at 2026-03-02T00:45Z"):
        charged(tariff(coincident=(peaks(),)), series)
    series = meter(import_mwh=1, series={"baseline_mw": (value,) * 4})
    with pytest.raises(InputError, match=r"'dr': baseline_mw is .* at 2026-03-02T00:00Z"):
        settle(response(), series)


def test_energies_are_not_below_0_but_prices_may_be() -> None:
    series = replace(residual(), sold_mwh=(0.0, 0.0, -0.5, 0.0))
    with pytest.raises(InputError, match=r"sold_mwh is -0.5 MWh at 2026-03-02T02:00Z, below 0"):
        settle(spot(), series)
    assert settle(spot(), replace(residual(), sold_mwh=(-1e-9, 0.0, 0.0, 0.0))).lines


def test_intervals_have_a_length() -> None:
    for length_h in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="interval 1 from 2026-03-02T01:00Z has a length of"):
            settle(spot(), replace(residual(), lengths_h=(1.0, length_h, 1.0, 1.0)))


def test_intervals_follow_each_other_to_the_microsecond() -> None:
    """Twelve times 5 min are an hour, though 1/12 h is no binary number."""
    spans = list(meter(count=12, step_h=1.0 / 12.0).spans())
    assert spans[-1].end == datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert all(b.start == a.end for a, b in pairwise(spans))


def test_a_span_knows_its_local_month_through_a_change_of_clocks() -> None:
    """In Chicago 1 November 2026 has 25 hours; the 26th from midnight is on the 2nd."""
    start = at("America/Chicago", 2026, 11, 1)
    spans = list(meter(count=26, start=start, zone="America/Chicago").spans())
    assert [span.local.hour for span in spans[:4]] == [0, 1, 1, 2]
    assert (spans[25].local.day, spans[25].month) == (2, "2026-11")
    assert spans[24].local_end - spans[25].local == timedelta(0)


def test_a_contract_that_delivers_nothing_cannot_be_a_source() -> None:
    with pytest.raises(InputError, match=r"contract 'rate' \(spot\) delivers nothing"):
        delivered_mwh(spot(id="rate"), residual())
