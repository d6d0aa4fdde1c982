"""A circuit breaker: whether an upstream is asked at all after it has failed several times."""

from typing import Final, Literal

Verdict = Literal["ok", "fault", "left"]
"""What one request says of an upstream: it works; it does not; nothing, because we left first."""
CircuitState = Literal["closed", "open", "half_open"]
NOT_OFFERED: Final = frozenset({501, 505})
"""Statuses above 499 that tell of the request, and not of the server: it has no such endpoint."""


def verdict_of_status(status: int) -> Verdict:
    """Return what a status says of the server that sent it.

    Never a fault below 500: one client's bad requests would close an upstream to everybody. A 501
    is one of those, e.g. embeddings asked of an engine that was started without them.
    """
    return "fault" if status >= 500 and status not in NOT_OFFERED else "ok"


class Circuit:
    """The circuit of one upstream: closed lets requests through, open does not, half-open one.

    It opens after some faults in a row and stays so for `open_s`; then one request, the probe,
    tries the upstream again, and its verdict closes the circuit or opens it anew. Requests that
    began before it opened say nothing any more.
    """

    __slots__ = ("_faults_count", "_limit_count", "_open_s", "_probing", "until_s")

    def __init__(self, *, failures_count: int, open_s: float) -> None:
        """Begin closed.

        Args:
            failures_count: faults in a row that open it, at least 1.
            open_s: how long it stays open.
        """
        self._limit_count = max(1, failures_count)
        self._open_s = open_s
        self._faults_count = 0
        self._probing = False
        self.until_s: float | None = None
        """When it may be tried again; None while it is closed."""

    @property
    def closed(self) -> bool:
        """Whether every request may pass."""
        return self.until_s is None

    def allows(self, now_s: float) -> bool:
        """Return whether a request may pass now: as one of many, or as the probe."""
        return self.until_s is None or (now_s >= self.until_s and not self._probing)

    def enter(self) -> bool:
        """Let a request pass that `allows` has allowed, and return whether it is the probe."""
        if self.until_s is None:
            return False
        self._probing = True
        return True

    def judge(self, verdict: Verdict, *, probe: bool, now_s: float) -> None:
        """Take what a request has found; the probe's word counts while the circuit is open."""
        if probe:
            self._probing = False
            if verdict == "ok":
                self.until_s, self._faults_count = None, 0
            elif verdict == "fault":
                self.until_s = now_s + self._open_s
        elif self.until_s is None:
            if verdict == "ok":
                self._faults_count = 0
            elif verdict == "fault":
                self._faults_count += 1
                if self._faults_count >= self._limit_count:
                    self.until_s = now_s + self._open_s

    def state(self, now_s: float) -> CircuitState:
        """Return its name, as metrics tell it."""
        if self.until_s is None:
            return "closed"
        return "half_open" if self._probing or now_s >= self.until_s else "open"
