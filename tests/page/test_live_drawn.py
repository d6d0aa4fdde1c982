"""The live page with its charts drawn, fed by a stand-in and by a real gateway."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Looked, browsing, needs_browser
from live_outlook import outlook_of
from live_stand import (
    ALARM,
    SHOWN,
    WORN,
    LiveStand,
    first_face,
    opened,
    standing_of,
    text_of,
    told,
)
from serve_process import serving

from tokenergy.page import number
from tokenergy.page.live import face_of, live_html
from tokenergy.page.rows import Row

pytestmark = needs_browser
SMALL = Path(__file__).parents[1] / "small.yaml"
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
MOST_LONG_TASKS = 40
"""So many tasks over 50 ms a page of sixty sites may need to stand: drawing ten charts of them."""
SEEN = "document.querySelector('figure[data-chart=price_parts]').getBoundingClientRect().top"


@pytest.fixture(scope="module")
def shell() -> str:
    return live_html()


@pytest.fixture
def drawn(shell: str) -> Iterator[LiveStand]:
    """A stand-in whose page draws its charts."""
    with LiveStand(page=shell) as held:
        yield held


NARROW = pytest.mark.slow(reason="draws six charts again, which the wide page has shown")


@pytest.mark.parametrize(("width", "dark"), [(1440, False), pytest.param(390, True, marks=NARROW)])
def test_the_page_shows_everything_and_asks_its_own_host_only(
    drawn: LiveStand, width: int, dark: bool
) -> None:
    told(drawn, first_face())
    with browsing(width, 1000, dark=dark, reduced_motion=dark) as looked:
        opened(looked, drawn)
        looked.until("document.querySelector('#tenants-rows tbody').rows.length === 2")
        assert looked.console == []
        assert {url for url in looked.asked if url != "data:,"} <= {
            drawn.url,
            f"{drawn.url}v1/tokenergy/live",
        }
        states = looked.page.evaluate(
            "[...document.querySelectorAll('figure')].map((each) => each.dataset.state)"
        )
        assert states == ["drawn"] * 6
        assert looked.too_wide() == []
        assert text_of(looked, "company") == "Example: what a token costs now"
        assert looked.page.title() == "(1) Example: what a token costs now"
        assert "prices 3 min old · policy daily_lp" in text_of(looked, "facts")
        assert ALARM["text"] in text_of(looked, "alarms")
        assert ALARM["text"] in text_of(looked, "alarm")
        # 300 requests for 1.50 USD; 24 kJ over 50,000 tokens are 0.48 J for each
        assert "1.50" in text_of(looked, "look") and "held: batch 2" in text_of(looked, "look")
        values = looked.page.evaluate(
            "[...document.querySelectorAll('#tenants-rows tr:first-of-type data')]"
            ".map((each) => each.value)"
        )
        assert values == ["200", "200000", "50000", "1", "4", "24000", "0.48", "23000"]
        assert "420.00 USD" in text_of(looked, "budgets") and "42.0" in text_of(looked, "budgets")
        # the map says the price of each site, and the table beside it the same
        labels = looked.page.evaluate(
            "[...document.querySelectorAll('#map .chart svg text')].map((each) => each.textContent)"
        )
        assert "texas 0.0640" in labels and "sydney 0.124" in labels
        # who clicks a site on the map chooses it, as the table's button does
        sites = "[...document.querySelectorAll('#map .role-mark.mark-symbol path')]"
        to = "scrollIntoView({ block: 'center', behavior: 'instant' })"
        looked.page.evaluate(f"document.querySelector('#map figure').{to}")
        names = looked.page.evaluate(f"{sites}.map((each) => each.__data__.datum.name)")
        at = looked.page.evaluate(
            f"(at) => {sites}[at].getBoundingClientRect().toJSON()", names.index("sydney")
        )
        looked.page.mouse.click(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
        looked.until("document.getElementById('chosen').innerText.includes('at sydney')")
        looked.drawn()
        assert looked.axe() == []  # skips here without axe-core: asked last


# ---- a new board


@pytest.mark.slow(reason="draws six charts three times")
def test_a_new_board_is_shown_where_the_reader_is(drawn: LiveStand) -> None:
    """Prices double: figures and map change; place, focus, folds and choices stay."""
    told(drawn, first_face())
    with browsing() as looked:
        opened(looked, drawn)
        page = looked.page
        page.select_option("#map-workload", "chat-america")
        page.select_option("#board-site", "virginia")
        page.click("#map button.pick[data-site='virginia'] >> visible=true")
        page.click("#map details summary")
        page.focus("#map button.pick[aria-pressed=true] >> visible=true")
        assert text_of(looked, "chosen").startswith("chat-america at virginia 0.0420 USD/Mtok")
        page.evaluate("document.querySelector('#map figure').mine = 'kept'")
        looked.drawn()
        page.evaluate("window.scrollTo(0, 1200)")
        seen = page.evaluate(SEEN)
        drawn.say("face", face_of(outlook_of(dearer_ratio=2.0, board=1)))
        drawn.say("standing", standing_of(board_id="board-1", now="2026-03-02T19:00:04Z"))
        looked.until(f"{WORN} === 'board-1'")
        looked.drawn()
        assert text_of(looked, "chosen").startswith("chat-america at virginia 0.0840 USD/Mtok")
        state = page.evaluate(
            "({ focus: document.activeElement.dataset.site,"
            " fold: document.querySelector('#map details').open,"
            " workload: document.getElementById('map-workload').value,"
            " site: document.getElementById('board-site').value,"
            " figure: document.querySelector('#map figure').mine })"
        )
        assert state == {
            "focus": "virginia",
            "fold": True,
            "workload": "chat-america",
            "site": "virginia",
            "figure": "kept",
        }
        assert page.evaluate(SEEN) == pytest.approx(seen, abs=1.0)  # the alarm above is gone
        labels = page.evaluate(
            "[...document.querySelectorAll('#map .chart svg text')].map((each) => each.textContent)"
        )
        assert "virginia 0.0840" in labels and "virginia 0.0420" not in labels
        drawn = page.evaluate(
            "[...document.querySelectorAll('figure[data-chart=balance] svg text')]"
            ".map((each) => each.textContent)"
        )
        assert "virginia" in drawn and "texas" not in drawn
        assert "prices 0 s old" not in text_of(looked, "facts")
        assert looked.console == []


# ---- much


@pytest.mark.slow(reason="draws sixty sites, which takes a busy machine a dozen seconds")
def test_sixty_sites_stay_usable(drawn: LiveStand) -> None:
    drawn.say("standing", standing_of())
    drawn.say("face", face_of(outlook_of(sites_count=60, workloads_count=6)))
    with browsing() as looked:
        opened(looked, drawn)
        first = looked.long_tasks()
        assert first.count <= MOST_LONG_TASKS
        looked.page.select_option("#board-site", "sydney-14")
        looked.page.select_option("#map-workload", "chat-america-4")
        looked.page.click("#map button.pick[data-site='texas-14'] >> visible=true")
        assert "chat-america-4 at texas-14" in text_of(looked, "chosen")
        looked.drawn()
        assert looked.console == [] and looked.too_wide() == []


# ---- a real gateway


def best_prices(at: str) -> dict[str, dict[str, Row]]:
    """Return by workload and site what `price --json` says is best there: in use, then cheap."""
    words = ["price", str(SMALL), "--at", at, "--hours", "1", "--json"]
    said = subprocess.run(
        [sys.executable, "-m", "tokenergy", *words], capture_output=True, text=True, check=True
    )
    found: dict[str, dict[str, Row]] = {}
    order = ("in_use", "total_usd_per_mtok")
    rows = json.loads(said.stdout)["prices"]
    for row in sorted(rows, key=lambda each: (not each[order[0]], each[order[1]])):
        found.setdefault(row["workload"], {}).setdefault(row["site"], row)
    return found


def shown_prices(looked: Looked, workload: str) -> dict[str, dict[str, str]]:
    """Return by site what the page writes: each figure of its table of parts, by column."""
    heads, *rows = looked.page.evaluate(
        """(name) => [...[...document.querySelectorAll("#map details [data-workload]")].find(
          (each) => each.dataset.workload === name).querySelectorAll("tr")].map(
          (row) => [...row.cells].map((cell) => cell.textContent))""",
        workload,
    )
    return {row[0]: dict(zip(heads[1:], row[1:], strict=True)) for row in rows}


@pytest.mark.slow(reason="waits for the next interval of a gateway that plays a recorded horizon")
def test_a_gateways_prices_are_shown_to_the_digit_and_followed(tmp_path: Path) -> None:
    """The page says what `price --json` says; an interval later it says what is true then."""
    expected = best_prices("2026-03-02T18:00Z")
    words = ("--at", "2026-03-02T18:58Z")
    with serving(SMALL, folder=tmp_path, words=words) as gateway, browsing() as looked:
        until_s = time.monotonic() + 120.0
        while gateway.ask(None, None, path="/").status != 200:  # the shell is being made
            assert time.monotonic() < until_s
            time.sleep(0.2)
        looked.page.goto(gateway.url)
        looked.until(WORN)
        first = looked.page.evaluate(WORN)
        assert "Small & [Sons] <b>: what a token costs now" in text_of(looked, "company")
        before = {workload: shown_prices(looked, workload) for workload in expected}
        for workload, sites in expected.items():
            for site, row in sites.items():
                shown = before[workload][site]
                for head, name in (("all of it", "total"), ("energy", "energy"), ("high", "high")):
                    assert shown[head] == number.significant(row[f"{name}_usd_per_mtok"])
        assert gateway.ask(None, CHAT).status == 200
        looked.until(f"({SHOWN}).length === 1")
        assert "Served by large" in text_of(looked, "decisions-rows")
        end_s = time.monotonic() + 150.0
        while looked.page.evaluate(WORN) == first:
            assert time.monotonic() < end_s, "no new board was shown an interval later"
            looked.page.wait_for_timeout(250)
        assert re.search(r"2026-03-02 19:00:\d\d UTC", text_of(looked, "facts"))
        assert all(shown_prices(looked, workload) != before[workload] for workload in expected)
        looked.drawn()
        assert looked.console == []
        assert all(url.startswith((gateway.url, "data:")) for url in looked.asked)
