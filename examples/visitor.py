"""For a visitor with a minute: does the number hold, and what is it good for?

    python examples/visitor.py

Cells (`# %%`) run one by one in an editor that knows them.
"""

# %% An invented company of six sites; every series that is made up says so
from pathlib import Path

import tokenergy as te

company = te.load(Path(__file__).with_name("meridian.yaml"), days=1)
print(company.company.about)

# %% The number: what one Mtok more costs, at each place, in parts that sum to it
board = te.price(company, hours=1)
row = max((row for row in board.prices if row.in_use), key=lambda row: row.mw_rent_usd_per_mtok)
print(f"{row.workload} by {row.model} at {row.site}: {row.total_usd_per_mtok:.4f} USD/Mtok")
for part, usd_per_mtok in row.parts().items():
    if abs(usd_per_mtok) >= 0.00005:
        print(f"  {part:18} {usd_per_mtok:8.4f}")
print(board.message)

# %% The test: dispatch by that number, a rule without it, and perfect foresight, on one day
run = te.simulate(company, policies=["greedy_battery", "mpc", "clairvoyant"])
for line in run.meaning():
    print(line)
