"""Retries are a small part of a sliding minute's requests."""

from hypothesis import given
from hypothesis import strategies as st

from tokenergy.serve.retry_budget import LEAST_COUNT, WINDOW_S, RetryBudget


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_tenth_of_the_requests() -> None:
    """100 requests in this minute: 10 retries; 59 s later still none more; then they are gone."""
    clock = Clock()
    budget = RetryBudget(0.1, now=clock)
    for _ in range(100):
        budget.asked()
    assert [budget.take() for _ in range(12)] == [True] * 10 + [False] * 2
    clock.now_s += 59
    assert not budget.take()
    clock.now_s += 1
    for _ in range(50):
        budget.asked()
    assert [budget.take() for _ in range(6)] == [True] * 5 + [False]


def test_little_traffic_has_a_few() -> None:
    budget = RetryBudget(0.1, now=Clock())
    budget.asked()
    assert sum(budget.take() for _ in range(9)) == LEAST_COUNT
    assert not RetryBudget(0.1, now=Clock(), least_count=0).take()
    assert not RetryBudget(0.0, now=Clock()).take()


def test_a_clock_set_back_grants_nothing_new() -> None:
    clock = Clock()
    budget = RetryBudget(0.1, now=clock)
    assert [budget.take() for _ in range(4)] == [True] * 3 + [False]
    clock.now_s -= 30
    assert not budget.take()


@given(
    st.lists(
        st.one_of(st.just("ask"), st.just("retry"), st.floats(0.01, 200.0)),
        max_size=80,
    )
)
def test_never_more_than_a_plain_count_allows(events: list[str | float]) -> None:
    """The oracle keeps every moment in a list and counts those of the last 60 whole seconds."""
    clock = Clock()
    budget = RetryBudget(0.25, now=clock, least_count=1)
    asked: list[int] = []
    retried: list[int] = []
    for event in events:
        if isinstance(event, float):
            clock.now_s += event
            continue
        second = int(clock.now_s)
        asked = [at for at in asked if at > second - WINDOW_S]
        retried = [at for at in retried if at > second - WINDOW_S]
        if event == "ask":
            budget.asked()
            asked.append(second)
        else:
            granted = len(retried) < max(1, int(0.25 * len(asked)))
            assert budget.take() == granted
            retried += [second] * granted
