from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.metering.attribute import (
    Attribution,
    IdlePolicy,
    Part,
    TokenWeights,
    Waiting,
    attribute,
    divide,
)
from tokenergy.metering.reading import Reading

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEIGHTS = TokenWeights(decode_j_per_token=2.0, prefill_j_per_token=0.5)
WAITING = Waiting(idle_w=10.0, idle_share=0.5)


def reading(energy_j: float | None, span_s: float = 4.0) -> Reading:
    return Reading(
        start=NOON,
        end=NOON + timedelta(seconds=span_s),
        energy_j=energy_j,
        tier="measured",
        boundary="gpu",
        reason="" if energy_j is not None else "reset",
    )


def part(part_id: str, out: int, put: int = 0, **more: object) -> Part:
    return Part(part_id=part_id, output_tokens=out, uncached_input_tokens=put, **more)  # type: ignore[arg-type]


def of(attribution: Attribution) -> dict[str, int]:
    return {each.part_id: each.work_microjoules for each in attribution.parts}


def test_by_hand() -> None:
    """120 J in 4 s; half of it idle at 10 W: 20 J. 100 J by 2 x 10 : 0.5 x 160 = 20 : 80."""
    found = attribute(
        reading(120.0), [part("a", 10), part("b", 0, 160)], weights=WEIGHTS, waiting=WAITING
    )
    assert of(found) == {"a": 20_000_000, "b": 80_000_000}
    assert found.idle_microjoules == 20_000_000
    assert found.microjoules == 120_000_000
    assert (found.tier, found.boundary) == ("measured", "gpu")


def test_the_sensitivity_halves_and_doubles_prefill() -> None:
    """20 : 40 of 100 J is 33.3 and 66.7; 20 : 160 is 11.1 and 88.9."""
    found = attribute(
        reading(120.0), [part("a", 10), part("b", 0, 160)], weights=WEIGHTS, waiting=WAITING
    )
    first, second = found.parts
    assert first.prefill_halved_microjoules == 33_333_333
    assert second.prefill_halved_microjoules == 66_666_667
    assert first.prefill_doubled_microjoules == 11_111_111
    assert second.prefill_doubled_microjoules == 88_888_889


def test_idle_is_never_more_than_the_reading() -> None:
    found = attribute(reading(5.0), [part("a", 1)], weights=WEIGHTS, waiting=WAITING)
    assert (of(found), found.idle_microjoules) == ({"a": 0}, 5_000_000)


def test_without_a_request_or_a_token_all_of_it_is_idle() -> None:
    for parts in ([], [part("waits", 0)]):
        found = attribute(
            reading(90.0), parts, weights=WEIGHTS, waiting=Waiting(idle_w=1.0, idle_share=0.0)
        )
        assert found.idle_microjoules == 90_000_000


def test_idle_by_tokens_and_by_reservation() -> None:
    """20 J idle: by 10 and 30 tokens; by half and a quarter of the device, a quarter free."""
    parts = [part("a", 10, reserved_share=0.5), part("b", 0, 30, reserved_share=0.25)]

    def idle(policy: IdlePolicy) -> list[int | None]:
        found = attribute(
            reading(120.0), parts, weights=WEIGHTS, waiting=replace(WAITING, policy=policy)
        )
        return [*(each.idle_microjoules for each in found.parts), found.idle_microjoules]

    assert idle("unallocated") == [0, 0, 20_000_000]
    assert idle("by_tokens") == [5_000_000, 15_000_000, 0]
    assert idle("by_reservation") == [10_000_000, 5_000_000, 5_000_000]


def test_a_request_that_failed_pays_for_what_it_took_and_says_so() -> None:
    found = attribute(
        reading(120.0), [part("a", 10, failed=True)], weights=WEIGHTS, waiting=WAITING
    )
    assert (found.parts[0].failed, found.parts[0].work_microjoules) == (True, 100_000_000)


def test_a_reading_without_joules_has_no_parts_and_no_zero() -> None:
    found = attribute(reading(None), [part("a", 10)], weights=WEIGHTS, waiting=WAITING)
    assert (found.microjoules, found.parts, found.idle_microjoules) == (None, (), None)
    assert found.reason == "reset"


@pytest.mark.parametrize(
    ("parts", "change", "told"),
    [
        ([part("a", 1), part("a", 2)], {}, "'a' stands twice"),
        ([part("a", -1)], {}, "output_tokens of 'a' is -1"),
        ([part("a", 1)], {"idle_share": 1.5}, "idle_share is 1.5"),
        ([part("a", 1)], {"idle_w": float("nan")}, "idle_w is nan"),
        (
            [part("a", 1, reserved_share=0.7), part("b", 1, reserved_share=0.5)],
            {"policy": "by_reservation"},
            "1.2 of the device is reserved",
        ),
    ],
)
def test_what_cannot_be_is_refused(parts: list[Part], change: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        attribute(
            reading(1.0),
            parts,
            weights=WEIGHTS,
            waiting=replace(WAITING, **change),  # type: ignore[arg-type]
        )


PARTS = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 50000), st.floats(0.0, 0.05)),
    max_size=20,
).map(
    lambda rows: [
        part(f"r{at:02}", out, put, reserved_share=share)
        for at, (out, put, share) in enumerate(rows)
    ]
)
JOULES = st.floats(0.0, 1e6)
COST = st.floats(0.0, 50.0)
POLICIES = st.sampled_from(["unallocated", "by_tokens", "by_reservation"])


@given(
    parts=PARTS,
    energy_j=JOULES,
    decode=COST,
    prefill=COST,
    idle_w=st.floats(0.0, 1000.0),
    idle_share=st.floats(0.0, 1.0),
    policy=POLICIES,
    shuffle=st.randoms(),
)
def test_it_adds_up_exactly_and_in_any_order(
    parts: list[Part],
    energy_j: float,
    decode: float,
    prefill: float,
    idle_w: float,
    idle_share: float,
    policy: IdlePolicy,
    shuffle: object,
) -> None:
    weights = TokenWeights(decode_j_per_token=decode, prefill_j_per_token=prefill)
    waiting = Waiting(idle_w=idle_w, idle_share=idle_share, policy=policy)
    found = attribute(reading(energy_j), parts, weights=weights, waiting=waiting)
    assert found.idle_microjoules is not None
    paid = sum(each.total_microjoules for each in found.parts)
    assert paid + found.idle_microjoules == found.microjoules == round(energy_j * 1e6)
    assert found.idle_microjoules >= 0
    assert all(each.work_microjoules >= 0 and each.idle_microjoules >= 0 for each in found.parts)
    work = sum(each.work_microjoules for each in found.parts)
    if work:
        for name in ("prefill_halved_microjoules", "prefill_doubled_microjoules"):
            assert sum(getattr(each, name) for each in found.parts) == work
    mixed = list(parts)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    assert attribute(reading(energy_j), mixed, weights=weights, waiting=waiting) == found


@given(
    out=st.integers(1, 1000),
    put=st.integers(0, 1000),
    others=PARTS,
    energy_j=JOULES,
    policy=POLICIES,
)
def test_equals_pay_the_same_to_one_microjoule(
    out: int, put: int, others: list[Part], energy_j: float, policy: IdlePolicy
) -> None:
    twins = [part("twin-a", out, put), part("twin-b", out, put)]
    found = attribute(
        reading(energy_j),
        [*others, *twins],
        weights=WEIGHTS,
        waiting=replace(WAITING, policy=policy),
    )
    a, b = (each for each in found.parts if each.part_id.startswith("twin"))
    assert abs(a.work_microjoules - b.work_microjoules) <= 1
    assert abs(a.idle_microjoules - b.idle_microjoules) <= 1


@given(parts=PARTS, energy_j=JOULES, scale=st.sampled_from([0.25, 2.0, 1024.0]))
def test_only_the_ratio_of_the_model_counts(
    parts: list[Part], energy_j: float, scale: float
) -> None:
    scaled = TokenWeights(decode_j_per_token=2.0 * scale, prefill_j_per_token=0.5 * scale)
    one = attribute(reading(energy_j), parts, weights=WEIGHTS, waiting=WAITING)
    assert attribute(reading(energy_j), parts, weights=scaled, waiting=WAITING) == one


@given(
    rows=st.lists(st.tuples(st.integers(1, 500), st.integers(0, 500)), min_size=1, max_size=8),
    energy_j=st.floats(1.0, 1e5),
)
def test_a_window_cut_in_two_adds_up_to_the_whole(
    rows: list[tuple[int, int]], energy_j: float
) -> None:
    """Equal work in both halves: the sum parts from the whole by rounding alone, 3 uJ."""
    halves = [part(f"r{at}", out, put) for at, (out, put) in enumerate(rows)]
    whole = [part(f"r{at}", 2 * out, 2 * put) for at, (out, put) in enumerate(rows)]
    one = of(attribute(reading(energy_j), whole, weights=WEIGHTS, waiting=WAITING))
    half = of(attribute(reading(energy_j / 2, 2.0), halves, weights=WEIGHTS, waiting=WAITING))
    for name, microjoules in one.items():
        assert abs(2 * half[name] - microjoules) <= 3


@given(whole=st.integers(0, 10**12), weights=st.lists(st.integers(0, 10**9), max_size=30))
def test_no_share_is_a_whole_unit_from_its_quota(whole: int, weights: list[int]) -> None:
    shares = divide(whole, weights)
    total = sum(weights)
    assert sum(shares) == (whole if total else 0)
    for share, weight in zip(shares, weights, strict=True):
        assert not total or abs(share * total - whole * weight) < total
