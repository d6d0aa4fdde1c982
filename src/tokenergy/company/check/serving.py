"""What the gateway is told of servers, tenants, prices and limits: all of it can be kept."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from tokenergy.company.check.unknown import unknown_name
from tokenergy.company.check.upstreams import bare_url, check_upstream
from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.serve import Serve, ServeLimits, Tenant
from tokenergy.company.tier import Workload

BYTES_PER_TOKEN: Final = 4.0
"""Bytes of text for a token where nothing was counted; a guess of the gateway sheet (3.4)."""
ANY_LADDER: Final = "auto"
"""The model name that the door takes for the first ladder of a tier."""
RESERVED_SLACK_SHARE: Final = 1e-9
CLIENT_PATIENCE_S: Final = 600.0
"""After so long the usual clients give up."""


def check_serving(parts: Parts) -> Iterator[Finding]:
    """Yield everything of `serve` that contradicts itself or the rest of the company."""
    yield from _budgets_of_tenants(parts)
    serve = parts.serve
    if serve is None:
        return
    yield from _repeated(serve, parts)
    for position, upstream in enumerate(serve.upstreams):
        yield from check_upstream(f"serve.upstreams[{position}]", upstream, parts)
    yield from _tenants(serve, parts)
    yield from _reserved(serve)
    yield from _aliases(serve, parts)
    yield from _ladders(parts)
    yield from _limits(serve.limits, parts)


def served_names(serve: Serve | None) -> Iterator[tuple[str, str, str]]:
    """Yield where `serve` uses a name, the section that it should stand in, and the name."""
    if serve is None:
        return
    for at, upstream in enumerate(serve.upstreams):
        path = f"serve.upstreams[{at}]"
        for word, section in (
            ("fleet", "fleets"), ("model", "models"), ("external_api", "external_apis"),
        ):  # fmt: skip
            if (name := getattr(upstream, word)) is not None:
                yield f"{path}.{word}", section, name
    for at, tenant in enumerate(serve.tenants):
        yield f"serve.tenants[{at}].origin", "regions", tenant.origin
        for place, name in enumerate(tenant.tiers):
            yield f"serve.tenants[{at}].tiers[{place}]", "tiers", name
    for at, price in enumerate(serve.prices):
        yield f"serve.prices[{at}].model", "models", price.model
        if price.tier is not None:
            yield f"serve.prices[{at}].tier", "tiers", price.tier
    for at, limit in enumerate(serve.spend_limits):
        if limit.tier is not None:
            yield f"serve.spend_limits[{at}].tier", "tiers", limit.tier
    for at, alias in enumerate(serve.aliases):
        for place, name in enumerate(alias.ladder):
            yield f"serve.aliases[{at}].ladder[{place}]", "models", name
    for place, name in enumerate(serve.drain_tiers):
        yield f"serve.drain_tiers[{place}]", "tiers", name


def _budgets_of_tenants(parts: Parts) -> Iterator[Finding]:
    """Refuse tenants that budgets and spend limits name, and that there are not."""
    if "serve" in parts.unread:
        return
    tenants = tuple(each.name for each in parts.serve.tenants) if parts.serve else ()
    named = [(f"{path}.tenant", budget.tenant) for path, budget in parts.placed("budgets")]
    for at, limit in enumerate(parts.serve.spend_limits if parts.serve else ()):
        named.append((f"serve.spend_limits[{at}].tenant", limit.tenant))
    for path, name in named:
        if name is not None and name not in tenants:
            yield unknown_name(path, "tenant", name, tenants)


# ---- things that stand twice -----------------------------------------------------------


def _repeated(serve: Serve, parts: Parts) -> Iterator[Finding]:
    for word, what in (
        ("upstreams", "upstream"), ("tenants", "tenant"), ("spend_limits", "spend limit"),
        ("aliases", "alias"),
    ):  # fmt: skip
        yield from _twice(
            word, getattr(serve, word), key=lambda each: each.name, code="DUPLICATE_NAME",
            say=f"is a {what} of the same name", remedy="Rename one of the two", field=".name",
        )  # fmt: skip
    yield from _twice(
        "prices", serve.prices, key=lambda each: (each.model, each.tier), code="CHARGE_TWICE",
        say="prices the same model under the same tier", remedy="Keep the one that holds",
    )  # fmt: skip
    yield from _twice(
        "upstreams", [each for each in serve.upstreams if each.url],
        key=lambda each: (bare_url(each.url), each.served_model or each.model),
        code="UPSTREAM_TWICE", field=".url", remedy="Remove one of the two",
        say="is the same model at the same address: its requests would be counted apart",
    )  # fmt: skip
    yield from _twice(
        "spend_limits", serve.spend_limits, code="SPEND_LIMIT_TWICE",
        key=lambda each: (each.tenant, each.tier, each.window, each.time_zone),
        say="limits what the same requests are charged in the same window",
        remedy="Keep the smaller one, or give one another window",
    )  # fmt: skip
    for at, alias in enumerate(serve.aliases):
        if alias.name == ANY_LADDER:
            yield Finding(
                code="NAME_RESERVED",
                path=f"serve.aliases[{at}].name",
                value=alias.name,
                reason=f"{ANY_LADDER!r} always stands for the ladder of the tier that is asked for",
                remedy="Give the alias another name",
            )
        if alias.name in parts.names("models"):
            yield Finding(
                code="ALIAS_IS_MODEL",
                path=f"serve.aliases[{at}].name",
                value=alias.name,
                reason=f"{alias.name!r} is a model too: nobody could ask for that model alone",
                remedy="Give the alias another name",
            )


def _twice(
    word: str,
    items: Sequence[Any],
    *,
    key: Callable[[Any], object],
    code: str,
    say: str,
    remedy: str,
    field: str = "",
) -> Iterator[Finding]:
    first: dict[object, int] = {}
    for at, item in enumerate(items):
        if (held := first.setdefault(key(item), at)) != at:
            yield Finding(
                code=code,
                path=f"serve.{word}[{at}]{field}",
                value=str(getattr(item, "name", None) or item.model),
                reason=f"serve.{word}[{held}] {say}",
                remedy=remedy,
            )


# ---- who asks, for what ----------------------------------------------------------------


def _reserved(serve: Serve) -> Iterator[Finding]:
    reserved_share = sum(tenant.reserved_share for tenant in serve.tenants)
    if reserved_share > 1.0 + RESERVED_SLACK_SHARE:
        yield Finding(
            code="RESERVED_BEYOND_WHOLE",
            path="serve.tenants",
            value=f"{reserved_share:g}",
            limit="1",
            reason="tenants' reserved_share add up to more than every server: joules of waiting "
            "would go by other shares than stated",
            remedy="Lower reserved_share of a tenant",
        )


def _tenants(serve: Serve, parts: Parts) -> Iterator[Finding]:
    """Hold tenants, prices and limits against the workloads that there are."""
    if parts.lost("workloads") or "workloads" in parts.unread:
        return
    by_tier: dict[str, list[Workload]] = {}
    for workload in parts.workloads:
        by_tier.setdefault(workload.tier, []).append(workload)
    for at, tenant in enumerate(serve.tenants):
        for place, name in enumerate(tenant.tiers):
            if name in parts.names("tiers"):
                path = f"serve.tenants[{at}].tiers[{place}]"
                loads = by_tier.get(name, ())
                yield from _asked(path, tenant, name, loads, parts.names("regions"))
    for at, price in enumerate(serve.prices):
        path = f"serve.prices[{at}]"
        model = parts.find("models", price.model)
        asking = [w for w in parts.workloads if price.tier in (None, w.tier)]
        if model is not None and not any(price.model in w.ladder for w in asking):
            yield Finding(
                code="CHARGE_FOR_NOBODY",
                path=f"{path}.model",
                value=price.model,
                reason="no ladder that this price is for has the model: nobody would pay it",
                remedy="Correct the model or the tier, or remove the price",
                severity="warning",
            )
        if model is not None and model.shape is not None and price.output_usd_per_mtok:
            yield Finding(
                code="CHARGE_ON_MEDIA",
                path=f"{path}.output_usd_per_mtok",
                value=f"{price.output_usd_per_mtok:g}",
                limit="0",
                unit="USD/Mtok",
                reason=f"model {price.model!r} makes items, and an item has no tokens to bill",
                remedy="State usd_per_request, and 0 for tokens",
            )
        cached = price.cached_input_usd_per_mtok
        if cached is not None and cached > price.input_usd_per_mtok:
            yield Finding(
                code="CHARGE_CACHED_ABOVE",
                path=f"{path}.cached_input_usd_per_mtok",
                value=f"{cached:g}",
                limit=f"{price.input_usd_per_mtok:g}",
                unit="USD/Mtok",
                reason="cached input is dearer than input that has to be read anew",
                remedy="Nothing, if that is meant; else exchange the two",
                severity="warning",
            )


def _asked(
    path: str, tenant: Tenant, tier: str, workloads: Sequence[Workload], regions: Sequence[str]
) -> Iterator[Finding]:
    origin = tenant.origin
    if not workloads:
        yield Finding(
            code="TENANT_WITHOUT_WORKLOAD",
            path=path,
            value=tier,
            reason=f"no workload is of tier {tier!r}: no request of tenant {tenant.name!r} under "
            "it could be priced",
            remedy="Add a workload of that tier, or take the tier away from the tenant",
        )
    elif origin in regions and not any(workload.origin == origin for workload in workloads):
        yield Finding(
            code="TENANT_FROM_ELSEWHERE",
            path=path,
            value=f"{tier} from {origin}",
            limit=", ".join(sorted({workload.origin for workload in workloads})),
            reason=f"no workload of tier {tier!r} comes from region {origin!r}: requests of "
            f"tenant {tenant.name!r} would be priced, and sent, as if they came from another",
            remedy="Add a workload of that tier and region, or correct the tenant's origin",
            severity="warning",
        )


def _aliases(serve: Serve, parts: Parts) -> Iterator[Finding]:
    if parts.lost("workloads") or "workloads" in parts.unread:
        return
    ladders = {workload.ladder for workload in parts.workloads}
    known = set(parts.names("models"))
    for at, alias in enumerate(serve.aliases):
        if alias.ladder in ladders or not known.issuperset(alias.ladder):
            continue
        yield Finding(
            code="ALIAS_WITHOUT_WORKLOAD",
            path=f"serve.aliases[{at}].ladder",
            value=", ".join(alias.ladder),
            limit="; ".join(sorted(", ".join(ladder) for ladder in ladders)),
            reason=f"no workload has this ladder: nobody could price what {alias.name!r} asks for",
            remedy="Write the ladder of a workload, in its order",
        )


def _ladders(parts: Parts) -> Iterator[Finding]:
    """Refuse ladders whose quality rises on the way down."""
    for path, workload in parts.placed("workloads"):
        rungs = [parts.find("models", name) for name in workload.ladder]
        for at in range(1, len(rungs)):
            above, below = rungs[at - 1], rungs[at]
            if above is None or below is None or below.quality_share <= above.quality_share:
                continue
            yield Finding(
                code="LADDER_RISES",
                path=f"{path}.ladder[{at}]",
                value=f"{below.quality_share:g}",
                limit=f"{above.quality_share:g}",
                unit="quality_share",
                reason=f"{below.name!r} is better than {above.name!r} above it, and a ladder goes "
                "from what was asked for to what is worse",
                remedy="Put the better model first, or correct its quality_share",
            )


# ---- limits ----------------------------------------------------------------------------


def _limits(limits: ServeLimits, parts: Parts) -> Iterator[Finding]:
    if limits.hold_s >= limits.total_s:
        yield Finding(
            code="HOLD_BEYOND_TIMEOUT",
            path="serve.limits.hold_s",
            value=f"{limits.hold_s:g}",
            limit=f"{limits.total_s:g}",
            unit="s",
            reason="a request is held longer than the longest request may last: it would end "
            "before it is answered",
            remedy="Shorten hold_s, or lengthen total_s",
        )
    elif limits.hold_s >= CLIENT_PATIENCE_S:
        yield Finding(
            code="HOLD_BEYOND_CLIENTS",
            path="serve.limits.hold_s",
            value=f"{limits.hold_s:g}",
            limit=f"{CLIENT_PATIENCE_S:g}",
            unit="s",
            reason="clients commonly give up first: what was held for them is then lost",
            remedy="Shorten hold_s, or have every client wait longer",
            severity="warning",
        )
    for path, workload in parts.placed("workloads"):
        if workload.input_tokens is None or workload.output_tokens is None:
            continue
        if limits.cap_tokens < workload.output_tokens:
            yield cap_finding(limits.cap_tokens, workload.output_tokens, f"{path}.output_tokens")
        need_bytes = BYTES_PER_TOKEN * workload.input_tokens
        if limits.body_bytes < need_bytes:
            yield Finding(
                code="BODY_BELOW_INPUT",
                path="serve.limits.body_bytes",
                value=f"{limits.body_bytes}",
                limit=f"{need_bytes:.0f}",
                unit="bytes",
                reason=f"a mean request of {workload.name!r} ({path}) is longer than the longest "
                "body",
                remedy="Raise body_bytes, or correct the workload's input_tokens",
            )


def cap_finding(cap_tokens: int, expected_tokens: float, whose: str) -> Finding:
    """Return the finding that an answer is cut before the length that is expected of it."""
    return Finding(
        code="CAP_BELOW_EXPECTED",
        path="serve.limits.cap_tokens",
        value=f"{cap_tokens}",
        limit=f"{expected_tokens:.0f}",
        unit="tokens",
        reason=f"answers without a cap of their own are cut here, below the mean length that "
        f"{whose} expects and its promise is planned for",
        remedy="Raise cap_tokens, or correct the workload's length",
    )
