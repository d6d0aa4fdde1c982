"""A company for tests of the gateway: two sites, one small model, servers on this machine.

Prices are synthetic. The workloads are far larger than any test's load, so that their replicas
are awake at both sites and capacity is never what decides. Tenants pay whole nano-dollars per
token, so that bills are worked out by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MODEL = "small"
SITES = ("paris", "oslo")
INPUT_NANO_USD = 1_000
CACHED_NANO_USD = 100
OUTPUT_NANO_USD = 4_000
"""What a tenant pays per token: 1, 0.1 and 4 USD per million tokens."""

HEAD = """\
company: Crowd
about: An invented company of two sites, for tests of the gateway.
seed: 5
history_days: 7
horizon: {start: 2026-11-02T00:00:00Z, days: 2, step_h: 1}
regions:
  - {name: france, latitude_deg: 48.9, longitude_deg: 2.4}
sites:
  - name: paris
    latitude_deg: 48.9
    longitude_deg: 2.4
    market: {zone: FR, time_zone: Europe/Paris, price: {synthetic: germany}, day_ahead_at: "12:57"}
    import_limit_mw: 20
    pue: 1.3
    facility_usd_per_kw: 13000
  - name: oslo
    latitude_deg: 59.9
    longitude_deg: 10.8
    market: {zone: NO-NO1, time_zone: Europe/Oslo, price: {synthetic: norway-like},
             day_ahead_at: "12:57"}
    import_limit_mw: 20
    pue: 1.1
    facility_usd_per_kw: 12000
contracts:
  - {kind: spot, id: paris-spot, site: paris, adder_usd_per_mwh: 21}
  - {kind: spot, id: oslo-spot, site: oslo, adder_usd_per_mwh: 14}
fleets:
  - {name: paris-h100, site: paris, accelerator: H100, gpu_count: 60,
     owned: {usd_per_gpu: 33000}}
  - {name: oslo-h100, site: oslo, accelerator: H100, gpu_count: 60,
     owned: {usd_per_gpu: 33000}}
models:
  - {name: small, catalogue: llama-3.1-8b, quality_share: 1}
tiers:
  - {name: chat, service_tier: priority, ttft_limit_s: 5, tpot_limit_s: 0.2, must_serve: true,
     price_usd_per_mtok: 30, value: from_price}
  - {name: free, service_tier: priority, ttft_limit_s: 5, tpot_limit_s: 0.2,
     price_usd_per_mtok: 30, value: from_price}
workloads:
  - {name: answers, tier: chat, origin: france, ladder: [small], input_tokens: 200,
     output_tokens: 64, arrivals: {mean_requests_per_s: 12000}}
  - {name: tries, tier: free, origin: france, ladder: [small], input_tokens: 200,
     output_tokens: 64, arrivals: {mean_requests_per_s: 100}}
"""


@dataclass(frozen=True, kw_only=True)
class SpendLimit:
    """What a tenant may be charged this month."""

    tenant: str
    usd: float


def company_text(
    servers: Sequence[str],
    *,
    tenants: Sequence[str] = ("acme",),
    spend_limits: Sequence[SpendLimit] = (),
    limits: str = "",
    more: str = "",
    served_model: str = MODEL,
) -> str:
    """Return a company file whose `servers` (base addresses) stand at the two sites in turn.

    Args:
        servers: without any, every deployment is simulated.
        tenants: names; each may ask for both tiers, `chat` first.
        spend_limits: at most one of a tenant.
        limits: fields of `serve.limits`, e.g. `drain_s: 2, journal_bytes: 1048576`.
        more: further lines of `serve`, without indent.
        served_model: the name that the servers know the model by.
    """
    lines = [HEAD.rstrip(), "serve:"]
    if servers:
        lines.append("  upstreams:")
    for at, url in enumerate(servers):
        site = SITES[at % len(SITES)]
        lines.append(
            f"    - {{name: {site}-{at}, fleet: {site}-h100, model: small, url: {url!r}, "
            f"served_model: {served_model}}}"
        )
    lines.append("  tenants:")
    lines += [f"    - {{name: {name}, tiers: [chat, free], origin: france}}" for name in tenants]
    lines.append("  prices:")
    lines.append(
        f"    - {{model: small, input_usd_per_mtok: {INPUT_NANO_USD / 1e3:g}, "
        f"cached_input_usd_per_mtok: {CACHED_NANO_USD / 1e3:g}, "
        f"output_usd_per_mtok: {OUTPUT_NANO_USD / 1e3:g}}}"
    )
    if spend_limits:
        lines.append("  spend_limits:")
    lines += [
        f"    - {{name: month-{limit.tenant}, tenant: {limit.tenant}, usd: {limit.usd!r}, "
        "window: month, time_zone: Europe/Paris}"
        for limit in spend_limits
    ]
    if limits:
        lines.append(f"  limits: {{{limits}}}")
    lines += [f"  {line}" for line in more.splitlines()]
    return "\n".join(lines) + "\n"


def bill_nano_usd(*, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> int:
    """Return what these tokens cost a tenant, by hand: no part of a token is ever rounded."""
    return (
        (prompt_tokens - cached_tokens) * INPUT_NANO_USD
        + cached_tokens * CACHED_NANO_USD
        + completion_tokens * OUTPUT_NANO_USD
    )
