"""A ledger as a FOCUS file: bills as they come, tokens hour by hour, in little memory.

What was never billed in money (work refused, quality lost, the value of a battery's charge, its
wear) is no charge: it stays in the ledger, and a finding says how much. A row whose cost FOCUS
wants and nobody knows is not written, never written as 0: a finding counts it, and its share of
the bills stands in the row of what no token bears.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from tokenergy.company.finding import Finding
from tokenergy.company.ledger import LedgerEntry
from tokenergy.errors import FindingsError, InputError
from tokenergy.files.focus_facts import FocusFacts
from tokenergy.files.focus_rows import Row, RowMaker
from tokenergy.files.focus_share import Hour, Unborne, hour_of, unborne_of
from tokenergy.units import NANO_USD_PER_USD

TOKEN_METERS: Final = {
    "serve": "Output Tokens",
    "output": "Output Tokens",
    "input": "Input Tokens",
    "cached_input": "Cached Input Tokens",
}
"""Components that count tokens, in Mtok, and the meter of each."""
BILLED: Final = ("lease", "api", "network")
"""Components that somebody bills, beside settlements."""
IMPUTED: Final = ("energy", "gpu_rent", "facility", "staff")
"""Components of the cost that `observe` imputes to an engine's window."""
IDLE: Final = ("idle", "standing")
"""Components of energy that no token used."""
WORST_LAST: Final = ("measured", "calibrated", "modelled")


class FocusStream:
    """The rows of a FOCUS file, once; `findings` and `counts` are whole when they have been read.

    Args:
        entries: rows of one run, in order of `start`.
    """

    def __init__(self, entries: Iterable[LedgerEntry], facts: FocusFacts) -> None:
        """Take the ledger and the facts; nothing is read yet."""
        self._entries, self._facts = entries, facts
        self._maker = RowMaker(facts)
        self.counts: Counter[str] = Counter()
        self.usd: defaultdict[str, float] = defaultdict(float)

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            InputError: if the ledger is not in order of time, or holds nothing to write.
            FindingsError: if no token row knows its cost on the basis asked for.
        """
        hour: Hour | None = None
        for entry in self._entries:
            self.counts["entries"] += 1
            start = hour_of(entry.start)
            if hour is None or start > hour.start:
                if hour is not None:
                    yield from self._closed(hour)
                hour = Hour(start=start)
            elif start < hour.start:
                raise InputError(
                    f"the ledger is not in order of time: {entry.start.isoformat()} stands after "
                    f"{hour.start.isoformat()}"
                )
            yield from self._taken(entry, hour)
        if hour is not None:
            yield from self._closed(hour)
        self._refuse_nothing()

    def _taken(self, entry: LedgerEntry, hour: Hour) -> Iterator[Row]:
        """Put one row of the ledger where it belongs; bills are written at once."""
        self.counts["simulated"] += entry.source == "simulate"
        if entry.kind == "settlement" or entry.component in BILLED:
            hour.bills.append(entry)
            row, listed = self._maker.bill_row(entry)
            self.counts["bills"] += 1
            self.counts["unlisted"] += not listed
            usd = entry.amount_nano_usd / NANO_USD_PER_USD
            self.usd["billed"] += usd
            if entry.kind == "settlement":
                self.usd["settled"] += usd
            yield row
        elif entry.component in TOKEN_METERS and entry.unit == "Mtok":
            hour.add_tokens(entry, TOKEN_METERS[entry.component], WORST_LAST)
            self.counts["input"] += entry.component != "serve"
        elif entry.kind == "meter":
            if entry.source != "serve":  # those stand beside the modelled joules of a request
                hour.add_metered(entry, WORST_LAST)
        elif entry.component in IDLE:
            hour.add_idle(entry)
        elif entry.component in IMPUTED:
            hour.add_imputed(entry)
        elif entry.amount_nano_usd:
            self.counts["unbilled"] += 1
            self.usd["unbilled"] += entry.amount_nano_usd / NANO_USD_PER_USD

    def _closed(self, hour: Hour) -> Iterator[Row]:
        """Share the bills of an hour and yield its tokens, and what no token bears."""
        facts, maker, counts = self._facts, self._maker, self.counts
        shares = facts.basis != "marginal"
        hour.read_meters()
        if shares:
            counts["by_tokens"] += hour.share(facts.basis)
            for site, component, usd in hour.imputed():
                if not usd:
                    continue
                source = Unborne(site=site, start=hour.start, end=hour.end, usd=usd)
                self.usd["imputed"] += usd
                yield maker.imputed_row(source, component)
        cost_at, energy_at = maker.at["x_MarginalCost"], maker.at["x_EnergyKwh"]
        cost_column = maker.at["EffectiveCost"]
        for held in hour.tokens.values():
            counts["tokens"] += 1
            price = facts.price_usd_per_mtok(held.entry)
            row = None if price is None else maker.token_row(held, price)
            unknown = shares and not held.cost_known
            if row is None or unknown or row[cost_column] is None:
                counts["unpriced" if row is None else "uncosted"] += 1
                hour.leave(held.entry.site, held.start, held.end, held.borne_usd)
                continue
            counts["written"] += 1
            self.usd["sold"] += row[maker.at["BilledCost"]]
            self.usd["borne"] += row[cost_column]
            counts["no_marginal"] += row[cost_at] is None
            counts["no_energy"] += held.bears and row[energy_at] is None
            counts["no_carbon"] += held.bears and row[maker.at["x_CarbonKg"]] is None
            counts["free"] += shares and not held.bears
            yield row
        if shares:
            for left in unborne_of(hour):
                counts["unborne"] += 1
                self.usd["unborne"] += left.usd
                yield maker.unborne_row(left)

    def _refuse_nothing(self) -> None:
        counts, basis = self.counts, self._facts.basis
        if not counts["bills"] and not counts["tokens"]:
            raise InputError("the ledger holds no tokens and no bills: there is nothing to export")
        if counts["tokens"] and not counts["written"]:
            raise FindingsError(
                [
                    Finding(
                        code="BASIS_UNKNOWN" if counts["uncosted"] else "FOCUS_PRICE_UNKNOWN",
                        path="basis" if counts["uncosted"] else "tiers",
                        value=basis,
                        reason=f"none of {counts['tokens']} token rows knows its "
                        + (f"cost on the basis {basis}" if counts["uncosted"] else "price"),
                        remedy="Take another --basis, or a ledger of this company that holds costs",
                    )
                ]
            )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the file leaves out or does not know."""
        counts, usd, currency = self.counts, self.usd, self._facts.currency
        written, bills = counts["written"], counts["bills"]
        marginal = self._facts.basis == "marginal"
        told = (
            (counts["simulated"], "FOCUS_SIMULATED", "source", "rows were simulated: nobody has "
             "sent or will send these bills", "Export what `observe` or `serve` wrote"),
            (written if bills or usd["imputed"] else 0, "FOCUS_TWO_SIDES", "x_CostBasis",
             "token rows say what is sold, and what they bear of costs that stand in rows of their "
             "own (x_CostBasis invoice or imputed)", "Add up one side at a time: with both, money "
             "counts twice"),
            (counts["unpriced"], "FOCUS_PRICE_UNKNOWN", "tiers", "token rows have no price and are "
             "left out", "Export with the company file that the ledger was written with"),
            (counts["uncosted"], "BASIS_UNKNOWN", "basis", "token rows do not know their cost on "
             f"the basis {self._facts.basis}, or a part of it, and are left out",
             "Give the missing price, or take another --basis"),
            (counts["free"], "FOCUS_COST_ON_OUTPUT", "EffectiveCost", "rows of input tokens bear "
             "0: no ledger tells reading from writing, so output tokens bear it all",
             "Add up the rows of a model for what its requests cost"),
            (counts["unlisted"], "FOCUS_LIST_MISSING", "ListCost", f"of {bills} bills have no list "
             "price: their ListCost is the contract's, their ListUnitPrice null",
             "Give the site's market price"),
            (counts["no_energy"], "METER_MISSING", "x_EnergyKwh", f"of {written} token rows do not "
             "know their energy: null, never 0", "Give their engine a meter"),
            (counts["by_tokens"], "FOCUS_SHARED_BY_TOKENS", "EffectiveCost", "site-hours were "
             "shared by tokens, because a row does not know its kWh", "Give every engine a meter"),
            (counts["no_marginal"], "FOCUS_MARGINAL_MISSING", "x_MarginalCost", f"of {written} "
             "token rows have no marginal cost in the ledger: null, never 0",
             "Export a ledger with boards of prices"),
            (counts["no_carbon"], "FOCUS_CARBON_MISSING", "x_CarbonKg", f"of {written} token rows "
             "have no carbon figure: null, never 0",
             "Nothing yet: no line of a company file takes the carbon of a zone"),
            (0 if counts["input"] else written, "FOCUS_INPUT_MISSING", "SkuMeter", "token rows, "
             "all of output: the ledger counts no input tokens", "Nothing: prices are by output"),
            (counts["unbilled"], "FOCUS_NOT_BILLED", "ledger", f"rows, {usd['unbilled']:.2f} "
             f"{currency} in all, are no bill (refused work, quality, battery wear and charge) "
             "and are left out", "Read them with `tokenergy ledger`"),
            (counts["unborne"], "ALLOCATION_RESIDUAL", "EffectiveCost", f"rows, "
             f"{usd['unborne']:.2f} {currency} in all, tell cost that no token bears",
             "Nothing: it is unused capacity, and never smeared into users"),
            (0 if usd["imputed"] or marginal else written, "FOCUS_CAPITAL_MISSING",
             "EffectiveCost", "token rows bear power, leases, API and network; the ledger holds no "
             "capital of owned GPUs and buildings", "Read full cost with `tokenergy economics`"),
        )  # fmt: skip
        return tuple(
            Finding(
                code=code, path=path, value=str(count), unit="rows", severity="warning",
                reason=f"{count} {reason}", remedy=remedy,
            )
            for count, code, path, reason, remedy in told
            if count
        )  # fmt: skip
