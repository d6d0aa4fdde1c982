"""A bill as a table for people: lines, subtotals by contract, the total."""

from tokenergy.api.settling import Settled
from tokenergy.cli.columns import figure, put, say
from tokenergy.cli.show import banner


def bill(settled: Settled) -> None:
    """Print the lines added up by contract, component and unit, and what they come to."""
    banner(settled.heading)
    subtotals = settled.by_contract()
    cells: list[list[str]] = []
    for name, subtotal_usd in subtotals.items():
        rows = [row for row in settled.rows() if row.contract_id == name]
        for row in rows:
            cells.append(
                [
                    name if row is rows[0] else "",
                    row.component,
                    figure(row.quantity, 3),
                    row.unit,
                    figure(row.rate_usd, 2),
                    figure(row.amount_usd, 2),
                ]
            )
        if len(rows) > 1:
            cells.append(["", "subtotal", "", "", "", figure(subtotal_usd, 2)])
    cells.append(["total", "", "", "", "", figure(settled.bill_usd, 2)])
    put(
        f"Bill of {settled.month or 'the horizon'}, USD; above 0 is paid, below 0 received",
        cells,
        left=("contract", "line"),
        right=("quantity", "unit", "mean rate", "amount USD"),
    )
    for note in settled.notes():
        say(note)
    if len(settled.months_usd) > 1:
        told = ", ".join(f"{month} {figure(usd, 2)}" for month, usd in settled.months_usd.items())
        say(f"Months of the horizon: {told}")
