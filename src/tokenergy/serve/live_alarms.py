"""Alarms of a gateway for its page: a sentence each, with value, limit and unit."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from tokenergy.company.serving.live import Binding
from tokenergy.serve.board_watch import MakerTold
from tokenergy.serve.health import Reason
from tokenergy.serve.side import Side

NEAR_END_SHARE: Final = 0.9
"""Of a budget: so much is spent and it counts as near its end."""
AHEAD_SHARE: Final = 0.15
"""How far what is spent may run ahead of the time that is over; a guess."""
FEED_STALE: Final = "PRICE_NOT_CURRENT"
"""What the board maker calls it."""
PAGE: Final = "page"
"""Where the board maker finds what is wrong with drawing: what stands on the page grows old."""
Severity = Literal["warning", "error"]
Alarm = dict[str, str]


def alarms(
    side: Side,
    *,
    now_s: float,
    maker: MakerTold | None,
    binding: Sequence[Binding],
    budgets: Sequence[Mapping[str, Any]],
    checks: Sequence[Reason],
) -> list[Alarm]:
    """Return what somebody should know now, errors first.

    Args:
        side: this worker's gateway.
        now_s: company time.
        maker: what the board maker said of itself last.
        binding: sites whose megawatts bind.
        budgets: as `Standing` tells them.
        checks: how everything stands that serving needs.
    """
    found = [
        *_of_board(side, now_s),
        *_of_maker(maker),
        *_of_servers(side),
        *_of_journal(side),
        *_of_checks(checks, maker),
        *_of_budgets(budgets, side.plan.currency),
        *_of_sites(binding, side.plan.currency),
    ]
    return sorted(found, key=lambda alarm: alarm["severity"])  # "error" before "warning"


def _alarm(code: str, severity: Severity, text: str, *, about: str = "") -> Alarm:
    """Return an alarm; with its code, `about` tells it from any other, whatever its figures."""
    return {"code": code, "severity": severity, "about": about, "text": text}


def _of_board(side: Side, now_s: float) -> Iterator[Alarm]:
    board, state = side.board, side.state
    if board is None:
        yield _alarm(
            "NO_BOARD", "error", "No prices came since the start: no request can be decided."
        )
        return
    if board.is_stale(now_s):
        limit_s = min(board.valid_until_s - board.made_at_s, 2.0 * board.refresh_s)
        yield _alarm(
            "RESERVE",
            "error",
            f"The prices are {now_s - board.made_at_s:.0f} s old, their limit is {limit_s:.0f} s: "
            "nobody is refused by a price until new ones come.",
        )
    elif board.policy == "reserve":
        yield _alarm(
            "RESERVE",
            "warning",
            "The board was made by the reserve policy because no program was solved: rents of "
            "megawatts and GPUs are missing from its prices.",
        )
    if state is not None and state.safe_mode:
        yield _alarm(
            "SAFE_MODE", "error", "Prices are not trusted: nobody is refused or put off by one."
        )


def _of_maker(maker: MakerTold | None) -> Iterator[Alarm]:
    for each in () if maker is None else maker.findings:
        if each.code == FEED_STALE:
            text = f"{each.path}: {each.reason}; the interval without a price is {each.value}."
            yield _alarm("FEED_STALE", "error", text, about=each.path)
        elif each.severity == "error" or each.path == PAGE:
            sizes = [each.value and f"value {each.value}", each.limit and f"limit {each.limit}"]
            told = ", ".join(size for size in sizes if size)
            more = f" ({told} {each.unit}".rstrip() + ")" if told else ""
            text = f"{each.path}: {each.reason}{more}."
            severity: Severity = "error" if each.severity == "error" else "warning"
            yield _alarm(each.code, severity, text, about=each.path)


def _of_servers(side: Side) -> Iterator[Alarm]:
    """Yield deployments that no request can go to, and models that none serves any more."""
    state = side.state
    if state is None:
        return
    down = {state.places[at] for at in state.down if at < len(state.places)}
    places: dict[str, set[str]] = {}
    for upstream in side.plan.upstreams:
        places.setdefault(upstream.model, set()).add(upstream.deployment)
    for model, named in sorted(places.items()):
        out = sorted(named & down)
        if not out:
            continue
        text = f"{len(out)} of {len(named)} places of {model} are out: {', '.join(out)}"
        if len(out) == len(named):
            said = f"{text}. Its requests cannot be answered."
            yield _alarm("SERVER_OUT", "error", said, about=model)
        else:
            said = f"{text}. Requests go to the others."
            yield _alarm("SERVER_OUT", "warning", said, about=model)


def _of_journal(side: Side) -> Iterator[Alarm]:
    held, limit = side.journal.bytes_count, side.plan.limits.journal_bytes
    if held >= limit // 2:
        full = held >= limit
        yield _alarm(
            "JOURNAL_FULL",
            "error" if full else "warning",
            f"{held:,} bytes of the journal wait for the ledger, the limit is {limit:,} bytes: "
            + ("nothing more is served." if full else "beyond it nothing more is served."),
        )


def _of_checks(checks: Sequence[Reason], maker: MakerTold | None) -> Iterator[Alarm]:
    """Yield what no other alarm says: a ledger that cannot be read, a maker that fell silent."""
    said = {"board", "journal", "upstreams"}
    found = [each.reason for each in (() if maker is None else maker.findings) if each.reason]
    for one in checks:
        told = one.name in said or any(reason in one.text for reason in found)
        if one.standing != "ok" and not told:
            severity: Severity = "error" if one.standing == "failed" else "warning"
            yield _alarm(f"{one.name.upper()}_NOT_OK", severity, f"{one.name}: {one.text}.")


def _of_budgets(budgets: Sequence[Mapping[str, Any]], currency: str) -> Iterator[Alarm]:
    for one in budgets:
        spent, over = one["spent_share"], one["elapsed_share"]
        if spent is None:
            continue
        near, ahead = spent >= NEAR_END_SHARE, spent > over + AHEAD_SHARE
        if not (near or ahead):
            continue
        unit = currency if one["unit"] == "USD" else one["unit"]
        text = (
            f"Budget {one['name']}: {spent:.0%} of {one['limit']:,.6g} {unit} is spent, "
            f"and {over:.0%} of its window is over; it is whole again at {one['window_end']}"
        )
        why = "near its end" if near else f"more than {AHEAD_SHARE:.0%} ahead of its time"
        severity: Severity = "error" if spent >= 1.0 else "warning"
        yield _alarm("BUDGET_NEAR_END", severity, f"{text}: {why}.", about=str(one["name"]))


def _of_sites(binding: Sequence[Binding], currency: str) -> Iterator[Alarm]:
    for site in binding:
        yield _alarm(
            "MW_BINDS",
            "warning",
            f"{site.site} draws its limit of {site.import_limit_mw:g} MW: one MWh more would be "
            f"worth {site.mw_rent_usd_per_mwh:,.2f} {currency}/MWh beside its price.",
            about=site.site,
        )
