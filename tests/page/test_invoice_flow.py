"""Where money goes: the tables sum to the invoices, the chart is bounded, earnings are told."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from report_views import invoice, path

from tokenergy.page.invoice_flow import MOST_COUNTS, flows_of, invoice_flow, labelled, node_rows
from tokenergy.page.report import ReportData
from tokenergy.page.sankey import layout


def sums(body: str) -> list[float]:
    """Return the figures of each row that tells of all invoices, the last of them the sum."""
    rows = re.findall(r'<tr class="shown"><th scope="row">all invoices</th>(.*?)</tr>', body)
    return [[float(value) for value in re.findall(r'<data value="([^"]*)"', row)] for row in rows]


def test_both_tables_sum_to_the_invoices(data: ReportData) -> None:
    """1,000 USD in all; chat 500, free 100, unused 200, the company 200."""
    by_tenant, by_model = sums(invoice_flow(data).body)
    assert by_tenant == pytest.approx([500.0, 100.0, 200.0, 200.0, 1000.0], abs=1e-6)
    assert math.fsum(by_model[:-1]) == pytest.approx(by_model[-1], abs=1e-6)
    assert by_model[-1] == pytest.approx(sum(row["usd"] for row in data.invoice), abs=1e-6)


def test_what_is_nobodys_has_a_name() -> None:
    rows = labelled(invoice())
    assert rows[5] == {
        "kind": "GPUs", "site": "tokyo", "model": "unused", "tenant": "unused", "usd": 200.0,
    }  # fmt: skip
    assert (rows[6]["site"], rows[6]["model"]) == ("others' servers", "large")
    assert (rows[7]["site"], rows[7]["model"], rows[7]["tenant"]) == (
        "the company", "no model", "the company",
    )  # fmt: skip


def test_what_was_earned_is_told_and_not_drawn(data: ReportData) -> None:
    part = invoice_flow(data)
    assert "power at sydney −30.00" in part.body
    targets = {row["target"] for row in part.charts["money"].datasets["money"]}
    assert "texas" in targets
    assert "sydney" not in targets


def test_many_sites_are_drawn_together() -> None:
    """Of 60 sites the six that cost most are drawn, and one bar for 54 more."""
    many = [path("power", f"s{at:02}", "m", "chat", float(100 - at)) for at in range(60)]
    flows = flows_of(labelled(many))
    sites = {flow.stops[1] for flow in flows}
    assert len(sites) == MOST_COUNTS["site"]
    assert "54 other sites" in sites
    nodes, _ = layout(flows)
    assert sum(node.usd for node in nodes if node.column == 1) == pytest.approx(
        sum(row["usd"] for row in many)
    )


def test_the_chart_is_valid_and_labels_stand_beside_their_nodes(data: ReportData) -> None:
    chart = invoice_flow(data).charts["money"]
    spec = chart.to_dict(validate=True)
    assert spec["usermeta"] == {"least_px": 620}
    nodes, _ = layout(flows_of(labelled(invoice())))
    rows = node_rows(nodes)
    assert {row["label"] for row in rows} >= {"GPUs 600", "power 180", "chat 500"}
    assert {row["column"] for row in rows if row["at_end"]} == {3}


def test_no_invoice_is_said(make_data: Callable[..., ReportData]) -> None:
    part = invoice_flow(make_data(invoice=()))
    assert not part.charts
    assert "no invoices to follow" in part.body


def test_a_company_that_only_earns_has_tables_and_no_chart(data: ReportData) -> None:
    part = invoice_flow(replace(data, invoice=[path("power", "texas", "m", "chat", -5.0)]))
    assert not part.charts
    assert sums(part.body)[0] == [-5.0, -5.0]
