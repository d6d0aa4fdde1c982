"""Tables of an observation: what ran, what it cost in parts, power, the saving, tenants."""

from collections.abc import Sequence
from html import escape
from typing import Final

from tokenergy.page.html import Column, Line, folded, framed, lines_table, paragraph, table
from tokenergy.page.number import MISSING, amount, cell, money, percent, significant
from tokenergy.page.observed_charts import BASIS
from tokenergy.page.observed_rows import shown_parts
from tokenergy.page.rows import PARTS, Given
from tokenergy.page.stated import Stated

FULL_PARTS: Final = ("energy", "gpu", "facility", "staff")
SAID: Final = {"gpu": "GPUs", "facility": "hall"}
NAMES: Final = {
    "as_observed": "what you did",
    "as_needed": "what you did, with no more replicas awake than it needed",
}
TENANTS_COUNT: Final = 200
"""So many tenants have a row; the JSON has all."""
WINDOWS_COUNT: Final = 12
"""So many of the last windows have rows."""


def costs_table(rows: Sequence[Given], stated: Stated) -> str:
    """Return full and marginal cost beside each other, each in its parts."""
    unit = f"{stated.currency}/Mtok"
    full = shown_parts(rows, "full_parts", FULL_PARTS)
    marginal = shown_parts(rows, "parts", PARTS)
    groups = (
        f'<tr><th rowspan="2" scope="col">model</th><th class="words" rowspan="2" scope="col">on'
        f'</th><th colspan="{len(full) + 1}" scope="colgroup">full (allocation)</th>'
        f'<th colspan="{len(marginal) + 1}" scope="colgroup">marginal: one Mtok more</th></tr>'
    )
    heads = ["all of it", *map(_word, full), "all of it", *map(_word, marginal)]
    head = groups + "<tr>" + "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = []
    for row in rows:
        figures = [
            row.get("usd_per_mtok_full"),
            *((row.get("full_parts") or {}).get(name) for name in full),
            row.get("usd_per_mtok_marginal"),
            *((row.get("parts") or {}).get(name) for name in marginal),
        ]
        cells = "".join(f"<td>{cell(value)}</td>" for value in figures)
        body.append(
            f'<tr><th scope="row">{escape(str(row["name"]))}</th>'
            f'<td class="words">{escape(str(row["on"]))}</td>{cells}</tr>'
        )
    caption = "What a Mtok of output costs here and now"
    return framed(caption, stated.subtitle(unit, BASIS), f"{head}</tr>", "\n".join(body))


def elsewhere_table(rows: Sequence[Given], stated: Stated) -> str:
    """Return the other marginal costs: of the last Mtok, elsewhere, and within a replica."""
    return table(
        "One Mtok more, seen from other sides",
        stated.subtitle(f"{stated.currency}/Mtok", "marginal, of output tokens"),
        [
            Column(title="model", name="name"),
            Column(title="workload", name="workload"),
            Column(title="here", name="usd_per_mtok_marginal", write=significant),
            Column(title="what the last Mtok cost", name="usd_per_mtok_low", write=significant),
            Column(
                title="where dispatch would send it",
                name="usd_per_mtok_elsewhere",
                write=significant,
            ),
            Column(
                title="within a replica that is not full",
                name="usd_per_mtok_within_replica",
                write=significant,
            ),
        ],
        rows,
    )


def work_table(rows: Sequence[Given], stated: Stated) -> str:
    """Return what ran in the window: tokens, how full it was, and what standing idle costs."""
    return table(
        "What ran in the window",
        stated.subtitle("tokens", "as the engines count them"),
        [
            Column(title="model", name="name"),
            Column(title="output", name="output_tokens", write=whole),
            Column(title="output/s", name="tokens_per_s", write=amount),
            Column(title="in use", name="utilisation_share", write=percent),
            Column(title=f"idle, {stated.currency}/h", name="idle_usd_per_h", write=money),
            Column(title="input", name="input_tokens", write=whole),
            Column(title="cached", name="cached_input_tokens", write=whole),
            Column(title="requests", name="requests_count", write=whole),
            Column(title="running", name="running_count", write=amount),
            Column(title="waiting", name="waiting_count", write=amount),
            Column(title="replicas", name="replicas_count", write=whole),
            Column(title="GPUs", name="gpus_count", write=whole),
            Column(title="seconds", name="span_s", write=amount),
            Column(title="engines", name="engines", wide=True),
        ],
        rows,
    )


def joules_table(rows: Sequence[Given], stated: Stated) -> str:
    """Return joules for a token with their tier and band, and the joules in parts."""
    return table(
        "Joules at the facility",
        stated.subtitle("J and J/token of output", "low and high: 5th and 95th percentile"),
        [
            Column(title="model", name="name"),
            Column(title="J/token", name="j_per_token", write=significant),
            Column(title="low", name="j_per_token_low", write=significant),
            Column(title="high", name="j_per_token_high", write=significant),
            Column(title="known", name="joules_tier"),
            Column(title="J", name="joules", write=amount),
            Column(title="low", name="low_j", write=amount),
            Column(title="high", name="high_j", write=amount),
            Column(title="boards", name="gpu_j", write=amount),
            Column(title="boards, idle", name="idle_j", write=amount),
            Column(title="host", name="host_j", write=amount),
            Column(title="cooling and losses", name="overhead_j", write=amount),
            Column(title="what they rest on", name="reason", wide=True),
        ],
        [{**row, "reason": row.get("reason") or MISSING} for row in rows],
    )


def power_table(rows: Sequence[Given], stated: Stated) -> str:
    """Return the price of power by site, and how old it is."""
    unit = f"{stated.currency}/MWh"
    return table(
        "What power costs now",
        stated.subtitle(unit, "spot, and the mean with contracts"),
        [
            Column(title="site", name="site"),
            Column(title=f"spot, {unit}", name="price_usd_per_mwh", write=significant),
            Column(title=f"with contracts, {unit}", name="power_usd_per_mwh", write=significant),
            Column(title="interval from", name="price_at"),
            Column(title="age at the window's end, h", name="age_h", write=amount),
            Column(title="source", name="price_source", wide=True),
            Column(
                title=f"GPUs no engine holds, {stated.currency}/h",
                name="unused_gpu_usd_per_h",
                write=money,
            ),
        ],
        rows,
    )


def against_table(saving: Given, stated: Stated) -> str:
    """Return what dispatch saves against each baseline, with its band."""
    currency = stated.currency
    return table(
        f"What {saving.get('policy')} saves against each baseline",
        stated.subtitle(currency, "band: middle 90 % of its days drawn anew"),
        [
            Column(title="against", name="against"),
            Column(title=f"saves, {currency}", name="usd", write=money),
            Column(title="low", name="low_usd", write=money),
            Column(title="high", name="high_usd", write=money),
            Column(title="of its cost", name="share", write=percent),
            Column(title="hours of a block", name="block_h", write=amount),
            Column(title="blocks", name="blocks_count", write=whole),
        ],
        [{**each, "against": _baseline(each["baseline"])} for each in saving.get("against") or ()],
    )


def made_of_table(saving: Given, stated: Stated) -> str:
    """Return what the saving is made of, and how far from the best possible it ends."""
    currency = stated.currency
    costs: list[Line] = [
        (f"cost of {_baseline(name)}", money, (currency, usd))
        for name, usd in (saving.get("cost_usd") or {}).items()
    ]
    return lines_table(
        "What it is made of",
        stated.subtitle(currency, "of the saving against what you did; capital is in none of it"),
        ("what", "unit", "figure"),
        [
            ("replicas put to sleep: an upper bound", money, (currency, saving.get("sleep_usd"))),
            ("where and when work runs", money, (currency, saving.get("placement_usd"))),
            ("of the full cost of these engines", _fine, ("share", saving.get("of_full_share"))),
            ("above the clairvoyant bound", _fine, ("share", saving.get("regret_share"))),
            ("refused as worth less than it costs", amount, ("Mtok", saving.get("refused_mtok"))),
            ("replicas awake at most", amount, ("replicas", saving.get("replicas_count"))),
            *costs,
        ],
    )


def tenants_table(rows: Sequence[Given], stated: Stated) -> str:
    """Return the tenants of the usage file, the dearest first; the rest is counted."""
    text = table(
        "By tenant and model",
        stated.subtitle(stated.currency, "full cost and joules of now, by tokens of the file"),
        [
            Column(title="tenant", name="tenant"),
            Column(title="model", name="model"),
            Column(title="input", name="input_tokens", write=whole),
            Column(title="cached", name="cached_input_tokens", write=whole),
            Column(title="output", name="output_tokens", write=whole),
            Column(title="requests", name="requests_count", write=whole),
            Column(title="J", name="energy_j", write=amount),
            Column(title="kWh", name="energy_kwh", write=amount),
            Column(title=f"{stated.currency}, full", name="full_usd", write=money),
        ],
        rows[:TENANTS_COUNT],
    )
    return text + _rest(len(rows))


def invoices_tables(allocated: Given, stated: Stated) -> str:
    """Return how much of the invoices found its tokens, and whose tokens those are."""
    currency = stated.currency
    sums = lines_table(
        "Invoices to tokens",
        stated.subtitle(currency, "invoices given, over the usage of their period"),
        ("what", "unit", "figure"),
        [
            ("allocated", _fine, ("share", allocated.get("allocated_share"))),
            ("invoiced", money, (currency, allocated.get("invoiced_usd"))),
            ("to tokens", money, (currency, allocated.get("tokens_usd"))),
            ("to unused capacity", money, (currency, allocated.get("unused_capacity_usd"))),
            ("without a place", money, (currency, allocated.get("residual_usd"))),
            ("lines", whole, ("lines", allocated.get("lines_count"))),
        ],
    )
    tenants = allocated.get("tenants") or ()
    if not tenants:
        return sums
    parts = shown_parts(tenants, "parts_usd")
    columns = [
        Column(title="tenant", name="tenant"),
        Column(title=f"all of it, {currency}", name="usd", write=money),
        *(Column(title=_word(name), name=f"part {name}", write=money) for name in parts),
    ]
    rows = [
        each | {f"part {name}": (each.get("parts_usd") or {}).get(name) for name in parts}
        for each in map(dict, tenants[:TENANTS_COUNT])
    ]
    by_tenant = table(
        "What each tenant's tokens paid for",
        stated.subtitle(currency, "of the invoices, by component"),
        columns,
        rows,
    )
    rest = len(tenants) - TENANTS_COUNT
    return (
        sums + by_tenant + (f"<p>{rest:,} more are in <code>--json</code>.</p>" if rest > 0 else "")
    )


def windows_table(history: Sequence[Given], stated: Stated) -> str:
    """Return the last windows as rows, for who has no charts."""
    ends = sorted({str(row["end"]) for row in history}, reverse=True)[:WINDOWS_COUNT]
    rows = sorted(
        (row for row in history if str(row["end"]) in ends),
        key=lambda row: str(row["end"]),
        reverse=True,
    )
    text = table(
        f"The last {len(ends)} windows",
        stated.subtitle(f"{stated.currency}/Mtok", BASIS),
        [
            Column(title="window ends", name="end"),
            Column(title="model", name="name"),
            Column(title="full", name="usd_per_mtok_full", write=significant),
            Column(title="marginal", name="usd_per_mtok_marginal", write=significant),
            Column(title="output", name="output_tokens", write=whole),
            Column(title="tokens/s", name="tokens_per_s", write=amount),
        ],
        rows,
    )
    return folded("The last windows as a table", text)


def _rest(count: int) -> str:
    """Say how many rows are left out, and where they are."""
    more = count - TENANTS_COUNT
    return paragraph(f"{more:,} more are in the JSON of this observation.") if more > 0 else ""


def _word(name: str) -> str:
    return SAID.get(name, name.replace("_", " "))


def _baseline(name: str) -> str:
    return NAMES.get(name, str(name))


def whole(count: float) -> str:
    """Write a count."""
    return f"{count:,.0f}"


def _fine(share: float) -> str:
    return percent(share, 2)
