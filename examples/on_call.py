"""For the engineer on call: what a token costs now, where it runs, and why it was refused.

    python examples/on_call.py                       the example company, at a moment
    python examples/on_call.py COMPANY [LEDGER]      yours, now; its gateway's last refusals

Cells (`# %%`) run one by one in an editor that knows them.
"""

# %% A company, and the moment: the example's is past, yours is this hour
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

import tokenergy as te

words = sys.argv[1:]
at = datetime(2026, 3, 2, 18, tzinfo=UTC)
if words:
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
path = words[0] if words else Path(__file__).with_name("meridian.yaml")
company = te.load(path, start=at, days=2)

# %% What one Mtok more costs in this hour, at the cheapest place that is in use, and of what
board = te.price(company, hours=1)
used = [row for row in board.prices if row.in_use]
print(f"{board.heading['company']}, {at:%Y-%m-%d %H:%M} UTC, USD/Mtok at the margin")
for name in sorted({row.workload for row in used}):
    row = min((row for row in used if row.workload == name), key=lambda row: row.total_usd_per_mtok)
    parts = sorted(row.parts().items(), key=lambda part: -part[1])[:2]
    why = ", ".join(f"{part} {usd_per_mtok:.4f}" for part, usd_per_mtok in parts)
    print(f"  {name:16} {row.total_usd_per_mtok:8.4f}  {row.model} at {row.site}: {why}")

# %% Where it runs, and which sites are at the limit of their grid connection
plan = te.dispatch(company)
for site in (row for row in plan.sites if row["start"] == plan.sites[0]["start"]):
    full = ", at its limit" if site["mw_rent_usd_per_mwh"] > 1e-6 else ""
    print(f"  {site['site']:16} {site['import_mw']:8.2f} of {site['import_limit_mw']:g} MW{full}")

# %% Why requests were refused: the last ones of a gateway's ledger, decided again
if words[1:]:
    ledger = Path(words[1])
    asked = "SELECT DISTINCT request_id FROM ledger WHERE decision = 'refuse' ORDER BY start DESC"
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as base:
        refused = [name for (name,) in base.execute(f"{asked} LIMIT 3")]
    for name in refused:
        why = te.explain(name, [ledger])
        print(f"{name}: {why.told}; tenant {why.tenant}, tier {why.tier}")
    if not refused:
        print(f"nobody was refused in {ledger}")
