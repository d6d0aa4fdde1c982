"""What the APIs beside the hot path may ask of the gateway."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tokenergy.company.board import Board
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.company.serving.plan import TenantPlan, WorkerPlan, WorkloadPlan
from tokenergy.company.serving.ports import Journal, KeyFacts, Leases
from tokenergy.routing.state import State
from tokenergy.serve.governed import Endpoint


class Told(NamedTuple):
    """A whole answer: in OpenAI's shape, an error too."""

    status: int
    body: bytes
    request_id: str


class Side(Protocol):
    """One worker's gateway, for what is not on its hot path."""

    plan: WorkerPlan
    journal: Journal
    leases: Leases

    @property
    def board(self) -> Board | None:
        """The board in force; None: none came since the start."""
        ...

    @property
    def state(self) -> State | None:
        """The state of its loop; None before the first board."""
        ...

    def now_s(self) -> float:
        """Return the company's time, seconds since the Unix epoch."""
        ...

    def caller(self, headers: Sequence[tuple[bytes, bytes]], *, scope: str) -> KeyFacts:
        """Return who asks.

        Raises:
            ApiError: 401 without a valid key, 403 without the scope, 503 if keys cannot be read.
        """
        ...

    def tenant(self, caller: KeyFacts) -> TenantPlan:
        """Return the tenant of a key.

        Raises:
            ApiError: 403 if the plan has no such tenant any more.
        """
        ...

    async def ask(
        self,
        *,
        caller: KeyFacts,
        endpoint: Endpoint,
        body: bytes,
        tier: str | None = None,
        batch: str = "",
        deadline_s: float | None = None,
    ) -> Told:
        """Run one request to its whole answer: decided, reserved, journalled, metered, settled.

        Args:
            caller: who asks.
            endpoint: `chat`, `completions`, `responses` or `embeddings`.
            body: the request's JSON; `stream` in it is refused.
            tier: a tier of the company; None: as the request says.
            batch: `batch_id/custom_id` of a line of a batch.
            deadline_s: moment by which it must be complete; None: as its tier says.
        """
        ...

    def advise(self, request: Request) -> Decision:
        """Return what would be done about a request, and move nothing.

        Raises:
            ApiError: 503 without a board.
        """
        ...

    def workload_of(
        self, *, tenant: TenantPlan, tier: str | None, model: str, origin: str | None
    ) -> WorkloadPlan:
        """Return the row of the board that a request belongs to.

        Raises:
            ApiError: 404 for an unknown model, with the known ones; 400 for a tier or region that
                the tenant does not have.
        """
        ...
