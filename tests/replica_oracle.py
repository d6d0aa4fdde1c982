"""A replica told slowly: the rules of one iteration, in plain Python, knowing nothing of ours.

Time is exact (fractions), blocks of cache are things with a name, the queue is a list that is
sorted, and the law is any function of the decodes' contexts and the prefills' (chunk, context).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

Law = Callable[[list[int], list[tuple[int, int]]], float]
"""Seconds of an iteration by the contexts of decodes and the (chunk, context) of prefills."""


@dataclass(eq=False)
class Block:
    holds: tuple[int, int] | None = None  # (whose text, which block of it), if full


@dataclass(eq=False)
class Asking:
    place: int
    arrival: Fraction
    input: int
    output: int
    cached: int
    previous: int
    made: int = 0  # output tokens that exist
    read: int = 0  # tokens of text whose keys and values are in the cache
    wanted: int = 0  # tokens of text to read before the next token comes out
    blocks: list[Block] = field(default_factory=list)
    since: Fraction = Fraction(0)  # waiting since
    queue: Fraction = Fraction(0)
    admitted: Fraction | None = None
    token_times: list[Fraction] = field(default_factory=list)
    evictions: int = 0
    computed: int = 0
    joules: Fraction = Fraction(0)

    @property
    def decodes(self) -> bool:
        return self.read >= self.wanted


@dataclass
class OracleReplica:
    law: Law
    blocks: int
    block_tokens: int
    watermark: int
    batch: int
    tokens: int
    base_j: Sequence[float]
    decode_j: float
    prefill_j: float
    reuses: bool = False

    def run(self, asked: Sequence[tuple[float, int, int, int, int]]) -> list[Asking]:
        """Serve (arrival, input, output, cached, previous) until all is done."""
        everybody = [
            Asking(k, Fraction(a), i, o, c, p, wanted=i, since=Fraction(a))
            for k, (a, i, o, c, p) in enumerate(asked)
        ]
        self.now, self.busy, self.iterations, self.most_used = Fraction(0), Fraction(0), 0, 0
        self.batches: dict[int, int] = {}
        self.gaps: dict[float, int] = {}
        self.energy = Fraction(0)
        self.free = [Block() for _ in range(self.blocks)]
        self.running: list[Asking] = []
        self.out: list[Asking] = []  # evicted, waiting
        self.new = list(everybody)
        while self.new or self.out or self.running:
            self._turn()
        assert len(self.free) == self.blocks
        return everybody

    def _need(self, tokens: int) -> int:
        return -(-tokens // self.block_tokens)

    def _turn(self) -> None:
        decodes: list[Asking] = []
        for who in sorted(self.running, key=lambda x: x.place):
            if who not in self.running or not who.decodes:
                continue
            # the newest token is read now: it needs a place in the cache
            if who.read + 1 > len(who.blocks) * self.block_tokens:
                while not self.free and who in self.running:
                    self._evict(max(self.running, key=lambda x: x.place))
                if who not in self.running:
                    continue
                who.blocks.append(self._fresh())
            decodes.append(who)
        room = self.tokens - len(decodes)
        prefills: list[tuple[Asking, int, int]] = []
        for who in sorted(self.running, key=lambda x: x.place):
            if not who.decodes and room > 0:
                chunk = min(room, who.wanted - who.read)
                prefills.append((who, chunk, who.read))
                room -= chunk
        while room > 0 and len(self.running) < self.batch:
            head = self._head()
            if head is None or len(self.free) - self._need(head.wanted) < self.watermark:
                break
            self._admit(head)
            chunk = min(room, head.wanted - head.read)
            prefills.append((head, chunk, head.read))
            room -= chunk
        if not decodes and not prefills:
            assert not self.running and not self.out and self.new[0].arrival > self.now
            self.now = self.new[0].arrival
            return
        self._pass(decodes, prefills)

    def _head(self) -> Asking | None:
        if self.out:
            return self.out[-1]
        if self.new and self.new[0].arrival <= self.now * (1 + Fraction(1, 10**12)):
            return self.new[0]
        return None

    def _admit(self, who: Asking) -> None:
        (self.out.pop if who in self.out else lambda: self.new.pop(0))()
        who.queue += max(Fraction(0), self.now - who.since)
        if who.admitted is None:
            who.admitted = self.now
        owner = who.place if self._found(who, who.place) else who.previous
        found = self._found(who, owner) if self.reuses else []
        for block in found:
            self.free.remove(block)
        who.blocks = found + [self._fresh() for _ in range(self._need(who.wanted) - len(found))]
        if found:
            self._forget(owner)
        who.read = max(min(who.cached, who.wanted - 1), len(found) * self.block_tokens)
        self.running.append(who)

    def _found(self, who: Asking, owner: int) -> list[Block]:
        held = {block.holds: block for block in self.free if block.holds is not None}
        found: list[Block] = []
        for place in range((who.wanted - 1) // self.block_tokens):
            if (owner, place) not in held:
                break
            found.append(held[owner, place])
        return found

    def _forget(self, owner: int) -> None:
        """Once its beginning is taken, the rest of a text in the queue is of no use."""
        for block in self.free:
            if block.holds is not None and block.holds[0] == owner:
                block.holds = None

    def _fresh(self) -> Block:
        block = self.free.pop(0)
        block.holds = None
        self.most_used = max(self.most_used, self.blocks - len(self.free))
        return block

    def _release(self, who: Asking) -> None:
        for place, block in enumerate(who.blocks):
            full = (place + 1) * self.block_tokens <= who.read
            block.holds = (who.place, place) if full else None
        self.free += reversed(who.blocks)
        who.blocks = []
        self.running.remove(who)

    def _evict(self, who: Asking) -> None:
        self._release(who)
        who.evictions += 1
        who.wanted = max(who.wanted, who.input + who.made)
        who.read = 0
        who.since = self.now
        self.out.append(who)

    def _pass(self, decodes: list[Asking], prefills: list[tuple[Asking, int, int]]) -> None:
        contexts = [who.input + who.made for who in decodes]
        seconds = self.law(contexts, [(chunk, before) for _, chunk, before in prefills])
        self.now += Fraction(seconds)
        self.busy += Fraction(seconds)
        self.iterations += 1
        batch = len(decodes) + len(prefills)
        self.batches[batch] = self.batches.get(batch, 0) + 1
        base = Fraction(self.base_j[batch])
        self.energy += base + Fraction(self.decode_j) * len(decodes)
        self.energy += Fraction(self.prefill_j) * sum(chunk for _, chunk, _ in prefills)
        for who in decodes:
            who.read += 1
            who.joules += base / batch + Fraction(self.decode_j)
            self._token(who)
        for who, chunk, _ in prefills:
            who.read += chunk
            who.computed += chunk
            who.joules += base / batch + Fraction(self.prefill_j) * chunk
            if who.read == who.wanted:
                self._token(who)

    def _token(self, who: Asking) -> None:
        who.made += 1
        who.token_times.append(self.now)
        if who.made == who.output:
            self._release(who)
