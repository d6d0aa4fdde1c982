"""What `economics` says in words is what its figures say: growth, restraint, savings, ledgers."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from economics.crowd import crowd

import tokenergy as te
from tokenergy.api.answer import answer, growth_text, short
from tokenergy.api.earned import Savings, earned
from tokenergy.api.growing import Grown
from tokenergy.company.basis import refuse_unstated
from tokenergy.company.ledger import LedgerEntry
from tokenergy.economics.profit import profit_at, profit_curve
from tokenergy.store.sqlite import SqliteLedger
from tokenergy.units import H_PER_YEAR


def grown_of(ratio: float = 1.0, *, by_the_hour: float = 1e4) -> Grown:
    """The crowd whose reserved GPUs are full at 1,250 users, as if it stood at another size."""
    world = crowd(by_the_hour=by_the_hour)
    curve = profit_curve(world)
    return Grown(
        today=replace(curve, today=profit_at(world, users_ratio=ratio)),
        restrained=None,
        following=profit_at(world, users_ratio=ratio, capacity="follows"),
        restraint=None,
        path=None,
        restrained_path=None,
        tonight=(),
        currency="EUR",
    )


# ---- growth ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "word"),
    [
        (0.1, "growth makes the loss smaller"),  # 100 users lose 25,440 USD, each adds 1,498
        (1.0, "growth pays"),
        (1.5, "growth takes from the profit"),  # beyond 1,250 users each loses 2,006
        (3.0, "growth makes the loss larger"),
    ],
)
def test_one_more_user_is_told_beside_the_profit_there_is(ratio: float, word: str) -> None:
    assert f": {word}" in grown_of(ratio).line()


@pytest.mark.parametrize(
    ("ratio", "by_the_hour", "end"),
    [
        (0.1, 1e4, "): it cuts the loss."),
        (1.0, 1e4, "): it pays."),
        (1.5, 1e4, ": growth takes from the profit."),
        (3.0, 1e4, ": growth makes the loss larger."),
        (2.0, 0.0, "): no change."),  # full: what one more costs and brings is rounding
    ],
)
def test_the_short_answer_says_the_same(ratio: float, by_the_hour: float, end: str) -> None:
    line = growth_text(grown_of(ratio, by_the_hour=by_the_hour), "EUR")
    assert line.endswith(end)
    assert "-0.00" not in line
    assert len(line) <= 80


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0.0, "0"), (12.345, "12.3"), (999.4, "999"), (999.6, "1 k"), (12_345.0, "12.3 k"),
     (999_600.0, "1 M"), (3.78e6, "3.78 M"), (2.05e12, "2.05 tn")],
)  # fmt: skip
def test_an_amount_has_three_digits_and_its_size(usd: float, text: str) -> None:
    assert short(usd) == text


def test_money_is_in_the_currency_of_the_file() -> None:
    line = grown_of().line()
    assert "EUR" in line
    assert "USD" not in line


def test_a_company_that_is_full_says_from_where_and_how_much_it_serves() -> None:
    """Nothing by the hour: from 1,250 users on one more is refused; of 2,000 5/8 are served."""
    grown = grown_of(by_the_hour=0.0)
    first = grown.full_from_count
    assert first is not None
    assert 1_250.0 <= first <= 1_500.0
    assert f"but from {first:,.0f} on one more adds nothing" in grown.line()
    full = grown_of(2.0, by_the_hour=0.0)
    assert ": growth changes nothing" in full.line()
    assert "of what is asked for today 62.5% is served" in full.line()


def test_what_restraint_saves_stands_beside_what_it_costs(sora: te.Economics) -> None:
    grown = sora.grown
    assert grown is not None
    assert grown.restrained is not None
    told = sora.to_dict()["scale"]
    before, after = (told[case]["today"] for case in ("today", "restrained"))
    adds = after["profit_usd_per_year"] - before["profit_usd_per_year"]
    costs = before["conversions_usd_per_year"] - after["conversions_usd_per_year"]
    assert min(adds, costs) > 0.0
    assert told["restraint_adds_usd_per_year"] == pytest.approx(adds)
    assert told["restraint_costs_conversions_usd_per_year"] == pytest.approx(costs)
    line = grown.line()
    assert f"restraint adds {adds:,.0f} USD a year" in line
    assert f"{costs:,.0f} of subscriptions to come are lost" in line
    assert "120,000 users gone" in line


def test_at_every_turn_the_slope_changes_its_sign(
    opened_sora: te.OpenCompany, sora: te.Economics
) -> None:
    """Recomputed from the program alone, 2 % on either side: dPi/dN = (Pi(+1 %) - Pi(-1 %)) / N."""
    assert sora.grown is not None

    def slope(ratio: float) -> float:
        more, less = (
            profit_at(opened_sora.world, users_ratio=ratio * step).books for step in (1.01, 0.99)
        )
        return (more.profit_usd_per_year - less.profit_usd_per_year) / (
            more.users_count - less.users_count
        )

    turns = sora.grown.today.turns
    assert len(turns) >= 1
    for turn in turns:
        before, after = slope(turn.users_ratio * 0.98), slope(turn.users_ratio * 1.02)
        assert (before > 0.0, after > 0.0) == (not turn.rises, turn.rises)


def test_the_curve_at_todays_users_is_the_year_of_the_simulation(sora: te.Economics) -> None:
    """Two days are simulated and the same two stand for the year: 365 / 2 times the margin."""
    told = sora.to_dict()
    year = told["margin_usd"] * H_PER_YEAR / told["hours_h"]
    today = told["scale"]["today"]["today"]["profit_usd_per_year"]
    assert today == pytest.approx(year, rel=1e-4)


def test_no_figure_per_mtok_stands_without_its_basis(sora: te.Economics) -> None:
    assert refuse_unstated(sora.to_dict()) == ()


# ---- margins by user ---------------------------------------------------------------------


def test_users_lose_what_their_tier_loses(sora: te.Economics) -> None:
    told = sora.to_dict()
    tiers = {tier["tier"]: tier for tier in told["margin_by_tier"]}
    lose = count = 0.0
    for tier in told["users"]["tiers"]:
        usage = tier["usage"]
        assert usage["lorenz"][-1]["margin_usd"] == pytest.approx(
            tiers[tier["tier"]]["full_margin_usd"], rel=1e-6
        )
        assert math.fsum(part["users_share"] for part in usage["histogram"]) == pytest.approx(1.0)
        lose += usage["share"] * tier["users_count"]
        count += tier["users_count"]
    assert told["share_unprofitable"] == pytest.approx(lose / count)


def test_the_line_of_users_has_its_hours_its_basis_and_what_it_leaves_out(
    sora: te.Economics,
) -> None:
    line = sora.earned.users_line(sora.simulation)
    expected = sora.earned.company.conversion_value_usd
    assert expected is not None
    assert line.startswith("In 48 h the company loses ")
    assert "by what their tokens use" in line
    assert f"{expected:,.0f} USD of subscriptions" in line


def rows(*users: tuple[str, str, float]) -> list[LedgerEntry]:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    return [
        LedgerEntry(
            run_id="live", source="serve", kind="request", request_id=f"r{at}", start=start,
            end=start + timedelta(minutes=1), tenant=tenant, tier=tier, component="serve",
            quantity=mtok, unit="Mtok",
        )
        for at, (tenant, tier, mtok) in enumerate(users)
    ]  # fmt: skip


def test_a_ledger_of_other_tiers_and_one_of_few_users_are_told(
    sora: te.Economics, opened_sora: te.OpenCompany, tmp_path: Path
) -> None:
    with SqliteLedger(tmp_path / "a.sqlite") as held:
        held.append(rows(("ann", "free", 2.0), ("bob", "chat", 1.0)))
    told = earned(opened_sora, sora.simulation, usage_ledger=tmp_path / "a.sqlite").findings
    found: dict[str, Any] = {finding.code: finding for finding in told}
    assert found["LEDGER_TIER_UNKNOWN"].value == "chat"
    assert (found["LEDGER_USERS_FEW"].value, found["LEDGER_USERS_FEW"].limit) == ("1", "30")
    assert found["LEDGER_USERS_FEW"].severity == "warning"


# ---- savings -----------------------------------------------------------------------------


def saved(usd: float, *, regret_usd: float | None = 10.0) -> Savings:
    return Savings(
        policy="mpc", baseline="greedy_battery", saving=None, saving_usd=usd,
        of_cost_share=usd / 1e4, of_full_share=usd / 1e6, regret_usd=regret_usd,
        regret_share=None if regret_usd is None else regret_usd / 1e4,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("savings", "said"),
    [
        (saved(500.0), "saves 500 USD against greedy_battery: 5.00% of its cost, 0.05% of full "
         "cost; 10 USD (0.10%) above clairvoyant"),
        (saved(-500.0), "loses 500 USD against greedy_battery: 5.00% of its cost, 0.05% of full"),
        (saved(-0.1, regret_usd=-0.2), "saves nothing against greedy_battery; as cheap as"),
        (saved(500.0, regret_usd=-7.0), "7 USD below clairvoyant, which served other work"),
        (saved(500.0, regret_usd=None), "clairvoyant was not run, so what is left to save is not"),
    ],
)  # fmt: skip
def test_a_saving_has_its_baseline_and_what_is_left(
    sora: te.Economics, savings: Savings, said: str
) -> None:
    line = replace(sora.earned, savings=savings).saving_line()
    assert said in line
    assert "-0" not in line


def test_without_a_baseline_no_saving_is_told(sora: te.Economics) -> None:
    assert "no baseline was run" in replace(sora.earned, savings=None).saving_line()


@pytest.mark.parametrize(
    ("saves", "regret", "said"),
    [
        (
            -1e-9,
            -1e-9,
            "Dispatch makes no difference to greedy_battery; clairvoyant does no better.",
        ),
        (
            0.02,
            0.013,
            "Dispatch saves 2.00% of full cost (greedy_battery), 1.30% above clairvoyant.",
        ),
        (-0.02, -0.013, "1.30% below clairvoyant: other work."),
        (0.02, None, "Dispatch saves 2.00% of full cost (greedy_battery)."),
    ],
)
def test_what_would_be_told_as_nothing_is_no_difference(
    sora: te.Economics, saves: float, regret: float | None, said: str
) -> None:
    assert sora.earned.savings is not None
    savings = replace(
        sora.earned.savings, saving_usd=saves, of_full_share=saves, regret_share=regret
    )
    held = replace(sora.earned, savings=savings)
    last = list(answer(sora.simulation, held, sora.grown))[-1]
    assert last.endswith(said)
    assert "-0.00" not in last


def test_the_answer_names_its_basis_its_hours_and_what_a_megawatt_is_worth(
    sora: te.Economics,
) -> None:
    lines = list(sora.lines())
    assert " in full, " in lines[0]
    assert " in 48 h; " in lines[1]
    bound = replace(sora.earned, mw_binds_h=22.0, mw_rent_usd_per_mwh=61.2)
    assert list(answer(sora.simulation, bound, sora.grown))[3].endswith(
        "; MW bind 22 h (61.2 USD/MWh)."
    )
    assert "(61 USD/MWh beside the price)" in bound.levers_line()


def test_the_burn_is_told_for_each_new_unit_of_revenue(sora: te.Economics) -> None:
    """Burn of a year over what month 12 of the path brings more than month 0, twelve times."""
    told = sora.to_dict()
    points = told["scale"]["growth"]["points"]
    added = 12.0 * (points[12]["revenue_usd_per_month"] - points[0]["revenue_usd_per_month"])
    margin = told["company_margin"]
    assert margin["burn_multiple_ratio"] == pytest.approx(margin["burn_usd_per_year"] / added)
    line = sora.burn_line()
    assert line is not None
    assert f"{margin['burn_multiple_ratio']:,.2f} for each USD" in line


def test_the_path_is_drawn_under_restraint_too(sora: te.Economics) -> None:
    """It begins with the users that stay and at the profit of the curve under restraint."""
    scale = sora.to_dict()["scale"]
    first = scale["growth_restrained"]["points"][0]
    limited = scale["restrained"]["today"]
    assert first["users_count"] == pytest.approx(limited["users_count"])
    assert 12.0 * first["profit_usd_per_month"] == pytest.approx(
        limited["profit_usd_per_year"], rel=1e-6
    )
    assert first["profit_usd_per_month"] > scale["growth"]["points"][0]["profit_usd_per_month"]
