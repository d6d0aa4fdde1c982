"""The settlement table: the bill by contract and line, as `tokenergy settle` prints it."""

from html import escape

from tokenergy.page.data import ReportData
from tokenergy.page.html import Column, Section, paragraph, table
from tokenergy.page.number import amount, money, percent, significant
from tokenergy.page.rows import Given, Row
from tokenergy.page.stated import Stated, stated

TITLE = "The bill, line by line"
TIES_SHARE = 1e-6
"""How far the bill and the program's own prices may lie apart, relative to the bill."""


def settlement(data: ReportData) -> Section:
    """Return the bill by contract and line, with what each contract and month comes to."""
    held = data.settlement
    if not held or not held["rows"]:
        body = paragraph("There was no bill to settle: no contract and no tariff charged anything.")
        return Section(anchor="settlement", link="Settlement", title=TITLE, body=body)
    when = stated(data)
    body = paragraph(
        f"What the contracts and tariffs charge for what {held['policy']} metered: every line "
        "of a contract added up. Above 0 is paid, below 0 received."
    )
    body += lines_table(held, when) + _ties(data, held)
    if len(held["months_usd"]) > 1:
        body += months_table(held, when)
    return Section(anchor="settlement", link="Settlement", title=TITLE, body=body)


def lines_table(held: Given, when: Stated) -> str:
    """Return the lines of each contract, its subtotal, and the total."""
    rows: list[Row] = []
    kinds: dict[int, str] = {}
    for contract, subtotal_usd in held["by_contract"].items():
        mine = [row for row in held["rows"] if row["contract_id"] == contract]
        for row in mine:
            rows.append(dict(row) | {"line": row["component"].replace("_", " ")})
        if len(mine) > 1:
            kinds[len(rows)] = "sum"
            rows.append(
                {"contract_id": contract, "line": "all lines", "unit": ""}
                | {"amount_usd": subtotal_usd, "share": _of(subtotal_usd, held["bill_usd"])}
            )
        else:
            rows[-1]["share"] = _of(subtotal_usd, held["bill_usd"])
    kinds[len(rows)] = "shown"
    total = {"contract_id": "the bill", "line": "", "unit": "", "share": 1.0}
    rows.append(total | {"amount_usd": held["bill_usd"]})
    unit = when.currency
    columns = [
        Column(title="Contract", name="contract_id"),
        Column(title="Line", name="line"),
        Column(title="Quantity", name="quantity", write=amount),
        Column(title="Unit", name="unit"),
        Column(title=f"Mean rate, {unit}", name="rate_usd", write=significant),
        Column(title=f"Amount, {unit}", name="amount_usd", write=money),
        Column(title="Of the bill", name="share", write=percent),
    ]
    basis = f"settled at what {held['policy']} metered; rate: of the unit, the mean of its lines"
    return table(
        "Bill by contract and line", when.subtitle(unit, basis), columns, rows, kinds=kinds
    )


def _of(usd: float, whole_usd: float) -> float | None:
    return usd / whole_usd if whole_usd else None


def _ties(data: ReportData, held: Given) -> str:
    """Say whether the bill is what the program reckoned with, and what of it is made up."""
    said = []
    program_usd, bill_usd = held.get("program_bill_usd"), held["bill_usd"]
    if program_usd is not None:
        apart = abs(bill_usd - program_usd)
        if apart <= TIES_SHARE * max(1.0, abs(bill_usd)):
            said.append("The bill ties with the prices that the dispatch reckoned with.")
        else:
            said.append(
                f"The bill lies {money(apart)} {data.currency} from the prices that the dispatch "
                "reckoned with: find out why before it is paid."
            )
    if data.synthetic:
        said.append("Synthetic prices are in it: nobody will send this bill.")
    said += [str(note) for note in (held.get("uncovered"),) if note]
    return "".join(f"<p>{escape(line)}</p>" for line in said)


def months_table(held: Given, when: Stated) -> str:
    """Return what each month comes to."""
    rows = [{"month": name, "usd": usd} for name, usd in held["months_usd"].items()]
    columns = [
        Column(title="Month", name="month"),
        Column(title=f"Amount, {when.currency}", name="usd", write=money),
    ]
    basis = "by the billing month of each contract's own clock, as far as the horizon reaches"
    return table("Bill by month", when.subtitle(when.currency, basis), columns, rows)
