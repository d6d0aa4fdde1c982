"""`static/draw.js`: what `window.tokenergy` promises to report, observation and live page."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pytest
from browsing import Looked, browsing, needs_browser

from tokenergy.page.document import page_of
from tokenergy.page.drawing import hours_axis, titled, with_rows
from tokenergy.page.html import Section, figure
from tokenergy.page.rows import columns_of

pytestmark = needs_browser
HOURS = [
    {"start": f"2026-03-02T{hour:02}:00Z", "mw": 1.0 + hour % 3, "site": site}
    for hour in range(6)
    for site in ("texas", "tokyo")
]
MANY = [{"start": row["start"], "mw": at / 1e3, "site": "oslo"} for at, row in
        enumerate(HOURS * 200)]  # fmt: skip
STATES = (
    "Object.fromEntries([...document.querySelectorAll('figure')]"
    ".map((each) => [each.dataset.chart, each.dataset.state]))"
)
CHARTS = "JSON.parse(document.getElementById('charts').textContent)"


def bars(name: str, rows: Sequence[Any] = HOURS, **more: Any) -> Any:
    """Return bars over time: texts that have to become dates, and a width that has to fit."""
    chart = alt.Chart(alt.NamedData(name=name)).mark_bar(aria=False)
    when = alt.Tooltip("start:T", timeUnit="binnedutcyearmonthdatehoursminutes")
    chart = chart.encode(
        x=hours_axis(rows),
        y=alt.Y("mw:Q", title="MW"),
        color="site:N",
        tooltip=[alt.Tooltip("site:N"), when],
    )
    chart = chart.properties(width=900, height=80, title=titled(name, "MW"), **more)
    return with_rows(chart, **{name: rows})


def panels(name: str, rows: Sequence[Any] = HOURS) -> Any:
    line = alt.Chart().mark_line(aria=False).encode(x=hours_axis(rows), y="mw:Q", color="site:N")
    layers = alt.layer(line)
    chart = layers.properties(width=440, height=60, data=alt.NamedData(name=name))
    chart = chart.facet(facet=alt.Facet("site:N", title=None), columns=2, title=titled(name, "MW"))
    return with_rows(chart, **{name: rows})


def section(name: str, chart: Any, *, hidden: bool = False) -> Section:
    body = figure(name, chart, words=name)
    if hidden:
        body = f"<div hidden>{body}</div>"
    return Section(anchor=name, link=name, title=name, body=body, charts={name: chart})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = [
        section("first", bars("first")),
        section("two", panels("two")),
        section("many", bars("many", MANY)),
        section("parted", panels("parted", HOURS * 200)),
        section("hidden", bars("hidden"), hidden=True),
        section("wide", bars("wide", usermeta={"least_px": 700})),
        section("map", bars("map", usermeta={"ratio": 0.5, "renderer": "canvas"})),
    ]
    text = page_of(parts, title="Draw", called="page", heading="<h1>Draw</h1>", foot="")
    path = tmp_path_factory.mktemp("draw") / "draw.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def looked(path: Path) -> Iterator[Looked]:
    with browsing(1000, 700) as looked:
        looked.open(path)
        yield looked
        assert looked.console == []
        assert looked.asked == []


def sizes(looked: Looked, name: str) -> tuple[float, float, float]:
    """Return the width of a chart's place, and width and height of the picture in it, px."""
    found = looked.page.evaluate(
        f"(() => {{ const place = document.querySelector('[data-chart={name}] .chart');"
        "const { width, height } = place.querySelector('svg, canvas').getBoundingClientRect();"
        "return [place.clientWidth, width, height]; })()"
    )
    return found[0], found[1], found[2]


def redraw_until(looked: Looked, true: str) -> None:
    looked.until(f"({true}) && document.documentElement.dataset.charts === 'done'")


def test_what_is_seen_is_drawn_as_wide_as_its_place(looked: Looked) -> None:
    """Of 1,200 rows each mark would be an element: they are painted, as is what asks for it."""
    states = looked.page.evaluate(STATES)
    assert states.pop("hidden", None) is None
    assert set(states.values()) == {"drawn"}
    for name in ("first", "two", "many", "wide"):
        room, width, _ = sizes(looked, name)
        assert room - 7 <= width <= room
    kinds = looked.page.eval_on_selector_all(
        ".chart svg, .chart canvas", "(all) => all.map((each) => each.tagName.toLowerCase())"
    )
    assert kinds == ["svg", "svg", "canvas", "canvas", "canvas", "svg", "canvas"]


def test_a_painted_chart_of_panels_is_drawn_panel_by_panel(looked: Looked) -> None:
    """Each panel is a picture of its own, side by side where there is room: a short task each."""
    tops = looked.page.eval_on_selector_all(
        "[data-chart=parted] canvas", "(all) => all.map((e) => e.getBoundingClientRect().bottom)"
    )
    assert len(tops) == 2
    assert tops[0] == pytest.approx(tops[1], abs=1.0)
    room, width, _ = sizes(looked, "parted")
    assert 0.4 * room < width < 0.5 * room


def test_a_mark_says_what_it_is_when_it_is_pointed_at(looked: Looked) -> None:
    bar = looked.page.locator("[data-chart=first] .mark-rect.role-mark path").nth(2)
    bar.hover()
    bar.hover(position={"x": 2, "y": 2})  # what it says is worked out when it is first met
    looked.page.wait_for_selector("#vg-tooltip-element.visible")
    words = looked.page.locator("#vg-tooltip-element").inner_text()
    assert "Mar 02, 2026 01:00" in words
    assert "texas" in words


def test_a_narrower_window_fits_them_again_but_not_below_what_one_asks_for(looked: Looked) -> None:
    tall = sizes(looked, "map")[2]
    looked.page.set_viewport_size({"width": 420, "height": 800})
    redraw_until(looked, "document.querySelector('[data-chart=first] svg').clientWidth < 420")
    for name in ("first", "two", "many"):
        room, width, _ = sizes(looked, name)
        assert room < 420 and room - 7 <= width <= room
    assert sizes(looked, "two")[2] > 2 * 60  # one panel below the other
    room, width, _ = sizes(looked, "wide")
    assert width > 700 > room  # it scrolls in its place, by keyboard too
    assert looked.page.evaluate("document.querySelector('[data-chart=wide] .chart').tabIndex") == 0
    assert looked.too_wide() == []
    assert sizes(looked, "map")[2] < 0.6 * tall


def test_what_is_hidden_is_drawn_when_it_is_shown(looked: Looked) -> None:
    looked.page.evaluate("document.querySelector('div[hidden]').hidden = false")
    redraw_until(looked, f"({STATES}).hidden === 'drawn'")
    room, width, _ = sizes(looked, "hidden")
    assert room - 7 <= width <= room


def test_night_falls_while_somebody_reads(looked: Looked) -> None:
    label = "[data-chart=first] svg .role-axis-label text"
    colour = f"document.querySelector('{label}').getAttribute('fill')"
    assert looked.page.evaluate(colour) == "#5B5B68"
    looked.page.emulate_media(color_scheme="dark")
    redraw_until(looked, f"{colour} === '#A9A9B6'")


def test_other_rows_change_the_chart_that_stands(looked: Looked) -> None:
    """The same picture, with bars for half as many hours; another specification draws it anew."""
    tables = {"first": columns_of(HOURS[:6])}
    answer = looked.page.evaluate(
        "async (tables) => {"
        "const figure = document.querySelector('[data-chart=first]');"
        "const picture = figure.querySelector('svg');"
        "const bars = () => figure.querySelectorAll('.mark-rect.role-mark path').length;"
        f"const {{ charts, looks }} = {CHARTS};"
        "const before = bars();"
        "const told = await window.tokenergy.drawFigure(figure, charts.first, tables, looks);"
        "const same = figure.querySelector('svg') === picture;"
        "const after = bars();"
        "const other = { ...charts.first, height: 50 };"
        "await window.tokenergy.drawFigure(figure, other, tables, looks);"
        "return [before, told, same, after, figure.querySelector('svg') === picture];"
        "}",
        tables,
    )
    assert answer == [12, True, True, 6, False]


def test_paper_gets_every_chart_in_the_colours_of_day(path: Path) -> None:
    """Printed at once at night: no chart is missing, none is drawn for a dark page."""
    with browsing(1000, 700, dark=True) as looked:
        looked.page.add_init_script(
            "window.addEventListener('afterprint', () => { window.printed = ["
            f"{STATES}, [...document.querySelectorAll('.role-axis-label text')]"
            ".map((each) => each.getAttribute('fill'))]; });"
        )
        looked.page.goto(path.as_uri())
        paper = looked.page.pdf()
        states, colours = looked.page.evaluate("window.printed")
        assert states.pop("hidden", None) is None
        assert set(states.values()) == {"drawn"}
        assert set(colours) == {"#5B5B68"}
        assert len(paper) > 10_000
        looked.drawn()
        assert looked.console == []


def test_a_chart_that_cannot_be_drawn_says_so_in_its_place(path: Path) -> None:
    with browsing(1000, 700) as looked:
        looked.open(path)
        told = looked.page.evaluate(
            "async () => { const figure = document.querySelector('[data-chart=first]');"
            f"const {{ looks }} = {CHARTS};"
            "return window.tokenergy.drawFigure(figure, { mark: 'nothing' }, {}, looks); }"
        )
        assert told is False
        assert "could not be drawn" in looked.page.locator("[data-chart=first] .chart").inner_text()
        assert [said for said in looked.console if said.startswith("error: first")]
