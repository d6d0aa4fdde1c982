"""The page: whole, escaped, the same for the same data, and asking nobody."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tokenergy.errors import InputError
from tokenergy.page import document
from tokenergy.page.report import ReportData, report_html, write_report

PARTS = {
    "part-day": ("now", "parts", "balance", "supply", "decisions"),
    "part-economics": (
        "panels", "pay", "unit", "users", "growth", "levers", "saving", "risk", "bills", "full",
        "settlement",
    ),
    "part-thesis": ("claims",),
    "part-scorecard": ("scorecard", "split"),
    "part-notes": ("warnings", "about"),
}  # fmt: skip
"""Parts in the order of reading, each with sections that stand in it in this order, or more."""
CHARTS_COUNT, TABLES_COUNT = 15, 27
VOID = {"meta", "link", "br", "img", "input", "hr"}
EVIL = "<script>alert(1)</script>\"><img src=x onerror=alert(1)></script>a'b & c"


class Page(HTMLParser):
    """Reads a page: its elements, the text of each script, and that every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.figures: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._script = ""
        self._value: str | None = None
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.elements.append((tag, held))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self._script = held.get("id") or f"script {len(self.scripts)}"
        if tag == "data":
            self._value = held["value"]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        if self._open and self._open[-1] == "data" and self._value is not None:
            self.figures.append((self._value, data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(data: ReportData) -> str:
    return report_html(data)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_every_section_has_a_heading_and_a_link(page: Page) -> None:
    sections = [str(attrs["id"]) for attrs in page.all("section")]
    headings = {attrs["id"] for attrs in page.all("h3") if attrs.get("id")}
    assert {attrs["aria-labelledby"] for attrs in page.all("section")} == headings
    links = {str(attrs["href"])[1:] for attrs in page.all("a")}
    assert links == {*sections, *PARTS, "main", "unused"}
    assert links <= {attrs["id"] for _, attrs in page.elements if attrs.get("id")}


def test_parts_and_sections_stand_in_the_order_of_reading(page: Page) -> None:
    ids = [str(attrs["id"]) for _, attrs in page.elements if attrs.get("id")]
    wanted = [name for part, held in PARTS.items() for name in (part, *held)]
    assert [name for name in ids if name in wanted] == wanted
    assert len(page.all("h2")) == len(PARTS)


def test_ids_are_used_once_and_tables_have_scopes(page: Page) -> None:
    ids = [attrs["id"] for _, attrs in page.elements if attrs.get("id")]
    assert len(ids) == len(set(ids))
    assert all(attrs.get("scope") in ("row", "col") for attrs in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) >= TABLES_COUNT


def test_every_chart_has_words_for_who_cannot_see_it(page: Page) -> None:
    charts = [attrs for attrs in page.all("div") if attrs.get("class") == "chart"]
    assert len(charts) == len(page.all("figure")) == len(page.all("figcaption"))
    assert len(charts) == len(json.loads(page.scripts["charts"])["charts"]) >= CHARTS_COUNT
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in charts)


def test_nothing_is_asked_of_anyone(page: Page, text: str) -> None:
    for tag, attrs in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "formaction"):
            address = attrs.get(name) or "#"
            assert address.startswith("#") or address == "data:,", (tag, name, address)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert not re.search(r"url\(|@import|@font-face", "".join(styles))
    own = page.scripts["numbers"] + page.scripts["charts"] + document.static("report.js")
    assert "://" not in own


def test_a_policy_forbids_what_a_test_may_have_overlooked(page: Page) -> None:
    (policy,) = [a["content"] for a in page.all("meta") if "Policy" in str(a.get("http-equiv"))]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src" not in policy
    scripts = re.search(r"script-src ([^;]*)", policy)
    assert scripts is not None
    assert "unsafe" not in scripts[1]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_the_same_data_give_the_same_page(data: ReportData, text: str) -> None:
    assert report_html(data) == text


def test_the_page_is_small(text: str) -> None:
    assert len(text.encode()) <= 3e6


def values_of(column: Any) -> list[Any]:
    """Return a column of the page's numbers as a list."""
    return column if isinstance(column, list) else [column["of"][at] for at in column["at"]]


def test_the_charts_read_every_number_from_one_place(page: Page, data: ReportData) -> None:
    numbers = json.loads(page.scripts["numbers"])
    charts = json.loads(page.scripts["charts"])["charts"]
    assert {name for chart in charts.values() for name in chart["usermeta"]["rows"]} == set(numbers)
    assert "datasets" not in page.scripts["charts"]
    assert '"data":{"values"' not in page.scripts["charts"]
    held = {name: values_of(numbers["balance"]["columns"][name]) for name in ("site", "load_mw")}
    for site in ("texas", "tokyo"):
        drawn = [mw for name, mw in zip(held["site"], held["load_mw"], strict=True) if name == site]
        load_mw = [row["load_mw"] for row in data.balance if row["site"] == site]
        assert drawn[: len(load_mw)] == load_mw


def test_the_figures_shown_are_those_of_the_data(page: Page, data: ReportData) -> None:
    shown = {value for value, _ in page.figures}
    score = data.scorecard["policies"]
    wanted = [score[name]["cost_usd"] for name in score]
    wanted += [data.full_cost["allocation_usd_per_mtok"], data.full_cost["kwh_share"]]
    first = [row for row in data.prices if row["start"] == "2026-03-02T00:00Z"]
    wanted += [row["total_usd_per_mtok"] for row in first]
    assert {repr(value) for value in wanted} <= shown
    for value, words in page.figures:
        number = float(words.replace(",", "").replace("−", "-").removesuffix("\N{NO-BREAK SPACE}%"))
        exact = float(value) * (100.0 if words.endswith("%") else 1.0)
        assert number == pytest.approx(exact, rel=6e-3, abs=0.051), (value, words)


def test_the_message_and_the_banner_stand_on_top(text: str, data: ReportData) -> None:
    top = text[text.index("<header>") : text.index("</header>")]
    assert data.message in top
    assert "SYNTHETIC SERIES" in top
    assert all(path in top for path in data.synthetic)


def test_a_report_of_real_series_has_no_banner(data: ReportData, nothing: ReportData) -> None:
    heading = dict(data.heading) | {"synthetic": []}
    text = report_html(replace(nothing, heading=heading, scorecard=data.scorecard))
    assert "SYNTHETIC" not in text
    assert "real series" in text


def test_another_currency_is_named_everywhere(make_data: Callable[..., ReportData]) -> None:
    plain = make_data()
    heading = dict(plain.heading) | {"currency": "EUR"}
    text = report_html(make_data(heading=heading, split=plain.split))
    assert "EUR/Mtok" in text
    assert "USD" not in text


def renamed(data: ReportData, name: str) -> dict[str, Any]:
    """Return the fields of a report in which every name is `name`."""
    finding = dict(data.heading["warnings"][0])
    finding |= dict.fromkeys(("code", "path", "reason", "remedy", "value", "file"), name)
    return {
        "heading": dict(data.heading)
        | {"company": name, "file": name, "currency": name, "synthetic": [name]}
        | {"warnings": [finding]},
        "policy": name,
        "message": name,
        "scorecard": dict(data.scorecard) | {"policies": {name: data.scorecard["policies"]["mpc"]}},
        "balance": [dict(row) | {"site": name} for row in data.balance[::6]],
        "prices": [
            dict(row) | dict.fromkeys(("site", "workload", "model", "accelerator"), name)
            for row in data.prices[::42]
        ],
        "supply": {
            name: [
                dict(row) | {"site": name, "label": name, "energy_kind": name}
                for row in data.supply["films"]
            ]
        },
        "demand_mtok": {name: 100.0},
        "full_cost": dict(data.full_cost) | {"missing": (name,)},
        "economics": named(data.economics, name),
        "settlement": named(data.settlement, name) | {"by_contract": {name: 3_700.0}},
        "decisions": [
            dict(row) | dict.fromkeys(("tier", "workload", "reason"), name)
            for row in data.decisions
        ],
        "hours": [dict(row) | {"site": name} for row in data.hours[:1]],
        "asked": [dict(row) | {"workload": name} for row in data.asked[:1]],
        "places": [dict(row) | {"name": name} for row in data.places],
        "flows": [
            dict(row) | dict.fromkeys(("workload", "tier", "origin", "site"), name)
            for row in data.flows
        ],
        "invoice": [
            dict(row) | dict.fromkeys(("kind", "site", "model", "tenant"), name)
            for row in data.invoice
        ],
        "thesis": dict(data.thesis or {})
        | {
            "summary": [name],
            "prices_source": name,
            "results": [
                dict(row) | dict.fromkeys(("id", "claim", "unit", "threshold", "says"), name)
                for row in (data.thesis or {})["results"]
            ],
        },
    }


def named(value: Any, name: str) -> Any:
    """Return the object with every text in it replaced, but those that the page asks for."""
    asked = ("name", "kind", "metric", "basis", "as_of", "losers")
    if isinstance(value, dict):
        return {
            key: inner if key in asked and isinstance(inner, str) else named(inner, name)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [named(inner, name) for inner in value]
    return name if isinstance(value, str) else value


def test_a_name_is_a_name_whatever_it_holds(
    make_data: Callable[..., ReportData], page: Page
) -> None:
    data, name = make_data(), EVIL
    text = report_html(make_data(**renamed(data, name)))
    evil = Page(text)
    assert "<script>alert" not in text
    assert not evil.all("img")
    assert len(evil.all("script")) == len(page.all("script")) == 5
    assert name in json.dumps(json.loads(evil.scripts["numbers"]), ensure_ascii=False).replace(
        '\\"', '"'
    )


@pytest.fixture(scope="module")
def nothing(make_data: Callable[..., ReportData]) -> ReportData:
    full = dict.fromkeys(make_data().full_cost) | {
        "power_usd": 0.0, "silicon_usd": 0.0, "powered_capacity_usd": 0.0, "other_usd": 0.0,
        "allocation_usd": 0.0, "usage_usd": 0.0, "unused_capacity_usd": 0.0, "missing": (),
    }  # fmt: skip
    return make_data(
        full_cost=full, scorecard={"policies": {}}, balance=[], prices=[], supply={},
        demand_mtok={}, split=None, heading={"company": "Nobody"}, economics=None, made=None,
        settlement=None, decisions=(), thesis=None, hours=(), asked=(), places=(), flows=(),
        invoice=(),
    )  # fmt: skip


def test_a_report_of_nothing_says_what_is_missing(nothing: ReportData) -> None:
    text = report_html(nothing)
    for sentence in ("No prices were", "No policy was", "No dispatch was", "No supply curve was"):
        assert sentence in text
    assert not Page(text).all("figure")


def test_a_run_of_one_hour(make_data: Callable[..., ReportData]) -> None:
    data = make_data()
    one = make_data(balance=data.balance[:6], prices=data.prices[:42])
    assert len(Page(report_html(one)).all("figure")) >= CHARTS_COUNT


def test_many_warnings_are_folded(data: ReportData, nothing: ReportData) -> None:
    heading = dict(data.heading) | {"warnings": list(data.heading["warnings"]) * 30}
    assert "<summary>18 more</summary>" in report_html(replace(nothing, heading=heading))


def test_the_file_is_there_whole_or_not_at_all(
    nothing: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, text = tmp_path / "report.html", report_html(nothing)
    assert write_report(nothing, out) == out
    assert out.read_text(encoding="utf-8") == text

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(InputError, match="No space left on device"):
        write_report(nothing, out)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert out.read_text(encoding="utf-8") == text


def test_a_folder_that_is_not_there_is_the_callers(nothing: ReportData, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        write_report(nothing, tmp_path / "missing" / "report.html")


def test_importing_the_report_imports_neither_altair_nor_polars() -> None:
    code = (
        "import sys, tokenergy.page.report;"
        "print(sorted({'altair', 'polars', 'vl_convert'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_the_fate_of_each_tier_and_what_another_value_would_change(
    data: ReportData, nothing: ReportData
) -> None:
    """Halving frees 5 Mtok of 20 to be refused; doubling changes nothing."""
    fate = {
        "served_mtok": 20.0,
        "deferred_mtok": 3.0,
        "downgraded_mtok": 0.0,
        "refused_mtok": 1.0,
    }
    card = {name: dict(score) for name, score in data.scorecard["policies"].items()}
    card[data.policy]["tiers"] = {"<free>": fate}
    own = {"own_served_mtok": 20.0, "own_downgraded_mtok": 0.0, "own_refused_mtok": 1.0}
    changes = [
        {"tier": "<free>", "factor_ratio": 0.5, "downgraded_mtok": 0.0, "refused_mtok": 6.0} | own,
        {"tier": "<free>", "factor_ratio": 2.0, "downgraded_mtok": 0.0, "refused_mtok": 1.0} | own,
    ]
    given = replace(
        nothing, scorecard=dict(data.scorecard) | {"policies": card}, value_changes=changes
    )
    text = report_html(given)
    assert "What became of the work" in text
    assert "5.00 more refused" in text
    assert "nothing changes" in text
    assert "<free>" not in text
