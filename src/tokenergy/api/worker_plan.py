"""From an opened company to what the gateway's workers know of it: a `WorkerPlan`."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from tokenergy.api.metered_plans import meter_findings, meter_plans
from tokenergy.api.opened import OpenCompany
from tokenergy.api.serving_findings import deployment_of, serving_findings
from tokenergy.company.budget import Budget
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.model import LanguageModel
from tokenergy.company.serve import Serve, ServeLimits, SpendLimit, Tenant, TokenPrice, Upstream
from tokenergy.company.serving.plan import (
    AccountPlan,
    AliasPlan,
    LimitsPlan,
    PricePlan,
    TenantPlan,
    UpstreamPlan,
    WhenClientLeaves,
    WorkerPlan,
    WorkloadPlan,
)
from tokenergy.company.tier import Tier, Workload
from tokenergy.dispatch.world import Deployment, World
from tokenergy.errors import FindingsError
from tokenergy.files.company_file import placed
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD

DEMO_TENANT: Final = "demo"
"""Who asks where the company file says nothing of tenants."""
RUN_ID: Final = "serve"


def worker_plan(
    company: OpenCompany,
    *,
    now_s: float,
    clock_offset_s: float = 0.0,
    run_id: str = RUN_ID,
    open_door: bool | None = None,
) -> WorkerPlan:
    """Return what workers know of a company.

    Args:
        company: opened, and thus checked.
        now_s: the company's time, seconds since the Unix epoch; it enters nothing but is what the
            plan holds from.
        clock_offset_s: company time less this machine's.
        run_id: of the ledger.
        open_door: whether requests without a key are taken as the first tenant's; None: only if
            the file says nothing of tenants.

    Raises:
        FindingsError: if the gateway could not keep what the file says (`plan_findings`).
    """
    stated, world = company.company, company.world
    serve = gateway_of(stated)
    if errors := errors_of(plan_findings(company)):
        raise FindingsError(errors)
    upstreams = tuple(_upstreams(company, serve))
    prices = tuple(_prices(stated, serve))
    del now_s  # nothing in a plan depends on the moment yet; callers already say it
    return WorkerPlan(
        company=stated.company,
        digest=company.digest,
        run_id=run_id,
        currency=stated.currency,
        clock_offset_s=clock_offset_s,
        deployments=tuple(sorted(deployment.name for deployment in world.deployments)),
        upstreams=upstreams,
        workloads=tuple(_workloads(company)),
        aliases=tuple(AliasPlan(name=each.name, ladder=each.ladder) for each in serve.aliases),
        tenants=tuple(_tenant(each) for each in serve.tenants),
        prices=prices,
        price_version=price_version(prices),
        accounts=(*map(_budget, stated.budgets), *map(_spend_limit, serve.spend_limits)),
        limits=_limits(serve.limits),
        board_every_s=serve.board_every_s,
        when_client_leaves=_leavers(serve),
        hide_site=serve.hide_site,
        strict=serve.durability == "strict",
        open_door=stated.serve is None if open_door is None else open_door,
        meters=meter_plans(company, serve),
    )


def plan_findings(company: OpenCompany) -> tuple[Finding, ...]:
    """Return what a company's world says against its gateway, errors and warnings."""
    serve = gateway_of(company.company)
    found = serving_findings(company.world, serve)
    meters = meter_findings(company, serve) if company.company.serve is not None else ()
    return placed((*found, *meters), company.path)


def price_version(prices: tuple[PricePlan, ...]) -> str:
    """Return eight characters that differ where a price does."""
    return sha256(msgspec.json.encode(prices)).hexdigest()[:8]


def gateway_of(company: Company) -> Serve:
    """Return what a company's file says of its gateway, or what stands where it says nothing."""
    if company.serve is not None:
        return company.serve
    everybody = Tenant(
        name=DEMO_TENANT,
        tiers=tuple(tier.name for tier in company.tiers),
        origin=company.regions[0].name,
    )
    return Serve(tenants=(everybody,))


# ---- who answers -----------------------------------------------------------------------


def _upstreams(company: OpenCompany, serve: Serve) -> Iterator[UpstreamPlan]:
    """Yield the stated servers of deployments, or one simulated server for each deployment."""
    world = company.world
    if not serve.upstreams:
        for deployment in sorted(world.deployments, key=lambda each: each.name):
            yield _simulated(deployment, world)
        return
    by_name = {deployment.name: deployment for deployment in world.deployments}
    for upstream in serve.upstreams:
        served = by_name.get(deployment_of(upstream))
        if served is not None:  # else no workload reaches it: a finding has told
            yield _stated(upstream, served, world)


def _simulated(deployment: Deployment, world: World) -> UpstreamPlan:
    return UpstreamPlan(
        name=deployment.name,
        deployment=deployment.name,
        site=_site(deployment, world),
        accelerator=_accelerator(deployment),
        model=deployment.model,
        served_model=deployment.model,
        kind="simulated",
    )


def _stated(upstream: Upstream, deployment: Deployment, world: World) -> UpstreamPlan:
    return UpstreamPlan(
        name=upstream.name,
        deployment=deployment.name,
        site=_site(deployment, world),
        accelerator=_accelerator(deployment),
        model=deployment.model,
        served_model=upstream.served_model or deployment.model,
        kind=upstream.kind,
        url=(upstream.url or "").rstrip("/"),
        key_env=upstream.key_env,
        metrics_url=upstream.metrics_url,
        continuous_usage=upstream.continuous_usage,
        cache_salt=upstream.cache_salt,
        trust_private=upstream.trust_private,
    )


def _site(deployment: Deployment, world: World) -> str:
    return "" if deployment.external else world.site_names[deployment.site]


def _accelerator(deployment: Deployment) -> str:
    return "" if deployment.external else deployment.accelerator


# ---- who asks, and for what ------------------------------------------------------------


def _workloads(company: OpenCompany) -> Iterator[WorkloadPlan]:
    tiers = {tier.name: tier for tier in company.company.tiers}
    for at, workload in enumerate(company.company.workloads):
        tier = tiers[workload.tier]
        input_tokens, output_tokens = _lengths(company, at, workload)
        yield WorkloadPlan(
            name=workload.name,
            tier=tier.name,
            origin=workload.origin,
            service_tier=tier.service_tier,
            must_serve=tier.must_serve,
            ladder=workload.ladder,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            items_per_request=workload.items_per_request,
            media=_media(company, workload),
            ttft_limit_s=tier.ttft_limit_s,
            tpot_limit_s=tier.tpot_limit_s,
            deadline_s=tier.deadline_s,
        )


def _lengths(company: OpenCompany, at: int, workload: Workload) -> tuple[float, float]:
    """Return mean input and output tokens of a request; of media, its latent tokens as output."""
    told = company.inputs.lengths.get(workload.name)
    if told is not None:
        return told.input_tokens, told.output_tokens
    if workload.input_tokens is not None and workload.output_tokens is not None:
        return workload.input_tokens, workload.output_tokens
    return 0.0, company.world.workloads[at].tokens_per_request_count


def _media(company: OpenCompany, workload: Workload) -> str:
    """Return `image` or `video` where a workload asks for items, else ""."""
    model = next(each for each in company.company.models if each.name == workload.ladder[0])
    row = company.catalogue.model(model.catalogue)
    if isinstance(row, LanguageModel):
        return ""
    return "image" if row.kind == "image" else "video"


def _tenant(tenant: Tenant) -> TenantPlan:
    return TenantPlan(**tenant.model_dump())


def _leavers(serve: Serve) -> dict[str, WhenClientLeaves]:
    return dict.fromkeys(serve.drain_tiers, "drain")


def _limits(limits: ServeLimits) -> LimitsPlan:
    return LimitsPlan(**limits.model_dump())


# ---- what it costs them ----------------------------------------------------------------


def _prices(company: Company, serve: Serve) -> Iterator[PricePlan]:
    """Yield the price of every model that a tier's ladders name, in the order of the file."""
    for tier in company.tiers:
        models: dict[str, None] = {}
        for workload in company.workloads:
            if workload.tier == tier.name:
                models.update(dict.fromkeys(workload.ladder))
        for model in models:
            line = _line(serve, model=model, tier=tier.name)
            yield _of_tier(model, tier) if line is None else _of_line(line, tier=tier.name)


def _line(serve: Serve, *, model: str, tier: str) -> TokenPrice | None:
    """Return the stated price of a model under a tier: the tier's own before everybody's."""
    mine = [each for each in serve.prices if each.model == model and each.tier in (tier, None)]
    mine.sort(key=lambda each: each.tier is None)
    return mine[0] if mine else None


def _of_line(line: TokenPrice, *, tier: str) -> PricePlan:
    cached_usd = line.cached_input_usd_per_mtok
    return PricePlan(
        model=line.model,
        tier=tier,
        input_nano_usd_per_mtok=nano(line.input_usd_per_mtok),
        cached_input_nano_usd_per_mtok=nano(
            line.input_usd_per_mtok if cached_usd is None else cached_usd
        ),
        output_nano_usd_per_mtok=nano(line.output_usd_per_mtok),
        nano_usd_per_request=nano(line.usd_per_request),
    )


def _of_tier(model: str, tier: Tier) -> PricePlan:
    """Return a tier's own price: by output Mtok, with its input in it; or by request.

    What is paid by the month costs nothing by the token.
    """
    return PricePlan(
        model=model,
        tier=tier.name,
        input_nano_usd_per_mtok=0,
        cached_input_nano_usd_per_mtok=0,
        output_nano_usd_per_mtok=nano(tier.price_usd_per_mtok or 0.0),
        nano_usd_per_request=nano(tier.price_usd_per_request or 0.0),
    )


def nano(amount_usd: float) -> int:
    """Return an amount in whole nano-dollars."""
    return round(amount_usd * NANO_USD_PER_USD)


def _budget(budget: Budget) -> AccountPlan:
    money = budget.unit == "usd"
    per_unit = NANO_USD_PER_USD if money else MICROJOULES_PER_J
    return AccountPlan(
        name=f"budget:{budget.name}",
        unit="nano_usd" if money else "microjoules",
        limit=round(budget.budget_quantity * per_unit),
        tier=budget.tier,
        tenant=budget.tenant,
        window=budget.window,
        time_zone=budget.time_zone,
    )


def _spend_limit(limit: SpendLimit) -> AccountPlan:
    return AccountPlan(
        name=f"spend:{limit.name}",
        unit="nano_usd",
        limit=nano(limit.usd),
        tier=limit.tier,
        tenant=limit.tenant,
        window=limit.window,
        time_zone=limit.time_zone,
    )
