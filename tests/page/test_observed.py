"""The page of an observation: every figure is on it, nothing missing is hidden, nobody is asked."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from browsing import browsing, needs_browser
from hypothesis import given
from hypothesis import strategies as st
from seen_by_hand import observation, silent, tenant

from tokenergy.company.basis import is_per_mtok, refuse_unstated
from tokenergy.page.observed import history_rows, observed_html, waiting_html
from tokenergy.page.observed_rows import joined, shown_parts, site_rows

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" ' & <b>"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """A page read: its elements, scripts and exact figures; every tag must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.figures: list[float] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.elements.append((tag, held))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append("")
        if tag == "data":
            self.figures.append(float(str(held["value"])))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] += data
        elif self._open and self._open[-1] != "style":
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def policy(self) -> str:
        return next(str(m["content"]) for m in self.all("meta") if "http-equiv" in m
                    and m["http-equiv"] == "Content-Security-Policy")  # fmt: skip


def windows(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Return the history of so many minutes."""
    return [row for at in range(count) for row in history_rows(observation(window=at, **changes))]


@pytest.fixture(scope="module")
def text() -> str:
    return observed_html(observation(window=2), windows(3))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def figures_of(value: Any) -> Iterator[float]:
    """Yield every number of an observation."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "line":
                yield from figures_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from figures_of(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def test_every_figure_of_the_observation_is_on_the_page(page: Page) -> None:
    """Each but the zeros: parts that are nowhere anything have no column; the span is in words."""
    there = set(page.figures)
    seen = observation(window=2)
    missing = {value for value in figures_of(seen) if value and value not in there}
    assert missing <= {seen["span_s"]}
    assert "12:12:00 to 12:13:00 UTC" in page.words


def test_what_a_site_and_a_tenant_are_called_is_on_the_page(page: Page) -> None:
    for word in ("paris", "oslo", "small at paris on paris-h200", "acme", "beta", "modelled",
                 "energy-charts FR", "little.yaml", ".tokenergy/little.sqlite", "oslo-h100-2",
                 "no meter at engine 2", "what you did", "greedy_battery"):  # fmt: skip
        assert word in page.words


def test_every_cost_per_mtok_says_on_which_basis(text: str) -> None:
    assert not refuse_unstated(observation())
    states = re.findall(r'<span class="states">([^<]*)</span>', text)
    per_mtok = [each for each in states if is_per_mtok(each)]
    assert len(per_mtok) == 4
    assert all("marginal" in each for each in per_mtok)
    assert sum("full" in each for each in per_mtok) == 3


def test_a_finding_is_never_hidden_and_errors_come_first() -> None:
    many = [
        {**observation()["findings"][0], "path": f"observe.engines.e{at}", "reason": f"reason {at}"}
        for at in range(60)
    ]
    seen = observation(findings=[*many, observation()["findings"][1]])
    html = observed_html(seen)
    part = html[html.index('id="findings"') : html.index("</main>")]
    assert "<details" not in part
    assert [f"reason {at}." in part for at in range(60)] == [True] * 60
    assert part.index("ALLOCATION_RESIDUAL") < part.index("observe.engines.e0")
    assert "61 findings" in html[: html.index("<main")]


def test_the_age_of_a_price_is_that_of_its_interval_at_the_windows_end() -> None:
    """12:11 less 12:00 are 11/60 h; a price that nobody knows has no age."""
    paris, oslo = site_rows(observation())
    assert paris["age_h"] == pytest.approx(11 / 60)
    assert oslo["age_h"] is None


def test_a_saved_page_asks_nobody(page: Page, text: str) -> None:
    assert "connect-src" not in page.policy
    assert page.policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "observation.json" not in text.replace("/observation.json has", "")
    assert 'http-equiv="refresh"' not in text
    for tag, attrs in page.elements:
        for name in ("src", "href", "srcset", "action", "poster", "formaction"):
            address = attrs.get(name) or "#"
            assert address.startswith("#") or address == "data:,", (tag, name, address)
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    assert not re.search(r"url\(|@import|@font-face", styles)


def test_a_live_page_asks_its_own_server_alone() -> None:
    live = Page(observed_html(observation(), windows(1), follow_every_s=60.0))
    assert "connect-src 'self';" in live.policy
    assert live.all("html")[0]["data-follow-every-s"] == "60"
    refresh = [m for m in live.all("meta") if m.get("http-equiv") == "refresh"]
    assert refresh == [{"http-equiv": "refresh", "content": "60"}]  # in <noscript>
    asked = re.findall(r'fetch\("([^"]*)"', live.scripts[-1])
    assert asked == ["/observation.json"]


@pytest.mark.parametrize("follow_every_s", [None, 5.0])
def test_every_script_that_runs_is_named_by_its_digest(follow_every_s: float | None) -> None:
    read = Page(observed_html(observation(), windows(2), follow_every_s=follow_every_s))
    data = {id(s) for s, a in zip(read.scripts, read.all("script"), strict=True) if a.get("type")}
    runs = [script for script in read.scripts if id(script) not in data]
    allowed = re.findall(r"'sha256-([^']*)'", read.policy)
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in runs]
    assert digests == allowed
    assert "unsafe-inline" not in read.policy.partition("style-src")[0]


def test_a_name_with_markup_is_text_everywhere() -> None:
    """The same elements as with tame names, and no more."""

    def named(name: str) -> dict[str, Any]:
        seen = observation(
            company=name, file=name, ledger=name, tenants=[tenant(name, 1)],
            findings=[{**observation()["findings"][0], "reason": name, "remedy": name,
                       "path": name, "file": name, "code": name, "value": name}],
        )  # fmt: skip
        for site in seen["sites"]:
            site |= {"site": f"{name} {site['site']}", "price_source": name}
            for each in site["models"]:
                each |= {"model": name, "fleet": f"{name}{each['fleet']}", "accelerator": name}
                each |= {"engines": [name], "workload": name, "joules_tier": name}
                each["joules_parts"]["reason"] = name
                if each["parts"]:
                    each["parts"][name] = each["full_parts"][name] = 0.5
        seen["saving"] |= {"policy": name, "says": name}
        seen["saving"]["cost_usd"][name] = 5.0
        seen["saving"]["against"][1]["baseline"] = name
        seen["allocated"] |= {"says": name}
        seen["allocated"]["tenants"][0] |= {"tenant": name, "parts_usd": {name: 3.0}}
        return seen

    tame, evil = (
        Page(observed_html(seen, history_rows(seen), follow_every_s=9.0, fault=name))
        for name, seen in (("tame", named("tame")), (EVIL, named(EVIL)))
    )
    assert [tag for tag, _ in evil.elements] == [tag for tag, _ in tame.elements]
    assert "alert(1)" not in "".join(evil.scripts[2:])
    assert EVIL in evil.words


def test_numbers_in_the_page_are_json_that_ends_no_script(page: Page) -> None:
    numbers, charts = (json.loads(script) for script in page.scripts[:2])
    assert set(numbers) == {"window_costs", "windows"}
    assert set(charts["charts"]) == {"window-costs", "window-tokens"}


def test_the_tables_are_there_without_javascript(text: str) -> None:
    bare = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert bare.count("<table") == bare.count("<caption") == 11
    assert "12:11:00Z" in bare and "12:13:00Z" in bare  # windows as rows
    assert "The charts need JavaScript; the tables do not." in bare


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sites": []}, "No engine is known: nothing is priced."),
        ({"saving": None}, "No saving is told"),
        ({"tenants": [], "allocated": None}, "What dispatch would have saved"),
        ({"findings": []}, "None."),
    ],
)
def test_what_is_not_there_is_told(changes: dict[str, Any], said: str) -> None:
    read = Page(observed_html(observation(**changes)))
    assert said in read.words
    assert "No window is remembered yet." in read.words
    assert len(read.scripts) == 2  # no chart: nothing to run


def test_a_silent_engine_and_a_missing_price_say_so_and_are_never_0() -> None:
    seen = observation(tenants=[], saving=None, allocated=None, findings=[])
    seen["sites"] = [seen["sites"][1]]
    read = Page(observed_html(seen, history_rows(seen)))
    assert "No engine of small at oslo answered within the window." in read.words
    assert "oslo: no price of power is known now (none that reaches the present)." in read.words
    # what it has of replicas, GPUs and seconds is none; what its idle GPUs cost is known
    assert set(read.figures) == {0.0, 4.5}
    assert read.figures.count(0.0) == 3


def test_money_of_the_company_is_named_but_findings_stand_as_they_are() -> None:
    seen = observation(currency="EUR", findings=[
        {**observation()["findings"][0], "reason": "the price is in USD, the file in EUR"}
    ])  # fmt: skip
    words = Page(observed_html(seen)).words
    assert "dispatch would have saved 1,235 EUR." in words
    assert "the price is in USD, the file in EUR" in words
    assert "EUR/Mtok" in words and "USD/Mtok" not in words


def test_made_up_prices_are_called_so() -> None:
    seen = observation()
    seen["sites"][0]["price_source"] = "synthetic price of zone texas, seed 3"
    text = observed_html(seen, history_rows(seen))
    assert "SYNTHETIC PRICES" in text
    assert "real series" not in text


def test_a_fault_of_a_window_stands_above_the_figures_of_the_one_before() -> None:
    words = Page(observed_html(observation(), fault="the file is gone <now>")).words
    assert "The last window could not be told. the file is gone <now>" in words
    waits = Page(waiting_html(window_s=60.0, fault="no <file>"))
    assert "no <file>" in waits.words
    assert "connect-src 'self'" in waits.policy


def test_models_without_any_figure_have_no_panel() -> None:
    """An axis without a figure has no end: the browser would complain, the reader see nothing."""
    seen = observation()
    seen["sites"] = [seen["sites"][1]]
    read = Page(observed_html(seen, history_rows(seen)))
    assert json.loads(read.scripts[1])["charts"] == {}
    seen = observation()
    numbers = json.loads(Page(observed_html(seen, history_rows(seen))).scripts[0])
    panels = numbers["window_costs"]["columns"]["panel"]
    assert len(panels) == 4 and not any("oslo" in panel for panel in panels)


def test_more_tenants_than_fit_are_counted() -> None:
    seen = observation(tenants=[tenant(f"tenant-{at}", at + 1) for at in range(450)])
    words = Page(observed_html(seen)).words
    assert "tenant-199" in words and "tenant-200" not in words
    assert "250 more are in the JSON of this observation." in words


def test_parts_below_rounding_have_no_column() -> None:
    rows = [{"parts": {"energy": 2.0, "other": 1e-12, "wake": -0.5, "network": None}}]
    assert shown_parts(rows, "parts", ("wake", "energy")) == ["wake", "energy"]


# ---- joined windows ----


def test_windows_are_joined_by_tokens_and_seconds() -> None:
    """Two of four minutes: 100 and 300 tokens at 2 and 6 USD/Mtok cost 5; 400 over 120 s."""
    rows = [
        {"start": f"2026-11-24T12:0{at}:00Z", "end": f"2026-11-24T12:0{at + 1}:00Z", "name": "m",
         "usd_per_mtok_full": full, "usd_per_mtok_marginal": marginal, "output_tokens": tokens,
         "span_s": 60.0, "tokens_per_s": tokens / 60.0 if tokens is not None else None}
        for at, (full, marginal, tokens) in enumerate(
            [(2.0, 0.1, 100), (6.0, 0.3, 300), (None, None, None), (None, 0.5, 0)]
        )
    ]  # fmt: skip
    first, last = joined(rows, points_count=2)[0], joined(rows, points_count=2)[-1]
    assert joined(rows, points_count=4) == rows
    assert (first["start"], last["end"]) == (rows[0]["start"], rows[3]["end"])
    assert last["usd_per_mtok_full"] in (None, 6.0)
    both = joined([*rows[:2], rows[3]], points_count=1)[0]
    assert both["usd_per_mtok_full"] == pytest.approx((2 * 100 + 6 * 300) / 400)
    assert both["usd_per_mtok_marginal"] == pytest.approx(0.3)
    assert both["tokens_per_s"] == pytest.approx(400 / 180)


@given(
    tokens=st.lists(st.none() | st.integers(0, 10**9), min_size=1, max_size=80),
    points=st.integers(1, 30),
)
def test_joining_loses_no_token_and_no_second(tokens: list[int | None], points: int) -> None:
    rows = []
    for at, count in enumerate(tokens):
        window = observation(window=at)
        rows.append({"start": window["start"], "end": window["end"], "name": "m",
                     "usd_per_mtok_full": None, "usd_per_mtok_marginal": None,
                     "output_tokens": count, "span_s": None if count is None else 60.0,
                     "tokens_per_s": None})  # fmt: skip
    found = joined(rows, points_count=points)
    assert len(found) <= max(points, 1)
    assert sum(row["output_tokens"] or 0 for row in found) == sum(count or 0 for count in tokens)
    known = sum(count is not None for count in tokens)
    assert sum(row["span_s"] or 0.0 for row in found) == pytest.approx(60.0 * known)


def test_a_day_of_minutes_of_many_models_stays_small() -> None:
    """1,440 windows of 30 models: 8 are drawn, at 240 points each."""
    rows = [
        {"start": w["start"], "end": w["end"], "name": f"m{at}", "usd_per_mtok_full": 1.0 + at,
         "usd_per_mtok_marginal": 0.1, "output_tokens": at, "span_s": 60.0, "tokens_per_s": at / 60}
        for w in (observation(window=minute) for minute in range(0, 1440))
        for at in range(30)
    ]  # fmt: skip
    read = Page(observed_html(observation(), rows))
    numbers = json.loads(read.scripts[0])
    assert numbers["windows"]["count"] == 8 * 240
    assert "of 30 models the 8 with the most tokens are drawn" in read.words
    assert len(read.scripts[0]) < 600_000


# ---- in a browser ----


STATES = "[...document.querySelectorAll('figure')].map((each) => each.dataset.state)"


@needs_browser
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_a_browser_draws_it_within_the_page_and_nobody_complains(
    tmp_path: Path, width: int, dark: bool
) -> None:
    """A live page that was saved: its script asks nobody."""
    seen = observation(window=2)
    seen["sites"][1]["models"] = [silent("quiet", "oslo-h100")]
    path = tmp_path / "page.html"
    path.write_text(
        observed_html(seen, [*windows(2), *history_rows(seen)], follow_every_s=1.0),
        encoding="utf-8",
    )
    with browsing(width, dark=dark) as looked:
        looked.open(path)
        assert looked.page.evaluate(STATES) == ["drawn", "drawn"]
        assert looked.too_wide() == []
        shown = looked.page.eval_on_selector_all(
            "data", "(all) => all.map((each) => Number(each.value))"
        )
        model = seen["sites"][0]["models"][0]
        assert {model["usd_per_mtok_full"], model["usd_per_mtok_marginal"]} <= set(shown)
        assert looked.console == []
        assert looked.asked == []
        assert looked.axe() == []


@needs_browser
def test_a_name_with_markup_is_drawn_as_a_name(tmp_path: Path) -> None:
    seen = observation()
    name = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"
    seen["sites"][0]["models"][1]["model"] = name
    path = tmp_path / "page.html"
    path.write_text(observed_html(seen, history_rows(seen)), encoding="utf-8")
    with browsing() as looked:
        looked.open(path)
        assert looked.page.evaluate(STATES) == ["drawn", "drawn"]
        assert looked.page.title() != "run"
        assert looked.page.locator("img").count() == 0
        assert name in looked.page.locator("main").inner_text()
        assert looked.console == []
