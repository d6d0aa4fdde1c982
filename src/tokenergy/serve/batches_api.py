"""Batches: made, told, listed, cancelled; what runs them is `batch_runner`."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tokenergy.company.serving.batch import ENDED, Batches, BatchFacts
from tokenergy.company.serving.plan import TenantPlan, WorkerPlan
from tokenergy.company.serving.ports import KeyFacts
from tokenergy.serve.asked import ENDPOINT_PATHS
from tokenergy.serve.files_api import SCOPE, kept_s
from tokenergy.serve.openai_error import ApiError, forbidden, invalid, not_found
from tokenergy.serve.side import Side
from tokenergy.serve.side_http import (
    caller_of,
    guarded,
    json_answer,
    json_body,
    page_of,
    whole_number,
)

WINDOW_S: Final = {"24h": 86_400}
"""What a client may state as its window: the one that is published."""
BATCH_TIERS: Final = ("batch", "flex")
"""Service tiers that lines may run under, the first that the tenant has."""
METADATA_COUNT: Final = 16
METADATA_KEY_CHARS_COUNT: Final = 64
METADATA_VALUE_CHARS_COUNT: Final = 512


class ExpiresAfter(msgspec.Struct):
    """How long the files of a batch are kept."""

    anchor: str
    seconds: int


class BatchAsked(msgspec.Struct):
    """A batch as its client asks for it."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: ExpiresAfter | None = None


class BatchesApi:
    """The routes under `/v1/batches`."""

    def __init__(self, side: Side, batches: Batches, *, wake: Callable[[], None]) -> None:
        """Take where batches are kept, and what wakes whoever runs them."""
        self._side, self._batches, self._wake = side, batches, wake

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/batches", guarded(self.create), methods=["POST"]),
            Route("/v1/batches", guarded(self.listed), methods=["GET"]),
            Route("/v1/batches/{batch_id}", guarded(self.retrieve), methods=["GET"]),
            Route("/v1/batches/{batch_id}/cancel", guarded(self.cancel), methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Make a batch; its file is checked by whoever runs batches."""
        side = self._side
        caller = caller_of(side, request, scope=SCOPE)
        asked = await json_body(request, BatchAsked, limits=side.plan.limits)
        _check(asked)
        tier = batch_tier(side.plan, side.tenant(caller), caller)
        now_s = side.now_s()
        file = await asyncio.to_thread(
            lambda: self._batches.files.find(caller.tenant, asked.input_file_id, now_s=now_s)
        )
        if file is None or file.purpose != "batch":
            raise invalid(
                "There is no such file of yours with purpose 'batch'.",
                param="input_file_id",
                code="file_not_found",
            )
        expires = asked.output_expires_after
        facts = BatchFacts(
            batch_id=f"batch_{secrets.token_hex(12)}",
            tenant=caller.tenant,
            key_id=caller.key_id,
            tiers=caller.tiers,
            scopes=tuple(sorted(caller.scopes)),
            tier=tier,
            endpoint=asked.endpoint,
            input_file_id=asked.input_file_id,
            window=asked.completion_window,
            metadata=asked.metadata or {},
            output_expires_s=None
            if expires is None
            else kept_s(expires.anchor, expires.seconds, param="output_expires_after"),
            status="validating",
            created_s=int(now_s),
            expires_s=int(now_s) + WINDOW_S[asked.completion_window],
        )
        await asyncio.to_thread(self._batches.add, facts)
        self._wake()
        return json_answer(batch_object(facts))

    async def retrieve(self, request: Request) -> Response:
        """Tell how a batch stands."""
        caller = caller_of(self._side, request, scope=SCOPE)
        facts = await asyncio.to_thread(
            self._batches.find, caller.tenant, request.path_params["batch_id"]
        )
        return json_answer(batch_object(_known(facts, request)))

    async def listed(self, request: Request) -> Response:
        """List batches, the newest first."""
        caller = caller_of(self._side, request, scope=SCOPE)
        limit = whole_number(request.query_params, "limit", default=20, least=1, most=100)
        after = request.query_params.get("after")
        found = await asyncio.to_thread(
            lambda: self._batches.listed(caller.tenant, after=after, limit_count=limit + 1)
        )
        items = [batch_object(each) for each in found[:limit]]
        return json_answer(page_of(items, has_more=len(found) > limit))

    async def cancel(self, request: Request) -> Response:
        """Cancel a batch: what runs ends, nothing more begins."""
        caller = caller_of(self._side, request, scope=SCOPE)
        batch_id = request.path_params["batch_id"]
        facts = _known(
            await asyncio.to_thread(
                lambda: self._batches.cancel(caller.tenant, batch_id, now_s=self._side.now_s())
            ),
            request,
        )
        if facts.status in ENDED - {"cancelled"}:
            raise ApiError(
                409, "batch_ended", f"The batch is {facts.status}: it cannot be cancelled."
            )
        self._wake()
        return json_answer(batch_object(facts))


def batch_tier(plan: WorkerPlan, tenant: TenantPlan, caller: KeyFacts) -> str:
    """Return the tier that a tenant's lines run under.

    Raises:
        ApiError: 403 if it has none that may wait.
    """
    allowed = [tier for tier in tenant.tiers if not caller.tiers or tier in caller.tiers]
    service = {load.tier: load.service_tier for load in plan.workloads}
    for wanted in BATCH_TIERS:
        for tier in allowed:
            if service.get(tier) == wanted:
                return tier
    raise forbidden(
        "This key has no tier that runs batches: its tenant needs one with service_tier 'batch' "
        "or 'flex'.",
        code="no_batch_tier",
    )


def _check(asked: BatchAsked) -> None:
    """Check what is asked for.

    Raises:
        ApiError: 400, with the field.
    """
    if asked.endpoint not in ENDPOINT_PATHS:
        known = ", ".join(ENDPOINT_PATHS)
        raise invalid(f"'endpoint' is one of {known}.", param="endpoint", code="invalid_endpoint")
    if asked.completion_window not in WINDOW_S:
        known = ", ".join(WINDOW_S)
        raise invalid(f"'completion_window' is {known}.", param="completion_window")
    metadata = asked.metadata or {}
    if len(metadata) > METADATA_COUNT:
        raise invalid(f"'metadata' has at most {METADATA_COUNT} pairs.", param="metadata")
    for key, value in metadata.items():
        if len(key) > METADATA_KEY_CHARS_COUNT or len(value) > METADATA_VALUE_CHARS_COUNT:
            raise invalid(
                f"A key of 'metadata' has at most {METADATA_KEY_CHARS_COUNT} characters, a value "
                f"at most {METADATA_VALUE_CHARS_COUNT}.",
                param="metadata",
            )


def _known(facts: BatchFacts | None, request: Request) -> BatchFacts:
    if facts is None:
        raise not_found(request.url.path)
    return facts


def batch_object(facts: BatchFacts) -> dict[str, Any]:
    """Return a batch as the API tells it."""
    tokens = facts.tokens
    errors = None
    if facts.faults:
        data = [msgspec.to_builtins(fault) for fault in facts.faults]
        errors = {"object": "list", "data": data}
    return {
        "id": facts.batch_id,
        "object": "batch",
        "endpoint": facts.endpoint,
        "model": facts.model or None,
        "errors": errors,
        "input_file_id": facts.input_file_id,
        "completion_window": facts.window,
        "status": facts.status,
        "output_file_id": facts.output_file_id,
        "error_file_id": facts.error_file_id,
        "created_at": facts.created_s,
        "in_progress_at": facts.in_progress_s,
        "expires_at": facts.expires_s,
        "finalizing_at": facts.finalizing_s,
        "completed_at": facts.completed_s,
        "failed_at": facts.failed_s,
        "expired_at": facts.expired_s,
        "cancelling_at": facts.cancelling_s,
        "cancelled_at": facts.cancelled_s,
        "request_counts": {
            "total": facts.total_count,
            "completed": facts.completed_count,
            "failed": facts.failed_count,
        },
        "usage": {
            "input_tokens": tokens.input_tokens,
            "input_tokens_details": {"cached_tokens": tokens.cached_tokens},
            "output_tokens": tokens.output_tokens,
            "output_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
            "total_tokens": tokens.input_tokens + tokens.output_tokens,
        },
        "metadata": dict(facts.metadata) or None,
    }
