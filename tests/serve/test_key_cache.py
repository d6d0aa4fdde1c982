"""Keys in memory: a revoked one dies within a minute, a store that is down costs no known one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.serving.ports import KeyFacts, StoreFault
from tokenergy.serve.key_cache import LIVE_S, KeyCache

FACTS = KeyFacts("key_1", "acme", (), frozenset({"inference"}))


class Store:
    """Keys by text, which counts how often it is asked, and may be down."""

    def __init__(self) -> None:
        self.keys: dict[bytes, KeyFacts] = {b"right": FACTS}
        self.down = False
        self.asked_count = 0

    def find(self, key: bytes) -> KeyFacts | None:
        self.asked_count += 1
        if self.down:
            raise StoreFault("the keys cannot be read")
        return self.keys.get(key)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def parts() -> tuple[KeyCache, Store, Clock]:
    store, clock = Store(), Clock()
    return KeyCache(store, kept_count=3, clock=clock), store, clock


def test_a_known_key_is_looked_up_once_in_a_while(parts) -> None:
    cache, store, clock = parts
    for at_s in (0.0, 1.0, 14.9):
        clock.now_s = at_s
        assert cache.find(b"right") == FACTS
    assert store.asked_count == 1
    clock.now_s = 15.0
    assert cache.find(b"right") == FACTS
    assert store.asked_count == 2


def test_a_revoked_key_dies_within_a_minute(parts) -> None:
    cache, store, clock = parts
    assert cache.find(b"right") == FACTS
    del store.keys[b"right"]
    clock.now_s = LIVE_S
    assert cache.find(b"right") is None


def test_a_known_key_outlives_the_store_by_a_minute(parts) -> None:
    """Looked up at 0 s, store down from 1 s: taken until 59 s, then a fault, never a refusal."""
    cache, store, clock = parts
    assert cache.find(b"right") == FACTS
    store.down = True
    for at_s in (1.0, 20.0, 20.1, 59.0):
        clock.now_s = at_s
        assert cache.find(b"right") == FACTS
    assert store.asked_count == 3  # at 0, 20 and 59 s: not again within a second
    clock.now_s = 60.0
    with pytest.raises(StoreFault):
        cache.find(b"right")
    store.down = False
    assert cache.find(b"right") == FACTS


def test_an_unknown_key_of_a_store_that_is_down_is_a_fault(parts) -> None:
    cache, store, _ = parts
    store.down = True
    with pytest.raises(StoreFault):
        cache.find(b"right")


def test_a_wrong_key_is_soon_asked_about_again(parts) -> None:
    cache, store, clock = parts
    assert cache.find(b"new") is None
    store.keys[b"new"] = FACTS
    clock.now_s = 1.0
    assert cache.find(b"new") is None
    clock.now_s = 2.0
    assert cache.find(b"new") == FACTS


def test_wrong_keys_drive_out_no_right_one(parts) -> None:
    cache, store, _ = parts
    assert cache.find(b"right") == FACTS
    for number in range(3_000):
        assert cache.find(b"wrong %d" % number) is None
    asked_count = store.asked_count
    assert cache.find(b"right") == FACTS
    assert store.asked_count == asked_count
    assert len(cache._wrong) == 1_000


def test_a_key_that_nobody_can_have_made_is_not_looked_up(parts) -> None:
    cache, store, _ = parts
    assert cache.find(b"x" * 10_000) is None
    assert store.asked_count == 0


def test_no_key_is_in_its_memory(parts) -> None:
    cache, _, _ = parts
    cache.find(b"right")
    cache.find(b"a wrong one")
    held = repr(vars(cache))
    assert "b'right'" not in held
    assert "a wrong one" not in held


@given(
    steps=st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), st.floats(0.0, 30.0)),
        max_size=40,
    ),
    revoked_s=st.floats(0.0, 300.0),
)
def test_whatever_is_asked_it_is_a_minute_late_at_most(
    steps: list[tuple[bytes, float]], revoked_s: float
) -> None:
    """Every answer is one that the store would have given within the last minute."""
    store, clock = Store(), Clock()
    store.keys = dict.fromkeys((b"a", b"b", b"c", b"d"), FACTS)
    cache = KeyCache(store, kept_count=2, clock=clock)
    for key, wait_s in steps:
        clock.now_s += wait_s
        if clock.now_s >= revoked_s:
            store.keys.pop(b"a", None)
        told = cache.find(key)
        if key == b"a":
            may_be = {FACTS} if clock.now_s < revoked_s else {None}
            if revoked_s <= clock.now_s < revoked_s + LIVE_S:
                may_be = {FACTS, None}
            assert told in may_be
        else:
            assert told == (None if key == b"e" else FACTS)
        assert len(cache._right) <= 2
