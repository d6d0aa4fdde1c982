"""Write docs/deploy/grafana.json: the panels, each with the sentence that says what to do.

Run by `make docs`; `grafana_form.py` knows how Grafana wants them.
"""

import json
import re
from pathlib import Path
from typing import Final

from grafana_form import Panel, Query, Row, Variable, dashboard

from tokenergy.page.palette import PARTS

FILE: Final = Path(__file__).resolve().parent / "deploy" / "grafana.json"
USD_PER_MTOK, USD_PER_H = "suffix: USD/Mtok", "suffix: USD/h"
WELL: Final = ((None, "green"), (1, "red"))
BUDGETS: Final = ((None, "red"), (0.1, "orange"), (0.25, "green"))

VARIABLES: Final = (
    Variable(
        name="instance", label="Gateway", metric="tokenergy_gateway_journal_bytes", of="instance",
        about="Admin port of a gateway. Two gateways do not know each other's budgets.",
    ),
    Variable(
        name="tenant", label="Tenant", metric="tokenergy_tokens_total", of="tenant",
        about="Whom tokens, joules and charges belong to.",
    ),
    Variable(
        name="site", label="Site", metric="tokenergy_marginal_cost_usd_per_mtok", of="site",
        about="Where it runs; somebody else's API has no site.",
    ),
    Variable(
        name="model", label="Model", metric="tokenergy_marginal_cost_usd_per_mtok", of="model",
        about="Which model answers.",
    ),
    Variable(
        name="workload", label="Workload", metric="tokenergy_marginal_cost_usd_per_mtok",
        of="workload", several=False,
        about="Whose prices are shown: a Mtok is one of output with this workload's mean input.",
    ),
)  # fmt: skip


CHOSEN: Final = 'instance=~"$instance"'
TENANT: Final = 'tenant=~"$tenant"'
WHO: Final = (TENANT, 'model=~"$model"', 'site=~"$site"')
PLACE: Final = ('site=~"$site"', 'model=~"$model"')
INPUT, OUTPUT = 'token_type="input"', 'token_type="output"'
REFUSED, MISSING = 'decision="refused"', 'known="missing"'


def of(name: str, *more: str) -> str:
    """Return a selector of the chosen gateways' series."""
    return f"{name}{{{', '.join((CHOSEN, *more))}}}"


def rate(name: str, *more: str, over: str = "$__rate_interval") -> str:
    """Return the rate per second of a counter of the chosen gateways."""
    return f"rate({of(name, *more)}[{over}])"


def quantile(share: float, name: str, *by: str) -> str:
    """Return a quantile of a histogram of the chosen gateways."""
    kept = ", ".join((*by, "le"))
    return f"histogram_quantile({share:g}, sum by ({kept}) ({rate(f'{name}_bucket')}))"


def _text(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def panel(kind: str, title: str, about: str, *queries: tuple[str, str], **more: object) -> Panel:
    """Return a panel whose queries are pairs of expression and legend."""
    told = [Query(expr=_text(expr), legend=legend) for expr, legend in queries]
    return Panel(kind=kind, title=title, about=_text(about), queries=told, **more)  # type: ignore[arg-type]


MARGINAL: Final = of("tokenergy_marginal_cost_usd_per_mtok", 'workload="$workload"', *PLACE)
REQUESTS, ENERGY = "tokenergy_requests_total", "tokenergy_energy_joules_total"
TOKENS, CHARGE = "tokenergy_tokens_total", "tokenergy_charge_usd_total"
SHARE: Final = "tokenergy_share_tokens_total"
LEFT: Final = (
    f"({of('tokenergy_gateway_budget_left_usd')} / {of('tokenergy_gateway_budget_limit_usd')} or "
    f"{of('tokenergy_gateway_budget_left_joules')} / "
    f"{of('tokenergy_gateway_budget_limit_joules')})"
)
COST: Final = f"deriv({of('tokenergy_cost_usd_total')}[$__rate_interval])"
"""Not `rate`: the cost falls where power earns, which `rate` would take for a restart."""


def part(name: str) -> str:
    """Return one part of the chosen workload's price."""
    return MARGINAL.replace("}", f', component="{name}"}}')


NOW: Final = Row(title="Is it well?", panels=(
    panel("stat", "Age of the prices", """Prices are made anew every `serve.board_every_s` (300 s
        unless stated) and are stale after two of these. Growing: see readiness on the admin port,
        and TokenergyBoardStale.""",
        (f"max({of('tokenergy_gateway_board_age_seconds')})", ""),
        unit="s", width=3, height=4, steps=((None, "green"), (600, "orange"), (3600, "red"))),
    panel("stat", "Prices are", """Stale: nobody is refused or deferred by a price, and requests
        go where they went. Safe mode: no price is trusted. Do as TokenergyBoardStale or
        TokenergySafeMode says.""",
        (f"max({of('tokenergy_gateway_board_stale')}) + "
         f"2 * max({of('tokenergy_gateway_safe_mode')})", ""),
        width=3, height=4, steps=WELL, words={"0": ("trusted", "green"), "1": ("stale", "red"),
            "2": ("in safe mode", "red"), "3": ("stale, safe mode", "red")}),
    panel("stat", "Policy", """mpc is the dispatch that looks ahead. reserve: it could not, or its
        prices are stale.""",
        (f"max by (policy) ({of('tokenergy_gateway_board_policy')}) == 1", "{{policy}}"),
        width=3, height=4),
    panel("stat", "Servers out", """Servers that take no requests now. Others of the model answer
        meanwhile; with none of them left clients get 503. See the circuits below.""",
        (f"count({of('tokenergy_gateway_server_up', *PLACE)} == 0) or vector(0)", ""),
        width=3, height=4, steps=WELL),
    panel("stat", "Refused", """Share of requests. Look at the reasons below before anything else:
        a budget that is paced, a price above what work is worth, and no room are three things.""",
        (f"(sum({rate(REQUESTS, REFUSED)}) or vector(0)) / sum({rate(REQUESTS)})", ""),
        unit="percentunit", decimals=1, width=3, height=4,
        steps=((None, "green"), (0.01, "orange"), (0.05, "red"))),
    panel("stat", "Least budget left", """Of the budget that is nearest its end. It is paced and
        cannot be overspent; at 0 its tenant is refused until the window ends.""",
        (f"min({LEFT})", ""), unit="percentunit", decimals=0, width=3, height=4, steps=BUDGETS),
    panel("stat", "Findings", """Of feeds, prices and board, by code in the table below; the admin
        port's /readyz says the reason, and docs/observe.md what to do about each code.""",
        (f"sum({of('tokenergy_gateway_findings_count')}) or vector(0)", ""),
        width=3, height=4, steps=((None, "green"), (1, "orange"))),
    panel("stat", "Meters down", """Their windows have no joules: requests keep modelled ones, and
        a row in the ledger says why.""",
        (f"count({of('tokenergy_gateway_meter_up', *PLACE)} == 0) or vector(0)", ""),
        width=3, height=4, steps=WELL),
))  # fmt: skip

PRICE: Final = Row(title="What a token of $workload costs at the margin", panels=(
    panel("timeseries", "Cheapest place by site", """What one Mtok more costs there now, by the
        cheapest of the chosen models. Requests go to the lowest line that has room and is within
        their latency.""",
        (f"min by (site) (sum by (instance, site, model) ({MARGINAL}))", "{{site}}"),
        unit=USD_PER_MTOK),
    panel("timeseries", "MW rent by site", """Above 0 the grid connection binds: a Mtok there pays
        for the megawatt that it takes from others. Lasting for weeks it is what more import is
        worth: ask `tokenergy plan`.""",
        (f"max by (site) ({part('mw_rent')})", "{{site}}"), unit=USD_PER_MTOK),
    panel("timeseries", "GPU rent by site", """Above 0 the fleet is full there. High at one site
        and 0 at others: work cannot move, by latency, context or model. High everywhere: more
        GPUs, or less work.""",
        (f"max by (site) ({part('gpu_rent')})", "{{site}}"), unit=USD_PER_MTOK),
    panel("timeseries", "A Mtok at $site, in parts", """Of the cheapest of the chosen models there.
        Energy moves with the market; rents say which limit binds: megawatts (mw_rent), the month's
        peak (demand_peak_rent), clean power (cfe_rent), GPUs (gpu_rent).""",
        (f"""avg by (component) ({MARGINAL} and on (instance, site, model)
         bottomk by (instance, site) (1, sum by (instance, site, model) ({MARGINAL})))""",
         "{{component}}"),
        unit=USD_PER_MTOK, stacked=True, colours=PARTS, repeat="site"),
))  # fmt: skip

ASKED: Final = Row(title="Requests", panels=(
    panel("timeseries", "By decision", """Served as asked, capped, answered by a smaller model,
        deferred to a cheaper hour, or refused.""",
        (f"sum by (decision) ({rate(REQUESTS)})", "{{decision}}"), unit="reqps", stacked=True),
    panel("timeseries", "By decision and reason", """Why, in the words of docs/requests.md:
        affinity keeps a conversation where its cache is, tie_by_share spreads over places of one
        price. `tokenergy explain ID` tells of one request.""",
        (f"sum by (decision, reason) ({rate(REQUESTS)})", "{{decision}}: {{reason}}"),
        unit="reqps"),
    panel("timeseries", "Refusals by reason", """budget_pacing: a budget has to last.
        marginal_cost_exceeds_value: work is worth less than it costs now. rate_limited, overloaded,
        place_full: no room. See TokenergyRefusalsRising.""",
        (f"sum by (reason) ({rate(REQUESTS, REFUSED)})", "{{reason}}"),
        unit="reqps", stacked=True),
    panel("timeseries", "Held", """Requests that wait here for a cheaper hour, or for room. They
        have a connection each: growing without end, look at the prices ahead.""",
        (f"sum by (tier) ({of('tokenergy_gateway_held_requests_count')})", "{{tier}}"),
        unit="short", stacked=True),
    panel("timeseries", "Errors", """Answers that were none. 4xx is the client's, 502 to 504 a
        server's, 503 ours: journal_full, keys_unavailable, limits_unavailable.""",
        (f"sum by (status, code) ({rate('tokenergy_errors_total')})", "{{status}} {{code}}"),
        unit="reqps"),
    panel("timeseries", "Servers that failed before another answered", """A server that leads here
        is about to be left out. At most a tenth of requests is tried again.""",
        (f"sum by (upstream) ({rate('tokenergy_retries_total')})", "{{upstream}}"), unit="reqps"),
))  # fmt: skip

WHERE: Final = Row(title="Where it runs", panels=(
    panel("timeseries", "Output by site", """Where tokens are made. It follows the price; a site
        that is cheap and idle is out, full, or too far.""",
        (f"sum by (site) ({rate(TOKENS, OUTPUT, *WHO)}) * 3600 / 1e6", "{{site}}"),
        unit="suffix: Mtok/h", stacked=True),
    panel("timeseries", "Share error by place", """Share of a model's tokens served at a place, less
        the share that the dispatch meant for it, over an hour. Far from 0: conversations that stay
        where their cache is, a server that is out, or work unlike the forecast. See
        TokenergyShareError.""",
        (f"""sum by (site, model) ({rate(SHARE, 'basis="served"', *PLACE, over="1h")} or
         -1 * {rate(SHARE, 'basis="planned"', *PLACE, over="1h")})
         / on (model) group_left ()
         sum by (model) ({rate(SHARE, 'basis="served"', 'model=~"$model"', over="1h")})""",
         "{{model}} at {{site}}"), unit="percentunit", lowest=-1, highest=1),
    panel("timeseries", "In flight", """Requests of ours under way. Engines may run others' beside
        them.""",
        (f"sum by (site, model) ({of('tokenergy_gateway_in_flight_count', *PLACE)})",
         "{{model}} at {{site}}"), stacked=True),
))  # fmt: skip

SPENT: Final = Row(title="Money and joules", panels=(
    panel("timeseries", "Marginal cost, in parts", """What the served tokens cost at the margin:
        not the invoice, and not the full cost (docs/economics.md). Below 0 where power earns.""",
        (f"sum by (component) ({COST}) * 3600", "{{component}}"),
        unit=USD_PER_H, stacked=True, colours=PARTS),
    panel("timeseries", "Charged, by tenant", "What tenants are charged by your price list.",
        (f"sum by (tenant) ({rate(CHARGE, TENANT)}) * 3600", "{{tenant}}"),
        unit=USD_PER_H, stacked=True),
    panel("timeseries", "A Mtok of output: charged and marginal", """Over all tenants. Charged below
        marginal: those tokens lose money in this hour; see who, and whether they could wait.""",
        (f"sum({rate(CHARGE)}) / sum({rate(TOKENS, OUTPUT)}) * 1e6", "charged"),
        (f"sum({COST}) / sum({rate(TOKENS, OUTPUT)}) * 1e6", "marginal cost"), unit=USD_PER_MTOK),
    panel("timeseries", "Power, by tenant", """Joules of answers at the meter, modelled or
        calibrated.""",
        (f"sum by (tenant) ({rate(ENERGY, *WHO)})", "{{tenant}}"), unit="watt", stacked=True),
    panel("timeseries", "Power, by model", "The same joules by the model that answered.",
        (f"sum by (model) ({rate(ENERGY, *WHO)})", "{{model}}"), unit="watt", stacked=True),
    panel("timeseries", "Joules per token of output", """Input and waiting included. A model that
        climbs answers longer prompts, or runs emptier.""",
        (f"sum by (model) ({rate(ENERGY, *WHO)}) / sum by (model) ({rate(TOKENS, OUTPUT, *WHO)})",
         "{{model}}"), unit="suffix: J/token"),
    panel("table", "By tenant and tier, in the span shown", """Of what was scraped. For the
        invoice ask the ledger, which has all: `tokenergy ledger COMPANY --by tenant,tier`.""",
        (f"sum by (tenant, tier) (increase({of(CHARGE, TENANT)}[$__range]))",
         "charged"),
        (f"sum by (tenant, tier) (increase({of(TOKENS, OUTPUT, *WHO)}[$__range]))", "output"),
        (f"sum by (tenant, tier) (increase({of(TOKENS, INPUT, *WHO)}[$__range]))",
         "input"),
        (f"sum by (tenant, tier) (increase({of(ENERGY, *WHO)}[$__range]))", "energy"),
        width=12, units={"charged": "currencyUSD", "energy": "joule"}),
    panel("table", "By model and site, in the span shown", """Where tokens and joules went. USD by
        model and site is in the ledger: `tokenergy ledger COMPANY --by model,site`.""",
        (f"sum by (model, site) (increase({of(TOKENS, OUTPUT, *WHO)}[$__range]))", "output"),
        (f"sum by (model, site) (increase({of(ENERGY, *WHO)}[$__range]))", "energy"),
        width=12, units={"energy": "joule"}),
))  # fmt: skip

BUDGET: Final = Row(title="Budgets", panels=(
    panel("bargauge", "Left", """Of each budget's window. A paced budget reaches 0 at its end, not
        before; see TokenergyBudgetNearEnd.""",
        (LEFT, "{{budget}}"), unit="percentunit", lowest=0, highest=1, width=6, steps=BUDGETS),
    panel("timeseries", "Ahead of time", """Share spent less share of the window that is over. Above
        0: spent faster than time passes. Days have busy hours, so a little is usual; lambda below
        says whether pacing has begun to refuse for it.""",
        (f"1 - {LEFT} - {of('tokenergy_gateway_budget_elapsed_share')}", "{{budget}}"),
        unit="percentunit", width=6),
    panel("timeseries", "Lambda: what a unit of budget is worth", """USD of value for each USD or
        joule. 0: slack. Rising: work is refused that would have been served; raise the budget, or
        let that work wait.""",
        (of("tokenergy_gateway_budget_lambda"), "{{budget}}"), width=6),
    panel("timeseries", "Left, USD", "Of budgets in USD of marginal cost.",
        (of("tokenergy_gateway_budget_left_usd"), "{{budget}}"), unit="currencyUSD", width=3),
    panel("timeseries", "Left, joules", "Of budgets in joules.",
        (of("tokenergy_gateway_budget_left_joules"), "{{budget}}"), unit="joule", width=3),
))  # fmt: skip

OWN: Final = Row(title="The gateway itself", panels=(
    panel("timeseries", "Overhead of the gateway", """From the whole request to the write to its
        server. Above some milliseconds: too few workers for the cores, or a busy machine.""",
        *((quantile(share, "tokenergy_gateway_overhead_seconds"), f"p{share * 100:g}")
          for share in (0.5, 0.95, 0.99)), unit="s"),
    panel("timeseries", "First token, p95", "Of streams, from the request on.",
        (quantile(0.95, "gen_ai_server_time_to_first_token_seconds", "gen_ai_request_model"),
         "{{gen_ai_request_model}}"), unit="s"),
    panel("timeseries", "Whole answers, p95", "From the request to the last byte.",
        (quantile(0.95, "gen_ai_server_request_duration_seconds", "gen_ai_request_model"),
         "{{gen_ai_request_model}}"), unit="s"),
    panel("timeseries", "Loop lag", """How late the busiest worker wakes. Above 0.1 s: more
        workers.""",
        (f"max({of('tokenergy_gateway_loop_lag_seconds')})", "the latest"),
        unit="s", steps=((None, "green"), (0.1, "red"))),
    panel("timeseries", "Journal", """What the ledger does not have yet, of `journal_bytes`. At
        100 % the gateway answers 503. Growing: the ledger is locked, or its disk is full.""",
        (f"sum by (instance) ({of('tokenergy_gateway_journal_bytes')}) / "
         f"sum by (instance) ({of('tokenergy_gateway_journal_limit_bytes')})", "{{instance}}"),
        unit="percentunit", lowest=0, steps=((None, "green"), (0.5, "red"))),
    panel("timeseries", "How tokens were counted", """reported by the server, counted by chunk, or
        estimated. Many estimates: set `continuous_usage` where the server knows it.""",
        (f"sum by (source) ({rate('tokenergy_usage_source_total')})", "{{source}}"),
        unit="reqps", stacked=True),
    panel("state-timeline", "Circuits", """Open for 10 s after five failures in a row, then tried
        with one request. One that stays open: its server is down, or its key is refused.""",
        (f"max by (upstream) ({of('tokenergy_gateway_circuit_state')})", "{{upstream}}"),
        width=12, words={"0": ("closed", "green"), "1": ("half open", "yellow"),
                         "2": ("open", "red")}),
    panel("timeseries", "Metered and modelled", """Joules of meters, by whether a request took them
        or nobody did, beside the modelled ones of all answers. Two that part for good: calibrate
        (docs/energy.md).""",
        (f"sum by (component) ({rate('tokenergy_metered_joules_total', *PLACE)})",
         "metered: {{component}}"),
        (f"sum({rate(ENERGY, *PLACE)})", "modelled"), unit="watt", width=6),
    panel("timeseries", "Windows without a reading", "Of meters: docs/serve.md says why.",
        (f"sum by (meter) (increase({of('tokenergy_meter_windows_total', MISSING)}[1h]))",
         "{{meter}}"), width=3),
    panel("timeseries", "Spans dropped", "The OpenTelemetry exporter is slower than requests come.",
        (f"sum({rate('tokenergy_spans_dropped_total')})", "spans"), width=3),
    panel("table", "Findings", "By code. The admin port's /readyz tells the reason of each.",
        (f"sum by (code, severity) ({of('tokenergy_gateway_findings_count')})", "findings"),
        width=24, height=5),
))  # fmt: skip

OBSERVED: Final = Row(title="tokenergy observe", closed=True, panels=(
    panel("timeseries", "Price of power", "Spot price of now, before contracts.",
        ('tokenergy_power_price_usd_per_mwh{site=~"$site"}', "{{site}}"),
        unit="suffix: USD/MWh"),
    panel("timeseries", "One Mtok more", "Where your engines run, by the program that dispatches.",
        ('sum by (site, model) (tokenergy_marginal_cost_usd_per_mtok{token_type="output"})',
         "{{model}} at {{site}}"), unit=USD_PER_MTOK),
    panel("timeseries", "Power of the engines, by how it is known", """measured by a meter, or
        modelled. No line: nobody knows.""",
        ('sum by (energy_tier) (rate(tokenergy_energy_joules_total{boundary!=""}[15m]))',
         "{{energy_tier}}"), unit="watt", stacked=True),
))  # fmt: skip

ROWS: Final = (NOW, PRICE, ASKED, WHERE, SPENT, BUDGET, OWN, OBSERVED)


def dashboard_text() -> str:
    """Return the file as it must stand."""
    return json.dumps(dashboard(ROWS, VARIABLES), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(dashboard_text(), encoding="utf-8")
