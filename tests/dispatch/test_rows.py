"""Golden texts: one small case for each row function, with its formula and units.

The texts are in `golden/`, one file a function, made by hand-checking what
`UPDATE_GOLDEN=1 pytest tests/dispatch/test_rows.py` writes.

The case: two sites, two intervals of half an hour. Own deployments `big@s0` (2 GPUs) and
`small@s1` (1 GPU, wakes in 0.25 h), an external API of 7 Mtok/h; workloads `chat` (strict, its
tier promises a quality of 0.9) and `batch` (waits one interval); a battery of 4 MW at s1; a
contract over the grid at s0 and one behind the meter at s1; blocks of 1 MW likewise. PUE is
1.25, and the first sale at s1 costs money, so there only work draws power.
"""

import inspect
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from worlds import (
    api,
    api_route,
    battery,
    block,
    deployment,
    fleet,
    route,
    take,
    workload,
    world,
)

from tokenergy.dispatch import rows
from tokenergy.dispatch.columns import column_rules
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State
from tokenergy.lp.program import Program
from tokenergy.lp.text import column_lines, row_lines

GOLDEN = Path(__file__).parent / "golden"

WORLD = world(
    [[40.0, 60.0], [-5.0, 80.0]],
    [[9.0, 8.0], [3.0, 2.0]],
    routes=(
        route(0, 0, rate=10.0, marginal=0.1, network=0.5),
        route(0, 1, rate=20.0, marginal=0.02, quality=0.8),
        api_route(0, 2, usd_per_mtok=6.0, quality=0.95),
        route(1, 1, rate=25.0, marginal=0.015),
    ),
    deployments=(
        replace(deployment(0, gpus=2, base_mw=0.5), wake_mwh=0.05),
        deployment(1, gpus=1, base_mw=0.3, wake_h=0.25),
        api(limit=7.0),
    ),
    fleets=(fleet(0, gpus=16.0, lease=2.0, sleep_mw=0.01), fleet(1, gpus=9.5, sleep_mw=0.02)),
    workloads=(workload("chat", value=50.0), workload("batch", value=20.0, defer=1, tier_index=1)),
    takes=(take([2.0, 3.0]), take([1.0, 0.5], site=1, behind=True, curtail=False)),
    batteries=(battery(power=4.0, capacity=8.0, wear=3.0, efficiency=0.8),),
    battery_site=(1,),
    import_limit=12.0,
    export_limit=5.0,
    spread=2.0,
    pue=1.25,
    fixed=0.7,
    step_h=0.5,
    floors=(0.9, 0.0),
)
CASE = replace(WORLD, blocks=(block([1.0, 1.0]), block([1.0, 0.0], site=1, behind=True)))
STATE = State(
    awake=np.array([1.0, 3.0, 0.0]),
    energy_mwh=np.array([2.5]),
    backlog_mtok=np.array([[0.0], [1.5]]),
)
LABELS = {
    "serve": ("chat:big@s0", "chat:small@s1", "chat:api", "batch:small@s1"),
    **dict.fromkeys(("refused", "backlog", "demand"), ("chat", "batch")),
    **dict.fromkeys(("awake", "wake", "replicas", "waking"), ("big@s0", "small@s1")),
    **dict.fromkeys(
        ("it", "meter_import", "meter_export", "buy", "sell", "racks", "balance", "commercial"),
        ("s0", "s1"),
    ),
    "fleet": ("f0", "f1"),
    "take": ("grid@s0", "behind@s1"),
    **dict.fromkeys(("charge", "discharge", "energy", "battery", "exclusive"), ("b@s1",)),
    "quality": ("tier0",),
    "api": ("api",),
}
FUNCTIONS = (
    rows.racks,
    rows.physical_balance,
    rows.commercial_balance,
    rows.replica_capacity,
    rows.fleet_limit,
    rows.waking,
    rows.demand,
    rows.battery_energy,
    rows.charge_or_discharge,
    rows.quality_floor,
    rows.api_limit,
)


def program_of_columns() -> Program:
    program = Program(2)
    for name, (size, _) in column_rules(CASE).items():
        program.add_columns(name, size)
    return program


def build(function, program: Program, window):
    """Call a row function, put the coefficients of the window in place, return its rule."""
    if "moving" not in inspect.signature(function).parameters:
        return function(program, CASE)
    moving: list[rows.Moving] = []
    rule = function(program, CASE, moving)
    for each in moving:
        program.revalue(each.link, each.values(window))
    return rule


def hold(name: str, text: str) -> None:
    """Compare with the golden text, or write it where that was asked for."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def formula(function) -> str:
    """Return the first paragraph of a row function: its formula and its unit."""
    return " ".join(inspect.getdoc(function).split("\n\n")[0].split())


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_row_reads_as_its_formula(function):
    program = program_of_columns()
    window = true_window(CASE, begin=0, count=2)
    lower, upper = build(function, program, window)(window, STATE)
    lines = row_lines(program, lower, upper, labels=LABELS)
    assert len(program.rows) == 1
    hold(function.__name__, "\n".join([formula(function), "", *lines, ""]))


def test_every_row_function_has_a_golden_text():
    program = program_of_columns()
    assert len(rows.row_rules(program, CASE, [])) == len(FUNCTIONS)
    names = {function.__name__ for function in FUNCTIONS} | {"columns"}
    assert {path.stem for path in GOLDEN.glob("*.txt")} == names


def test_columns_read_as_their_rules():
    """Bounds are in MWh, Mtok or replicas per half hour: 12 MW of import are 6 MWh."""
    program = Program(2)
    blocks = []
    window = true_window(CASE, begin=0, count=2)
    for name, (size, rule) in column_rules(CASE).items():
        program.add_columns(name, size)
        blocks.append(rule(window, STATE))
    costs, lower, upper = (
        np.concatenate([np.asarray(getattr(numbers, part)) for numbers in blocks], axis=1)
        for part in ("costs", "lower", "upper")
    )
    lines = column_lines(program, costs, lower, upper, labels=LABELS)
    hold("columns", "\n".join([*lines, ""]))


def test_a_switched_off_interval_asks_for_nothing():
    """Beyond the horizon every row can be met by 0, and no column can be anything else."""
    window = true_window(CASE, begin=1, count=2)
    assert window.live_count == 1
    for function in FUNCTIONS:
        lower, upper = build(function, program_of_columns(), window)(window, STATE)
        assert np.all(lower[1] <= 0.0), function.__name__
        assert np.all(upper[1] >= 0.0), function.__name__
    for name, (_, rule) in column_rules(CASE).items():
        numbers = rule(window, STATE)
        if name != "energy":  # what is stored stays, and is worth its end value
            assert not np.any(numbers.lower[1]), name
            assert not np.any(numbers.upper[1]), name
