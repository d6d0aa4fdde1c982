"""Heads known by their headers: the same words as read anew, and nothing of another's."""

import pytest

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.headers import read_head
from tokenergy.serve.heads import KNOWN_COUNT, Heads
from tokenergy.serve.openai_error import ApiError

LIMITS = LimitsPlan(body_bytes=1_000)


def head(*more: tuple[bytes, bytes], key: bytes = b"k1", length: bytes = b"10"):  # type: ignore[no-untyped-def]
    return [
        (b"host", b"a"), (b"authorization", b"Bearer " + key), (b"content-length", length), *more
    ]  # fmt: skip


def test_a_head_that_came_before_is_the_same_with_another_length() -> None:
    heads = Heads(LIMITS)
    first, second = heads.read(head()), heads.read(head(length=b"20"))
    assert first.head is second.head
    assert (first.content_length, second.content_length) == (10, 20)
    assert second.head.key == read_head(head(), LIMITS).key == b"k1"


def test_another_key_is_another_head() -> None:
    heads = Heads(LIMITS)
    heads.read(head())
    assert heads.read(head(key=b"k2")).head.key == b"k2"


def test_a_body_over_its_limit_is_refused_for_a_known_head_too() -> None:
    heads = Heads(LIMITS)
    heads.read(head())
    with pytest.raises(ApiError) as caught:
        heads.read(head(length=b"1001"))
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "more",
    [(b"content-length", b"10"), (b"transfer-encoding", b"chunked"), (b"host", b"b")],
)
def test_what_is_refused_once_is_refused_again(more: tuple[bytes, bytes]) -> None:
    heads = Heads(LIMITS)
    heads.read(head())
    for _ in range(2):
        with pytest.raises(ApiError):
            heads.read(head(more))


def test_a_length_that_is_no_number_is_refused() -> None:
    heads = Heads(LIMITS)
    heads.read(head())
    with pytest.raises(ApiError):
        heads.read(head(length=b"-1"))


def test_heads_that_differ_every_time_are_not_kept_and_others_are_bounded() -> None:
    heads = Heads(LIMITS)
    for at in range(10):
        heads.read(head((b"traceparent", b"00-%032x-1-01" % at)))
    assert not heads._known
    for at in range(KNOWN_COUNT + 10):
        heads.read(head(key=b"k%d" % at))
    assert len(heads._known) <= KNOWN_COUNT
