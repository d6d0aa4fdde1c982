"""Usage and costs out of the ledger, read-only, in the shape of the organization's endpoints.

A project is a tenant, a user the keyed hash of the client's own user id. Sums over any grouping
are those of the whole: tokens and nano-dollars are whole numbers, and what is not known of a
request any more is a group of its own (null).
"""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tokenergy.company.serving.ports import KeyFacts
from tokenergy.company.serving.usage import (
    CostRow,
    UsageAsked,
    UsageColumn,
    UsageRow,
    UsageRows,
)
from tokenergy.serve.openai_error import forbidden, invalid, missing
from tokenergy.serve.side import Side
from tokenergy.serve.side_http import caller_of, guarded, json_answer, whole_number

SCOPE: Final = "usage"
WIDTHS: Final[Mapping[str, tuple[int, int, int]]] = {
    "1m": (60, 60, 1440),
    "1h": (3_600, 24, 168),
    "1d": (86_400, 7, 31),
}
"""Seconds of a bucket; buckets of a page where nothing is said, and at most."""
COSTS_COUNT: Final = (7, 180)
USAGE_GROUPS: Final[Mapping[str, UsageColumn]] = {
    "project_id": "tenant",
    "user_id": "user_hash",
    "api_key_id": "key_id",
    "model": "model",
    "batch": "batch",
    "service_tier": "tier",
}
COST_GROUPS: Final[Mapping[str, UsageColumn]] = {
    "project_id": "tenant",
    "user_id": "user_hash",
    "api_key_id": "key_id",
    "line_item": "line_item",
}
FILTERS: Final[Mapping[str, UsageColumn]] = {
    "project_ids": "tenant",
    "user_ids": "user_hash",
    "api_key_ids": "key_id",
    "models": "model",
}
LAST_S: Final = 253_402_300_799
"""The last second of the year 9999."""
NANO: Final = 1_000_000_000


class UsageApi:
    """The routes under `/v1/organization`."""

    def __init__(self, side: Side, rows: UsageRows) -> None:
        """Take the gateway, and who reads the ledger."""
        self._side, self._rows = side, rows

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/organization/usage/completions", guarded(self.completions), methods=["GET"]),
            Route("/v1/organization/costs", guarded(self.costs), methods=["GET"]),
        ]

    async def completions(self, request: Request) -> Response:
        """Tell tokens and requests by bucket and group."""
        caller = caller_of(self._side, request, scope=SCOPE)
        page = _Page(request, caller, now_s=int(self._side.now_s()), groups=USAGE_GROUPS)
        rows = await asyncio.to_thread(self._rows.usage, page.asked)
        services = {load.tier: load.service_tier for load in self._side.plan.workloads}
        results = [(row.bucket, usage_result(row, page.groups, services)) for row in rows]
        return json_answer(page.answer(results))

    async def costs(self, request: Request) -> Response:
        """Tell charges by bucket and group."""
        caller = caller_of(self._side, request, scope=SCOPE)
        page = _Page(request, caller, now_s=int(self._side.now_s()), groups=COST_GROUPS)
        rows = await asyncio.to_thread(self._rows.costs, page.asked)
        currency = self._side.plan.currency.lower()
        results = [(row.bucket, cost_result(row, page.groups, currency)) for row in rows]
        return json_answer(page.answer(results))


class _Page:
    """One page of a question: which buckets, which groups, and where the next one begins."""

    def __init__(
        self,
        request: Request,
        caller: KeyFacts,
        *,
        now_s: int,
        groups: Mapping[str, UsageColumn],
    ) -> None:
        query = request.query_params
        width = query.get("bucket_width", "1d")
        if width not in WIDTHS:
            known = ", ".join(WIDTHS)
            raise invalid(f"'bucket_width' is one of {known}.", param="bucket_width")
        bucket_s, default, most = WIDTHS[width]
        if groups is COST_GROUPS and width == "1d":
            default, most = COSTS_COUNT
        if not query.get("start_time"):
            raise missing("start_time")
        start_s = whole_number(query, "start_time", default=0, least=0, most=LAST_S)
        end_s = whole_number(query, "end_time", default=now_s + 1, least=0, most=LAST_S)
        if end_s <= start_s:
            raise invalid("'end_time' is after 'start_time'.", param="end_time")
        if (page := query.get("page")) is not None:
            start_s = _unpaged(page, least=start_s, most=end_s)
        count = whole_number(query, "limit", default=default, least=1, most=most)
        first = start_s // bucket_s
        self._end_s = min(end_s, (first + count) * bucket_s)
        self.next_page = _paged(self._end_s) if self._end_s < end_s else None
        self.groups = _groups(request, groups)
        self.asked = UsageAsked(
            start_s=start_s,
            end_s=self._end_s,
            bucket_s=bucket_s,
            by=tuple(groups[name] for name in self.groups),
            only=_only(request, caller),
        )

    def answer(self, results: list[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
        """Return the page: every bucket, the empty ones too."""
        asked = self.asked
        by_bucket: dict[int, list[dict[str, Any]]] = {}
        for bucket, result in results:
            by_bucket.setdefault(bucket, []).append(result)
        first = asked.start_s // asked.bucket_s
        last = (asked.end_s - 1) // asked.bucket_s
        data = [
            {
                "object": "bucket",
                "start_time": max(asked.start_s, at * asked.bucket_s),
                "end_time": min(asked.end_s, (at + 1) * asked.bucket_s),
                "results": by_bucket.get(at - first, []),
            }
            for at in range(first, last + 1)
        ]
        return {
            "object": "page",
            "data": data,
            "has_more": self.next_page is not None,
            "next_page": self.next_page,
        }


def _groups(request: Request, known: Mapping[str, UsageColumn]) -> tuple[str, ...]:
    """Return what to group by, in the order asked.

    Raises:
        ApiError: 400 for another word.
    """
    asked = _many(request, "group_by")
    for name in asked:
        if name not in known:
            raise invalid(f"'group_by' is of {', '.join(known)}.", param="group_by")
    return tuple(dict.fromkeys(asked))


def _many(request: Request, name: str) -> list[str]:
    """Return a query's list, in each of the ways in which clients write one."""
    query = request.query_params
    return [*query.getlist(name), *query.getlist(f"{name}[]")]


def _only(request: Request, caller: KeyFacts) -> tuple[tuple[UsageColumn, tuple[str, ...]], ...]:
    """Return which rows count: of others' only for whoever may see them.

    Raises:
        ApiError: 403 for another tenant's, 400 for a word that is none.
    """
    found: dict[UsageColumn, tuple[str, ...]] = {}
    for name, column in FILTERS.items():
        if asked := _many(request, name):
            found[column] = tuple(asked)
    if "admin" not in caller.scopes:
        if set(found.get("tenant", ())) - {caller.tenant}:
            raise forbidden("This key may see the usage of its own project only.")
        found["tenant"] = (caller.tenant,)
    batch = request.query_params.get("batch")
    if batch is not None:
        if batch.lower() not in ("true", "false"):
            raise invalid("'batch' is true or false.", param="batch")
        found["batch"] = (batch.lower(),)
    return tuple(found.items())


def _paged(start_s: int) -> str:
    return "page_" + base64.urlsafe_b64encode(str(start_s).encode()).decode().rstrip("=")


def _unpaged(page: str, *, least: int, most: int) -> int:
    try:
        text = page.removeprefix("page_")
        start_s = int(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        start_s = -1
    if not least <= start_s < most:
        raise invalid("'page' is none of this question's.", param="page")
    return start_s


def usage_result(
    row: UsageRow, groups: tuple[str, ...], services: Mapping[str, str]
) -> dict[str, Any]:
    """Return the usage of one group."""
    told: dict[str, Any] = dict.fromkeys(USAGE_GROUPS)
    told["api_source"] = None
    told |= dict(zip(groups, row.group, strict=True))
    if told["batch"] is not None:
        told["batch"] = told["batch"] == "true"
    tier = told["service_tier"]
    if tier is not None:
        told |= {"service_tier": services.get(tier, tier), "tier": tier}
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": row.input_tokens,
        "input_cached_tokens": row.cached_tokens,
        "output_tokens": row.output_tokens,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": row.requests_count,
        **told,
    }


def cost_result(row: CostRow, groups: tuple[str, ...], currency: str) -> dict[str, Any]:
    """Return the charge of one group; its amount is exact to the nano-dollar."""
    told: dict[str, Any] = dict.fromkeys(COST_GROUPS)
    told |= dict(zip(groups, row.group, strict=True))
    quantity = row.quantity if "line_item" in groups else None
    return {
        "object": "organization.costs.result",
        "amount": {"value": msgspec.Raw(decimal_usd(row.nano_usd).encode()), "currency": currency},
        "quantity": quantity,
        "quantity_unit": row.unit if quantity is not None and row.unit else None,
        **told,
    }


def decimal_usd(nano_usd: int) -> str:
    """Return whole nano-dollars as a decimal number of dollars, every digit of it."""
    whole, rest = divmod(abs(nano_usd), NANO)
    text = f"{whole}.{rest:09d}".rstrip("0")
    return ("-" if nano_usd < 0 else "") + (text + "0" if text.endswith(".") else text)
