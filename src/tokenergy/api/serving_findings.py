"""Whether a gateway could keep what its company file says, beyond the words of the file."""

from collections.abc import Iterator, Sequence

from tokenergy.company.board import Board
from tokenergy.company.check.serving import cap_finding
from tokenergy.company.finding import Finding
from tokenergy.company.serve import Serve, Upstream
from tokenergy.company.serving.plan import AccountPlan, PricePlan, WorkerPlan
from tokenergy.dispatch.world import Route, World
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD, TOKENS_PER_MTOK

PROMPT_MARGIN_RATIO = 1.25
"""What is reserved of a prompt over its estimate; a guess of the gateway sheet (7)."""


def deployment_of(upstream: Upstream) -> str:
    """Return the name of the deployment that an upstream answers for."""
    return upstream.external_api or f"{upstream.model}@{upstream.fleet}"


def serving_findings(world: World, serve: Serve) -> tuple[Finding, ...]:
    """Return what a company's world says against its gateway.

    Workloads that nothing answers and deadlines that nothing meets are errors; servers that
    nothing is sent to, and deployments that have none, are warnings.
    """
    up = _served(world, serve)
    return (
        *_rungs(world, up),
        *_without_upstream(world, serve, up),
        *_deadlines(world, up),
        *_caps(world, serve),
    )


def _served(world: World, serve: Serve) -> frozenset[str]:
    """Return the deployments that have a server: all of them where none is stated."""
    all_names = {deployment.name for deployment in world.deployments}
    if not serve.upstreams:
        return frozenset(all_names)
    return frozenset(all_names & {deployment_of(each) for each in serve.upstreams})


def _routes(world: World, workload: int, up: frozenset[str]) -> list[Route]:
    """Return the routes of a workload whose deployment has a server."""
    return [
        route
        for route in world.routes
        if route.workload == workload and world.deployments[route.deployment].name in up
    ]


def _rungs(world: World, up: frozenset[str]) -> Iterator[Finding]:
    """Yield workloads that nothing answers, and rungs of their ladders that nothing runs."""
    for at, workload in enumerate(world.company.workloads):
        routes = _routes(world, at, up)
        runs = {world.deployments[route.deployment].model for route in routes}
        if not any(route.workload == at for route in world.routes):
            continue  # no site reaches it whatever serves there: `check` tells it
        if not runs:
            yield Finding(
                code="WORKLOAD_WITHOUT_UPSTREAM",
                path=f"workloads[{at}]",
                value=workload.name,
                reason=f"no server answers for any model of {workload.name!r} within its limits: "
                "every request of it would be refused",
                remedy="Add an upstream for one of its models, or loosen its tier's limits",
            )
            continue
        for place, name in enumerate(workload.ladder):
            if name not in runs:
                yield Finding(
                    code="RUNG_WITHOUT_UPSTREAM",
                    path=f"workloads[{at}].ladder[{place}]",
                    value=name,
                    reason=f"nothing that runs {name!r} has a server within the limits of "
                    f"{workload.name!r}: this rung never answers",
                    remedy="Add an upstream for it, or take it off the ladder",
                    severity="warning",
                )


def _without_upstream(world: World, serve: Serve, up: frozenset[str]) -> Iterator[Finding]:
    """Yield deployments without a server, and servers of what nobody is sent to."""
    names = {deployment.name for deployment in world.deployments}
    if missing := sorted(names - up):
        yield Finding(
            code="DEPLOYMENT_WITHOUT_UPSTREAM",
            path="serve.upstreams",
            value=", ".join(missing),
            reason="these deployments have no server: prices are made for them, and nothing is "
            "sent there",
            remedy="Add upstreams for them, or take the fleets out of their models' fleets",
            severity="warning",
        )
    for at, upstream in enumerate(serve.upstreams):
        if deployment_of(upstream) not in names:
            yield Finding(
                code="UPSTREAM_UNREACHED",
                path=f"serve.upstreams[{at}]",
                value=deployment_of(upstream),
                reason=f"no workload can be sent to upstream {upstream.name!r}: its model is on "
                "no ladder, or too slow or too far there for every tier",
                remedy="Put its model on a ladder, or loosen a tier's limits",
                severity="warning",
            )


def _deadlines(world: World, up: frozenset[str]) -> Iterator[Finding]:
    """Yield deadlines that the fastest server misses though nothing waits."""
    tiers = {tier.name: (at, tier) for at, tier in enumerate(world.company.tiers)}
    for at, spec in enumerate(world.workloads):
        place, tier = tiers[spec.tier]
        routes = _routes(world, at, up)
        if not tier.deadline_s or not routes:
            continue
        tokens = 0.0 if spec.tokens_per_item_count else spec.tokens_per_request_count
        fastest_s = min(each.rtt_ms / 1e3 + each.ttft_s + each.tpot_s * tokens for each in routes)
        if tier.deadline_s < fastest_s:
            yield Finding(
                code="DEADLINE_BELOW_SERVICE",
                path=f"tiers[{place}].deadline_s",
                value=f"{tier.deadline_s:g}",
                limit=f"{fastest_s:.3g}",
                unit="s",
                reason=f"a mean request of {spec.name!r} takes longer than this where it is "
                "answered fastest: it would be late however it is decided",
                remedy="Lengthen deadline_s, or set it to 0 for work that does not wait",
            )


def _caps(world: World, serve: Serve) -> Iterator[Finding]:
    """Yield workloads whose trace expects longer answers than the cap; others are told already."""
    cap_tokens = serve.limits.cap_tokens
    for at, workload in enumerate(world.company.workloads):
        told = world.inputs.lengths.get(workload.name)
        if told is not None and cap_tokens < told.output_tokens:
            yield cap_finding(cap_tokens, told.output_tokens, f"workloads[{at}].lengths")


# ---- what depends on how it is started -------------------------------------------------


def workers_findings(
    plan: WorkerPlan, *, workers_count: int, board: Board | None = None
) -> tuple[Finding, ...]:
    """Return the accounts that are too small to lease every worker its largest request.

    Args:
        plan: of the gateway.
        workers_count: workers that it is to have.
        board: prices, for budgets of marginal cost or joules; None: only charges are held.
    """
    found = []
    for account in plan.accounts:
        largest = _largest(account, plan, board)
        if largest * workers_count > account.limit:
            unit = "nano-USD" if account.unit == "nano_usd" else "microjoules"
            most = account.limit // largest
            found.append(
                Finding(
                    code="WORKERS_EXCEED_BUDGET",
                    path="serve.spend_limits" if account.name.startswith("spend:") else "budgets",
                    value=f"{account.name}: {workers_count} workers x {largest}",
                    limit=f"{account.limit}",
                    unit=unit,
                    reason="each worker leases room for its largest request at least, and together "
                    "they need more than a whole window has: requests would be refused with room "
                    "left",
                    remedy=(
                        f"Start at most {most} workers" if most else "Raise the limit"
                    ) + ", or lower serve.limits.cap_tokens",
                    severity="error" if most == 0 else "warning",
                )
            )  # fmt: skip
    return tuple(found)


def _largest(account: AccountPlan, plan: WorkerPlan, board: Board | None) -> int:
    """Return what the largest usual request may use of an account, in its unit; 0: unknown."""
    if account.name.startswith("spend:"):
        mine = [price for price in plan.prices if _pays(account, price.tier, plan)]
        return max((_charge(price, plan) for price in mine), default=0)
    if board is None:
        return 0
    most = 0.0
    for load in board.workloads:
        if not _pays(account, load.tier, plan):
            continue
        for rung in load.rungs:
            for each in rung.candidates:
                rate = (
                    each.high_usd_per_mtok * NANO_USD_PER_USD / TOKENS_PER_MTOK
                    if account.unit == "nano_usd"
                    else each.j_per_token * MICROJOULES_PER_J
                )
                most = max(most, rate * plan.limits.cap_tokens)
    return round(most)


def _charge(price: PricePlan, plan: WorkerPlan) -> int:
    """Return what a request of the mean prompt and the longest answer is charged."""
    prompts = [
        load.input_tokens
        for load in plan.workloads
        if load.tier == price.tier and price.model in load.ladder
    ]
    tokens = PROMPT_MARGIN_RATIO * max(prompts, default=0.0)
    nano_usd = tokens * price.input_nano_usd_per_mtok
    nano_usd += plan.limits.cap_tokens * price.output_nano_usd_per_mtok
    return round(nano_usd / TOKENS_PER_MTOK) + price.nano_usd_per_request


def _pays(account: AccountPlan, tier: str, plan: WorkerPlan) -> bool:
    if account.tier not in (None, tier):
        return False
    tenants: Sequence[str] = [one.name for one in plan.tenants if tier in one.tiers]
    return account.tenant is None or account.tenant in tenants
