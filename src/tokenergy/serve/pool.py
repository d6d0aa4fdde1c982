"""The upstreams behind each deployment: which one a request goes to, and which are out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import Final, Protocol

from tokenergy.company.finding import Finding
from tokenergy.company.serving.plan import LimitsPlan, UpstreamPlan, WorkerPlan
from tokenergy.serve.breaker import Circuit, CircuitState, Verdict
from tokenergy.serve.upstream import UpstreamClient

Headers = tuple[tuple[bytes, bytes], ...]
PROBE_WAIT_S: Final = 1.0
"""Wait that is told while a probe has not come back."""


class Timing(Protocol):
    """How fast a deployment is, e.g. by what the board says of it."""

    def of(self, in_flight_count: int) -> tuple[float, float]:
        """Return seconds to the first token and per further token with so many requests."""
        ...


class Seat:
    """A request's place at an upstream, from `Pool.pick` until `done`.

    Attributes:
        upstream: where it is.
        client: how to ask it; it adds host and content-length by itself.
        headers: to send with every call: the upstream's own authorization.
    """

    __slots__ = ("_bench", "_judged", "_left", "_probe", "client", "headers", "upstream")

    def __init__(self, bench: "_Bench", *, probe: bool = False) -> None:
        """Take the place; only the pool does that."""
        self.upstream, self.client, self.headers = bench.upstream, bench.client, bench.headers
        self._bench, self._probe = bench, probe
        self._judged = self._left = False

    def judged(self, verdict: Verdict) -> None:
        """Tell early what became of it, at the head of the answer: a probe closes its circuit.

        Other requests are judged when they are `done`: a head says little of the stream behind it.
        """
        if verdict == "ok" and not self._probe:
            return
        self._bench.judge(verdict, probe=self._probe and not self._judged)
        self._judged = True

    def done(self, verdict: Verdict) -> None:
        """Give the place back, with what the whole exchange has shown; a second call does nothing.

        Args:
            verdict: `fault` for whatever `UpstreamFault` there was (but `closed`) and for
                `breaker.verdict_of_status`; `left` if the client left before anything was known.
        """
        if self._left:
            return
        self._left = True
        self._bench.in_flight_count -= 1
        if verdict == "fault" or not self._judged:
            self._bench.judge(verdict, probe=self._probe and not self._judged)


class Pool:
    """All upstreams of a worker.

    Attributes:
        findings: what is wrong with upstreams of the plan; they are down for good.
    """

    def __init__(
        self,
        upstreams: Iterable[tuple[UpstreamPlan, UpstreamClient, Headers]],
        *,
        limits: LimitsPlan,
        now: Callable[[], float],
        deployments: Iterable[str] = (),
        findings: Iterable[Finding] = (),
    ) -> None:
        """Begin with every circuit closed.

        Args:
            upstreams: each with its client and what it wants in every call's head.
            limits: when a circuit opens, and for how long.
            now: a clock in seconds that does not run backwards.
            deployments: all that the board may name; one without an upstream is down.
            findings: to keep.
        """
        self._now = now
        self._benches: dict[str, list[_Bench]] = {name: [] for name in deployments}
        self._turn_count = 0
        self._down: frozenset[str] = frozenset()
        self._down_until_s: float | None = None
        self.findings = tuple(findings)
        for upstream, client, headers in upstreams:
            circuit = Circuit(
                failures_count=limits.breaker_failures_count, open_s=limits.breaker_open_s
            )
            bench = _Bench(upstream, client, headers, circuit, pool=self)
            self._benches.setdefault(upstream.deployment, []).append(bench)

    @classmethod
    def from_plan(
        cls,
        plan: WorkerPlan,
        *,
        environ: Mapping[str, str],
        now: Callable[[], float],
        timing: Callable[[str], Timing],
    ) -> "Pool":
        """Return the pool of a plan.

        Plain HTTP goes through `upstream_fast`, TLS through `upstream_aiohttp`.

        Args:
            plan: of the worker.
            environ: where the upstreams' keys are, by name.
            now: a clock in seconds that does not run backwards.
            timing: of a deployment, for simulated upstreams.
        """
        from tokenergy.serve.pool_made import clients_of

        made, findings = clients_of(plan, environ=environ, timing=timing)
        return cls(
            made,
            limits=plan.limits,
            now=now,
            deployments=plan.deployments,
            findings=findings,
        )

    def pick(self, deployment: str) -> Seat | None:
        """Return a place at the upstream with the least in flight, or None: all are out.

        Among equals they take turns. Whoever gets a place calls `done` on it, once.
        """
        benches = self._benches.get(deployment, _NONE)
        count = len(benches)
        if count == 1 and benches[0].circuit.closed:
            return benches[0].seat()
        now_s = self._now()
        self._turn_count += 1
        best: _Bench | None = None
        for at in range(count):
            bench = benches[(at + self._turn_count) % count]
            if bench.circuit.allows(now_s) and (
                best is None or bench.in_flight_count < best.in_flight_count
            ):
                best = bench
        return None if best is None else best.seat()

    def down_deployments(self) -> frozenset[str]:
        """Return the deployments that no request can go to now.

        It is the same object until something changes: cheap to ask before every decision.
        """
        if self._down_until_s is not None and self._now() < self._down_until_s:
            return self._down
        now_s = self._now()
        down = frozenset(
            name
            for name, benches in self._benches.items()
            if not any(bench.circuit.allows(now_s) for bench in benches)
        )
        if down != self._down:
            self._down = down
        self._down_until_s = min(
            (
                bench.circuit.until_s
                for bench in self._all()
                if bench.circuit.until_s is not None and bench.circuit.until_s > now_s
            ),
            default=inf,
        )
        return self._down

    def wait_s(self, deployment: str) -> float | None:
        """Return how long until one of its circuits lets a request try; None: it has no upstream.

        A probe under way counts as a wait of 1 s: its verdict is not known yet.
        """
        now_s = self._now()
        waits_s = [bench.wait_s(now_s) for bench in self._benches.get(deployment, ())]
        return min(waits_s, default=None)

    def in_flight_count(self, deployment: str) -> int:
        """Return the places taken at a deployment."""
        return sum(bench.in_flight_count for bench in self._benches.get(deployment, ()))

    def circuits(self) -> dict[str, CircuitState]:
        """Return the state of each upstream's circuit, by name."""
        now_s = self._now()
        return {bench.upstream.name: bench.circuit.state(now_s) for bench in self._all()}

    async def aclose(self) -> None:
        """Close all connections; exchanges under way end with a fault `closed`."""
        for bench in self._all():
            await bench.client.aclose()

    def _all(self) -> Iterator["_Bench"]:
        for benches in self._benches.values():
            yield from benches

    def _changed(self) -> None:
        """A circuit has changed: who is down is worked out anew."""
        self._down_until_s = None


class _Bench:
    """One upstream, how much is in flight there, and its circuit."""

    __slots__ = ("_pool", "circuit", "client", "headers", "in_flight_count", "upstream")

    def __init__(
        self,
        upstream: UpstreamPlan,
        client: UpstreamClient,
        headers: Headers,
        circuit: Circuit,
        *,
        pool: Pool,
    ) -> None:
        self.upstream, self.client, self.headers = upstream, client, headers
        self.circuit, self._pool = circuit, pool
        self.in_flight_count = 0

    def seat(self) -> Seat:
        """Take a place; as the probe where the circuit is not closed."""
        self.in_flight_count += 1
        probe = self.circuit.enter()
        if probe:
            self._pool._changed()
        return Seat(self, probe=probe)

    def judge(self, verdict: Verdict, *, probe: bool) -> None:
        """Pass a verdict on to the circuit."""
        circuit = self.circuit
        before_s = circuit.until_s
        circuit.judge(verdict, probe=probe, now_s=self._pool._now())
        if probe or circuit.until_s != before_s:
            self._pool._changed()

    def wait_s(self, now_s: float) -> float:
        """Return how long until its circuit lets a request try."""
        if self.circuit.allows(now_s):
            return 0.0
        return max(PROBE_WAIT_S, (self.circuit.until_s or now_s) - now_s)


_NONE: Final[list[_Bench]] = []
