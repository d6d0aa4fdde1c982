"""The ledger of a gateway: rows of what was served, refused, charged and measured.

Pure: records of the journal in, rows out. The same records give the same rows, so that a journal
may be replayed. Rows are tuples in the order of `company.ledger.COLUMNS`, with moments as the text
that the ledger keeps: they are made for every request, and a noun for each would cost more than
all else together.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.company.ledger import COLUMNS, LedgerEntry
from tokenergy.company.serving.charge import ChargeLine, charge_lines, charge_nano_usd
from tokenergy.company.serving.plan import SPEND, PricePlan
from tokenergy.company.serving.record import Closed, Holding, Marked, Metered, Opened, Refused
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD, TOKENS_PER_MTOK

Row = tuple[Any, ...]
"""Values in the order of `COLUMNS`."""
Use = tuple[tuple[str, float], int]
"""Account and begin of its window, and what was used of it."""
BOUNDARY: Final = "meter"
METER_MISSING: Final = "METER_MISSING"
"""Component of the row of a window that has no reading."""
MICROSECONDS_PER_S: Final = 1_000_000
_NOTHING: Final[Row] = ("", "", "")


def moment_text(at_s: float) -> str:
    """Return a moment since 1970 as the ledger keeps it: in UTC, to the microsecond."""
    second = int(at_s)
    microseconds = round((at_s - second) * MICROSECONDS_PER_S)
    if microseconds == MICROSECONDS_PER_S:
        second, microseconds = second + 1, 0
    return f"{_second_text(second)}{microseconds:06d}Z"


@lru_cache(maxsize=1024)
def _second_text(second: int) -> str:
    """Return a whole second: many moments share it."""
    return datetime.fromtimestamp(second, tz=UTC).isoformat()[:-6] + "."


def as_entry(row: Row) -> LedgerEntry:
    """Return a row as the noun it is."""
    columns = dict(zip(COLUMNS, row, strict=True))
    for name in ("start", "end"):
        columns[name] = datetime.fromisoformat(columns[name])
    return LedgerEntry(**columns)


def closed_rows(
    run_id: str, opened: Opened, closed: Closed, price: PricePlan | None
) -> tuple[list[Row], Finding | None]:
    """Return the rows of a request that ran, and what is wrong with its bill, if anything.

    - kind `request`: `serve` with output, marginal cost and joules; `input` and `cached_input`.
      Where no token flowed and it did not complete, the outcome stands in the place of `serve`.
      A request that did not complete, or whose tokens were not reported, says so in a row more.
    - kind `settlement`: a line of the bill each, received, so below 0.

    Args:
        run_id: of the ledger.
        opened: its last OPEN.
        closed: its CLOSE.
        price: what its tenant pays for the model that ran; None: no such price is known.
    """
    start, end = moment_text(opened.at_s), moment_text(closed.at_s)
    place = (
        opened.tenant, opened.tier, opened.workload, closed.site, closed.model,
        closed.accelerator, "",
    )  # fmt: skip
    decided = opened.decided
    why = (
        decided.action, decided.reason, opened.board_id, opened.price_version, decided.policy,
    )  # fmt: skip
    served = closed.outcome == "completed" or bool(closed.input_tokens or closed.output_tokens)
    output_mtok = closed.output_tokens / TOKENS_PER_MTOK
    cost = closed.cost_nano_usd
    head = (run_id, "serve", "request", opened.request_id, "", start, end, *place)
    rows: list[Row] = [
        (
            *head, "serve" if served else closed.outcome, output_mtok, "Mtok",
            round(cost / output_mtok) if output_mtok else 0, cost,
            closed.microjoules, closed.energy_tier, BOUNDARY, *why,
        )
    ]  # fmt: skip
    tail = (0, 0, 0, "", "", *why)
    if served:
        rows.append((*head, "input", closed.input_tokens / TOKENS_PER_MTOK, "Mtok", *tail))
    if closed.cached_tokens:
        rows.append((*head, "cached_input", closed.cached_tokens / TOKENS_PER_MTOK, "Mtok", *tail))
    if served and (note := _note(closed)):
        rows.append((*head, note, 1.0, "request", *tail))
    lines, finding = _charged(opened, closed, price)
    bill = (run_id, "serve", "settlement", opened.request_id, "", start, end, *place)
    for line in lines:
        each = line.component == "charge_request"
        rows.append(
            (
                *bill, line.component,
                float(line.quantity) if each else line.quantity / TOKENS_PER_MTOK,
                "request" if each else "Mtok", line.rate_nano_usd, -line.nano_usd, 0, "", "", *why,
            )
        )  # fmt: skip
    return rows, finding


def _note(closed: Closed) -> str:
    """Return what is unusual about a request; "": nothing."""
    if closed.outcome != "completed":
        return closed.outcome
    return "" if closed.usage_source in ("reported", "none") else f"usage_{closed.usage_source}"


def _charged(
    opened: Opened, closed: Closed, price: PricePlan | None
) -> tuple[Sequence[ChargeLine], Finding | None]:
    """Return the lines of a bill: they always sum to what CLOSE says was charged."""
    charge = closed.charge_nano_usd
    lines: Sequence[ChargeLine] = ()
    if price is not None:
        lines = [
            line
            for line in charge_lines(
                price,
                input_tokens=closed.input_tokens,
                cached_tokens=closed.cached_tokens,
                output_tokens=closed.output_tokens,
            )
            if line.rate_nano_usd
        ]
    told = sum(line.nano_usd for line in lines)
    if told == charge:
        return lines, None
    if not charge and closed.outcome != "completed":
        return (), None  # what did not complete may be free
    rest = ChargeLine("charge_difference", 0, 0, charge - told)
    return (*lines, rest), Finding(
        code="CHARGE_DIFFERS",
        path=f"requests/{opened.request_id}",
        value=str(charge),
        limit=str(told),
        unit="nano_usd",
        reason=(
            f"the request was charged otherwise than price version {opened.price_version!r} says"
            if price is not None
            else f"price version {opened.price_version!r} has no price of model {closed.model!r} "
            f"in tier {opened.tier!r}"
        ),
        remedy="The line charge_difference holds the rest; compare the plan with the request.",
    )


def refused_rows(run_id: str, refused: Refused) -> list[Row]:
    """Return the row of a request that was refused, at the value lost."""
    moment = moment_text(refused.at_s)
    return [
        (
            run_id, "serve", "request", refused.request_id, "", moment, moment, refused.tenant,
            refused.tier, refused.workload, "", "", "", "", "refused",
            refused.output_tokens / TOKENS_PER_MTOK, "Mtok", 0,
            round(refused.value_usd * NANO_USD_PER_USD), 0, "", "", "refuse",
            refused.reason or refused.code, refused.board_id, refused.price_version,
            refused.policy,
        )
    ]  # fmt: skip


def metered_rows(run_id: str, metered: Metered) -> list[Row]:
    """Return the row of a METER record.

    - kind `meter`, component `request`: the energy of a request in one window, beside the modelled
      one; how it ended stands in the place of the decision where it did not complete;
    - component `idle`: what no work of the window took;
    - kind `finding`: a window that has no reading, and why: never a row of 0 J.
    """
    component = "request" if metered.request_id else "idle"
    part = str(metered.window)
    if metered.tenant and not metered.request_id:
        part = f"{part}:{metered.tenant}"
    span = (moment_text(metered.start_s), moment_text(metered.end_s))
    place = (
        metered.tenant, metered.tier, metered.workload, metered.site, metered.model,
        metered.accelerator, "",
    )  # fmt: skip
    if metered.microjoules is None:
        return [
            (
                run_id, "serve", "finding", metered.request_id, part, *span, *place,
                METER_MISSING, 0.0, "", 0, 0, 0, "", "", "", metered.reason, "", "", "",
            )
        ]  # fmt: skip
    return [
        (
            run_id, "serve", "meter", metered.request_id, part, *span, *place, component,
            metered.microjoules / MICROJOULES_PER_J, "J", 0, 0, metered.microjoules,
            metered.energy_tier, metered.boundary, metered.outcome, _leaning(metered), "", "", "",
        )
    ]  # fmt: skip


def _leaning(metered: Metered) -> str:
    """Return what the figure rests on, and how far it moves with the model's joules of prefill."""
    if metered.low_microjoules is None or metered.high_microjoules is None:
        return metered.reason
    low, high = (
        each / MICROJOULES_PER_J for each in (metered.low_microjoules, metered.high_microjoules)
    )
    told = f"{low:.6f} to {high:.6f} J with half and twice the joules of prefill"
    return f"{told}; {metered.reason}" if metered.reason else told


def finding_row(run_id: str, finding: Finding, *, at_s: float) -> Row:
    """Return the row of something that is wrong with a journal or a bill."""
    moment = moment_text(at_s)
    return (
        run_id, "serve", "finding", "", f"{finding.path} {finding.value}", moment, moment,
        *_NOTHING, *_NOTHING, "", finding.code, 0.0, "", 0, 0, 0, "", "", "", finding.reason,
        "", "", "",
    )  # fmt: skip


def interrupted(
    opened: Opened, marked: Marked | None, *, price: PricePlan | None, units: Mapping[str, str]
) -> Closed:
    """Return the CLOSE of a request whose gateway ended first: what its last MARK says.

    Nothing is charged on suspicion: without a MARK no token is known to have flowed. Moments are
    those of the records, so that a replay says the same.

    Args:
        opened: its last OPEN.
        marked: its last MARK, if it had any.
        price: what its tenant pays.
        units: `nano_usd` or `microjoules` by account.
    """
    decided = opened.decided
    read, written = (0, 0) if marked is None else (marked.input_tokens, marked.output_tokens)
    high_usd_per_mtok, kappa_ratio, rho_ratio, j_per_token = decided.rates
    work = max(0.0, written + kappa_ratio * (read - rho_ratio * written))
    usd = high_usd_per_mtok * work / TOKENS_PER_MTOK
    low = decided.low_cost_usd / decided.cost_usd if decided.cost_usd > 0.0 else 1.0
    charge = 0
    if price is not None and (read or written):
        charge = charge_nano_usd(price, input_tokens=read, cached_tokens=0, output_tokens=written)
    cost, microjoules = round(usd * NANO_USD_PER_USD), round(j_per_token * work * MICROJOULES_PER_J)
    settled = tuple(
        _used_of(holding, units, cost=cost, microjoules=microjoules, charge=charge)
        for holding in opened.holdings
    )
    at_s = opened.at_s if marked is None else marked.at_s
    return Closed(
        request_id=opened.request_id, at_s=at_s, outcome="interrupted", status=0,
        model=decided.model, site=opened.site, accelerator=opened.accelerator,
        upstream=opened.upstream, input_tokens=read, cached_tokens=0, output_tokens=written,
        reasoning_tokens=0, usage_source="estimated" if opened.upstream else "none",
        cost_nano_usd=cost, low_cost_nano_usd=round(usd * low * NANO_USD_PER_USD),
        charge_nano_usd=charge, microjoules=microjoules, energy_tier=opened.energy_tier,
        settled=settled,
        over_reserved=any(
            used > holding.quantity for used, holding in zip(settled, opened.holdings, strict=True)
        ),
        first_byte_s=None, ended_s=at_s - opened.at_s, finish="", retries_count=0,
    )  # fmt: skip


def _used_of(
    holding: Holding, units: Mapping[str, str], *, cost: int, microjoules: int, charge: int
) -> int:
    """Return what a request used of an account, in its unit; a negative cost uses nothing."""
    if holding.account.startswith(SPEND):
        return charge
    unit = units.get(holding.account, "nano_usd")
    return max(0, microjoules if unit == "microjoules" else cost)


def uses(opened: Opened, closed: Closed) -> Iterator[Use]:
    """Yield what a request used of each account that held something for it."""
    for holding, used in zip(opened.holdings, closed.settled, strict=False):
        yield (holding.account, holding.window_s), used
