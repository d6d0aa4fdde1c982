"""For the CFO and FinOps: what a token costs in full, whether it pays, and whose bill it is.

    python examples/finops.py [COMPANY] [DAYS]

Cells (`# %%`) run one by one in an editor that knows them.
"""

# %% Two days of a company, as it would be dispatched
import sys
from pathlib import Path

import tokenergy as te

words = sys.argv[1:]
days = float(words[1]) if words[1:] else 2
company = te.load(words[0] if words else Path(__file__).with_name("startup.yaml"), days=days)
run = te.simulate(company, policies=["greedy_battery", "mpc"])

# %% Does it pay? Full cost holds GPUs, halls and people; the marginal cost is what one more takes
economics = te.economics(company, simulation=run)
print(economics)

# %% By tier: who brings in more than it costs
for tier in economics.earned.tiers:
    told = tier.to_dict()
    print(f"{told['tier']:10} revenue {told['revenue_usd']:10,.0f} USD, "
          f"margin at full cost {told['full_margin_usd']:10,.0f} USD")  # fmt: skip

# %% The bill of power, by contract: what the supplier's invoice should say
bill = te.settle(company)
print(bill)
for contract, usd in bill.by_contract().items():
    print(f"{contract:12} {usd:12,.2f} {bill.currency}")
