"""Takes video jobs of one worker, runs them, and writes down how they stand."""

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from tokenergy.company.decision import Decision
from tokenergy.company.serving.ports import KeyFacts, StoreFault
from tokenergy.company.serving.video import VideoFacts, Videos
from tokenergy.serve.openai_error import ApiError, invalid
from tokenergy.serve.pool import Seat
from tokenergy.serve.video_flight import JobOutlet, VideoFlight

if TYPE_CHECKING:
    from tokenergy.serve.gateway import Gateway

KEPT_S: Final = 86_400.0
"""How long a job is told after it ended."""
TRIES_COUNT: Final = 5
TRY_S: Final = 1.0
JOBS_COUNT: Final = 10_000
"""Jobs under way in one worker at most; a guess."""


class Refused(Exception):
    """A job that did not begin.

    Attributes:
        answer: what its client is told.
    """

    def __init__(self, outlet: JobOutlet) -> None:
        """Keep the gateway's answer."""
        super().__init__(f"refused with {outlet.status}")
        self.answer = Response(outlet.body, outlet.status)
        self.answer.raw_headers += [
            (name, value) for name, value in outlet.headers if name != b"content-length"
        ]


class VideoDesk:
    """The jobs of one worker."""

    def __init__(
        self, gateway: "Gateway", videos: Videos, *, owner: str, pace_ratio: float = 1.0
    ) -> None:
        """Take who runs them and who keeps them; jobs of this worker's last life have failed.

        Args:
            gateway: runs them.
            videos: keeps them.
            owner: names this worker, the same after a restart.
            pace_ratio: how much faster than the board says they are made, for demonstrations.
        """
        self._gateway, self._videos, self._owner = gateway, videos, owner
        self._pace_ratio = pace_ratio
        self._jobs: dict[str, _Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        now_s = gateway.now_s()
        videos.interrupted(owner, now_s=now_s, expires_s=now_s + KEPT_S)

    async def begin(
        self, *, caller: KeyFacts, model: str, tier: str | None, seconds: str, size: str
    ) -> VideoFacts:
        """Take a job, and return it once it is decided.

        Raises:
            ApiError: if it cannot be taken.
            Refused: if the gateway refused it.
        """
        gateway = self._gateway
        tenant = gateway.tenant(caller)
        meant = gateway.admission.tier_of(tenant, caller, tier, model=model)
        row = gateway.admission.row(tier=meant, model=model, origin=tenant.origin)
        if row.workload.media != "video":
            raise invalid(f"The model '{model[:100]}' makes no videos.", param="model")
        if len(self._jobs) >= JOBS_COUNT:
            raise ApiError(429, "too_many_jobs", "Too many videos are under way.", retry_s=10.0)
        job = _Job(self._gateway, caller, model=model, tier=tier, pace_ratio=self._pace_ratio)
        job.facts = VideoFacts(
            video_id=f"video_{secrets.token_hex(12)}", request_id=job.flight.request_id,
            tenant=caller.tenant, owner=self._owner, status="queued", model_asked=model,
            seconds=seconds, size=size, created_s=gateway.now_s(),
        )  # fmt: skip
        running = asyncio.create_task(gateway.run(job.flight))
        await asyncio.wait({running, job.began}, return_when=asyncio.FIRST_COMPLETED)
        if not job.began.done():
            await running
            raise Refused(job.outlet)
        facts = job.facts
        self._jobs[facts.video_id] = job
        try:
            await asyncio.to_thread(self._videos.add, facts)
        except BaseException:
            del self._jobs[facts.video_id]
            job.flight.left()
            raise
        task = asyncio.create_task(self._follow(job, running))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return facts

    def left(self, video_id: str) -> None:
        """Stop a job that was deleted, where it runs here."""
        if (job := self._jobs.get(video_id)) is not None:
            job.flight.left()

    async def _follow(self, job: "_Job", running: "asyncio.Task[None]") -> None:
        """Write down how a job stands, whenever that changes, until it has ended."""
        try:
            while not running.done():
                job.changed.clear()
                waits = asyncio.create_task(job.changed.wait())
                await asyncio.wait({running, waits}, return_when=asyncio.FIRST_COMPLETED)
                waits.cancel()
                if not running.done() and not await self._put(job.facts):
                    job.flight.left()
            await self._put(job.ended(self._gateway.now_s()))
        finally:
            self._jobs.pop(job.facts.video_id, None)

    async def _put(self, facts: VideoFacts) -> bool:
        """Keep how a job stands; a store that cannot be used is asked again a few times."""
        for left_count in range(TRIES_COUNT, -1, -1):
            try:
                return await asyncio.to_thread(self._videos.put, facts)
            except StoreFault:
                if not left_count:
                    raise
                await asyncio.sleep(TRY_S)
        return False


class _Job:
    """One job: its way through the gateway, and what is known of it.

    Attributes:
        began: done once it is decided: held, or begun.
        changed: set when `facts` are others.
    """

    facts: VideoFacts

    def __init__(
        self,
        gateway: "Gateway",
        caller: KeyFacts,
        *,
        model: str,
        tier: str | None,
        pace_ratio: float,
    ) -> None:
        self.outlet = JobOutlet()
        self.flight = VideoFlight(
            gateway, self.outlet, caller=caller, model=model, tier=tier, began=self._told,
            pace_ratio=pace_ratio,
        )  # fmt: skip
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()

    def _told(self, decision: Decision, seat: Seat | None) -> None:
        """Take note that it is held, or that it begins."""
        if seat is not None:
            self.facts = msgspec.structs.replace(
                self.facts, status="in_progress", model=decision.model, site=decision.site,
                began_s=self.flight.opened_s, service_s=self.flight.service_s,
            )  # fmt: skip
        self.changed.set()
        if not self.began.done():
            self.began.set_result(None)

    def ended(self, now_s: float) -> VideoFacts:
        """Return what came of it."""
        used, code, message = self.flight.used, "interrupted", "The video was not made to its end."
        if used is not None:
            return msgspec.structs.replace(
                self.facts, status="completed", ended_s=now_s, expires_s=now_s + KEPT_S,
                cost_nano_usd=used.cost_nano_usd, charge_nano_usd=used.charge_nano_usd,
                microjoules=used.microjoules,
            )  # fmt: skip
        if self.outlet.status:
            error = msgspec.json.decode(self.outlet.body, type=_Told).error
            code, message = error.code or "server_error", error.message
        return msgspec.structs.replace(
            self.facts, status="failed", ended_s=now_s, expires_s=now_s + KEPT_S,
            error_code=code, error_message=message,
        )  # fmt: skip


class _Error(msgspec.Struct):
    code: str | None
    message: str


class _Told(msgspec.Struct):
    error: _Error
