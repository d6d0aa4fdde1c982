"""The published figures and ranges that ship: each with a source, and their arithmetic holds."""

from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from tokenergy.company.preset import Preset
from tokenergy.errors import UnexpectedError
from tokenergy.files import presets as presets_module
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.presets import load_presets, load_ranges
from tokenergy.thesis.thresholds import PACK_USD_PER_CLIP

NAMED = (
    "sora_cantor", "sora_wsj", "sora_conflict", "sora_pack", "openai_inference", "chatgpt_mix",
    "pro_200", "copilot_2023", "claude_code", "gemini_prompt", "chatgpt_prompt",
    "aep_ohio_dct", "im_large_load", "ercot_4cp", "ercot_12cp_proposal", "pjm_capacity",
    "norris_flex", "spp_chills", "levelten_p25_region", "levelten_p25_2024", "talen_aws",
    "msft_crane", "google_duane_arnold", "meta_clinton", "fuel_cell", "google_dr",
)  # fmt: skip


def quantity(name: str, fact: str) -> float:
    (row,) = [row for row in load_presets() if (row.preset, row.fact) == (name, fact)]
    return row.quantity


def rows(name: str) -> list[Preset]:
    return [row for row in load_presets() if row.preset == name]


# ---- presets -------------------------------------------------------------------------------


def test_the_presets_of_the_sheet_are_there() -> None:
    assert tuple(dict.fromkeys(row.preset for row in load_presets())) == NAMED


def test_every_figure_has_a_source_a_unit_and_a_day() -> None:
    for row in load_presets():
        assert row.source and row.unit and row.fact, row
        assert date(2013, 1, 1) <= row.as_of <= date(2026, 12, 31), row
        assert "http" not in row.source + row.note


def test_a_day_that_was_not_given_says_so() -> None:
    """Month or year only: the first day stands there, and the note tells."""
    vague = [row for row in load_presets() if "first day" in row.note]
    assert vague
    assert all(row.as_of.day == 1 for row in vague)


def test_the_catalogue_carries_them() -> None:
    assert load_catalogue().presets == load_presets()


def test_estimate_a_is_its_own_product() -> None:
    """4.5 M x 25 % x 10 = 11.25 M clips; x 1.30 USD = 14.625 M a day; x 365 = 5.338 G a year."""
    clips = quantity("sora_cantor", "users_count") * quantity("sora_cantor", "active_share")
    clips *= quantity("sora_cantor", "clips_per_active_user_day")
    day_usd = clips * quantity("sora_cantor", "usd_per_clip")
    assert clips == pytest.approx(11.25e6) == quantity("sora_cantor", "clips_per_day")
    assert day_usd == pytest.approx(14.625e6) == quantity("sora_cantor", "usd_per_day")
    assert quantity("sora_cantor", "usd_per_year") == pytest.approx(365 * day_usd)
    assert quantity("sora_cantor", "printed_clips_per_day") == 11.3e6
    assert quantity("sora_cantor", "printed_usd_per_day") == 15e6


def test_the_conflict_is_fifteen_fold_and_says_what_it_implies() -> None:
    """1 M a day over 2.5 clips a user-day: 0.40 USD at 1 M users, 0.80 at 0.5 M."""
    assert quantity("sora_conflict", "usd_per_day_ratio") == pytest.approx(
        quantity("sora_cantor", "printed_usd_per_day") / quantity("sora_wsj", "usd_per_day")
    )
    each = quantity("sora_conflict", "clips_per_user_day")
    assert each == 0.25 * 10
    for fact, users in (("low", "peak"), ("high", "last")):
        implied = quantity("sora_wsj", "usd_per_day") / (
            each * quantity("sora_wsj", f"{users}_users_count")
        )
        assert quantity("sora_conflict", f"{fact}_usd_per_clip") == pytest.approx(implied)
    assert {row.status for row in rows("sora_conflict")} == {"arithmetic"}


def test_more_than_a_free_tier_ended() -> None:
    """Open 208 days from 30 September 2025; the API 151 days longer: the essay is corrected."""
    app, api = (row for row in rows("sora_wsj") if "closed" in row.fact)
    assert app.as_of == date(2026, 4, 26)
    assert (app.as_of - date(2025, 9, 30)).days == app.quantity
    assert api.as_of == date(2026, 9, 24)
    assert (api.as_of - app.as_of).days == api.quantity
    assert all("understates" in row.note for row in (app, api))


def test_the_pack_is_the_threshold() -> None:
    pack = quantity("sora_pack", "usd_per_pack") / quantity("sora_pack", "clips_per_pack")
    assert quantity("sora_pack", "usd_per_clip") == pytest.approx(pack) == PACK_USD_PER_CLIP
    assert quantity("sora_pack", "share_of_cantor_cost") == pytest.approx(0.4 / 1.3)


def test_other_arithmetic() -> None:
    assert quantity("chatgpt_mix", "paid_share") == pytest.approx(40e6 / 800e6)
    books = [
        quantity("openai_inference", f"{fact}_2025_usd")
        for fact in ("cost", "revenue", "operating_loss")
    ]
    assert books[0] - books[1] == pytest.approx(books[2], rel=0.01)
    parts = [row.quantity for row in rows("gemini_prompt") if row.unit == "share"]
    assert sum(parts) == pytest.approx(1.01)


def test_the_loss_of_copilot_is_marked_as_disputed() -> None:
    losses = [row for row in rows("copilot_2023") if row.quantity < 0]
    assert [row.quantity for row in losses] == [-20, -80]
    assert all("disputed" in row.note for row in losses)


def test_what_nobody_verified_is_marked() -> None:
    marked = {(row.preset, row.fact) for row in load_presets() if row.status == "to_be_verified"}
    assert marked == {
        ("chatgpt_prompt", "wh_per_prompt"),
        ("claude_code", "heaviest_usd_per_user_month"),
        ("ercot_12cp_proposal", "peaks_count"),
        ("ercot_12cp_proposal", "peak_interval_h"),
        ("ercot_12cp_proposal", "least_load_mw"),
        ("ercot_12cp_proposal", "study_fee_usd"),
        ("levelten_p25_2024", "told_usd_per_mwh"),
        ("levelten_p25_2024", "implied_usd_per_mwh"),
        ("fuel_cell", "usd_per_mwh"),
    }


# ---- power: contracts sheet, section 9 ---------------------------------------------------------


def test_the_arithmetic_of_power_presets() -> None:
    """0.85 / 0.5 = 1.7; 8,760 x 0.25, 0.5 and 1 % = 21.9, 43.8 and 87.6 h.

    Talen: 18e9 USD over 1,920 MW x 8,760 h x 17 years (2025 to 2042) = 285.9 TWh is 63.0 USD/MWh.
    LevelTen: 59.77 x 1.032 = 61.68 of Q4 2025, over 1.09 = 56.6 a year before; told was 50.
    """
    assert quantity("aep_ohio_dct", "used_kw_ratio") == pytest.approx(
        quantity("aep_ohio_dct", "min_bill_share") / 0.5
    )
    for fact, share in (("quarter", 0.0025), ("half", 0.005), ("one", 0.01)):
        told_h = quantity("norris_flex", f"full_load_h_{fact}")
        assert told_h == pytest.approx(8760 * share, abs=0.5)
    volume_mwh = quantity("talen_aws", "contract_mw") * 8760 * 17
    assert quantity("talen_aws", "revenue_usd") / volume_mwh == pytest.approx(
        quantity("talen_aws", "flat_usd_per_mwh"), abs=0.1
    )
    continent = quantity("levelten_p25_region", "solar_continent_usd_per_mwh")
    assert continent * 1.032 / 1.09 == pytest.approx(
        quantity("levelten_p25_2024", "implied_usd_per_mwh"), abs=0.05
    )


def test_prices_of_power_are_offers_or_press_and_say_so() -> None:
    statuses = {row.status for row in rows("levelten_p25_region")}
    assert statuses == {"secondary_press"}
    assert all("not signed" in row.note for row in rows("levelten_p25_region")[:5])
    assert all("not included" in row.note for row in rows("pjm_capacity")[:3])
    told = {row.fact for row in rows("google_duane_arnold") + rows("meta_clinton")}
    assert not any("usd" in fact for fact in told)  # undisclosed prices are not guessed


# ---- ranges --------------------------------------------------------------------------------


def test_every_range_rises_and_has_a_source() -> None:
    for name, row in load_ranges().items():
        assert row.name == name
        assert row.low_quantity <= row.base_quantity <= row.high_quantity
        assert row.low_quantity < row.high_quantity
        assert row.source and row.unit
        assert "http" not in row.source


def test_bases_are_the_inputs_of_the_sheet() -> None:
    """Economics sheet, section 1."""
    base = {name: row.base_quantity for name, row in load_ranges().items()}
    assert {
        name: base[name]
        for name in ("usd_per_gpu", "gpu_life_y", "wacc_share", "facility_usd_per_kw")
    } == {"usd_per_gpu": 33000, "gpu_life_y": 5, "wacc_share": 0.09, "facility_usd_per_kw": 12000}
    assert (base["kw_per_gpu"], base["idle_share"], base["pue"]) == (1.4, 0.35, 1.25)
    assert (base["tokens_per_s_per_gpu"], base["utilisation_share"]) == (900, 0.6)
    assert (base["facility_life_y"], base["ops_share_per_year"]) == (15, 0.04)


def test_shares_stay_within_one() -> None:
    for row in load_ranges().values():
        if row.unit == "share":
            assert row.low_quantity >= 0.0
            assert row.high_quantity <= 1.0


def test_ranges_cannot_be_changed_by_who_reads_them() -> None:
    with pytest.raises(TypeError):
        load_ranges()["pue"] = load_ranges()["pue"]  # type: ignore[index]


# ---- faults of the shipped files are ours --------------------------------------------------


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the shipped catalogue to break."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    for table in ("presets", "ranges"):
        text = (files("tokenergy") / "catalogue" / f"{table}.csv").read_text(encoding="utf-8")
        (folder / f"{table}.csv").write_text(text, encoding="utf-8")
    monkeypatch.setattr(presets_module, "files", lambda _: tmp_path)
    load_presets.cache_clear()
    load_ranges.cache_clear()
    yield folder
    load_presets.cache_clear()
    load_ranges.cache_clear()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pue,1.1,1.3,1.5,ratio,x,published", "pue stands twice"),
        ("new,3,2,1,ratio,x,published", "must rise"),
        ("new,1,2,inf,ratio,x,published", "finite"),
        ("new,1,2,3,ratio,x,believed", "no status"),
    ],
)
def test_a_wrong_range_is_our_fault(shipped: Path, line: str, said: str) -> None:
    path = shipped / "ranges.csv"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(UnexpectedError, match=said):
        load_ranges()


def test_a_figure_twice_is_our_fault(shipped: Path) -> None:
    path = shipped / "presets.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(UnexpectedError, match=r"sora_cantor\.users_count stands twice"):
        load_presets()
