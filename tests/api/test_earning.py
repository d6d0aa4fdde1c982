"""Whether a company pays: the keys that were promised, and sums that must tie."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import strict

import tokenergy as te
from tokenergy.api.earned import earned
from tokenergy.company.ledger import LedgerEntry
from tokenergy.store.sqlite import SqliteLedger

PROMISED = (
    "usd_per_mtok_full", "usd_per_mtok_marginal", "share_kwh", "share_powered_capacity",
    "share_silicon", "mw_binds_h", "margin_by_tier", "share_unprofitable",
    "break_even_conversion", "n_star", "unused_capacity_usd",
)  # fmt: skip


def test_the_promised_keys_are_there_and_strict_json(sora: te.Economics) -> None:
    told = strict(json.dumps(sora.to_dict(), allow_nan=False))
    assert set(PROMISED) <= set(told)
    assert all(told[key] is not None for key in PROMISED)
    assert told["synthetic"]


def test_margins_tie_to_the_company(sora: te.Economics) -> None:
    """Tiers, unused capacity and staff make up revenue less everything that is paid."""
    told = sora.to_dict()
    company = told["company_margin"]
    tiers = sum(tier["full_margin_usd"] for tier in told["margin_by_tier"])
    whole = tiers - told["unused_capacity_usd"] - company["staff_usd"]
    assert whole == pytest.approx(company["margin_usd"], rel=1e-6)
    served = sum(tier["served_mtok"] for tier in told["margin_by_tier"])
    assert told["usd_per_mtok_full"] * served == pytest.approx(company["allocation_usd"], rel=1e-9)
    price = told["usd_per_mtok_price"] * served
    assert price == pytest.approx(company["revenue_usd"], rel=1e-9)
    at_margin = told["usd_per_mtok_marginal"] * served
    assert at_margin == pytest.approx(
        sum(tier["marginal_usd"] for tier in told["margin_by_tier"]), rel=1e-9
    )
    both = company["contribution_usd"] + company["surplus_usd"]
    fixed = company["capital_usd"] + company["staff_usd"] + company["tier_fixed_usd"]
    assert both - fixed == pytest.approx(company["margin_usd"], rel=1e-6)


def test_every_invoice_is_allocated_and_waterfalls_end_at_the_margin(sora: te.Economics) -> None:
    told = sora.to_dict()
    assert told["reconciliation"]["allocated_share"] == pytest.approx(1.0, abs=1e-9)
    ends = {each["of"]: each["steps"][-1]["end_usd"] for each in told["waterfalls"]}
    assert ends["company"] == pytest.approx(told["company_margin"]["margin_usd"], rel=1e-9)
    for tier in told["margin_by_tier"]:
        assert ends[tier["tier"]] == pytest.approx(tier["full_margin_usd"], rel=1e-9)
    shares = told["share_kwh"] + told["share_powered_capacity"] + told["share_silicon"]
    assert 0.0 < shares <= 1.0 + 1e-12


def test_the_free_tier_turns_and_restraint_helps(sora: te.Economics) -> None:
    """Today one more user loses from the first turn on; with restraint today's users lose less."""
    scale = sora.to_dict()["scale"]
    first = scale["today"]["turns"][0]
    assert not first["rises"]
    assert 0.1 < first["users_ratio"] < 1.0
    before, after = (
        scale[case]["today"]["profit_usd_per_year"] for case in ("today", "restrained")
    )
    assert before < after < 0.0
    assert scale["break_even_share"] > scale["paid_share"]
    choices = {option["choice"]: option for option in scale["tonight"]}
    assert choices["go on"]["profit_usd_per_year"] == pytest.approx(before, rel=1e-9)
    assert choices["restrain"]["profit_usd_per_year"] == pytest.approx(after, rel=1e-9)


def test_both_estimates_of_sora_stand_beside_it_with_their_conflict(sora: te.Economics) -> None:
    told = sora.to_dict()
    figures = {f"{row['preset']}.{row['fact']}": row["quantity"] for row in told["presets"]}
    assert figures["sora_cantor.usd_per_clip"] == 1.3
    low, high = (figures[f"sora_conflict.{end}_usd_per_clip"] for end in ("low", "high"))
    assert (low, high) == (0.4, 0.8)
    assert {"PRESET_UNVERIFIED", "ENERGY_NOT_MATERIAL", "BOOTSTRAP_SHORT"} <= {
        finding["code"] for finding in told["findings"]
    }


def test_the_answer_is_five_short_lines(sora: te.Economics) -> None:
    lines = list(sora.lines())
    assert len(lines) == 5
    assert all(len(line) <= 77 and line.endswith(".") for line in lines)
    assert str(sora).splitlines()[1:] == lines
    assert sora.to_polars().height == len(sora.earned.tiers)
    assert "<table" in sora._repr_html_()


def test_a_company_without_users_answers_what_it_can(small: te.OpenCompany) -> None:
    told = te.economics(small).to_dict()
    assert told["scale"] is None
    assert (told["n_star"], told["break_even_conversion"]) == ([], None)
    assert told["usd_per_mtok_full"] > told["usd_per_mtok_marginal"] > 0.0


def test_the_ledgers_own_users_come_first(
    sora: te.Economics, opened_sora: te.OpenCompany, tmp_path: Path
) -> None:
    """Three users of the free tier asked for 1, 1 and 8 Mtok: the tail is theirs."""
    ledger = tmp_path / "served.sqlite"
    start = datetime(2026, 3, 2, tzinfo=UTC)
    with SqliteLedger(ledger) as held:
        held.append(
            LedgerEntry(
                run_id="live", source="serve", kind="request", request_id=f"r{at}", start=start,
                end=start + timedelta(days=30), tenant=f"user-{at}", tier="free",
                component="serve", quantity=mtok, unit="Mtok",
            )
            for at, mtok in enumerate((1.0, 1.0, 8.0))
        )  # fmt: skip
    told = earned(opened_sora, sora.simulation, usage_ledger=ledger).to_dict()
    tiers = {tier["tier"]: tier for tier in told["users"]["tiers"]}
    assert (tiers["free"]["source"], tiers["free"]["observed_count"]) == ("ledger", 3)
    assert tiers["plus"]["source"] == "lognormal"


def test_requests_in_other_units_are_told_and_left_out(
    sora: te.Economics, opened_sora: te.OpenCompany, tmp_path: Path
) -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    with SqliteLedger(tmp_path / "clips.sqlite") as held:
        held.append(
            LedgerEntry(
                run_id="live", source="serve", kind="request", request_id=f"r{at}", start=start,
                end=start + timedelta(days=30), tenant=f"user-{at}", tier="free",
                component="serve", quantity=1.0, unit=unit,
            )
            for at, unit in enumerate(("video_second", "image", "video_second"))
        )  # fmt: skip
    found = earned(opened_sora, sora.simulation, usage_ledger=tmp_path / "clips.sqlite")
    (warned,) = (each for each in found.findings if each.code == "LEDGER_UNIT_OTHER")
    assert (warned.value, warned.severity) == ("image, video_second", "warning")
    assert {tier.source for tier in found.users.tiers} == {"lognormal"}
