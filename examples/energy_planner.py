"""For the energy planner: what to build and sign, what a megawatt is worth, how sure that is.

    python examples/energy_planner.py [COMPANY]

Cells (`# %%`) run one by one in an editor that knows them.
"""

# %% A company that rents everything, and asks what it should own
import sys
from pathlib import Path

import tokenergy as te

HOURS_H = 48  # of the plan; without it the whole horizon, and minutes
company = te.load(sys.argv[1] if sys.argv[1:] else Path(__file__).with_name("startup.yaml"))

# %% What the sites do today, hour by hour: how full is the grid connection?
today = te.dispatch(company, hours=24)
for name in dict.fromkeys(row["site"] for row in today.sites):
    rows = [row for row in today.sites if row["site"] == name]
    peak_mw = max(row["import_mw"] for row in rows)
    full_h = sum(row["mw_rent_usd_per_mwh"] > 1e-6 for row in rows)
    print(f"{name}: at most {peak_mw:.3f} of {rows[0]['import_limit_mw']:g} MW, full in {full_h} h")

# %% The same program with sizes as variables: what to build, between proved bounds
planned = te.plan(company, hours=HOURS_H, gap_share=0.01)
print(planned)

# %% What one more of each size would save in a year, beside what it costs
for row in planned.worths:
    if row.low_usd_per_unit_year is not None:
        costs = "is not for sale"
        if row.annuity_usd_per_unit_year is not None:
            costs = f"costs {row.annuity_usd_per_unit_year:,.0f}"
        print(f"{row.name:10} {row.size_quantity:8.3f} {row.unit}: one more saves "
              f"{row.low_usd_per_unit_year:,.0f} USD a year and {costs}")  # fmt: skip
