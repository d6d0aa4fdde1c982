"""The decision table: what was served, capped, downgraded, deferred and refused, and why."""

from collections.abc import Mapping, Sequence
from typing import Final

from tokenergy.page.data import ReportData
from tokenergy.page.html import Column, Section, paragraph, table
from tokenergy.page.number import amount, known, money, percent, significant
from tokenergy.page.rows import Given, Row, unique
from tokenergy.page.stated import Stated, stated

RUN: Final = "run"
MOST_WORKLOADS_COUNT: Final = 24
"""Of more workloads than this the table adds up tiers."""
DONE: Final[Mapping[str, str]] = {
    "serve": "served at once",
    "cap": "served, capped",
    "downgrade": "served by a smaller model",
    "defer": "served later",
    "refuse": "refused",
}
"""What a decision did, in words."""
WHY: Final[Mapping[str, str]] = {
    "value_above_cost": "it is worth more than it costs",
    "must_serve": "it must be served, though it costs more than it is worth",
    "tie_by_share": "several places cost the same and shared it",
    "affinity": "its prefix lay in that place's cache",
    "cheaper_interval": "a later hour was cheaper, or had room",
    "downgrade_pays": "the smaller model leaves more",
    "cap_pays": "a shorter answer leaves more",
    "place_full": "the first choice had no room",
    "place_down": "the first choice was out",
    "latency_class": "the first choice was too slow for its tier",
    "marginal_cost_exceeds_value": "one more cost as much as it is worth, or more",
    "budget_pacing": "its budget is paced",
    "budget_exhausted": "its budget is spent",
    "rate_limited": "its tenant asked faster than agreed",
    "overloaded": "there was no room when it came",
    "no_capable_deployment": "no deployment can serve it",
    "safe_mode": "the board was stale: careful rules held",
}
"""Why a decision was taken, in words; reasons are those of `company.decision`."""


def decisions(data: ReportData) -> Section:
    """Return what was decided in the run, and about the requests of the ledger, if it has any."""
    run = [row for row in data.decisions if row["source"] == RUN]
    requests = [row for row in data.decisions if row["source"] != RUN]
    body = paragraph(
        f"What {data.policy} did with what was asked. Beside each decision stands what it was "
        "decided by: what a Mtok is worth to its tier, and what one more cost then."
    )
    if run:
        body += run_table(run, stated(data), policy=data.policy)
    else:
        body += paragraph("Nothing was asked for in this run, so that nothing was decided.")
    if requests:
        body += requests_table(requests, stated(data))
    else:
        body += (
            "<p>No ledger with requests was read: <code>tokenergy serve</code> and <code>tokenergy "
            "simulate --requests</code> write them, each with its reason.</p>"
        )
    return Section(
        anchor="decisions", link="Decisions", title="What was decided, and why", body=body
    )


def run_table(rows: Sequence[Given], when: Stated, *, policy: str) -> str:
    """Return the decisions of a run, by workload, or by tier where there are many."""
    workloads = unique(row["workload"] for row in rows)
    by_tier = len(workloads) > MOST_WORKLOADS_COUNT
    shown = tier_rows(rows) if by_tier else [_told(row) for row in rows]
    unit = when.currency
    first = [] if by_tier else [Column(title="Workload", name="workload")]
    columns = [
        *first,
        Column(title="Tier", name="tier"),
        Column(title="Decision", name="done"),
        Column(title="Mtok", name="quantity", write=amount),
        Column(title="Of what was asked", name="asked_share", write=_share),
        Column(title=f"Worth, {unit}/Mtok", name="value_usd_per_mtok", write=significant),
        Column(title=f"One more cost then, {unit}/Mtok", name="asked_usd_per_mtok",
               write=significant),
        Column(title=f"Value lost, {unit}", name="lost_usd", write=money),
        Column(title="Why", name="why", wide=True),
    ]  # fmt: skip
    many = f", {len(workloads)} workloads added up by tier" if by_tier else ""
    basis = f"marginal: one Mtok more, as {policy} saw it{many}"
    caption = "What the run decided"
    return table(caption, when.subtitle(f"Mtok, {unit}/Mtok", basis), columns, shown)


def tier_rows(rows: Sequence[Given]) -> list[Row]:
    """Return decisions added up by tier and reason; means are weighted by Mtok."""
    groups: dict[tuple[str, str, str], list[Given]] = {}
    asked: dict[str, float] = {}
    for row in rows:
        groups.setdefault((row["tier"], row["decision"], row["reason"]), []).append(row)
        asked[row["tier"]] = asked.get(row["tier"], 0.0) + row["quantity"]
    found = []
    for (tier, _, _), held in groups.items():
        whole = sum(row["quantity"] for row in held)
        row = dict(held[0]) | {"quantity": whole, "asked_share": whole / asked[tier]}
        row["lost_usd"] = sum(each["lost_usd"] for each in held)
        for name in ("value_usd_per_mtok", "asked_usd_per_mtok"):
            told = all(known(each[name]) for each in held)
            row[name] = sum(r[name] * r["quantity"] for r in held) / whole if told else None
        found.append(_told(row))
    return found


def _told(row: Given) -> Row:
    """Return a decision with its words; of a refusal before it, its code."""
    done = DONE.get(row["decision"], str(row["decision"]))
    if row["outcome"] not in ("served", "refused"):
        done += f", ended {str(row['outcome']).replace('_', ' ')}"
    reason = str(row["reason"])
    why = WHY.get(reason, reason.replace("_", " ")) or "its policy tells none"
    return dict(row) | {"done": done, "why": why}


def requests_table(rows: Sequence[Given], when: Stated) -> str:
    """Return what a ledger says of requests, most first."""
    ordered = sorted((_told(row) for row in rows), key=lambda row: -float(row["requests_count"]))
    unit = when.currency
    columns = [
        Column(title="Workload", name="workload"),
        Column(title="Tier", name="tier"),
        Column(title="Decision", name="done"),
        Column(title="Requests", name="requests_count", write=amount),
        Column(title="Answer, Mtok", name="quantity", write=amount),
        Column(title=f"Cost, {unit}", name="cost_usd", write=money),
        Column(title=f"Value lost, {unit}", name="lost_usd", write=money),
        Column(title="Why", name="why", wide=True),
    ]
    sources = ", ".join(unique(str(row["source"]) for row in rows))
    basis = f"at the prices they were decided by, all that the ledger holds ({sources})"
    states = when.over(rows).subtitle(unit, basis)
    return table("What requests were answered", states, columns, ordered)


def _share(share: float) -> str:
    return percent(share, 2)
