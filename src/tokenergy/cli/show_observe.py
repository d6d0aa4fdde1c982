"""An observation for people: what a token costs here and now, and what dispatch would save."""

from collections.abc import Iterator, Sequence

from tokenergy.api.observed.observation import ModelSeen, Observation, SiteSeen
from tokenergy.cli.columns import decimals_for, figure, money_in, percent, put, say
from tokenergy.company.currency import CORE
from tokenergy.company.finding import Finding
from tokenergy.units import J_PER_MWH, KWH_PER_MWH

TENANTS_SHOWN = 12
J_PER_KWH = J_PER_MWH / KWH_PER_MWH


def observation(seen: Observation) -> None:
    """Print an observation: tokens and joules, costs in parts, the saving, what is to be known."""
    currency = str(seen.heading["currency"])
    money_in(currency)
    note = (
        f"{seen.heading['company']}, observed for {seen.span_s:.0f} s to "
        f"{seen.end:%Y-%m-%d %H:%M:%S} UTC"
    )
    if currency != CORE:
        note += f"; money is in {currency}"
    say(note, style="bold")
    rows = list(seen.models())
    _work_table(rows)
    _cost_table(rows)
    _sites(seen.sites)
    _tenants(seen)
    _saving(seen)
    if seen.allocated is not None:
        say(str(seen.allocated["says"]))
    findings(seen.findings)
    if seen.ledger is not None:
        say(f"ledger: {seen.ledger}", style="dim")


def _work_table(rows: Sequence[tuple[SiteSeen, ModelSeen]]) -> None:
    cells = [
        [
            site.site,
            model.model,
            f"{model.gpus_count} x {model.accelerator}",
            _count(model.tokens.input),
            _count(model.tokens.cached_input),
            _count(model.tokens.output),
            figure(model.joules.total_j, 0),
            model.joules.tier,
            figure(model.j_per_token, 3),
            percent(model.utilisation_share, 1),
            figure(model.running_count, 1),
        ]
        for site, model in rows
    ]
    put(
        "What ran, tokens and joules at the facility",
        cells,
        left=("site", "model", "on"),
        right=(
            "input", "cached", "output", "J", "known", "J/token", "in use", "running",
        ),
    )  # fmt: skip


def _cost_table(rows: Sequence[tuple[SiteSeen, ModelSeen]]) -> None:
    prices = [
        value
        for _, model in rows
        for value in (model.usd_per_mtok_full, model.usd_per_mtok_marginal)
        if value is not None
    ]
    if not prices:
        return
    decimals = decimals_for(prices)
    parts = [name for name in _parts(rows) if name not in ("energy", "mw_rent", "gpu_rent")]
    cells = []
    for site, model in rows:
        full = model.full_parts or {}
        marginal = model.parts or {}
        cells.append(
            [
                site.site,
                model.model,
                figure(model.usd_per_mtok_full, decimals),
                figure(full.get("energy"), decimals),
                figure(full.get("gpu"), decimals),
                figure(full.get("facility"), decimals),
                figure(full.get("staff"), decimals),
                figure(model.usd_per_mtok_marginal, decimals),
                figure(marginal.get("energy"), decimals),
                figure(marginal.get("mw_rent"), decimals),
                figure(marginal.get("gpu_rent"), decimals),
                figure(sum(marginal.get(name, 0.0) for name in parts), decimals),
                figure(model.idle_usd_per_h, 2),
            ]
        )
    put(
        "USD/Mtok of output: in full (allocation), then one Mtok more (marginal), each in parts",
        cells,
        left=("site", "model"),
        right=(
            "FULL", "energy", "GPUs", "hall", "staff", "MARGINAL", "energy", "MW rent",
            "GPU rent", "rest", "idle USD/h",
        ),
    )  # fmt: skip


def _parts(rows: Sequence[tuple[SiteSeen, ModelSeen]]) -> Iterator[str]:
    names: dict[str, None] = {}
    for _, model in rows:
        names |= dict.fromkeys(model.parts or {})
    yield from names


def _sites(sites: Sequence[SiteSeen]) -> None:
    for site in sites:
        if site.price_usd_per_mwh is None:
            text = f"{site.site}: no price of power is known now ({site.price_source})."
        elif site.power_usd_per_mwh is None:
            text = (
                f"{site.site}: spot {site.price_usd_per_mwh:.2f} USD/MWh ({site.price_source}); "
                "what contracts make of it is not known at this load."
            )
        else:
            text = (
                f"{site.site}: spot {site.price_usd_per_mwh:.2f} USD/MWh, with contracts "
                f"{site.power_usd_per_mwh:.2f} ({site.price_source})."
            )
        if site.unused_gpu_usd_per_h > 0.0:
            text += f" GPUs that no engine holds cost {site.unused_gpu_usd_per_h:,.2f} USD/h."
        say(text)


def _tenants(seen: Observation) -> None:
    if not seen.tenants:
        return
    cells = [
        [
            tenant.tenant,
            tenant.model,
            _count(tenant.input_tokens),
            _count(tenant.output_tokens),
            figure(None if tenant.energy_j is None else tenant.energy_j / J_PER_KWH, 3),
            figure(tenant.full_usd, 2),
        ]
        for tenant in seen.tenants[:TENANTS_SHOWN]
    ]
    put(
        "By tenant, over the span of the usage file, at what the engines draw and cost an hour now",
        cells,
        left=("tenant", "model"),
        right=("input", "output", "kWh", "USD"),
    )
    if len(seen.tenants) > TENANTS_SHOWN:
        say(f"{len(seen.tenants) - TENANTS_SHOWN} more are in --json.")


def _saving(seen: Observation) -> None:
    if seen.saving is None:
        return
    saving = seen.saving
    say(saving.sentence(), style="bold")
    say(saving.made_of())


def findings(found: Sequence[Finding]) -> None:
    """Print warnings, each with its remedy."""
    for finding in found:
        say(f"{finding.severity} {finding.code} {finding.path}: {finding.reason}", style="yellow",
            as_is=True)  # fmt: skip
        say(finding.remedy, style="dim", indent=2)


def _count(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"
