"""Files: uploaded for batches, written by batches, listed, read, deleted; each its tenant's own."""

import asyncio
import secrets
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from tokenergy.company.serving.batch import FileFacts, Files
from tokenergy.serve.openai_error import ApiError, invalid, missing, not_found
from tokenergy.serve.side import Side
from tokenergy.serve.side_form import Form, read_form
from tokenergy.serve.side_http import (
    LONGEST_LIST_COUNT,
    caller_of,
    guarded,
    json_answer,
    page_of,
    whole_number,
)

SCOPE: Final = "batches"
FILE_BYTES: Final = 209_715_200
"""Largest file: the published limit of a batch's input."""
TENANT_BYTES: Final = 10 * FILE_BYTES
"""Most that a tenant keeps at once; a guess."""
PURPOSES: Final = ("batch",)
KEPT_S: Final = 2_592_000
"""How long an input is kept where nothing is said: 30 days."""
LEAST_KEPT_S: Final = 3_600
NAME_CHARS_COUNT: Final = 255


class FilesApi:
    """The routes under `/v1/files`."""

    def __init__(
        self,
        side: Side,
        files: Files,
        *,
        file_bytes: int = FILE_BYTES,
        tenant_bytes: int = TENANT_BYTES,
    ) -> None:
        """Take where files are kept, and how much of them."""
        self._side, self._files = side, files
        self._file_bytes, self._tenant_bytes = file_bytes, tenant_bytes

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/files", guarded(self.create), methods=["POST"]),
            Route("/v1/files", guarded(self.listed), methods=["GET"]),
            Route("/v1/files/{file_id}", guarded(self.retrieve), methods=["GET"]),
            Route("/v1/files/{file_id}", guarded(self.delete), methods=["DELETE"]),
            Route("/v1/files/{file_id}/content", guarded(self.content), methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        """Take a file."""
        tenant = caller_of(self._side, request, scope=SCOPE).tenant
        stored_bytes = await asyncio.to_thread(self._files.stored_bytes, tenant)
        if stored_bytes >= self._tenant_bytes:
            raise invalid(
                f"Your files take {stored_bytes} bytes of {self._tenant_bytes}: delete some.",
                code="storage_limit_exceeded",
            )
        upload = await asyncio.to_thread(self._files.upload, tenant)
        try:

            async def take(chunk: bytes) -> None:
                await asyncio.to_thread(upload.write, chunk)

            form = await read_form(
                request,
                limits=self._side.plan.limits,
                file_field="file",
                most_bytes=min(self._file_bytes, self._tenant_bytes - stored_bytes),
                take=take,
            )
            facts = self._facts(form, tenant)
            kept = await asyncio.to_thread(upload.keep, facts)
        finally:
            await asyncio.to_thread(upload.drop)
        return json_answer(file_object(kept))

    def _facts(self, form: Form, tenant: str) -> FileFacts:
        """Return the facts of an uploaded file.

        Raises:
            ApiError: 400 for a form that lacks something, or asks for what is not done here.
        """
        if form.file_name is None:
            raise missing("file")
        purpose = form.fields.get("purpose")
        if purpose is None:
            raise missing("purpose")
        if purpose not in PURPOSES:
            raise invalid("'purpose' is 'batch' here.", param="purpose", code="invalid_purpose")
        now_s = int(self._side.now_s())
        return FileFacts(
            file_id=f"file-{secrets.token_hex(12)}",
            tenant=tenant,
            purpose=purpose,
            name=form.file_name[:NAME_CHARS_COUNT],
            bytes_count=0,
            created_s=now_s,
            expires_s=now_s + _kept_s(form),
        )

    async def listed(self, request: Request) -> Response:
        """List files."""
        caller = caller_of(self._side, request, scope=SCOPE)
        asked = request.query_params
        limit = whole_number(
            asked, "limit", default=LONGEST_LIST_COUNT, least=1, most=LONGEST_LIST_COUNT
        )
        order = asked.get("order", "desc")
        if order not in ("asc", "desc"):
            raise invalid("'order' is 'asc' or 'desc'.", param="order")
        found = await asyncio.to_thread(
            lambda: self._files.listed(
                caller.tenant,
                now_s=self._side.now_s(),
                purpose=asked.get("purpose"),
                after=asked.get("after"),
                limit_count=limit + 1,
                newest_first=order == "desc",
            )
        )
        items = [file_object(each) for each in found[:limit]]
        return json_answer(page_of(items, has_more=len(found) > limit))

    async def retrieve(self, request: Request) -> Response:
        """Tell of a file."""
        return json_answer(file_object(await self._found(request)))

    async def delete(self, request: Request) -> Response:
        """Delete a file."""
        facts = await self._found(request)
        if not await asyncio.to_thread(self._files.drop, facts.tenant, facts.file_id):
            raise not_found(request.url.path)
        return json_answer({"id": facts.file_id, "object": "file", "deleted": True})

    async def content(self, request: Request) -> Response:
        """Send a file."""
        facts = await self._found(request)
        return FileResponse(
            self._files.path(facts),
            media_type="application/octet-stream",
            headers={"x-content-type-options": "nosniff"},
        )

    async def _found(self, request: Request) -> FileFacts:
        """Return the file that a path names.

        Raises:
            ApiError: 404 if the tenant has no such file: of others' files nothing is told.
        """
        caller = caller_of(self._side, request, scope=SCOPE)
        facts = await asyncio.to_thread(
            lambda: self._files.find(
                caller.tenant, request.path_params["file_id"], now_s=self._side.now_s()
            )
        )
        if facts is None:
            raise not_found(request.url.path)
        return facts


def kept_s(anchor: str | None, seconds: int, *, param: str) -> int:
    """Return how long a file is kept after it was made.

    Raises:
        ApiError: 400 for another anchor, or a time outside the published limits.
    """
    if anchor != "created_at":
        raise invalid("The anchor is 'created_at'.", param=f"{param}.anchor")
    if not LEAST_KEPT_S <= seconds <= KEPT_S:
        raise invalid(
            f"'{param}.seconds' is a whole number from {LEAST_KEPT_S} to {KEPT_S}.",
            param=f"{param}.seconds",
        )
    return seconds


def _kept_s(form: Form) -> int:
    seconds = form.fields.get("expires_after[seconds]")
    anchor = form.fields.get("expires_after[anchor]")
    if seconds is None and anchor is None:
        return KEPT_S
    if seconds is None or not seconds.isdecimal() or len(seconds) > 10:
        raise _no_time()
    return kept_s(anchor, int(seconds), param="expires_after")


def _no_time() -> ApiError:
    text = "'expires_after.seconds' is a whole number."
    return invalid(text, param="expires_after.seconds")


def file_object(facts: FileFacts) -> dict[str, Any]:
    """Return a file as the API tells it."""
    return {
        "id": facts.file_id,
        "object": "file",
        "bytes": facts.bytes_count,
        "created_at": facts.created_s,
        "expires_at": facts.expires_s,
        "filename": facts.name,
        "purpose": facts.purpose,
        "status": "processed",
        "status_details": None,
    }
