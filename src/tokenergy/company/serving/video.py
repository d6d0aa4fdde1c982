"""Video jobs of a gateway: what its store keeps of them, and what it promises to do.

A job runs in the worker that took it; any worker tells of it. Moments are seconds since the Unix
epoch by the company's clock. No prompt is kept.
"""

from typing import Literal, Protocol

from tokenergy.company.serving.plan import Plain

VideoStatus = Literal["queued", "in_progress", "completed", "failed"]


class VideoFacts(Plain, frozen=True, kw_only=True):
    """One job as it stands.

    Attributes:
        request_id: as journal and ledger know it.
        owner: the worker that runs it.
        model_asked, model: as its client named it, and what makes it; "" until that is decided.
        site: where; "" until that is decided.
        seconds, size: as its client asked; "": not said, and then the model's own.
        began_s: when it began to be made; None: it waits.
        service_s: how long it takes to be made; 0 until it begins.
        ended_s: when it was done, or failed.
        expires_s: when it is forgotten; None while it runs.
        error_code, error_message: why it failed; "" if it did not.
        cost_nano_usd, charge_nano_usd, microjoules: what it came to, once it is done.
    """

    video_id: str
    request_id: str
    tenant: str
    owner: str
    status: VideoStatus
    model_asked: str
    model: str = ""
    site: str = ""
    seconds: str = ""
    size: str = ""
    created_s: float
    began_s: float | None = None
    service_s: float = 0.0
    ended_s: float | None = None
    expires_s: float | None = None
    error_code: str = ""
    error_message: str = ""
    cost_nano_usd: int = 0
    charge_nano_usd: int = 0
    microjoules: int = 0


class Videos(Protocol):
    """Keeps jobs. Every method may raise StoreFault and may wait for the disk."""

    def put(self, facts: VideoFacts) -> bool:
        """Keep a job as it stands; False: it was deleted meanwhile, and stays so."""
        ...

    def add(self, facts: VideoFacts) -> None:
        """Keep a new job."""
        ...

    def find(self, tenant: str, video_id: str, *, now_s: float) -> VideoFacts | None:
        """Return a job of a tenant, or None."""
        ...

    def listed(
        self,
        tenant: str,
        *,
        now_s: float,
        after: str | None,
        limit_count: int,
        newest_first: bool,
    ) -> tuple[VideoFacts, ...]:
        """Return jobs in the order of their making, from behind `after` on."""
        ...

    def drop(self, tenant: str, video_id: str) -> bool:
        """Delete a job, and tell whether there was one."""
        ...

    def interrupted(self, owner: str, *, now_s: float, expires_s: float) -> int:
        """Let the jobs fail that a worker had when it ended, and return how many those were."""
        ...
