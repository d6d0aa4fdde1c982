"""What a budget is counted in; apart from the budget, so that a worker need not know files."""

from typing import Literal

BudgetUnit = Literal["usd", "j"]
"""Money of the company, or joules at the meter."""
