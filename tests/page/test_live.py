"""The live page without a browser: its shell knows no company, a face says what a board says."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any, get_args

import pytest
from live_outlook import outlook_of, with_name

from tokenergy.company.decision import RequestAction
from tokenergy.page.document import static
from tokenergy.page.live import face_of, live_html
from tokenergy.page.live_rows import (
    DRAWN_COUNT,
    NAMED_SITES_COUNT,
    OTHERS,
    ahead_rows,
    flow_rows,
    largest_sites,
    largest_workloads,
    mean_share_rows,
    place_rows,
    power_rows,
    price_rows,
    queue_sums,
    share_rows,
    site_power_rows,
    stored_rows,
)
from tokenergy.page.live_sections import found, next_hours, where_now
from tokenergy.page.live_shell import ACTIONS, SCRIPTS
from tokenergy.page.live_tables import longest, sites_table, stack
from tokenergy.page.rows import PARTS

EVIL = "<img src=x onerror=alert(1)>\"'&"
VOID = {"meta", "link", "input", "br", "img"}


class Read(HTMLParser):
    """Reads a fragment: its ids, the values of its data elements, and whether it is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.values: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.tags.append(tag)
        if held.get("id"):
            self.ids.append(str(held["id"]))
        if tag == "data":
            self.values.append(str(held["value"]))
        if tag == "a":
            self.links.append(str(held["href"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def shell() -> str:
    return live_html()


@pytest.fixture(scope="module")
def outlook() -> dict[str, Any]:
    return outlook_of()


@pytest.fixture(scope="module")
def face(outlook: dict[str, Any]) -> dict[str, Any]:
    return face_of(outlook)


# ---- the shell


def test_the_shell_asks_its_own_host_and_runs_its_own_scripts_only(shell: str) -> None:
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', shell)[0]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert "form-action 'none'" in policy and "base-uri 'none'" in policy
    scripts = re.findall(r"<script>(.*?)</script>", shell, re.DOTALL)
    assert len(scripts) == 2 + len(SCRIPTS)
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in scripts]
    assert rules["script-src"].split() == [f"'sha256-{digest.decode()}'" for digest in digests]
    bare = re.sub(r"<script>.*?</script>", "", shell, flags=re.DOTALL)
    assert "http:" not in bare and "https:" not in bare and " on" + "click" not in bare


def test_shell_and_face_make_one_page(shell: str, face: dict[str, Any]) -> None:
    bare = re.sub(r"<script>.*?</script>", "", shell, flags=re.DOTALL)
    outside, inside = Read(bare), Read(face["html"])
    ids = outside.ids + inside.ids
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in outside.links} <= set(ids)
    labelled = re.findall(r'(?:aria-labelledby|aria-describedby|for)="([^"]*)"', bare)
    assert set(labelled) <= set(ids)


def test_the_scripts_know_the_words_of_the_core() -> None:
    assert get_args(RequestAction) == ACTIONS
    held = re.findall(r"const PARTS = \[(.*?)\]", static("live_face.js"), re.DOTALL)[0]
    assert tuple(re.findall(r'"(\w+)"', held)) == PARTS
    for name in SCRIPTS:
        text = static(name)
        assert len(text.splitlines()) <= 400
        used = re.findall(r"\.innerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert used == ([".innerHTML"] if name == "live_face.js" else [])  # our own face, once


# ---- the face


def test_the_face_has_the_boards_figures_to_the_digit(
    outlook: dict[str, Any], face: dict[str, Any]
) -> None:
    values = set(Read(face["html"]).values)
    for row in outlook["now"]:
        figures = [name for name in row if name.endswith("_usd_per_mtok")]
        assert {repr(row[name]) for name in figures if row[name]} <= values
    for row in outlook["ahead"]:
        assert repr(row["total_usd_per_mtok"]) in values
    assert [face[name] for name in ("board_id", "start", "made_at")] == [
        outlook[name] for name in ("board_id", "start", "made_at")
    ]
    sentence = face["html"].index("Of a full cost of 0.78 USD/Mtok")
    assert sentence < face["html"].index("<dl") < face["html"].index('id="map"')
    assert "SYNTHETIC SERIES" in face["html"]


def test_the_face_is_json_and_each_chart_finds_its_rows(face: dict[str, Any]) -> None:
    json.dumps(face, allow_nan=False)
    specs = face["charts"]["charts"]
    assert list(specs) == ["places", "price_parts", "shares", "balance", "stored", "queues"]
    assert set(re.findall(r'data-chart="(\w+)"', face["html"])) == set(specs)
    needed = {name for spec in specs.values() for name in spec["usermeta"]["rows"]}
    assert needed | {"site_parts"} == set(face["numbers"])
    chosen = re.findall(r"^ {4}(\w+): \[", static("live_face.js"), re.MULTILINE)
    assert set(chosen) == needed - {"land"}  # what the reader's choices pick from


def test_a_name_with_markup_is_text(outlook: dict[str, Any], face: dict[str, Any]) -> None:
    said = face_of(with_name(with_name(outlook, "texas", EVIL), "chat-america", EVIL + "2"))
    read = Read(said["html"])
    assert "img" not in read.tags
    assert read.tags == Read(face["html"]).tags


def test_a_board_that_knows_less_says_less() -> None:
    """A fallback decided one interval: no full cost, no rents, no backlog, no shares ahead."""
    outlook = outlook_of(hours_count=1, sites_count=1, workloads_count=1)
    outlook["full_cost"] = None
    outlook["shares"], outlook["origins"], outlook["message"] = [], [], ""
    outlook["balance"] = [row | {"mw_rent_usd_per_mwh": None} for row in outlook["balance"]]
    outlook["queues"] = [row | {"backlog_mtok": None} for row in outlook["queues"]]
    said = face_of(outlook)
    json.dumps(said, allow_nan=False)
    assert 'class="missing"' in said["html"]
    assert "shares" not in said["charts"]["charts"]


def test_an_api_elsewhere_has_its_price_in_the_tables_and_no_place_on_the_map() -> None:
    """It is in `now` and no site: one that is in use was a fault of the whole face."""
    outlook = outlook_of()
    row = outlook["now"][0]
    outlook["now"].append(row | {"site": "elsewhere", "share": 0.0, "in_use": True})
    assert "elsewhere" in {each["site"] for each in price_rows(outlook, row["workload"])}
    assert "elsewhere" not in {each["name"] for each in place_rows(outlook)}
    assert {each["site"] for each in flow_rows(outlook)} <= {
        each["site"] for each in outlook["sites"]
    }
    assert 'data-site="elsewhere"' in sites_table(outlook, row["workload"])


@pytest.mark.parametrize("empty", ["now", "sites", "ahead", "balance"])
def test_a_board_without_a_part_says_so(empty: str) -> None:
    outlook = outlook_of(hours_count=2, sites_count=2)
    outlook[empty] = []
    if empty == "sites":
        outlook["now"] = []
    part = where_now(outlook) if empty in ("now", "sites") else next_hours(outlook)
    assert part.body.startswith("<p>This board ") and part.charts == {}


def test_findings_stand_open_up_to_a_few() -> None:
    finding = {"code": "FEED_OLD", "path": "sites[0]", "reason": "a <b>", "remedy": "mend it"}
    said = found({"findings": [finding | {"value": at} for at in range(1, 13)]}).html()
    assert said.count('class="finding"') == 12
    assert "4 more" in said and "<b>" not in said


def test_sixty_sites_are_a_face_of_bounded_size() -> None:
    outlook = outlook_of(sites_count=60, workloads_count=6)
    said = face_of(outlook)
    assert len(json.dumps(said)) < 1_500_000
    drawn = [json.loads(text.replace("&quot;", '"')) for text in choices(said["html"])]
    assert [len(names) for names in drawn] == [6, 6, DRAWN_COUNT]
    assert "the 6 largest of 60 sites" in said["html"]


def choices(html: str) -> list[str]:
    return re.findall(r'data-drawn="([^"]*)"', html)


# ---- the rows


def test_prices_of_a_workload_stand_cheapest_in_use_first(outlook: dict[str, Any]) -> None:
    """Shares 0.5, 0.3, 0.2, 0: three sites serve, then the one that does not."""
    rows = price_rows(outlook, "chat-america")
    assert [row["site"] for row in rows] == ["texas", "virginia", "frankfurt", "sydney"]
    assert [row["in_use"] for row in rows] == [True, True, True, False]
    assert rows[0]["total_usd_per_mtok"] == pytest.approx(0.01 + 0.002 + 0.02)
    lone = outlook | {"now": [row for row in outlook["now"] if row["site"] != "sydney"]}
    assert price_rows(lone, "chat-america")[-1].get("total_usd_per_mtok") is None
    assert price_rows(lone, "chat-america")[-1]["site"] == "sydney"


def test_a_place_without_coordinates_is_left_out_of_the_map(outlook: dict[str, Any]) -> None:
    nowhere = [row | {"latitude_deg": None, "longitude_deg": None} for row in outlook["sites"]]
    kinds = {row["kind"] for row in place_rows(outlook | {"sites": nowhere})}
    assert kinds == {"origin"}


def test_what_floats_leave_is_no_part_of_a_price(outlook: dict[str, Any]) -> None:
    row = outlook["ahead"][0] | {"other_usd_per_mtok": 6.9e-18}
    assert ahead_rows(outlook | {"ahead": [row]})[0]["other_usd_per_mtok"] == 0.0


def test_shares_of_many_sites_are_named_or_one() -> None:
    """Twelve sites with shares of 12, 11, ..., 1 of 78: seven are named, 5+4+3+2+1 = 15 are one."""
    outlook = outlook_of(sites_count=12, workloads_count=1, hours_count=1)
    row = {"start": "2026-03-02T18:00Z", "end": "2026-03-02T19:00Z", "workload": "w"}
    outlook["shares"] = [row | {"site": f"s{at:02}", "share": (12 - at) / 78} for at in range(12)]
    rows = {row["site"]: row["share"] for row in share_rows(outlook)}
    assert len(rows) == NAMED_SITES_COUNT + 1
    assert rows[OTHERS] == pytest.approx(15 / 78)
    assert sum(rows.values()) == pytest.approx(1.0)


def test_mean_shares_are_of_the_whole_board(outlook: dict[str, Any]) -> None:
    """A site with 0.5 of the workload in 12 of 48 hours has 0.125 of it on the mean."""
    some = [row for row in outlook["shares"] if row["site"] == "texas"][:12]
    rows = mean_share_rows(outlook | {"shares": some})
    assert [(row["site"], row["now_share"]) for row in rows] == [("texas", 0.5)]
    assert rows[0]["mean_share"] == pytest.approx(0.125)


def test_hours_further_on_may_be_longer_than_the_companys_steps(outlook: dict[str, Any]) -> None:
    """A quarter of an hour with 10 MW at 40 USD/MWh, then an hour with 20 MW at 80, at the limit.

    22.5 MWh; (0.25 x 40 + 1 x 80) / 1.25 = 72 USD/MWh; a share of 1 in the second is 0.8 of all.
    """
    ends = ("2026-03-02T18:00Z", "2026-03-02T18:15Z", "2026-03-02T19:15Z")
    spans = [{"start": a, "end": b} for a, b in pairwise(ends)]
    first = outlook["balance"][0]
    given = outlook | {"step_h": 0.25, "hours_h": 1.25}
    given["balance"] = [
        first | spans[0] | {"load_mw": 10.0, "import_mw": 10.0, "buy_usd_per_mwh": 40.0},
        first | spans[1] | {"load_mw": 20.0, "import_mw": 100.0, "buy_usd_per_mwh": 80.0},
    ]
    given["shares"] = [spans[1] | {"workload": "w", "site": "texas", "share": 1.0}]
    given["ahead"] = [outlook["ahead"][0] | span for span in spans]
    (texas,) = site_power_rows(given)
    assert texas["load_mwh"] == pytest.approx(22.5)
    assert texas["mean_usd_per_mwh"] == pytest.approx(72.0)
    assert texas["at_limit_h"] == pytest.approx(1.0)
    assert mean_share_rows(given)[0]["mean_share"] == pytest.approx(0.8)
    assert [row["middle"][11:16] for row in ahead_rows(given)] == ["18:07", "18:45"]
    assert [row["end"] for row in power_rows(given)[:2]] == list(ends[1:])


def test_power_of_a_site_against_its_limit(outlook: dict[str, Any]) -> None:
    """At 18:00 the wave is -1: texas loads 60 - 50 = 10 MW, charges 20: 30 of 100 MW."""
    rows = {row["site"]: row for row in site_power_rows(outlook)}
    texas = rows["texas"]
    assert (texas["now_load_mw"], texas["import_limit_mw"]) == (10.0, 100.0)
    assert texas["now_limit_share"] == pytest.approx(0.3)
    assert texas["most_rent_usd_per_mwh"] == 7.0 and rows["sydney"]["most_rent_usd_per_mwh"] == 0.0
    assert texas["most_load_mw"] == 100.0
    assert largest_sites(outlook)[0] == "texas"
    assert {row["site"] for row in stored_rows(outlook)} == {"texas"}


def test_what_waits_at_most_and_when(outlook: dict[str, Any]) -> None:
    """The backlog of the second workload is 40 (1 + wave): most, 80 Mtok, at 06:00."""
    first, second = queue_sums(outlook)
    assert first["most_backlog_mtok"] == 0.0 and first["most_at"] == ""
    assert second["most_backlog_mtok"] == pytest.approx(80.0)
    assert second["most_at"] == "2026-03-03T06:00Z"
    assert second["arrivals_mtok"] == pytest.approx(4800.0)


def test_the_map_begins_with_the_largest_workload_that_runs(outlook: dict[str, Any]) -> None:
    assert largest_workloads(outlook) == ["batch-anywhere", "chat-america"]
    idle = [
        row | {"in_use": row["in_use"] and row["workload"] != "batch-anywhere"}
        for row in outlook["now"]
    ]
    assert largest_workloads(outlook | {"now": idle}) == ["chat-america", "batch-anywhere"]


def test_a_bar_is_cut_where_it_would_make_stubs_of_the_others() -> None:
    """The middle one of 1, 2, 3 is 2: a bar of 5 is the longest. A lone price is as long as it."""
    assert longest([1.0, 2.0, 3.0]) == 3.0
    assert longest([1.0, 2.0, 90.0]) == 5.0
    assert longest([7.0]) == 7.0
    assert longest([]) == longest([-1.0, 0.0]) == 0.0
    row = {"energy_usd_per_mtok": 6.0, "wake_usd_per_mtok": -1.0}
    assert 'class="part-energy" style="width:60.00%"' in stack(row, 10.0)
    assert "cut" in stack(row, 5.0) and "cut" not in stack(row, 6.0)
    assert "wake" not in stack(row, 10.0) and stack(row, 0.0) == ""
