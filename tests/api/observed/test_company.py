"""A company file opened for the present, with as much of the past as its series reach."""

from datetime import UTC, datetime, timedelta

import pytest
from observed import NOON, held_company

from tokenergy.api.observed.company import open_observed, present_of
from tokenergy.errors import FindingsError

SERIES = "{file: p.csv, column: usd}"


def prices(folder, start, hours, usd=50.0):
    rows = [f"{start + timedelta(hours=at):%Y-%m-%dT%H:%MZ},{usd}" for at in range(hours)]
    (folder / "p.csv").write_text("\n".join(["utc,usd", *rows]) + "\n", encoding="utf-8")


def codes(held):
    return [finding.code for finding in held.findings]


@pytest.mark.parametrize(
    ("step", "start"), [("0.25", (12, 0)), ("1", (12, 0)), ("2", (12, 0)), ("24", (0, 0))]
)
def test_the_present_is_the_interval_that_holds_now(tmp_path, step, start):
    """12:10 lies in 12:00 to 12:15, to 13:00, to 14:00, and in the day."""
    change = ("days: 2}", f"days: 2, step_h: {step}}}")
    held = held_company(tmp_path, past_count=96, change=change)
    assert (held.present.hour, held.present.minute) == start
    assert held.now.company.horizon.start == held.present
    assert held.now.world.count == 1
    assert held.past.company.horizon.end == held.present
    assert held.now.world.first == held.past.world.first + held.past.world.count


def test_a_quarter_past_the_change_of_clocks_is_a_quarter_of_utc(tmp_path):
    company = held_company(tmp_path).company
    night = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 02:30 in Paris, for the second time
    assert present_of(company, night) == datetime(2026, 10, 25, 1, tzinfo=UTC)


def test_arrivals_need_not_reach_the_present_and_prices_must(tmp_path):
    held = held_company(tmp_path)
    assert codes(held) == []
    prices(tmp_path, datetime(2026, 2, 1, tzinfo=UTC), 24 * 45)
    held = held_company(tmp_path, paris_price=SERIES)
    assert (held.now, held.past) == (None, None)
    assert set(codes(held)) == {"PRICE_NOT_CURRENT"}
    assert "tokens and joules are told" in held.findings[0].reason
    assert held.structure.world.routes  # whom reaches whom is known all the same


def both(folder, start, hours):
    """Prices of March, that the file's own horizon needs, and those of so many hours to now."""
    march = datetime(2026, 2, 1, tzinfo=UTC)
    whole = int((start - march) / timedelta(hours=1)) + hours
    prices(folder, march, whole)
    lines = (folder / "p.csv").read_text().splitlines()
    gap = int((start - march) / timedelta(hours=1))
    kept = [lines[0], *lines[1:1100], *lines[1 + gap :]]
    (folder / "p.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")


def test_a_history_shorter_than_wanted_prices_what_it_has(tmp_path):
    """10 days to now: a week of history before the first interval leaves 2 days, and 1 is taken."""
    start = NOON.replace(minute=0) - timedelta(days=10)
    both(tmp_path, start, 10 * 24 + 24)
    held = held_company(tmp_path, past_count=31 * 24, paris_price=SERIES)
    assert held.now is not None
    assert held.past.world.count == 24
    assert "PRICE_HISTORY_SHORT" in codes(held)
    short = next(each for each in held.findings if each.code == "PRICE_HISTORY_SHORT")
    assert "only 24 h before the present are priced" in short.reason


def test_what_is_no_matter_of_reach_stops_everything(tmp_path):
    with pytest.raises(FindingsError, match="import_limit_mw"):
        held_company(tmp_path, change=("import_limit_mw: 0.05", "import_limit_mw: -1"))


def test_a_live_price_stands_in_for_the_file(tmp_path):
    held_company(tmp_path)
    asked = []

    def live(company, start, end):
        asked.append((company.company, start, end))
        return {"paris": {"synthetic": "germany"}}, []

    held = open_observed(tmp_path / "little.yaml", at=NOON, past_count=48, prices=live)
    ((name, start, end),) = asked
    assert (name, end) == ("Little", held.present + timedelta(hours=1))
    assert start == held.present - timedelta(hours=48, days=7)
    assert held.now.inputs.sources["sites[0].market.price"].startswith("synthetic")
    assert held.now.world.spot_usd_per_mwh[1, -1] == 40.0
