"""At a glance and at length: the same decision, field for field, wherever a glance is enough."""

import math
import random
from types import MappingProxyType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from request_boards import HOUR_S, board, candidate, request, rung, workload

from tokenergy.company.board import Board
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.routing.decide import decide, decided_at_length
from tokenergy.routing.glance import glance
from tokenergy.routing.state import State
from tokenergy.routing.ties import Wheel


def case_of(seed: int) -> tuple[Request, Board, State]:
    """Return a mostly plain request before a board whose places are mostly open."""
    draw = random.Random(seed)
    rungs = []
    for index in range(draw.choice([1, 1, 2, 3])):
        kappa = draw.choice([0.0, 0.2, 0.5])
        rungs.append(
            rung(
                [
                    candidate(
                        f"m{index}@s{site}",
                        draw.choice([1.0, 1.0, 1.005, 2.0, draw.uniform(0.0, 6.0)]),
                        share=draw.choice([0.0, 0.3, 0.5, 1.0]),
                        kappa_ratio=kappa if draw.random() < 0.9 else draw.uniform(0.0, 0.5),
                        awake_count=draw.choice(
                            [2.0, 10.0, 10.0, 10.0, 0.0 if draw.random() < 0.2 else 1.0]
                        ),
                        rtt_s=3.0 if draw.random() < 0.05 else 0.05,
                        context_limit_tokens=1_200 if draw.random() < 0.05 else 100_000,
                    )
                    for site in range(draw.randint(1, 4))
                ],
                quality_share=1.0 - 0.2 * index,
                cap_tokens=draw.choice([None, None, None, 300]) if index else None,
            )
        )
    per_request = draw.random() < 0.5
    made = board(
        workload(
            rungs,
            must_serve=draw.random() < 0.2,
            value_usd_per_mtok=None if per_request else draw.uniform(0.0, 20.0),
            value_usd_per_request=draw.uniform(0.0, 0.03) if per_request else None,
            rho_ratio=draw.choice([0.0, 0.5, 2.0]),
        )
    )
    asked = request(
        input_tokens=draw.randint(1, 1_500),
        output_tokens=draw.randint(1, 1_500),
        cached_tokens=draw.choice([None, None, 0, 400]),
        cap_tokens=draw.choice([None, 2_000]),
        model=draw.choice([None, "m0", "m0", "m1", "m9"]),
        may_downgrade=draw.random() < 0.2,
        may_cap=draw.random() < 0.2,
        value_usd=draw.choice([None, None, draw.uniform(0.0, 0.02)]),
    )
    state = State.opened(made, now_s=draw.choice([10.0, 10.0, HOUR_S - 1.0, HOUR_S + 1.0]))
    flying = tuple(draw.choice([0, 0, 0, 3, 9 if draw.random() < 0.3 else 1]) for _ in made.places)
    wheels: dict[Any, Wheel] = {}
    for step in made.workloads[0].rungs:
        if len(step.planned_names) > 1 and draw.random() < 0.7:
            owed = [draw.uniform(-500.0, 500.0) for _ in step.planned_names[1:]]
            wheels[step.planned_names] = Wheel((*owed, -sum(owed)), 900.0)
    counts = state.counts._replace(
        in_flight=flying, busy=flying, wheels=(MappingProxyType(wheels),)
    )
    state = state._replace(counts=counts)
    if draw.random() < 0.05:
        state = state.with_limited(["ann"])
    return asked, made, state


def same(one: Decision, other: Decision) -> bool:
    """Tell whether two decisions agree in every field; not a number equals itself here."""
    return all(
        a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))
        for a, b in zip(one, other, strict=True)
    )


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_a_glance_says_what_is_said_at_length(seed: int) -> None:
    asked, made, state = case_of(seed)
    load = made.workloads[0]
    found = glance(asked, load, made, state)
    long = decided_at_length(asked, load, made, state)
    assert same(decide(asked, made, state), long)
    if found is not None:
        assert same(found, long), (found, long)


def test_many_of_the_cases_are_plain() -> None:
    """Else the test above would hold nothing."""
    found = 0
    for seed in range(400):
        asked, made, state = case_of(seed)
        found += glance(asked, made.workloads[0], made, state) is not None
    assert found > 40
