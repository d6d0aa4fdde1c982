"""Files and batches of a gateway: what its store keeps of them, and what it promises to do.

A batch is a file of requests. Its lines are claimed one by one, by lease, by whichever worker has
room; `epoch` tells the holders of one line apart, so that whoever lost a line cannot answer it.
Moments are seconds since the Unix epoch by the company's clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from tokenergy.company.serving.plan import Plain
from tokenergy.company.serving.ports import KeyFacts

BatchStatus = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling",
    "cancelled",
]  # fmt: skip
"""The states of the published API; `failed`: the file was faulty, and nothing ran."""
ENDED: Final = frozenset({"failed", "completed", "expired", "cancelled"})


class FileFacts(Plain, frozen=True, kw_only=True):
    """One kept file; its bytes lie beside the database.

    Attributes:
        purpose: `batch`, or `batch_output` where a batch wrote it.
        name: as its client called it; never a path of ours.
        expires_s: when it is deleted by itself; None: never.
    """

    file_id: str
    tenant: str
    purpose: str
    name: str
    bytes_count: int
    created_s: int
    expires_s: int | None = None


class LineFault(Plain, frozen=True, kw_only=True):
    """One thing wrong with a batch's file.

    Attributes:
        line: counted from 1; None: it is about the file.
        param: the field, where it is one.
    """

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class BatchTokens(Plain, frozen=True, kw_only=True):
    """What the lines of a batch have used so far."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class BatchFacts(Plain, frozen=True, kw_only=True):
    """One batch as it stands.

    Attributes:
        key_id, tiers, scopes: of the key that made it: its lines run under them.
        tier: the tier that its lines run under.
        endpoint: path, e.g. `/v1/chat/completions`.
        window: as its client stated it, e.g. `24h`.
        output_expires_s: how long its files are kept after they were made; None: for ever.
        model: where all lines name one, that one; else "".
        epoch: of the lease under which it is checked or finished.
        ..._s: when it came into a state; None: it did not.
        total_count, completed_count, failed_count: lines; those that expired or were cancelled
            before they ran are in the total alone.
    """

    batch_id: str
    tenant: str
    key_id: str
    tiers: tuple[str, ...]
    scopes: tuple[str, ...]
    tier: str
    endpoint: str
    input_file_id: str
    window: str
    metadata: Mapping[str, str]
    output_expires_s: int | None
    status: BatchStatus
    created_s: int
    expires_s: int
    in_progress_s: int | None = None
    finalizing_s: int | None = None
    completed_s: int | None = None
    failed_s: int | None = None
    expired_s: int | None = None
    cancelling_s: int | None = None
    cancelled_s: int | None = None
    total_count: int = 0
    completed_count: int = 0
    failed_count: int = 0
    model: str = ""
    faults: tuple[LineFault, ...] = ()
    tokens: BatchTokens = BatchTokens()
    output_file_id: str | None = None
    error_file_id: str | None = None
    epoch: int = 0

    @property
    def caller(self) -> KeyFacts:
        """The key that made it, as its lines are run under it."""
        return KeyFacts(self.key_id, self.tenant, self.tiers, frozenset(self.scopes))


class BatchLine(NamedTuple):
    """A checked line, ready to be run.

    Attributes:
        number: counted from 1.
        offset_bytes, length_bytes: where the line lies in its file.
        workload: row of the board whose release plan it takes a place in.
        output_tokens: expected output.
    """

    number: int
    custom_id: str
    offset_bytes: int
    length_bytes: int
    workload: str
    output_tokens: int


class Claimed(NamedTuple):
    """A line that a worker holds until it is answered, put back, or its lease ends.

    Attributes:
        epoch: which claim of the line this is.
        faults_count: times it failed so far by a fault that may pass.
        pace_s: begin of the interval whose places it took; None: there was no plan.
    """

    batch_id: str
    line: BatchLine
    epoch: int
    faults_count: int
    pace_s: float | None


class LineAnswer(NamedTuple):
    """What a line came to.

    Attributes:
        good: whether its status was one of success: output file, else error file.
        text: the line of that file, without its end.
    """

    good: bool
    text: bytes
    tokens: BatchTokens


class Allowance(NamedTuple):
    """What the board lets a workload use of its interval up to now.

    Attributes:
        start_s: begin of the interval.
        tokens: output tokens since then.
    """

    start_s: float
    tokens: float


class Upload(Protocol):
    """A file that is on its way in; nothing is seen of it before `keep`."""

    def write(self, chunk: bytes) -> None:
        """Take more of it.

        Raises:
            StoreFault: if the disk takes no more.
        """
        ...

    def keep(self, facts: FileFacts) -> FileFacts:
        """Keep it under these facts, with its true length.

        Raises:
            StoreFault: if it cannot be kept; then nothing is.
        """
        ...

    def drop(self) -> None:
        """Forget it; after `keep` nothing happens."""
        ...


class Files(Protocol):
    """Tenants' files. Every method may raise StoreFault and may wait for the disk."""

    def upload(self, tenant: str) -> Upload:
        """Begin a file."""
        ...

    def find(self, tenant: str, file_id: str, *, now_s: float) -> FileFacts | None:
        """Return a file of a tenant; None: there is none, or none any more."""
        ...

    def listed(
        self,
        tenant: str,
        *,
        now_s: float,
        purpose: str | None,
        after: str | None,
        limit_count: int,
        newest_first: bool,
    ) -> tuple[FileFacts, ...]:
        """Return files in the order of their making, from behind `after` on."""
        ...

    def path(self, facts: FileFacts) -> str:
        """Return where its bytes are."""
        ...

    def read(self, facts: FileFacts, *, offset_bytes: int, length_bytes: int) -> bytes:
        """Return some of its bytes."""
        ...

    def lines(self, facts: FileFacts, *, most_bytes: int) -> Iterable[tuple[int, int, bytes]]:
        """Yield offset, length and text of each line; of one that is too long only its begin."""
        ...

    def drop(self, tenant: str, file_id: str) -> bool:
        """Delete a file and tell whether there was one; a batch under way reads it to its end."""
        ...

    def stored_bytes(self, tenant: str) -> int:
        """Return how much a tenant keeps."""
        ...

    def sweep(self, *, now_s: float) -> int:
        """Delete what has expired and return how many files that were."""
        ...


class Batches(Protocol):
    """Batches and their lines. Every method may raise StoreFault and may wait for the disk."""

    @property
    def files(self) -> Files:
        """The files that batches are made of."""
        ...

    def add(self, facts: BatchFacts) -> None:
        """Keep a new batch, in state `validating`."""
        ...

    def find(self, tenant: str, batch_id: str) -> BatchFacts | None:
        """Return a batch of a tenant as it stands, or None."""
        ...

    def listed(self, tenant: str, *, after: str | None, limit_count: int) -> tuple[BatchFacts, ...]:
        """Return batches, the newest first, from behind `after` on."""
        ...

    def cancel(self, tenant: str, batch_id: str, *, now_s: float) -> BatchFacts | None:
        """Cancel what has not begun of a batch and return it; one that has ended stays as it is."""
        ...

    def input_of(self, batch: BatchFacts) -> FileFacts | None:
        """Return the file of a batch, also one that its tenant has deleted since."""
        ...

    def take_unchecked(self, owner: str, *, now_s: float) -> BatchFacts | None:
        """Take a batch whose file is to be checked, by lease."""
        ...

    def check_passed(
        self, batch: BatchFacts, lines: Sequence[BatchLine], *, model: str, now_s: float
    ) -> bool:
        """Put the lines in the queue; False: somebody else holds the batch, or it was cancelled."""
        ...

    def check_failed(
        self, batch: BatchFacts, faults: Sequence[LineFault], *, total_count: int, now_s: float
    ) -> bool:
        """Let the batch fail with everything that is wrong with its file; False as above."""
        ...

    def waiting_workloads(self, *, now_s: float) -> tuple[str, ...]:
        """Return the workloads of which lines could run now."""
        ...

    def claim(
        self,
        owner: str,
        *,
        limit_count: int,
        now_s: float,
        allowances: Mapping[str, Allowance | None],
        rush_share: float,
    ) -> tuple[tuple[BatchFacts, Claimed], ...]:
        """Take lines of those workloads, of the batches with the fewest running ones first.

        Args:
            owner: who runs them.
            limit_count: most of them.
            now_s: the moment.
            allowances: by workload; None: no plan, no limit. What all workers took of an
                interval counts; a line larger than what is left is the last one.
            rush_share: last part of a batch's window in which its lines wait for no plan.
        """
        ...

    def renew(self, owner: str, *, now_s: float) -> int:
        """Prolong all leases of an owner and return how many lines it holds."""
        ...

    def answer(self, claimed: Claimed, answer: LineAnswer) -> bool:
        """Keep what a line came to; False: the line is not the holder's any more."""
        ...

    def put_back(
        self, claimed: Claimed, *, not_before_s: float, faulty: bool, pause_s: float | None
    ) -> bool:
        """Give a line back to be tried again later.

        Args:
            claimed: the line.
            not_before_s: when.
            faulty: whether it failed by a fault that may pass, which is counted.
            pause_s: until when the whole batch rests; None: it does not.
        """
        ...

    def free(self, owner: str) -> int:
        """Free what a worker held that runs no more, and return how many lines that were."""
        ...

    def expire(self, *, now_s: float) -> int:
        """End the batches whose window is over, once what runs has ended; return how many."""
        ...

    def take_finished(self, owner: str, *, now_s: float) -> BatchFacts | None:
        """Take a batch of which nothing is left to run, by lease."""
        ...

    def finish(self, batch: BatchFacts, *, now_s: float) -> bool:
        """Write its output and error files, and end it; False: somebody else holds it.

        Whoever is stopped within leaves it to be taken again: files and state come at once.
        """
        ...

    def close(self) -> None:
        """Close the database."""
        ...
