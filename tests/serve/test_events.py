from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.serve import events
from tokenergy.serve.events import EventCutter, cut, read_event

LINES = st.sampled_from([b"data: a", b"data:b", b": note", b"event: x", b"id: 1"])
EVENTS = st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5)


@given(EVENTS, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 80), max_size=6))
def test_events_are_the_same_wherever_the_chunks_end(
    wanted: list[list[bytes]], end: bytes, cuts: list[int]
) -> None:
    """The last return of a body may wait for what comes after it, so one more line follows."""
    text = b"".join(b"".join(line + end for line in lines) + end for lines in wanted) + b":"
    ends = sorted({0, len(text), *(min(at, len(text)) for at in cuts)})
    cutter = EventCutter()
    found = [one for begin, after in pairwise(ends) for one in cutter.whole(text[begin:after])]
    assert found == [b"\n".join(lines) + b"\n\n" for lines in wanted]
    assert cutter.rest() == b":"
    assert not cutter.holds


def test_an_event_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_EVENT_BYTES_COUNT", 1_000)
    cutter = EventCutter()
    assert cutter.whole(b"x" * 1_000) == [] and not cutter.overflowed
    assert cutter.whole(b"x") == [] and cutter.overflowed


def test_empty_events_are_left_out() -> None:
    assert cut(b"\n\n\n\ndata: x\n\n") == [b"data: x\n\n"]


def test_the_fields_of_an_event() -> None:
    assert read_event(b"data: {}\n\n") == (b"", b"{}")
    assert read_event(b"event: a\ndata: x\ndata:y\nid: 3\n\n") == (b"a", b"x\ny")
    assert read_event(b": comment\n\n") == (b"", None)
    assert read_event(b"error: {}\n\n") == (b"error", b"{}")
    assert read_event(b"<html>\n\n") is None
    assert read_event(b"data\n\n") is None
