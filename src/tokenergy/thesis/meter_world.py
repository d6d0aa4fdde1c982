"""A device whose every joule is known, and what its counter and a gateway's journal show of it."""

import heapq
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.metering.request_life import RequestLife
from tokenergy.units import MICROJOULES_PER_J

FloatArray = NDArray[np.float64]
BEGIN_S: Final = 1_767_960_000.0
MARK_EVERY_S: Final = 2.0
MILLIJOULE_MICROJOULES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A replica that decodes in steps: a small dense model on one H100 (energy sheet, section 5).

    Attributes:
        step_j: of a decode step, whatever is in it.
        token_j: of each of its tokens.
        context_j: of each token of context that a step reads.
        prefill_j_per_token: of an input token.
        step_s, token_s: length of a step, and what each token in it adds.
        prefill_w: power while it reads prompts.
        idle_w: power without a request.
        counter_s: how often its counter moves.
        batch_count: most requests in a step.
    """

    step_j: float = 3.66
    token_j: float = 0.0665
    context_j: float = 2e-5
    prefill_j_per_token: float = 0.016
    step_s: float = 0.009
    token_s: float = 5.5e-5
    prefill_w: float = 650.0
    idle_w: float = 70.0
    counter_s: float = 0.1
    batch_count: int = 64

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping."""
        return asdict(self)

    def average_j_per_token(self, batch_count: float, context_tokens: float) -> float:
        """Return the joules of an output token at a batch."""
        return self.step_j / batch_count + self.token_j + self.context_j * context_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: when it came, and how long it is."""

    at_s: float
    input_tokens: int
    output_tokens: int
    streams: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lived:
    """What really happened.

    Attributes:
        lives: requests as a journal shows them, in the order of their ids.
        true_j: of each of them.
        idle_j: without a request.
        times_s, energy_j: energy since the begin [N] at moments [N]: straight lines between.
        mean_batch_count: mean over output tokens.
    """

    lives: tuple[RequestLife, ...]
    true_j: tuple[float, ...]
    idle_j: float
    times_s: FloatArray
    energy_j: FloatArray
    mean_batch_count: float

    @property
    def total_j(self) -> float:
        """All joules."""
        return float(self.energy_j[-1])

    def believed(self, *, kappa_ratio: float) -> "Lived":
        """Return the same with another belief of what an input token takes."""
        lives = tuple(life._replace(kappa_ratio=kappa_ratio) for life in self.lives)
        return replace(self, lives=lives)

    def counted_microjoules(self, at_s: float, *, counter_s: float) -> int:
        """Return what the counter shows at a moment: millijoules, as of its last move."""
        moved_s = at_s // counter_s * counter_s
        energy_j = float(np.interp(moved_s, self.times_s, self.energy_j))
        millijoules = int(energy_j * MICROJOULES_PER_J / MILLIJOULE_MICROJOULES)
        return millijoules * MILLIJOULE_MICROJOULES


def drawn_requests(
    generator: np.random.Generator, *, busy_s: float, quiet_s: float, per_s: float
) -> tuple[Asked, ...]:
    """Return requests of a busy time, in waves, and of a quiet one after it.

    Lengths are lognormal: means of about 300 read and 300 written, a tenth above 700.
    """

    def arrivals() -> Iterator[float]:
        at_s = 0.0
        while at_s < busy_s + quiet_s:
            wave = 1.0 + 0.8 * np.sin(2.0 * np.pi * at_s / 120.0)
            rate = per_s * wave if at_s < busy_s else per_s / 60.0
            at_s += float(generator.exponential(1.0 / rate))
            yield at_s

    times = list(arrivals())[:-1]
    lengths = generator.lognormal(5.2, 1.0, size=(len(times), 2))
    streams = generator.random(len(times)) < 0.5
    return tuple(
        Asked(
            at_s=at_s,
            input_tokens=1 + int(min(read, 8_000.0)),
            output_tokens=1 + int(min(written, 2_000.0)),
            streams=bool(streaming),
        )
        for at_s, (read, written), streaming in zip(times, lengths, streams, strict=True)
    )


def lived(device: Device, asked: tuple[Asked, ...], *, kappa_ratio: float) -> Lived:
    """Return what a device did with requests, step by step.

        step    step_j + token_j B + context_j sum(context),  step_s + token_s B seconds
        prompt  prefill_j_per_token x tokens at prefill_w, while no step is made

    A step's joules belong to its requests in equal parts, but for each one's own context.

    Args:
        device: that serves them.
        asked: in order of time.
        kappa_ratio: what the gateway believes an input token takes over an output token.
    """
    return _Run(device, asked, kappa_ratio).lived()


class _Run:
    """The way of a device through its requests."""

    def __init__(self, device: Device, asked: tuple[Asked, ...], kappa_ratio: float) -> None:
        self.device, self.asked, self.kappa_ratio = device, asked, kappa_ratio
        self.now_s = self.energy_j = self.idle_j = 0.0
        self.times_s, self.energies_j = [0.0], [0.0]
        self.steps_s: list[float] = []
        self.shared_j = [0.0]
        """What each request of a step took, summed over the steps so far."""
        self.running: list[tuple[int, int]] = []
        """Number of its last step, and which request."""
        self.context_tokens = 0
        self.began: dict[int, int] = {}
        self.batches_count = 0.0
        """Batch of every output token, added up."""

    def lived(self) -> Lived:
        ended: dict[int, int] = {}
        place = 0
        while place < len(self.asked) or self.running:
            if not self.running and self.asked[place].at_s > self.now_s:
                self._wait(self.asked[place].at_s)
            while (
                place < len(self.asked)
                and self.asked[place].at_s <= self.now_s
                and len(self.running) < self.device.batch_count
            ):
                self._prefill(place)
                place += 1
            self._step()
            while self.running and self.running[0][0] == len(self.steps_s):
                last, which = heapq.heappop(self.running)
                ended[which] = last
                one = self.asked[which]
                self.context_tokens -= one.input_tokens + one.output_tokens
        tokens = sum(one.output_tokens for one in self.asked)
        return Lived(
            lives=tuple(self._life(which, ended[which]) for which in range(len(self.asked))),
            true_j=tuple(self._true_j(which, ended[which]) for which in range(len(self.asked))),
            idle_j=self.idle_j,
            times_s=np.array(self.times_s),
            energy_j=np.array(self.energies_j),
            mean_batch_count=self.batches_count / tokens,
        )

    def _spend(self, took_s: float, took_j: float) -> None:
        self.now_s += took_s
        self.energy_j += took_j
        self.times_s.append(self.now_s)
        self.energies_j.append(self.energy_j)

    def _wait(self, until_s: float) -> None:
        waited_j = self.device.idle_w * (until_s - self.now_s)
        self.idle_j += waited_j
        self._spend(until_s - self.now_s, waited_j)

    def _prefill(self, which: int) -> None:
        one, device = self.asked[which], self.device
        took_j = device.prefill_j_per_token * one.input_tokens
        self._spend(took_j / device.prefill_w, took_j)
        self.began[which] = len(self.steps_s)
        heapq.heappush(self.running, (len(self.steps_s) + one.output_tokens, which))
        self.context_tokens += one.input_tokens

    def _step(self) -> None:
        device, batch = self.device, len(self.running)
        took_j = device.step_j + device.token_j * batch + device.context_j * self.context_tokens
        self._spend(device.step_s + device.token_s * batch, took_j)
        self.steps_s.append(self.now_s)
        self.shared_j.append(self.shared_j[-1] + device.step_j / batch + device.token_j)
        self.context_tokens += batch
        self.batches_count += batch * batch

    def _true_j(self, which: int, last: int) -> float:
        one, device = self.asked[which], self.device
        written = one.output_tokens
        contexts = one.input_tokens * written + written * (written - 1) / 2.0
        return (
            device.prefill_j_per_token * one.input_tokens
            + self.shared_j[last]
            - self.shared_j[self.began[which]]
            + device.context_j * contexts
        )

    def _life(self, which: int, last: int) -> RequestLife:
        """Return what the journal has: no moment of a token but every two seconds' of a stream."""
        one, first = self.asked[which], self.began[which]
        closed_s, first_s = self.steps_s[last - 1], self.steps_s[first]
        marks = []
        mark_s = one.at_s + MARK_EVERY_S
        while one.streams and mark_s < closed_s:
            made = bisect_left(self.steps_s, mark_s, first, last) - first
            marks.append((BEGIN_S + mark_s, made))
            mark_s += MARK_EVERY_S
        return RequestLife(
            f"r{which:06d}", "", "", "", "", "m", "", "u", BEGIN_S + one.at_s, one.streams,
            one.input_tokens, self.kappa_ratio, 0.0, 1.0, tuple(marks), BEGIN_S + closed_s,
            (first_s if one.streams else closed_s) - one.at_s, one.input_tokens,
            one.output_tokens, "completed",
        )  # fmt: skip
