"""Prices as the board has them, advice about a request, and what became of one."""

import asyncio
from math import isfinite
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tokenergy.company.board import PART_NAMES, Board, BoardWorkload, Candidate, Rung
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request as RequestAsked
from tokenergy.company.serving.plan import BUDGET, TenantPlan, WorkerPlan
from tokenergy.company.serving.ports import KeyFacts
from tokenergy.company.serving.usage import UsageRows
from tokenergy.serve.admission import AUTO
from tokenergy.serve.openai_error import ApiError, forbidden, not_found, unavailable
from tokenergy.serve.refusal import moment
from tokenergy.serve.side import Side
from tokenergy.serve.side_http import caller_of, guarded, json_answer, json_body, whole_number

SCOPE: Final = "inference"
HOURS_COUNT: Final = 24
LONGEST_COUNT: Final = 168
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=2_592_000.0)]


class AdviceAsked(msgspec.Struct, forbid_unknown_fields=True):
    """A request by its sizes, from whoever routes requests himself.

    Attributes:
        tenant: its own name; another one only with scope `admin`.
        model: a model, or an alias.
        tier: of the company, or a service tier of the API.
        region: None: the tenant's.
        deadline_s: seconds from now; None: as its tier says.
        session: what tells its conversation apart.
        without: deployments that it shall not go to.
    """

    model: str
    input_tokens: Count
    output_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] | None = None
    tenant: str | None = None
    tier: str | None = None
    region: str | None = None
    cap_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] | None = None
    deadline_s: Seconds | None = None
    session: str | None = None
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class PriceApi:
    """The routes under `/v1/tokenergy`."""

    def __init__(self, side: Side, usage: UsageRows | None) -> None:
        """Take the gateway, and who knows what became of requests; None: nobody."""
        self._side, self._usage = side, usage

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/tokenergy/price", guarded(self.price), methods=["GET"]),
            Route("/v1/tokenergy/decide", guarded(self.decide), methods=["POST"]),
            Route("/v1/tokenergy/requests/{request_id}", guarded(self.request), methods=["GET"]),
        ]

    async def price(self, request: Request) -> Response:
        """Tell what a token costs now and in the intervals ahead, and what it is sold for."""
        side = self._side
        caller = caller_of(side, request, scope=SCOPE)
        tenant = side.tenant(caller)
        ahead = whole_number(
            request.query_params, "intervals", default=HOURS_COUNT, least=0, most=LONGEST_COUNT
        )
        board = _board(side)
        now_s = side.now_s()
        tiers = caller.tiers or tenant.tiers
        tell = _Prices(board, hide_site=side.plan.hide_site, ahead_count=ahead, now_s=now_s)
        wanted = request.query_params.get("model")
        loads = [
            tell.workload(load, origin=plan.origin, model=wanted)
            for plan in side.plan.workloads
            if plan.tier in tiers and (load := board.by_name.get(plan.name)) is not None
        ]
        return json_answer(
            {
                "object": "tokenergy.price",
                "board_id": board.board_id,
                "made_at": moment(board.made_at_s),
                "valid_until": moment(board.valid_until_s),
                "interval": _interval(board, 0),
                "policy": "reserve" if board.is_stale(now_s) else board.policy,
                "stale": board.is_stale(now_s),
                "currency": side.plan.currency,
                "data": [load for load in loads if load["models"]],
                "charges": charges(side.plan, tiers),
                "price_version": side.plan.price_version,
            }
        )

    async def decide(self, request: Request) -> Response:
        """Tell what would be done about a request, and do nothing."""
        side = self._side
        caller = caller_of(side, request, scope=SCOPE)
        asked = await json_body(request, AdviceAsked, limits=side.plan.limits)
        tenant = self._tenant(asked, caller)
        board = _board(side)
        decision = side.advise(self._asked(asked, tenant, caller))
        return json_answer(advice(decision, board, hide_site=side.plan.hide_site))

    def _tenant(self, asked: AdviceAsked, caller: KeyFacts) -> TenantPlan:
        """Return whose request it is.

        Raises:
            ApiError: 403 for another tenant without the scope; 404 for one that is unknown.
        """
        if asked.tenant is None or asked.tenant == caller.tenant:
            return self._side.tenant(caller)
        if "admin" not in caller.scopes:
            raise forbidden("This key may ask for its own tenant only.")
        for tenant in self._side.plan.tenants:
            if tenant.name == asked.tenant:
                return tenant
        raise ApiError(404, "unknown_tenant", "There is no such tenant.", param="tenant")

    def _asked(self, asked: AdviceAsked, tenant: TenantPlan, caller: KeyFacts) -> RequestAsked:
        """Return the request as the decision sees it."""
        side, plan = self._side, self._side.plan
        now_s = side.now_s()
        allowed = tenant.tiers
        if caller.tiers and tenant.name == caller.tenant:
            allowed = tuple(tier for tier in tenant.tiers if tier in caller.tiers)
            if asked.tier is None and allowed:
                asked.tier = allowed[0]
        load = side.workload_of(
            tenant=tenant, tier=asked.tier, model=asked.model, origin=asked.region
        )
        if load.tier not in allowed:
            raise forbidden(f"This key may not ask for tier '{load.tier}'.")
        free = asked.model == AUTO or any(alias.name == asked.model for alias in plan.aliases)
        output_tokens = asked.output_tokens or max(1, round(load.output_tokens))
        most_tokens = max(output_tokens, plan.limits.cap_tokens)
        if asked.cap_tokens is not None:
            output_tokens = min(output_tokens, asked.cap_tokens)
            most_tokens = asked.cap_tokens
        wait_s = load.deadline_s if asked.deadline_s is None else asked.deadline_s
        waits = load.service_tier in ("flex", "batch") and wait_s > 0.0
        return RequestAsked(
            request_id="advice",
            tenant=tenant.name,
            tier=load.tier,
            workload=load.name,
            origin=load.origin,
            arrival_s=now_s,
            input_tokens=asked.input_tokens,
            output_tokens=output_tokens,
            output_most_tokens=most_tokens,
            cap_tokens=asked.cap_tokens,
            deadline_s=now_s + wait_s if waits else None,
            session=asked.session,
            needs=frozenset(asked.needs),
            model=None if free else asked.model,
            may_downgrade=free or tenant.may_downgrade,
            may_cap=free or tenant.may_cap,
            may_defer=waits,
            without=frozenset(asked.without),
            budgets=tuple(
                account.name.removeprefix(BUDGET)
                for account in plan.accounts
                if account.name.startswith(BUDGET)
                and account.tier in (None, load.tier)
                and account.tenant in (None, tenant.name)
            ),
        )

    async def request(self, request: Request) -> Response:
        """Tell what became of a request of the tenant's, once it is in the ledger."""
        caller = caller_of(self._side, request, scope=SCOPE)
        usage = self._usage
        if usage is None:
            raise unavailable("ledger_unavailable", "No ledger is kept here.")
        request_id = request.path_params["request_id"]
        found = await asyncio.to_thread(usage.request, caller.tenant, request_id)
        if found is None:
            raise not_found(request.url.path)
        if self._side.plan.hide_site:
            found = {name: value for name, value in found.items() if name != "site"}
        return json_answer({"id": request_id, "object": "tokenergy.request", **found})


def _board(side: Side) -> Board:
    """Return the board in force.

    Raises:
        ApiError: 503 before the first one.
    """
    if side.board is None:
        raise unavailable("no_prices", "No prices are known yet.")
    return side.board


def _interval(board: Board, interval: int) -> dict[str, str]:
    start_s = board.interval_start_s(interval)
    return {"start": moment(start_s), "end": moment(start_s + board.interval_s)}


class _Prices:
    """Tells the rows of one board."""

    def __init__(self, board: Board, *, hide_site: bool, ahead_count: int, now_s: float) -> None:
        self._board, self._hide_site, self._ahead_count = board, hide_site, ahead_count
        self._first = max(0, int((now_s - board.start_s) // board.interval_s))

    def workload(self, load: BoardWorkload, *, origin: str, model: str | None) -> dict[str, Any]:
        """Return a row: its models, those of one name where that is asked for."""
        return {
            "workload": load.name,
            "tier": load.tier,
            "service_tier": load.service_tier,
            "region": origin,
            "value_usd_per_mtok": load.value_usd_per_mtok,
            "value_usd_per_request": load.value_usd_per_request,
            "models": [self._rung(rung) for rung in load.rungs if model in (None, rung.model)],
        }

    def _rung(self, rung: Rung) -> dict[str, Any]:
        prices = rung.ahead_usd_per_mtok
        last = min(len(prices), self._first + 1 + self._ahead_count)
        ahead = [
            {**_interval(self._board, at), "usd_per_mtok": prices[at], "forecast": True}
            for at in range(self._first + 1, last)
        ]
        told: dict[str, Any] = {
            "model": rung.model,
            "cap_tokens": rung.cap_tokens,
            "quality": rung.quality_share,
            "quality_source": rung.quality_source,
        }
        if self._hide_site:
            cheapest = rung.candidates[:1]
            told["now"] = [_costs(one) for one in cheapest]
        else:
            told["now"] = [_place(one) | _costs(one) for one in rung.candidates]
        return told | {"ahead": ahead}


def _place(one: Candidate) -> dict[str, Any]:
    return {
        "site": one.site,
        "deployment": one.deployment,
        "accelerator": one.accelerator,
        "share": one.share,
        "replicas_awake": one.awake_count,
        "parts_usd_per_mtok": dict(zip(PART_NAMES, one.parts_usd_per_mtok, strict=True)),
    }


def _costs(one: Candidate) -> dict[str, Any]:
    return {
        "usd_per_mtok": one.high_usd_per_mtok,
        "low_usd_per_mtok": one.low_usd_per_mtok,
        "input_over_output": one.kappa_ratio,
        "joules_per_token": one.j_per_token,
        "energy_tier": one.energy_tier,
        "ttft_s": one.latency_s,
        "tpot_s": one.tpot_s,
    }


def charges(plan: WorkerPlan, tiers: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return what a tenant pays by model and tier: not the same as what it costs."""
    return [
        {
            "model": price.model,
            "tier": price.tier,
            "input_nano_usd_per_mtok": price.input_nano_usd_per_mtok,
            "cached_input_nano_usd_per_mtok": price.cached_input_nano_usd_per_mtok,
            "output_nano_usd_per_mtok": price.output_nano_usd_per_mtok,
            "nano_usd_per_request": price.nano_usd_per_request,
        }
        for price in plan.prices
        if price.tier in tiers
    ]


def advice(decision: Decision, board: Board, *, hide_site: bool) -> dict[str, Any]:
    """Return a decision as an answer; what is no number is null."""
    admitted_s = decision.next_admitted_s
    following = None
    if admitted_s is not None:
        end_s = admitted_s + board.interval_s
        following = {"start": moment(admitted_s), "end": moment(end_s), "forecast": True}
    told: dict[str, Any] = {
        "object": "tokenergy.decision",
        "action": decision.action,
        "reason": decision.reason,
        "model": decision.model or None,
        "cap_tokens": decision.cap_tokens,
        "release_at": None if decision.release_s is None else moment(decision.release_s),
        "queue_s": decision.queue_s,
        "score_usd": _number(decision.score_usd),
        "value_usd": _number(decision.value_usd),
        "quality": _number(decision.quality_share),
        "cost_usd": _number(decision.cost_usd),
        "low_cost_usd": _number(decision.low_cost_usd),
        "affinity_usd": _number(decision.affinity_usd),
        "wait_usd": _number(decision.wait_usd),
        "lambda": _number(decision.lambda_ratio),
        "joules": _number(decision.use_j),
        "next_admitted": following,
        "board_id": decision.board_id,
        "policy": decision.policy,
    }
    if not hide_site:
        told |= {
            "site": decision.site or None,
            "deployment": decision.deployment or None,
            "cost_parts_usd": {name: _number(usd) for name, usd in decision.parts_usd().items()},
            "runner_up": decision.runner_up,
            "runner_up_score_usd": _number(decision.runner_up_score_usd),
        }
    return told


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
