"""Keys in a worker's memory: bounded, never older than a minute, right and wrong ones alike."""

import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from tokenergy.company.serving.ports import KeyFacts, Keys, StoreFault

LIVE_S: Final = 60.0
"""Longest time for which a key is taken on the word of an earlier look-up."""
REFRESH_S: Final = 15.0
"""Age from which a key is looked up again, if the store can be asked."""
WRONG_S: Final = 2.0
"""For so long a wrong key stays wrong: one that is made after it was tried is soon known."""
PAUSE_S: Final = 1.0
"""Time for which a store that failed is not asked again for keys that are known."""
KEPT_COUNT: Final = 10_000
WRONG_COUNT: Final = 1_000
LONGEST_BYTES: Final = 512
"""Keys longer than this are nobody's, and are not even hashed."""


class _Seen(NamedTuple):
    """What a look-up told, and when."""

    facts: KeyFacts | None
    at_s: float


class KeyCache:
    """Keys over a store, and the same promise: a revoked key is dead within a minute.

    Keys are held by a hash under a random word of this process, never as they are. Wrong ones
    have a room of their own, so that a flood of them drives out no right one.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        kept_count: int = KEPT_COUNT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty.

        Args:
            keys: the store behind.
            kept_count: most right keys in memory.
            clock: seconds that never go back.
        """
        self._keys, self._kept_count, self._clock = keys, kept_count, clock
        self._word = os.urandom(32)
        self._right: OrderedDict[bytes, _Seen] = OrderedDict()
        self._wrong: OrderedDict[bytes, _Seen] = OrderedDict()
        self._asked_again_s = float("-inf")

    def find(self, key: bytes) -> KeyFacts | None:
        """Return what a key is allowed, or None: unknown, revoked or expired.

        Raises:
            StoreFault: if the store cannot be asked, and the key was not known within a minute.
        """
        if len(key) > LONGEST_BYTES:
            return None
        now_s = self._clock()
        digest = hashlib.blake2b(key, key=self._word, digest_size=32).digest()
        seen = self._right.get(digest)
        if seen is not None:
            age_s = now_s - seen.at_s
            if age_s < REFRESH_S or (age_s < LIVE_S and now_s < self._asked_again_s):
                self._right.move_to_end(digest)
                return seen.facts
            return self._asked(key, digest, now_s, seen)
        wrong = self._wrong.get(digest)
        if wrong is not None and now_s - wrong.at_s < WRONG_S:
            return None
        return self._asked(key, digest, now_s, None)

    def forget(self) -> None:
        """Drop everything: the next look-ups ask the store."""
        self._right.clear()
        self._wrong.clear()

    def _asked(
        self, key: bytes, digest: bytes, now_s: float, seen: _Seen | None
    ) -> KeyFacts | None:
        """Ask the store; where it fails, what was told within a minute still holds."""
        try:
            facts = self._keys.find(key)
        except StoreFault:
            self._asked_again_s = now_s + PAUSE_S
            if seen is not None and now_s - seen.at_s < LIVE_S:
                return seen.facts
            self._right.pop(digest, None)
            raise
        self._right.pop(digest, None)
        self._wrong.pop(digest, None)
        room, count = (
            (self._wrong, WRONG_COUNT) if facts is None else (self._right, self._kept_count)
        )
        room[digest] = _Seen(facts, now_s)
        while len(room) > count:
            room.popitem(last=False)
        return facts
