"""The live page as a browser shows it, fed by a stand-in for the gateway's stream."""

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import browsing, needs_browser
from live_stand import (
    ALARM,
    SHOWN,
    WORN,
    LiveStand,
    decision_of,
    first_face,
    opened,
    standing_of,
    text_of,
    told,
)

from tokenergy.page import live_shell, number
from tokenergy.page.document import static
from tokenergy.page.live import live_html

pytestmark = needs_browser
EVIL = "<img src=x onerror=document.title='run'><b>bold</b>"
UNDRAWN = """window.tokenergy = {
  rowsOf: window.tokenergyPicture.rowsOf,
  drawFigure: (figure) => { figure.dataset.state = "drawn"; return Promise.resolve(true); },
};
document.documentElement.dataset.charts = "done";"""
"""Stands in for the libraries that draw: most of what the page does needs no picture."""


@pytest.fixture(scope="module")
def light() -> str:
    """Return the shell without what draws: a twentieth of its size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_shell, "drawing_scripts", lambda: [static("picture.js"), UNDRAWN])
        return live_html()


@pytest.fixture
def stand(light: str) -> Iterator[LiveStand]:
    """A stand-in whose page draws none."""
    with LiveStand(page=light) as held:
        yield held


# ---- what it writes, and how it is used


def test_the_page_writes_numbers_as_the_report_does(stand: LiveStand) -> None:
    values = [0.0, 1.0, -0.0004, 0.03663230559009509, 0.9996, 9.995, 99.96, 1234.5, -1e6, 5e-7]
    values += [6.9e-18, 1e9, 0.000112, 12.345, 100.4]
    with browsing() as looked:
        looked.page.goto(stand.url)
        for name in ("significant", "money", "percent", "amount"):
            write = f"(all) => all.map((each) => window.live.{name}(each))"
            assert looked.page.evaluate(write, values) == [
                getattr(number, name)(value) for value in values
            ]


def test_the_page_works_with_the_keyboard(stand: LiveStand) -> None:
    told(stand, first_face())
    with browsing() as looked:
        opened(looked, stand)
        page = looked.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.focus("#map button.pick >> visible=true")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert "at frankfurt" in text_of(looked, "chosen")
        page.focus("#map-workload")
        page.keyboard.press("ArrowDown")
        assert text_of(looked, "chosen").startswith("chat-america at frankfurt")
        page.focus("#pause")
        page.keyboard.press("Space")
        assert page.get_attribute("#pause", "aria-pressed") == "true"
        reached = page.evaluate(
            "[...document.querySelectorAll('.scroll')].every((each) => each.tabIndex === 0)"
        )
        assert reached


# ---- the stream


def test_a_stream_that_drops_is_said_and_goes_on_where_it_was(stand: LiveStand) -> None:
    stand.say("standing", standing_of())
    stand.say("decisions", [decision_of(1), decision_of(2)])
    with browsing() as looked:
        looked.page.goto(stand.url)
        looked.until(f"({SHOWN}).length === 2")
        stand.deaf = True
        stand.drop()
        looked.until("document.documentElement.dataset.link === 'lost'")
        said = text_of(looked, "link")
        assert said.startswith("Connection lost since ") and "trying again" in said
        looked.until("document.getElementById('link').innerText.includes('32 listeners')")
        stand.say("decisions", [decision_of(2), decision_of(3)])
        stand.deaf = False
        looked.page.click("#link button")
        looked.until("document.documentElement.dataset.link === 'up'")
        looked.until(f"({SHOWN}).length === 3")
        assert looked.page.evaluate(SHOWN) == ["req-3", "req-2", "req-1"]
        assert stand.asked[-1]["Last-Event-ID"] == "2"
        assert text_of(looked, "link").startswith("Connected again")
        assert looked.page.get_attribute("#link", "role") == "status"
        # a refused attempt is the network's own line in the console, and no fault of the page
        assert [line for line in looked.console if "503" not in line] == []


def test_a_closed_door_asks_for_a_key_and_keeps_it_to_the_tab(stand: LiveStand) -> None:
    stand.key = "tk-root"
    stand.say("standing", standing_of())
    with browsing() as looked:
        looked.page.goto(stand.url)
        looked.until("!document.getElementById('key').hidden")
        assert "no key with scope admin" in text_of(looked, "key-why")
        looked.page.keyboard.type("tk-wrong")
        looked.page.keyboard.press("Enter")
        looked.until("document.getElementById('key-value').value === ''")
        looked.until("!document.getElementById('key').hidden")
        looked.page.fill("#key-value", "tk-root")
        looked.page.keyboard.press("Enter")
        looked.until("document.getElementById('key').hidden")
        looked.until("document.getElementById('company').innerText.startsWith('Example')")
        kept = looked.page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]")
        assert kept == [1, 0, ""]
        assert not any("tk-root" in url for url in looked.asked)
        looked.page.reload()
        looked.until("document.getElementById('company').innerText.startsWith('Example')")
        assert stand.asked[-1]["Authorization"] == "Bearer tk-root"


def test_what_cannot_be_shown_is_said_and_what_comes_after_it_is_shown(
    stand: LiveStand,
) -> None:
    """A face of another release, then one of ours; and an event that is not even read."""
    stand.say("standing", standing_of(board_id="board-1"))
    stand.say("face", {"board_id": "odd", "made_at": "2026-03-02T18:00Z", "numbers": {}})
    with browsing() as looked:
        looked.page.goto(stand.url)
        looked.until("document.getElementById('link').innerText.includes('cannot be shown')")
        stand.say("face", first_face())
        looked.until(f"{WORN} === 'board-0'")
        assert text_of(looked, "link") == ""
        # the board in force is another one than that of the figures: no age is told of its prices
        assert "HOURS BELOW ARE OLDER: board of 2026-03-02 18:00 UTC" in text_of(looked, "facts")
        stand.say("sums", {"rows": None})
        looked.until("document.getElementById('link').innerText.includes('sums')")
        assert len(stand.asked) == 1  # the line stands: nothing was asked anew
        assert looked.page.evaluate("document.documentElement.dataset.link") == "up"


def test_a_gateway_of_another_release_makes_the_page_anew(stand: LiveStand, light: str) -> None:
    stand.say("standing", standing_of(page="a"))
    with browsing() as looked:
        looked.page.goto(stand.url)
        looked.until("document.getElementById('company').innerText.startsWith('Example')")
        stand.page = light.replace('<h1 id="company">', '<h1 class="new" id="company">').encode()
        assert not looked.page.query_selector("h1.new")
        stand.say("standing", standing_of(page="b"))
        looked.page.wait_for_selector("h1.new")
        looked.until("document.getElementById('company').innerText.startsWith('Example')")
        looked.page.wait_for_timeout(200)
        assert len(stand.asked) == 2  # loaded once, and not again


# ---- decisions and alarms


def kinds(count: int) -> list[dict[str, Any]]:
    """Return decisions, each fourth refused."""
    refused = {"decision": "refuse", "reason": "rate_limited", "outcome": "refused"}
    return [decision_of(at, **(refused if at % 4 == 3 else {})) for at in range(count)]


def test_decisions_are_told_filtered_paused_and_bounded(stand: LiveStand) -> None:
    stand.say("standing", standing_of(left_out_count=7))
    stand.say("decisions", kinds(8))
    with browsing() as looked:
        page = looked.page
        page.goto(stand.url)
        looked.until(f"({SHOWN}).length === 8")
        assert page.evaluate(SHOWN)[0] == "req-7"  # newest first
        assert "7 more came too fast" in text_of(looked, "decisions-note")
        page.uncheck("#kinds input[value=serve]")
        assert page.evaluate(SHOWN) == ["req-7", "req-3"]
        page.check("#kinds input[value=serve]")
        page.fill("#find", "REQ-5")
        assert page.evaluate(SHOWN) == ["req-5"]
        page.fill("#find", "")
        page.click("#pause")
        stand.say("decisions", [decision_of(20)])
        looked.until("document.getElementById('pause').innerText === 'Go on (1 new)'")
        assert page.evaluate(SHOWN)[0] == "req-7"
        page.click("#pause")
        assert page.evaluate(SHOWN)[0] == "req-20"
        evil = {"words": EVIL, "tenant": EVIL, "model": EVIL, "id": "req-evil"}
        stand.say("decisions", [decision_of(21, **evil)])
        looked.until(f"({SHOWN})[0] === 'req-evil'")
        assert (
            page.evaluate(
                "document.querySelectorAll('#decisions-rows img, #decisions-rows b').length"
            )
            == 0
        )
        assert EVIL in text_of(looked, "decisions-rows")
        # a flood of what was served leaves the refused ones where they are
        stand.say("decisions", [decision_of(at) for at in range(100, 700)])
        looked.until(f"({SHOWN}).length === 300")
        assert {"req-3", "req-7"} <= set(page.evaluate(SHOWN))
        assert page.evaluate(SHOWN)[0] == "req-699"
        assert page.get_attribute("#decisions-said", "aria-live") == "polite"
        assert text_of(looked, "decisions-said") == ""  # told every 15 s at most
        assert looked.console == []


def test_only_a_new_alarm_is_called_out(stand: LiveStand) -> None:
    stale = {"code": "FEED_STALE", "severity": "error", "text": f"texas {EVIL}: 7 h old."}
    stand.say("standing", standing_of(alarms=[ALARM]))
    with browsing() as looked:
        looked.page.goto(stand.url)
        looked.until("document.getElementById('alarm').innerText")
        assert text_of(looked, "alarm") == f"New alarm: {ALARM['text']}"
        dearer = {**ALARM, "text": "texas: 6.20 USD/MWh, limit 15 MW."}
        stand.say("standing", standing_of(alarms=[stale, dearer]))
        looked.until("document.getElementById('alarms-title').innerText === '2 alarms'")
        said = "[...document.querySelectorAll('#alarms li')].map((each) => each.className)"
        assert looked.page.evaluate(said) == ["error", "warning"]
        assert "6.20" in text_of(looked, "alarms") and "5.09" not in text_of(looked, "alarms")
        assert text_of(looked, "alarm") == f"New alarm: {stale['text']}"
        assert (
            looked.page.evaluate("document.querySelectorAll('#alarms img, #alarms b').length") == 0
        )
        # sites whose names differ by a digit are two alarms
        two = [{**ALARM, "about": name, "text": f"{name} binds"} for name in ("oslo-1", "oslo-2")]
        stand.say("standing", standing_of(alarms=two))
        looked.until("document.querySelectorAll('#alarms li').length === 2")
        assert {"oslo-1", "oslo-2"} <= set(text_of(looked, "alarms").split())
        stand.say("standing", standing_of())
        looked.until("document.getElementById('alarms').hidden")
        assert not looked.page.title().startswith("(")
