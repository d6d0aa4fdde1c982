"""What a plan may change: the nouns read whole, and what is refused at once."""

from datetime import date

import pytest
from pydantic import ValidationError

from tokenergy.company.connection import RampStep
from tokenergy.company.planning import Planning, Scenario, SiteSize
from tokenergy.company.series import SyntheticSeries
from tokenergy.files.salvage import salvage


def test_a_size_may_be_left_out_unless_it_says_otherwise() -> None:
    read = Planning.model_validate(
        {"sites": [{"name": "a", "most_mw": 9}], "fleets": [{"name": "g", "most_count": 72}]}
    )
    site = read.sites[0]
    assert (site.least_mw, site.step_mw, site.open_usd, site.queue) == (0, None, None, ())
    assert (read.fleets[0].least_count, read.fleets[0].step_count) == (0, None)
    assert read.budget_usd is None


def test_a_scenario_with_a_name_alone_changes_nothing() -> None:
    same = Scenario(name="same")
    assert (same.price_ratio, same.price_shift_usd_per_mwh, same.demand_ratio) == (1, 0, 1)
    assert (same.gpu_price_ratio, same.demand_growth_share_per_year) == (1, 0)
    assert (same.gpu_life_y, same.wacc_share, same.seed) == (None, None, None)
    assert not same.energised_on
    assert not same.prices


def test_a_scenario_reads_dates_and_any_series_by_site() -> None:
    read = Scenario.model_validate(
        {
            "name": "other",
            "energised_on": {"a": "2027-05-01"},
            "prices": {"a": 42, "b": {"synthetic": "texas"}},
        }
    )
    assert read.energised_on == {"a": date(2027, 5, 1)}
    assert read.prices["a"] == 42.0
    assert read.prices["b"] == SyntheticSeries(synthetic="texas")


@pytest.mark.parametrize("days", [("2027-06-01", "2026-06-01"), ("2027-06-01", "2027-06-01")])
def test_a_queue_rises_in_time(days: tuple[str, str]) -> None:
    queue = [{"mw": 10, "energised_on": day} for day in days]
    with pytest.raises(ValidationError, match="must rise in energised_on"):
        SiteSize.model_validate({"name": "a", "most_mw": 20, "queue": queue})


def test_a_step_of_a_ramp_may_be_nothing() -> None:
    assert RampStep(start=date(2027, 1, 1), mw=0.0).mw == 0.0


def test_what_can_be_read_of_a_broken_plan_keeps_its_place() -> None:
    """The first site has no most_mw: the second is still held against the file, as the second."""
    parts = salvage(
        {
            "plan": {
                "sites": [{"name": "a"}, {"name": "b", "most_mw": 5}],
                "scenarios": [{"name": "s"}, {"name": "t", "seed": -1}],
            }
        }
    )
    assert parts.plan is None
    assert [path for path, _ in parts.planned] == ["plan.sites[1]", "plan.scenarios[0]"]
