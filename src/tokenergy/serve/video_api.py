"""Videos: jobs that are made, told, listed, read and deleted; each its tenant's own."""

import asyncio
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tokenergy.company.serving.video import VideoFacts, Videos
from tokenergy.serve.openai_error import ApiError, invalid, missing, not_found
from tokenergy.serve.side import Side
from tokenergy.serve.side_form import read_form
from tokenergy.serve.side_http import (
    JSON_BYTES,
    caller_of,
    guarded,
    json_answer,
    json_body,
    page_of,
    whole_number,
)
from tokenergy.serve.video_clip import WORDS, simulated_clip
from tokenergy.serve.video_desk import Refused, VideoDesk
from tokenergy.units import MICROJOULES_PER_J

SCOPE: Final = "inference"
POLL_MS: Final = 1_000
"""How long the SDK is told to wait before it asks again."""
PROMPT_CHARS_COUNT: Final = 32_000
FIELD_CHARS_COUNT: Final = 32
SIMULATED: Final = {"x-simulated": "tokenergy"}
NANO: Final = 1e9


class VideoAsked(msgspec.Struct):
    """A video as its client asks for it, in JSON or as a form."""

    prompt: str
    model: str = "auto"
    seconds: str | int | None = None
    size: str | None = None
    service_tier: str | None = None
    input_reference: Any = None


class VideoApi:
    """The routes under `/v1/videos`."""

    def __init__(self, side: Side, videos: Videos, desk: VideoDesk) -> None:
        """Take who keeps jobs, and who runs them."""
        self._side, self._videos, self._desk = side, videos, desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/videos", guarded(self.create), methods=["POST"]),
            Route("/v1/videos", guarded(self.listed), methods=["GET"]),
            Route("/v1/videos/{video_id}", guarded(self.retrieve), methods=["GET"]),
            Route("/v1/videos/{video_id}", guarded(self.delete), methods=["DELETE"]),
            Route("/v1/videos/{video_id}/content", guarded(self.content), methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        """Take a job."""
        caller = caller_of(self._side, request, scope=SCOPE)
        asked = await self._asked(request)
        seconds = "" if asked.seconds is None else str(asked.seconds)
        try:
            facts = await self._desk.begin(
                caller=caller,
                model=asked.model,
                tier=asked.service_tier,
                seconds=seconds,
                size=asked.size or "",
            )
        except Refused as refused:
            return refused.answer
        return self._answer(facts)

    async def _asked(self, request: Request) -> VideoAsked:
        """Return what is asked for.

        Raises:
            ApiError: 400 for what is no such form, or asks for what is not done here.
        """
        limits = self._side.plan.limits
        if request.headers.get("content-type", "").startswith("application/json"):
            asked = await json_body(request, VideoAsked, limits=limits)
        else:

            async def take(_: bytes) -> None:
                raise _no_reference()

            form = await read_form(
                request, limits=limits, file_field="input_reference", most_bytes=JSON_BYTES,
                take=take,
            )  # fmt: skip
            if form.file_name is not None:
                raise _no_reference()
            if "prompt" not in form.fields:
                raise missing("prompt")
            asked = VideoAsked(
                **{
                    name: form.fields[name]
                    for name in ("prompt", "model", "seconds", "size", "service_tier")
                    if name in form.fields
                }
            )
        if asked.input_reference is not None:
            raise _no_reference()
        if not asked.prompt or len(asked.prompt) > PROMPT_CHARS_COUNT:
            raise invalid(f"'prompt' has 1 to {PROMPT_CHARS_COUNT} characters.", param="prompt")
        for name, text in (("seconds", str(asked.seconds or "")), ("size", asked.size or "")):
            if len(text) > FIELD_CHARS_COUNT:
                raise invalid(f"'{name}' is too long.", param=name)
        return asked

    async def retrieve(self, request: Request) -> Response:
        """Tell how a job stands."""
        return self._answer(await self._found(request))

    async def listed(self, request: Request) -> Response:
        """List jobs."""
        caller = caller_of(self._side, request, scope=SCOPE)
        asked = request.query_params
        limit = whole_number(asked, "limit", default=20, least=1, most=100)
        order = asked.get("order", "desc")
        if order not in ("asc", "desc"):
            raise invalid("'order' is 'asc' or 'desc'.", param="order")
        found = await asyncio.to_thread(
            lambda: self._videos.listed(
                caller.tenant,
                now_s=self._side.now_s(),
                after=asked.get("after"),
                limit_count=limit + 1,
                newest_first=order == "desc",
            )
        )
        items = [self._object(facts) for facts in found[:limit]]
        return json_answer(page_of(items, has_more=len(found) > limit))

    async def delete(self, request: Request) -> Response:
        """Delete a job; one that is being made here is stopped."""
        facts = await self._found(request)
        if not await asyncio.to_thread(self._videos.drop, facts.tenant, facts.video_id):
            raise not_found(request.url.path)
        self._desk.left(facts.video_id)
        return json_answer({"id": facts.video_id, "object": "video.deleted", "deleted": True})

    async def content(self, request: Request) -> Response:
        """Send what was made: a simulated video says that it is one."""
        facts = await self._found(request)
        if request.query_params.get("variant", "video") != "video":
            raise invalid("'variant' is 'video' here.", param="variant")
        if facts.status != "completed":
            raise ApiError(
                409, "video_not_ready", f"The video is {facts.status}: it has no content."
            )
        clip = simulated_clip(video_id=facts.video_id, model=facts.model)
        return Response(clip, media_type="video/mp4", headers=SIMULATED)

    async def _found(self, request: Request) -> VideoFacts:
        """Return the job that a path names.

        Raises:
            ApiError: 404 if the tenant has no such job.
        """
        caller = caller_of(self._side, request, scope=SCOPE)
        facts = await asyncio.to_thread(
            lambda: self._videos.find(
                caller.tenant, request.path_params["video_id"], now_s=self._side.now_s()
            )
        )
        if facts is None:
            raise not_found(request.url.path)
        return facts

    def _answer(self, facts: VideoFacts) -> Response:
        headers = {**SIMULATED, "openai-poll-after-ms": str(POLL_MS)}
        return json_answer(self._object(facts), headers=headers)

    def _object(self, facts: VideoFacts) -> dict[str, Any]:
        told = video_object(facts, now_s=self._side.now_s())
        if not self._side.plan.hide_site:
            told["tokenergy"]["site"] = facts.site or None
        return told


def _no_reference() -> ApiError:
    return invalid("'input_reference' is not taken here.", param="input_reference")


def video_object(facts: VideoFacts, *, now_s: float) -> dict[str, Any]:
    """Return a job as the API tells it; its model is the one that made it."""
    progress = 100 if facts.status == "completed" else 0
    if facts.status == "in_progress" and facts.began_s is not None and facts.service_s > 0.0:
        progress = min(99, max(0, int(100.0 * (now_s - facts.began_s) / facts.service_s)))
    error = None
    if facts.status == "failed":
        error = {"code": facts.error_code, "message": facts.error_message}
    own: dict[str, Any] = {"request_id": facts.request_id, "simulated": True, "note": WORDS}
    if facts.status == "completed":
        own |= {
            "cost_usd": facts.cost_nano_usd / NANO,
            "charge_usd": facts.charge_nano_usd / NANO,
            "joules": facts.microjoules / MICROJOULES_PER_J,
        }
    return {
        "id": facts.video_id,
        "object": "video",
        "status": facts.status,
        "progress": progress,
        "model": facts.model or facts.model_asked,
        "seconds": facts.seconds or None,
        "size": facts.size or None,
        "created_at": int(facts.created_s),
        "completed_at": int(facts.ended_s)
        if facts.status == "completed" and facts.ended_s is not None
        else None,
        "expires_at": None if facts.expires_s is None else int(facts.expires_s),
        "error": error,
        "prompt": None,
        "remixed_from_video_id": None,
        "tokenergy": own,
    }
