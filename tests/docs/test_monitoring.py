"""Dashboard and alert rules: they are current, they parse, and name only what is exported.

Promtool (Debian's `prometheus`) parses every expression and fires every rule; without it those
tests skip, unless TOKENERGY_PROMTOOL_MUST_RUN is set.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_rapl import FakeRapl
from faulty_upstream import faulty_upstream
from prometheus_client.parser import text_string_to_metric_families
from serve_company import company_text
from serve_process import Gateway, serving

from tokenergy.serve import exposition, figures, gateway_metrics

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"
ALERTS, TESTED = DEPLOY / "alerts.yaml", DEPLOY / "alerts_test.yaml"
PAGE = ROOT / "docs" / "monitoring.md"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and "TOKENERGY_PROMTOOL_MUST_RUN" not in os.environ,
    reason="promtool is not installed (Debian: apt-get install prometheus)",
)
SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds to whatever it scrapes."""
OTHERS = {"up": set[str]()}
"""Metrics of Prometheus' own."""
METRIC = re.compile(
    r"(?<![\w:$\"])((?:tokenergy|gen_ai)[\w:]*|up\b)(?!\s*\()\s*(?:\{((?:[^{}\"]|\"[^\"]*\")*)\})?"
)
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPED = re.compile(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([\w\s,]*)\)")
VALUES = {"__rate_interval": "5m", "__range": "24h"}
RARE = {
    "tokenergy_spans_dropped_total": "an OpenTelemetry collector that is too slow",
    "tokenergy_gateway_findings_count": "something that is wrong with prices",
    "tokenergy_gateway_held_requests_count": "a tier that waits, and an hour that is cheaper",
}
"""What a gateway exports on occasions that the test does not make; their names are declared."""


# ---- what the files name -----------------------------------------------------------------


def dashboard() -> dict[str, Any]:
    return dict(json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8")))


def panels() -> list[dict[str, Any]]:
    """Return every panel, those of closed rows too."""
    return [one for top in dashboard()["panels"] for one in (top, *top.get("panels", ()))]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> dict[str, str]:
    """Return every expression of both files by where it stands, its variables filled in."""
    found = {
        f"{one['title']} {target['refId']}": target["expr"]
        for one in panels()
        for target in one.get("targets", ())
    }
    found |= {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}
    for made in dashboard()["templating"]["list"]:
        if made["type"] == "query":
            name, label = re.findall(r"[\w:]+", made["definition"])[1:]
            found[f"variable {made['name']}"] = f"count by ({label}) ({name})"
    chosen = VALUES | {each["name"]: ".*" for each in dashboard()["templating"]["list"]}
    return {
        where: re.sub(r"\$(\w+)", lambda at: chosen[at[1]], expr) for where, expr in found.items()
    }


def named(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the metrics of an expression with the labels that are matched."""
    for name, matchers in METRIC.findall(GROUPED.sub("", expr)):
        yield name, set(MATCHER.findall(matchers))


def declared() -> dict[str, set[str]]:
    """Return names and labels of all that the gateway and `observe` declare."""
    found: dict[str, set[str]] = {}
    for name, (_, labels) in gateway_metrics.COUNTERS.items():
        found[f"{name}_total"] = set(labels)
    for name, (_, labels) in gateway_metrics.GAUGES.items():
        found[name] = set(labels)
    for name, (_, labels) in gateway_metrics.HISTOGRAMS.items():
        found[f"{name}_bucket"] = {*labels, "le"}
    for name, labels in observed().items():
        found[name] = found.get(name, set()) | labels
    return found


def observed() -> dict[str, set[str]]:
    """Return what `observe` exports: the text of a page with one figure of each kind."""
    where = {"model": "m", "site": "s"}
    seen = figures.Figures(
        tokens=(figures.TokenFigure(**where, token_type="output", tokens=1),),
        energy=(
            figures.EnergyFigure(**where, energy_tier="measured", boundary="gpu", energy_j=1.0),
        ),
        cost=(figures.CostFigure(component="energy", usd=1.0),),
        prices=(
            figures.PriceFigure(**where, token_type="output", component="energy", usd_per_mtok=1.0),
        ),
        power=(figures.PowerFigure(site="s", usd_per_mwh=1.0),),
        requests=(figures.RequestFigure(decision="served", requests=1),),
    )
    return samples(exposition.Exposition(lambda: seen).text().decode())


def samples(text: str) -> dict[str, set[str]]:
    """Return the labels of each series of a page, by name."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_the_dashboard_is_what_its_script_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make docs` would change nothing."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    made = import_module("make_dashboard")
    try:
        assert (DEPLOY / "grafana.json").read_text(encoding="utf-8") == made.dashboard_text()
    finally:
        for name in ("make_dashboard", "grafana_form"):
            sys.modules.pop(name, None)


def test_both_files_name_only_metrics_and_labels_that_are_exported() -> None:
    known = declared() | OTHERS
    known |= {rule["record"]: set() for rule in rules() if "record" in rule}
    for where, expr in expressions().items():
        uses = list(named(expr))
        assert uses, where
        anywhere = {"le", *SCRAPED}
        for name, labels in uses:
            assert name in known, f"{where}: {name}"
            assert labels <= known[name] | SCRAPED, f"{where}: {name} has no {labels}"
            anywhere |= known[name]
        if not any(":" in name for name, _ in uses):
            grouped = {
                label for text in GROUPED.findall(expr) for label in re.findall(r"\w+", text)
            }
            assert grouped <= anywhere, f"{where}: {grouped - anywhere}"


def test_every_metric_of_the_gateway_is_on_the_dashboard() -> None:
    """What nobody looks at need not be exported: the histograms' sums and counts aside."""
    shown = {name for expr in expressions().values() for name, _ in named(expr)}
    assert set(declared()) - shown == {"tokenergy_tenants_in_other"}


def test_every_panel_says_what_to_do_and_in_which_unit() -> None:
    shown = [one for one in panels() if one["type"] != "row"]
    assert len(shown) > 40
    assert len({one["id"] for one in panels()}) == len(panels())
    for one in shown:
        assert one["description"], one["title"]
        assert one["fieldConfig"]["defaults"]["unit"], one["title"]
        assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in one["targets"]:
            assert target["datasource"] == one["datasource"]
    names = {rule["alert"] for rule in rules() if "alert" in rule}
    meant = {name for one in shown for name in re.findall(r"Tokenergy[A-Z]\w+", one["description"])}
    assert meant and meant <= names


def test_panels_do_not_lie_on_each_other() -> None:
    seats: dict[tuple[int, int], str] = {}
    for one in panels():
        at = one["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert seats.setdefault((x, y), one["title"]) == one["title"]


# ---- rules -------------------------------------------------------------------------------


def test_every_alert_says_how_bad_it_is_and_where_to_read_on() -> None:
    """Its link leads to the heading of its own name, and the page has no other."""
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^### (Tokenergy\w+)$", text, re.MULTILINE)
    alerts = [rule for rule in rules() if "alert" in rule]
    assert sorted(headings) == sorted(rule["alert"] for rule in alerts)
    for rule in alerts:
        told = rule["annotations"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["for"]
        assert told["summary"] and told["description"]
        assert told["runbook_url"] == f"docs/monitoring.md#{rule['alert'].lower()}"


def test_every_alert_is_fired_by_its_test_and_kept_quiet_by_another() -> None:
    tested = yaml.safe_load(TESTED.read_text(encoding="utf-8"))
    fired = {
        one["alertname"]
        for each in tested["tests"]
        for one in each.get("alert_rule_test", ())
        if one.get("exp_alerts")
    }
    assert fired == {rule["alert"] for rule in rules() if "alert" in rule}


def promtool(*words: str) -> str:
    assert PROMTOOL is not None, "promtool must run here, and is not installed"
    ended = subprocess.run(
        [PROMTOOL, *words], check=False, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@needs_promtool
def test_promtool_fires_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(ALERTS))
    assert "SUCCESS" in promtool("test", "rules", str(TESTED))


@needs_promtool
def test_promtool_parses_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    told = [
        {"record": f"panel:number{at}:value", "expr": expr}
        for at, expr in enumerate(expressions().values())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": told}]}))
    assert f"{len(told)} rules found" in promtool("check", "rules", str(file))


@needs_promtool
def test_promtool_reads_the_scrape_configuration_of_the_page(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"^```text\n(scrape_configs:\n.*?)^```$", text, re.M | re.S)
    (tmp_path / "key").write_text("a")
    shutil.copy(ALERTS, tmp_path)
    file = tmp_path / "prometheus.yml"
    file.write_text(re.sub(r"credentials_file: \S+", f"credentials_file: {tmp_path}/key", block))
    assert "SUCCESS" in promtool("check", "config", str(file))


# ---- a real gateway ----------------------------------------------------------------------


def company(folder: Path, urls: list[str], rapl: FakeRapl) -> Path:
    """Two servers, of which one has a meter; a budget of each unit that is soon used up."""
    text = company_text(
        urls, tenants=("acme", "poor"), served_model="m", more="metering: {every_s: 1}"
    )
    text += (
        "observe:\n  engines:\n"
        f"    - {{name: engine, metrics_url: '{urls[0]}/metrics', fleet: paris-h100,\n"
        "       model: small, workload: answers, idle_w: 20,\n"
        f"       meter: {{kind: rapl, zones: [package-0], root: '{rapl.root}'}}}}\n"
        "budgets:\n"
        "  - {name: power, tenant: poor, j: 0.001, window: day, time_zone: Europe/Paris}\n"
        "  - {name: money, tenant: acme, usd: 5, window: day, time_zone: Europe/Paris}\n"
    )
    path = folder / "company.yaml"
    path.write_text(text)
    return path


def scraped(gateway: Gateway, wanted: set[str]) -> Mapping[str, set[str]]:
    """Return what is exported once everything wanted is there, or after 20 s."""
    key = gateway.key("acme", scopes=("admin",))
    until_s, told = time.monotonic() + 20.0, dict[str, set[str]]()
    here = Gateway(
        company=gateway.company, data=gateway.data, ledger=gateway.ledger, log=gateway.log,
        url=gateway.admin_url, child=gateway.child,
    )  # fmt: skip
    while time.monotonic() < until_s:
        answer = here.ask(key, None, path="/metrics")
        assert answer.status == 200, answer.body
        told = samples(answer.body.decode())
        if wanted <= set(told):
            break
        time.sleep(0.2)
    return told


@pytest.mark.slow
def test_a_real_gateway_exports_what_both_files_name(tmp_path: Path) -> None:
    """Streams, whole answers, some that failed elsewhere first, a refused one, a wrong key.

    Slow: a gateway of several processes, and windows of a meter.
    """
    rapl = FakeRapl(tmp_path / "powercap")
    wanted = {name for expr in expressions().values() for name, _ in named(expr)}
    of_observe = set(observed()) - {f"{name}_total" for name in gateway_metrics.COUNTERS}
    of_observe -= set(gateway_metrics.GAUGES)
    wanted = {name for name in wanted if ":" not in name} - set(OTHERS) - of_observe - set(RARE)
    with faulty_upstream() as near, faulty_upstream() as far:
        path = company(tmp_path, [near.url, far.url], rapl)
        with (
            serving(
                path, folder=tmp_path, words=("--admin-port", "0"), tenants=("acme", "poor")
            ) as gateway,
            rapl.drawing(50.0),
        ):
            body = {"model": "small", "max_tokens": 8,
                    "messages": [{"role": "user", "content": "Why?"}]}  # fmt: skip
            near.once(fault="reset")
            far.once(fault="reset")
            for more in ({}, {}, {"stream": True}, {"stream": True}):
                gateway.ask(gateway.key("acme"), body | more)
            assert gateway.ask(gateway.key("poor"), body).status == 429
            assert gateway.ask("nobody", body).status == 401
            told = scraped(gateway, wanted)
            on_call = [str(ROOT / "examples" / "on_call.py"), str(path), str(gateway.ledger)]
            said = subprocess.run(
                [sys.executable, *on_call], check=True, capture_output=True, text=True, timeout=120
            ).stdout
    assert wanted - set(told) == set()
    assert re.search(r"refused with 429 .*; tenant poor, tier chat", said), said
    known = declared()
    for name in wanted:
        assert told[name] <= known[name], name
