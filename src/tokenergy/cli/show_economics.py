"""The nine panels of the question whether it pays, as tables for people."""

from collections.abc import Sequence

from tokenergy.api.earned import LEVER_SHARE, Earned
from tokenergy.api.earning import Economics
from tokenergy.cli import show_growth
from tokenergy.cli.columns import console, counted, decimals_for, figure, percent, put, say
from tokenergy.cli.show import banner
from tokenergy.economics.margin import TierMargin
from tokenergy.economics.queueing import utilisation_table
from tokenergy.economics.users import TierUsers

ANSWER = "Does it pay?"


def economics(result: Economics) -> None:
    """Print the answer, then the nine panels, then what a reader must know."""
    banner(result.heading)
    answer(result)
    for panel in (
        _waterfall, _unit_cost, _users, show_growth.scale, show_growth.path, _levers, _bills,
        _savings, _unused, _risk, _presets,
    ):  # fmt: skip
        if panel is show_growth.path and (result.grown is None or result.grown.path is None):
            continue
        if panel is _presets and not result.presets:
            continue
        console.print()
        panel(result)
    said = {(warning["code"], warning["path"]) for warning in result.heading["warnings"]}
    left = [each for each in result.findings if (each.code, each.path) not in said]
    if left:
        console.print()
    for finding in left:
        text = f"{finding.severity} {finding.code} {finding.path}: {finding.reason}"
        say(text, style="yellow", as_is=True)


def answer(result: Economics, *, more: str = "") -> None:
    """Print the answer in five numbered lines, and the command that says more."""
    say(f"{ANSWER}  ({more})" if more else ANSWER, style="bold")
    for number, line in enumerate(result.lines(), start=1):
        say(f"{number}. {line}")


def _money(usd: float | None) -> str:
    return figure(usd, 0)


def _waterfall(result: Economics) -> None:
    """Panel 1: revenue to margin, the company and each tier side by side."""
    every = result.earned.waterfalls
    names = list(dict.fromkeys(step.name for each in every for step in each.steps))
    cells = []
    for name in names:
        row = [name.replace("_", " ")]
        for each in every:
            found = next((step for step in each.steps if step.name == name), None)
            shown = None if found is None else found.end_usd if name == "margin" else found.usd
            row.append(_money(shown))
        cells.append(row)
    put(
        f"1  From revenue to margin, USD in {result.simulation.full.hours_h:g} h "
        "(company: allocation; tiers: usage)",
        cells,
        left=("step",),
        right=[each.of for each in every],
    )


def _unit_cost(result: Economics) -> None:
    """Panel 2: what a Mtok costs on each basis and what it brings, by tier."""
    held, full = result.earned, result.simulation.full
    known = [
        *(tier.marginal_usd_per_mtok for tier in held.tiers),
        full.allocation_usd_per_mtok,
    ]
    decimals = decimals_for(price for price in known if price is not None)
    rows = [
        [
            "all",
            figure(full.served_mtok, 0),
            figure(full.allocation_usd_per_mtok, decimals),
            figure(full.usage_usd_per_mtok, decimals),
            figure(held.marginal_usd_per_mtok, decimals),
            figure(held.price_usd_per_mtok, decimals),
            "-",
        ]
    ]
    rows += [
        [
            tier.tier,
            figure(tier.served_mtok, 0),
            "-",
            figure(tier.usage_usd_per_mtok, decimals),
            figure(tier.marginal_usd_per_mtok, decimals),
            figure(tier.price_usd_per_mtok, decimals),
            _per_request(tier),
        ]
        for tier in held.tiers
    ]
    put(
        f"2  What a Mtok costs and brings, USD/Mtok (joules: {_meter(held.tiers)})",
        rows,
        left=("tier",),
        right=("served Mtok", "full", "usage", "marginal", "price", "USD/request (usage)"),
    )
    say(
        "full: all that is paid, over the tokens; usage: what they used, and in `all` staff and "
        "what is fixed for a tier besides; marginal: one more"
    )
    say(held.cost_line(result.simulation))
    low = sum(tier.full_margin_low_usd for tier in held.tiers)
    high = sum(tier.full_margin_high_usd for tier in held.tiers)
    if high > low:
        say(
            f"With joules where measurements lie (5th to 95th percentile) the tiers' margins come "
            f"to {_money(low)} to {_money(high)} USD"
        )


def _per_request(tier: TierMargin) -> str:
    """Return what a request used: of a media tier a request is an image or a clip."""
    if tier.served_requests_count <= 0.0:
        return "-"
    usd = tier.usage_usd / tier.served_requests_count
    return figure(usd, decimals_for([usd]))


def _meter(tiers: Sequence[TierMargin]) -> str:
    return ", ".join(dict.fromkeys(tier.meter_tier for tier in tiers if tier.meter_tier)) or "none"


def _users(result: Economics) -> None:
    """Panel 3: who among the users of a tier costs more than is paid."""
    held = result.earned.users
    rows = []
    for tier in held.tiers:
        if tier.users_count is None:
            continue
        line = tier.usage.line
        rows.append(
            [
                tier.tier,
                _source(tier),
                f"{tier.users_count:,}",
                figure(tier.mean_mtok_per_user_month, 4),
                figure(line.break_even_mtok_per_user_month, 4),
                percent(tier.usage.share, 1),
                percent(None if tier.marginal is None else tier.marginal.share, 1),
                _money(tier.usage.loss_usd),
            ]
        )
    if not rows:
        say("3  Users: no tier of the file says who holds it, so there is no margin by user")
        return
    put(
        "3  Users, and those who cost more than they bring",
        rows,
        left=("tier", "usage from"),
        right=(
            "users", "mean Mtok/month", "break-even", "lose (usage)", "lose (marginal)",
            "their loss USD",
        ),
    )  # fmt: skip
    say("break-even: Mtok a month at which a user brings what those tokens use")
    say(result.earned.users_line(result.simulation))
    if result.earned.break_even is not None:
        say(f"A month by what tokens use, capital in it: {result.earned.break_even.sentence}")
    for margin in result.earned.tiers:
        if (text := _lifetime(margin)) is not None:
            say(text)


def _source(tier: TierUsers) -> str:
    """Say where the usage of a tier's users is from, and how many of them were seen."""
    if tier.source != "ledger":
        return tier.source or "not known"
    return f"ledger ({tier.observed_count:,} seen)"


def _lifetime(tier: TierMargin) -> str | None:
    """Say what a user is worth, and what winning one costs; None where the file states neither."""
    month, worth = tier.contribution_usd_per_user_month, tier.lifetime_usd_per_user
    won, ratio = tier.acquisition_usd_per_user, tier.lifetime_over_acquisition_ratio
    if month is None or (worth is None and won is None):
        return None
    text = f"{tier.tier}: a user contributes {month:,.2f} USD a month at the margin"
    if worth is not None:
        text += f", {worth:,.2f} before it leaves ({tier.churn_per_month:.1%} a month do)"
    if won is not None:
        text += f"; winning one costs {won:,.2f}"
        months = tier.payback_months
        text += ", never paid back" if months is None else f", paid back in {months:.1f} months"
    return f"{text}." if ratio is None else f"{text}: lifetime value is {ratio:.1f} times that."


def _levers(result: Economics) -> None:
    """Panel 5: the tornado."""
    if not result.earned.levers:
        say(f"5  {result.earned.levers_line()}")
        return
    moved = f"{100.0 * LEVER_SHARE:g} %"
    put(
        f"5  Levers on the full cost of a Mtok (token price: on the margin), each by {moved}",
        [
            [
                lever.name.replace("_", " ") + (" (capped)" if lever.capped else ""),
                _signed(lever.low_change_share),
                _signed(lever.high_change_share),
            ]
            for lever in result.earned.levers
        ],
        left=("lever",),
        right=(f"-{moved}", f"+{moved}"),
    )
    say(result.earned.levers_line())


def _signed(share: float | None) -> str:
    return "-" if share is None else f"{share:+z.1%}"


def _bills(result: Economics) -> None:
    """Panel 6: whether every invoice was charged to somebody."""
    say(f"6  {result.earned.bills.sentence()}", style="bold")


def _savings(result: Economics) -> None:
    """Panel 7: the saving, against whom, how sure, and how much is left."""
    say(f"7  {result.earned.saving_line()}", style="bold")
    if result.simulation.split is not None:
        say(result.simulation.split.sentence())


def _unused(result: Economics) -> None:
    """Panel 8: what was paid for and stood unused."""
    full = result.simulation.full
    share = full.unused_capacity_usd / full.allocation_usd if full.allocation_usd else None
    say(
        f"8  Unused capacity: {full.unused_capacity_usd:,.0f} USD, {percent(share, 1)} of all that "
        "is paid; charged to nobody",
        style="bold",
    )
    if full.missing:
        say(f"Not stated in the file, so in no figure: {', '.join(full.missing)}.")
    table = utilisation_table()
    put(
        "   How full a pool of slots may run, by how long a request may wait; x: cost, 1 / that",
        [
            [
                counted(row[0].slots_count, "slot"),
                *(f"{cell.utilisation_share:.1%} {cell.cost_ratio:.1f}x" for cell in row),
            ]
            for row in table
        ],
        left=("pool",),
        right=[_wait(cell.wait_ratio) for cell in table[0]],
    )
    say(
        f"At most {table[0][0].late_share:.0%} of the requests wait longer; waits in mean times of "
        "service. Erlang's formula, for intuition: servers that batch are no such queue, and "
        "dispatch does not use it. Of the GPUs that are paid for here "
        f"{percent(result.earned.gpu_used_share, 0)} are awake, by their rent."
    )


def _wait(ratio: float) -> str:
    return "no wait" if ratio == 0.0 else f"wait {ratio:g}"


def _risk(result: Economics) -> None:
    """Panel 9: hedge ratio, the band of the cost, and the five exposures."""
    held: Earned = result.earned
    risk = held.risk
    text = f"9  Hedge ratio {percent(risk.hedge_share, 0)}"
    if held.cost is not None:
        text += (
            f"; dispatch cost P10 {held.cost.p10_usd:,.0f}, P90 {held.cost.p90_usd:,.0f} USD, by "
            f"{'week' if held.cost.by_week else 'day'}"
        )
    say(text, style="bold")
    if risk.capture_usd_per_mwh is not None and risk.strike_usd_per_mwh is not None:
        say(
            f"Contracted power was worth {risk.capture_usd_per_mwh:.2f} USD/MWh and cost "
            f"{risk.strike_usd_per_mwh:.2f}; {risk.overhedged_mwh:,.0f} MWh exceed the load of "
            "their hour."
        )
    rows = [[name, _money(usd)] for name, usd in risk.five().items()]
    rows.append(["charges (no exposure)", _money(risk.charges_usd)])
    put(
        f"   The bill by exposure, USD, against {risk.budget_usd_per_mwh:.2f} USD/MWh",
        rows,
        left=("exposure",),
        right=("USD",),
    )
    say(
        "Hedge ratio: contracted MWh over the load; P10 and P90: one horizon in ten costs less, "
        "one in ten more. volume: contracts at their price, the rest at the price above, the mean "
        "of the horizon; price: the rest where a site departs from it; shape: the rest in hours "
        "that are usually dear; covariance: the rest when power is dearer than usual; basis: the "
        "price at the site against that of its zone."
    )


def _presets(result: Economics) -> None:
    """Published figures of others, as they were published."""
    if not result.presets:
        return
    put(
        "   Published figures of others, for comparison only",
        [
            [
                f"{preset.preset}.{preset.fact}",
                preset.as_of.isoformat(),
                preset.status,
                f"{preset.quantity:,.10g} {preset.unit}",
            ]
            for preset in result.presets
        ],
        left=("figure", "as of", "status"),
        right=("value",),
    )
