"""The report as a browser shows it, with the network off. Skips where no browser can be driven."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browsing import Looked, browsing, needs_browser
from commands import SMALL, tokenergy

from tokenergy.page.report import ReportData, write_report

pytestmark = needs_browser
EVIL = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"
DEPLOYMENT = ("workload", "site", "accelerator", "model", "start")
NARROW_PX, WIDE_PX = 390, 1440
STATES = "[...document.querySelectorAll('figure')].map((f) => [f.dataset.chart, f.dataset.state])"
NUMBERS = "JSON.parse(document.getElementById('numbers').textContent)"
VALUES = "(all) => all.map((each) => Number(each.value))"
TEXTS = "[...document.querySelectorAll('.chart svg text')].map((each) => each.textContent)"


def not_drawn(looked: Looked) -> list[tuple[str, str]]:
    """Return the figures that do not stand drawn, and how they stand."""
    states = looked.page.evaluate(STATES)
    assert states
    return [(name, state) for name, state in states if state != "drawn"]


@pytest.fixture(scope="module")
def path(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(data, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def wide(path: Path) -> Iterator[Looked]:
    """Return the report in a wide light window, for tests that only look and press keys."""
    with browsing(WIDE_PX) as looked:
        looked.open(path)
        yield looked


@pytest.fixture(scope="module")
def narrow(path: Path) -> Iterator[Looked]:
    """Return the report on a telephone at night."""
    with browsing(NARROW_PX, 844, dark=True, reduced_motion=True) as looked:
        looked.open(path)
        yield looked


# ---- it loads, whole, and asks nobody


@pytest.mark.parametrize("window", ["wide", "narrow"])
def test_every_chart_is_drawn_and_nobody_complains_or_is_asked(
    window: str, request: pytest.FixtureRequest
) -> None:
    looked = request.getfixturevalue(window)
    assert looked.console == []
    assert looked.asked == []
    assert not_drawn(looked) == []
    assert {"chat-america", "films", "nearest (no headline)"} <= set(looked.page.evaluate(TEXTS))


@pytest.mark.parametrize("window", ["wide", "narrow"])
def test_the_page_is_no_wider_than_its_window(window: str, request: pytest.FixtureRequest) -> None:
    """Wide tables and charts scroll in frames of their own, each of which a keyboard reaches."""
    looked = request.getfixturevalue(window)
    assert looked.too_wide() == []
    frames = looked.page.evaluate(
        "[...document.querySelectorAll('.chart, .scroll')]"
        ".filter((each) => each.scrollWidth > each.clientWidth + 1 && each.tabIndex !== 0)"
        ".map((each) => each.outerHTML.slice(0, 200))"
    )
    assert frames == []


# ---- its figures are those that the verbs print


def test_the_figures_shown_are_those_of_the_verb_price_to_the_digit(
    wide: Looked, data: ReportData
) -> None:
    """`data.prices` are the rows that `price --json` prints as "prices"."""
    first = min(row["start"] for row in data.prices)
    assert len([row for row in data.prices if row["start"] == first]) == 42  # 7 workloads, 6 sites
    shows(wide, data.prices)


@pytest.mark.slow  # two commands, each of which reads a company and solves
def test_the_command_report_shows_what_the_command_price_prints(tmp_path: Path) -> None:
    printed = tokenergy("price", SMALL, "--json", cwd=tmp_path).json()
    run = ("report", SMALL, "--policies", "greedy,clairvoyant", "--out", "a.html")
    done = tokenergy(*run, cwd=tmp_path, limit_s=180)
    assert done.status == 0, done.err
    with browsing(WIDE_PX) as looked:
        looked.open(tmp_path / "a.html")
        shows(looked, printed["prices"])
        assert looked.console == []
        assert looked.asked == []
        assert not_drawn(looked) == []
        assert looked.too_wide() == []


def shows(looked: Looked, prices: Sequence[Mapping[str, Any]]) -> None:
    """Hold what the page shows of prices against what `price --json` prints, to the digit.

    Its table has, at the first interval, the best deployment of each workload at each site; its
    numbers have that of each workload in each interval.
    """
    places: dict[tuple[str, str], list[float]] = {}
    first = min(row["start"] for row in prices)
    for row in prices:
        if row["start"] == first:
            places.setdefault((row["workload"], row["site"]), []).append(row["total_usd_per_mtok"])
    shown = set(looked.page.eval_on_selector_all("#now data", VALUES))
    assert all(shown & set(totals) for totals in places.values())
    printed = {tuple(row[name] for name in DEPLOYMENT): row for row in prices}
    hours = rows_named(looked, "price_hours")
    assert {(row["workload"], row["start"]) for row in hours} == {
        (row["workload"], row["start"]) for row in prices
    }
    for row in hours:
        of = printed[tuple(row[name] for name in DEPLOYMENT)]
        figures = {name for name in row if name.endswith("_usd_per_mtok")}
        assert len(figures) == 12  # nine parts, total, low and high
        assert {name: row[name] for name in figures} == {name: of[name] for name in figures}


def rows_named(looked: Looked, name: str) -> list[dict[str, Any]]:
    """Return rows of the page's one set of numbers, as the page's own script reads them."""
    found: list[dict[str, Any]] = looked.page.evaluate(
        f"window.tokenergy.rowsOf({NUMBERS}['{name}'])"
    )
    return found


def test_a_figure_is_written_as_it_is_read(wide: Looked) -> None:
    """What stands between the tags is the value of the tag, rounded."""
    pairs = wide.page.eval_on_selector_all(
        "#now data", "(all) => all.map((each) => [Number(each.value), each.textContent])"
    )
    for value, text in pairs:
        assert float(text.replace(",", "").replace("−", "-")) == pytest.approx(value, rel=6e-3)


# ---- it works without a mouse, and for who cannot see it


def test_the_keyboard_reaches_the_report_by_the_skip_link(path: Path) -> None:
    with browsing(WIDE_PX) as looked:
        page = looked.page
        page.goto(path.as_uri())
        page.keyboard.press("Tab")
        skip = page.evaluate(
            "(() => { const r = document.activeElement.getBoundingClientRect();"
            "return [document.activeElement.className, r.left >= 0 && r.top >= 0]; })()"
        )
        assert skip == ["skip", True]
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_the_keyboard_goes_through_the_page_in_the_order_of_reading(wide: Looked) -> None:
    page = wide.page
    assert page.evaluate("[...document.querySelectorAll('[tabindex]')].every(e => e.tabIndex <= 0)")
    page.evaluate("document.body.focus(); window.getSelection().collapse(document.body, 0)")
    for _ in range(25):
        page.keyboard.press("Tab")
        forward = page.evaluate(
            "(() => { const now = document.activeElement, was = window.was; window.was = now;"
            "return !was || Boolean(was.compareDocumentPosition(now) & 4); })()"
        )
        assert forward
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_what_is_folded_opens_by_keyboard(wide: Looked) -> None:
    page = wide.page
    fold = page.locator("main details, header details").first
    before = fold.evaluate("(each) => each.open")
    fold.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert fold.evaluate("(each) => each.open") is not before
    page.keyboard.press("Enter")
    assert fold.evaluate("(each) => each.open") is before


def test_headings_leave_out_no_level(wide: Looked) -> None:
    levels = wide.page.eval_on_selector_all(
        "h1, h2, h3, h4, h5", "(all) => all.map((each) => Number(each.tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_axe_finds_nothing_serious(wide: Looked) -> None:
    assert wide.axe() == []


@pytest.mark.slow  # the rules a second and a third time: each costs seconds on a page so long
@pytest.mark.parametrize(
    ("width", "dark"), [(NARROW_PX, True), (NARROW_PX, False), (WIDE_PX, True)]
)
def test_axe_finds_nothing_serious_at_night_and_on_a_telephone(
    path: Path, width: int, dark: bool
) -> None:
    with browsing(width, dark=dark) as looked:
        looked.open(path)
        assert looked.console == []
        assert looked.too_wide() == []
        assert looked.axe() == []


# ---- bad input


def test_one_hour_of_a_company_whose_names_are_markup(
    make_data: Callable[..., ReportData], tmp_path: Path
) -> None:
    data = make_data()
    evil = make_data(
        balance=[dict(row) | {"site": EVIL} for row in data.balance[:1]],
        prices=[dict(row) | {"workload": EVIL} for row in data.prices[:1]],
        supply={EVIL: data.supply["films"]},
        demand_mtok={EVIL: 0.0},
        heading=dict(data.heading) | {"company": EVIL},
        hours=[dict(data.hours[0]) | {"site": EVIL}],
        asked=[dict(data.asked[0]) | {"workload": EVIL}],
        places=[dict(data.places[0]) | {"name": EVIL, "time_zone": "America/Chicago"}],
        flows=[dict(data.flows[0]) | {"workload": EVIL, "site": EVIL}],
        invoice=[dict(row) | {"site": EVIL} for row in data.invoice],
        economics=None,
    )
    with browsing(WIDE_PX) as looked:
        looked.open(write_report(evil, tmp_path / "report.html"))
        assert looked.console == []
        assert not_drawn(looked) == []
        assert looked.page.title().startswith(EVIL)
        assert looked.page.locator("img").count() == 0
        assert EVIL in looked.page.locator("h1").inner_text()


def test_without_scripts_the_tables_stand_and_the_page_says_so(path: Path) -> None:
    with browsing(WIDE_PX, scripts=False) as looked:
        looked.page.goto(path.as_uri())
        assert "The charts need JavaScript" in looked.page.locator("noscript").inner_text()
        assert looked.page.locator("#now table").is_visible()
        assert not re.search(r"undefined|NaN", looked.page.locator("main").inner_text())
