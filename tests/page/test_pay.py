"""The nine panels: what each says of a company that loses money, and of one that knows nothing."""

import re
from collections.abc import Callable
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import paying
import pytest

import tokenergy
from tokenergy.economics.heavy_tail import Lognormal
from tokenergy.files.presets import load_presets
from tokenergy.page import front, pay, users
from tokenergy.page.html import Section
from tokenergy.page.panels import panels
from tokenergy.page.pay import pay_sections, sora_conflict
from tokenergy.page.report import ReportData
from tokenergy.page.sections import economics_sections, warnings
from tokenergy.page.tiles import tiles

Make = Callable[..., ReportData]
SMALL = Path(__file__).resolve().parents[1] / "small.yaml"
PANELS = ("pay", "unit", "users", "growth", "levers", "saving", "risk", "bills")


def words(html: str) -> str:
    """Return the text of a piece of HTML."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html)).replace("\N{NO-BREAK SPACE}", " ")


def cells(section: Section, name: str) -> list[str]:
    """Return the cells of the first row of that name."""
    found = re.search(rf'<th scope="row">{re.escape(escape(name))}</th>(.*?)</tr>', section.html())
    assert found is not None, name
    return [words(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", found[1])]


def panel(make_data: Make, anchor: str, **changes: Any) -> Section:
    data = make_data(economics=paying.economics(**changes))
    return next(section for section in pay_sections(data) if section.anchor == anchor)


def test_without_economics_no_panel_stands(make_data: Make) -> None:
    data = make_data(economics=None)
    assert pay_sections(data) == []
    assert "whether it pays" not in front.title(data)


def test_the_panels_open_the_economics(data: ReportData) -> None:
    assert tuple(section.anchor for section in pay_sections(data)) == PANELS
    found = [section.anchor for section in economics_sections(data)]
    assert found[: 1 + len(PANELS)] == ["panels", *PANELS]


def test_the_first_look_tells_the_answer(data: ReportData) -> None:
    assert front.title(data) == "Meridian: what a token costs, and whether it pays"
    top = words(front.heading(data))
    assert all(line in top for line in paying.economics()["answer"])
    shown = {title: words(value) for title, value in tiles(data)}
    assert shown["Full cost, allocation"] == "1.77 USD/Mtok"
    assert shown["Marginal cost"] == "0.377 USD/Mtok"
    assert shown["Price"] == "1.10 USD/Mtok"
    assert shown["Margin, allocation"] == "−40,480,000 USD, −59.9 % of revenue"
    assert shown["Users that lose money"] == "95.2 % usage; marginal 94.8 %"
    assert shown["kWh in full cost"] == "4.3 % MW bind 22.0 site-h"
    assert shown["Unused capacity"] == "31.3 % of all that is paid"


def test_a_saving_never_stands_without_its_part_of_the_full_cost(data: ReportData) -> None:
    shown = {title: words(value) for title, value in tiles(data)}
    assert "0.04 % of full cost, 1.34 % above clairvoyant" in shown["Saving on greedy_battery"]


def test_of_several_turns_the_nearest_is_told(make_data: Make) -> None:
    """0.8 and 6 times today's 33 M: a factor of 1.25 is nearer than one of 6."""
    shown = {title: words(value) for title, value in tiles(make_data())}
    assert shown["Growth turns at"] == "26,400,000 users, nearest of 2; today one more loses"
    never = dict(paying.economics()["scale"]) | {"n_star_count": []}
    shown = {t: words(v) for t, v in tiles(make_data(economics=paying.economics(scale=never)))}
    assert shown["Growth turns at"] == "nowhere today one more loses"


def test_the_margin_goes_step_by_step_with_unused_capacity_as_its_own(make_data: Make) -> None:
    """67.6 M of revenue less 108.08 M of cost, of which 33.8 M stood unused."""
    section = panel(make_data, "pay")
    assert cells(section, "revenue") == [
        "67,600,000",
        "18,000,000",
        "48,000,000",
        "0.00",
        "1,600,000",
    ]
    assert cells(section, "unused capacity") == ["−33,800,000", "–", "–", "–", "–"]
    assert cells(section, "margin")[0] == "−40,480,000"
    assert "33,800,000 USD, 31.3 % of all that is paid" in words(section.body)
    assert "sites.ontario.facility_usd_per_kw" in section.body
    rows = section.charts["waterfall"].datasets["waterfall"]
    assert [row["kind"] for row in rows] == ["revenue", *["cost"] * 4, "unused", "cost", "margin"]
    for row, after in pairwise(rows[:-1]):
        assert row["to_usd"] == after["from_usd"]
    assert rows[-1]["to_usd"] == pytest.approx(rows[-2]["to_usd"])


def test_each_basis_stands_beside_the_price_and_media_by_request(make_data: Make) -> None:
    section = panel(make_data, "unit")
    assert cells(section, "company")[1:] == ["1.77", "1.21", "0.377", "1.10"]
    assert cells(section, "plus")[1:] == ["–", "1.16", "0.379", "0.750"]
    chart = section.charts["unit"]
    assert "studio" not in {row["who"] for row in chart.datasets["unit"]}
    gaps = {row["who"]: row["result"] for row in chart.datasets["unit_gaps"]}
    assert gaps == {"company": "loses", "plus": "loses", "api": "earns", "free": "loses"}
    assert cells(section, "studio") == ["200,000,000", "0.00610", "0.00200", "0.00800"]


def test_users_that_lose_are_told_on_both_bases(make_data: Make) -> None:
    """20 - 30 x is 0 at 2/3 Mtok a month; at the margin, 20 - 9 x at 2.22."""
    section = panel(make_data, "users")
    assert cells(section, "plus, usage")[3:] == [
        "0.667", "who asks for more", "21.0 %", "2,400,000", "lognormal",
    ]  # fmt: skip
    assert cells(section, "plus, marginal")[3] == "2.22"
    assert cells(section, "free, usage")[4] == "everybody"
    text = words(section.body)
    assert "95.2 % cost more than they bring" in text
    assert "plus, a lognormal of the tail that the file states" in text
    assert set(section.charts) == {"whale", "histogram"}


def test_profit_is_told_today_and_with_restraint(make_data: Make) -> None:
    section = panel(make_data, "growth")
    assert cells(section, "Profit") == ["395,600,000", "503,720,000"]
    assert cells(section, "Break-even conversion, one more user") == ["14.81 %", "7.56 %"]
    assert cells(section, "Break-even conversion, by what is used") == ["none suffices", "–"]
    assert cells(section, "the same, capacity bought along") == ["41.0", "–"]
    assert cells(section, "Users that pay") == ["6.00 %", "6.00 %"]
    assert cells(section, "Users at which growth turns")[0] == "26,400,000, 198,000,000"
    assert cells(section, "Downgraded") == ["0.0 %", "1.1 %"]
    assert "free: caps a user at 3 times the mean" in section.body
    assert "one more user begins to lose" in section.body
    marks = section.charts["profit"].datasets["profit_marks"]
    assert {row["what"] for row in marks} == {"users of the file", "growth turns", "breaks even"}


def test_a_pool_of_slots_is_told_with_what_it_costs(make_data: Make) -> None:
    """Four slots without waiting: a third full, three times the cost (sheet, section 6)."""
    section = panel(make_data, "pay")
    assert cells(section, "4 slots") == ["33.0 % (3.0 x)", "72.2 % (1.4 x)"]
    assert cells(section, "64 slots")[0] == "79.5 % (1.3 x)"
    body = section.body.replace("\N{NO-BREAK SPACE}", " ")
    assert "here 70.0 % of the paid GPUs are awake" in body
    assert "Pool" not in panel(make_data, "pay", utilisation_slo=[]).body


def test_the_path_under_restraint_stands_below_that_of_today(make_data: Make) -> None:
    body = panel(make_data, "growth").body
    assert body.index('id="path"') < body.index('id="restrained-path"')
    assert "The path of growth with restraint, every 6 months to month 35" in body
    assert "Today 1 USD are burnt in a year." in body


def test_the_path_of_growth_tells_burn_and_the_first_profit(make_data: Make) -> None:
    """-60 M and 3.1 M more each month: the 20 months below zero burn 20 x 60 - 3.1 x 190."""
    section = panel(make_data, "growth")
    assert "Months with a loss burn 611,000,000 USD" in words(section.body)
    assert "Month 20 is the first that pays." in words(section.body)
    rows = section.charts["growth"].datasets["growth"]
    assert [row["result"] for row in rows] == ["loses"] * 20 + ["earns"] * 16


def test_what_a_file_does_not_state_is_said(make_data: Make) -> None:
    bare = dict(paying.economics()["scale"]) | {"restrained": None, "restraint": [], "growth": None}
    section = panel(make_data, "growth", scale=bare)
    assert "states no restraint" in section.body
    assert "states no path of growth" in section.body
    assert cells(section, "Profit") == ["395,600,000"]


@pytest.mark.parametrize(
    ("anchor", "changes", "sentence"),
    [
        ("pay", {"waterfalls": [], "margin_by_tier": []}, "No waterfall was made"),
        ("users", {"users": {"tiers": []}}, "No tier of the file says who holds it"),
        ("growth", {"scale": None, "answer": []}, "No tier of the file names its users"),
        ("levers", {"levers": []}, "No token was served"),
        ("saving", {"savings": None}, "No baseline was run"),
        ("risk", {"exposures": None}, "No exposure was computed"),
        ("bills", {"reconciliation": None}, "There were no invoices"),
    ],
)
def test_an_empty_panel_says_why(
    make_data: Make, anchor: str, changes: dict[str, Any], sentence: str
) -> None:
    section = panel(make_data, anchor, **changes)
    assert sentence in section.body
    assert not section.charts


def test_a_saving_names_its_baseline_its_band_and_what_is_left(make_data: Make) -> None:
    section = panel(make_data, "saving")
    assert cells(section, "Saving of mpc, USD") == ["55,000"]
    assert cells(section, "90 % band, from, USD") == ["−8,000"]
    assert cells(section, "of full cost") == ["0.04 %"]
    assert cells(section, "drawn from") == ["14 blocks of 24 h"]
    assert cells(section, "of clairvoyant's cost") == ["1.34 %"]
    assert "against greedy_battery" in section.charts["saving"].title.subtitle[0]
    assert 'href="#split"' in section.body


def test_a_saving_without_a_band_says_so(make_data: Make) -> None:
    section = panel(make_data, "saving", savings=paying.SAVINGS | {"saving": None})
    assert "too short for a band" in section.body
    assert "90 % band" not in section.body.replace("line: middle 90 %", "")


def test_hedge_capture_strike_and_band_stand_together(make_data: Make) -> None:
    section = panel(make_data, "risk")
    assert "33.7 % of the load is contracted" in words(section.body)
    assert cells(section, "P90 of it, USD") == ["550,000"]
    assert cells(section, "power bill") == ["4,600,000", "100.0 %"]
    open_ = paying.EXPOSURES.to_dict() | {"capture_usd_per_mwh": None, "hedge_share": 0.0}
    assert "No power is contracted" in panel(make_data, "risk", exposures=open_).body
    none = panel(make_data, "risk", cost_band=None)
    assert "too short to say between what the cost lies" in none.body
    assert "P90 of it" not in none.body


def test_books_that_do_not_tie_warn(make_data: Make) -> None:
    """A residual of 0.09 % is within the limit of 0.1 %; one of 0.2 % is not."""
    section = panel(make_data, "bills")
    assert "Allocated 99.9 % of invoices" in words(section.body)
    assert cells(section, "power (2)") == ["4,600,000", "4.26 %"]
    assert "trust no margin" not in section.body
    torn = paying.BILLS.to_dict() | {"residual_share": 0.002, "allocated_share": 0.998}
    assert "trust no margin" in panel(make_data, "bills", reconciliation=torn).body


def test_both_estimates_of_sora_stand_with_their_conflict(make_data: Make) -> None:
    presets = [each.to_dict() for each in load_presets() if each.preset.startswith("sora")]
    section = panel(make_data, "published", presets=presets)
    assert "15,000,000 USD/day" in section.body
    assert "1,000,000 USD/day" in section.body
    assert "They differ 15-fold" in section.body
    assert "analyst estimate" in section.body
    assert "10\N{NO-BREAK SPACE}Nov\N{NO-BREAK SPACE}2025" in section.body
    assert "understates it" in section.body
    assert sora_conflict([each for each in presets if each["preset"] == "sora_pack"]) == ""


def test_findings_join_the_warnings_once(make_data: Make) -> None:
    data = make_data()
    torn = paying.SHORT.to_dict() | {"code": "ALLOCATION_RESIDUAL", "severity": "error"}
    known = data.heading["warnings"][0]
    given = paying.economics(findings=[torn, torn, paying.SHORT.to_dict(), known])
    found = warnings(make_data(economics=given)).body
    assert found.count("bands need four weeks") == 2
    assert found.count("MUST_SERVE_REFUSED") == 1
    assert found.count('class="finding fault"') == 1


def test_a_sentence_of_the_core_is_told_in_the_companys_money(make_data: Make) -> None:
    heading = dict(make_data().heading) | {"currency": "EUR"}
    given = paying.economics(message="Of a full cost of 1.77 USD/Mtok, kWh are 4.3%.")
    data = make_data(heading=heading, economics=given)
    body = pay.unit(data, given).body
    assert "1.77 EUR/Mtok" in body
    assert "USD" not in body + users.growth(data, given).body


def test_the_heaviest_tenth_follows_from_what_the_worst_users_earn(make_data: Make) -> None:
    """A lognormal of a tail of 65 %: 1.5 less 0.48 a Mtok, 0.6 Mtok in the mean."""
    tail = Lognormal.from_top_tenth_share(0.65, mean_mtok=0.6)
    lorenz = [
        {
            "users_share": at / 100,
            "margin_usd": 7.0 * (0.015 * at - 0.48 * 0.6 * (1.0 - tail.lorenz_share(1 - at / 100))),
        }
        for at in (0, 10, 100)
    ]
    given = paying.economics()["users"]
    tier = dict(given["tiers"][0]) | {"mean_mtok_per_user_month": 0.6}
    line = {"flat_usd_per_user_month": 1.5, "slope_usd_per_mtok": -0.48, "lorenz": lorenz}
    tier["usage"] = dict(tier["usage"]) | line
    section = panel(make_data, "users", users=dict(given) | {"tiers": [tier]})
    assert cells(section, "plus, usage")[2] == "65.0 %"


def test_what_economics_prints_is_what_the_panels_read() -> None:
    """The small company names no users: its page says so, and every other panel is filled."""
    found = tokenergy.economics(tokenergy.load(SMALL)).to_dict()
    assert set(paying.economics()) <= set(found)
    data = ReportData(
        heading=found, policy="mpc", message=found["message"], full_cost=found["full_cost"],
        scorecard={"policies": {}}, balance=[], prices=[], supply={}, demand_mtok={},
        economics=found,
    )  # fmt: skip
    charts = {section.anchor: set(section.charts) for section in pay_sections(data)}
    assert charts == {
        "pay": {"waterfall"}, "unit": {"unit"}, "users": set(), "growth": set(),
        "levers": {"levers"}, "saving": {"saving"}, "risk": {"exposures"}, "bills": set(),
    }  # fmt: skip
    assert "100.0 % of invoices" in words(pay.bills(data, found).body)
    assert panels(data, found).body.count("<li>") == 9


def test_the_free_tiers_tonight_stand_with_what_has_to_be_true(make_data: Make) -> None:
    """42 M in cash against 180 M believed: 23 % of the belief has to come."""
    section = panel(make_data, "growth")
    assert cells(section, "suspend") == ["−53,000,000", "0.00", "−53,000,000", "0.0 %"]
    assert "Tonight, by cash: suspend. To go on is better only if at least 23%" in section.html()
    scale = paying.economics()["scale"] | {"tonight": [], "tonight_says": []}
    assert "tonight" not in panel(make_data, "growth", scale=scale).html().lower()
