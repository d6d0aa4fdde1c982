"""The nine panels: all there, each leading to its section, a saving never alone."""

import re
from collections.abc import Callable

import paying

from tokenergy.page.panels import panels
from tokenergy.page.report import ReportData
from tokenergy.page.tiles import saving_words, tiles


def test_nine_panels_lead_to_their_sections(data: ReportData) -> None:
    body = panels(data, data.economics or {}).body
    assert re.findall(r'<h4><a href="#([^"]*)">(\d)\. ', body) == [
        ("pay", "1"), ("unit", "2"), ("users", "3"), ("growth", "4"), ("levers", "5"),
        ("bills", "6"), ("saving", "7"), ("unused", "8"), ("risk", "9"),
    ]  # fmt: skip


def test_a_company_without_users_growth_or_baseline_says_so(
    make_data: Callable[..., ReportData],
) -> None:
    bare = paying.economics() | {
        "scale": None, "savings": None, "levers": [], "cost_band": None, "users": {},
    }  # fmt: skip
    bare |= {"mw_binds_h": None}
    body = panels(make_data(economics=bare), bare).body
    for words in ("No growth was asked for", "No baseline was run", "No token was served",
                  "too short for P10", "Whether megawatts bind is not known"):  # fmt: skip
        assert words in body


def test_a_saving_is_told_with_its_baseline_and_what_is_left() -> None:
    held = {"baseline": "static", "of_cost_share": 0.1, "of_full_share": 0.002}
    words = re.sub("<[^>]*>", "", saving_words(held | {"regret_share": 0.0134}))
    assert words.replace("\N{NO-BREAK SPACE}", " ") == (
        "10.0 % of the cost of static, 0.20 % of full cost, 1.34 % above clairvoyant"
    )
    assert "what is left is not known" in saving_words(held | {"regret_share": None})
    assert "below clairvoyant" in saving_words(held | {"regret_share": -0.01})


def test_the_tile_of_the_saving_names_both_ends(
    data: ReportData, make_data: Callable[..., ReportData]
) -> None:
    for given in (data, make_data(economics=None)):
        (words,) = [value for term, value in tiles(given) if term == "Saving on greedy_battery"]
        assert "above clairvoyant" in words
