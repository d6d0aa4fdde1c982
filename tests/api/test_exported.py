"""The names that `import tokenergy` promises, and what importing it costs."""

import subprocess
import sys

import pytest

import tokenergy as te

EXPORTED = [
    "Board",
    "CalibrationMade",
    "Checked",
    "DispatchPlan",
    "Economics",
    "EnergyAnswer",
    "Explained",
    "Exported",
    "Fetched",
    "Finding",
    "FindingsError",
    "Fought",
    "Imported",
    "Observation",
    "OpenCompany",
    "OperatingPoints",
    "Planned",
    "RequestReplay",
    "Settled",
    "Simulation",
    "TableMapping",
    "Thesis",
    "TokenergyError",
    "calibrate",
    "check",
    "dispatch",
    "draft",
    "duel",
    "economics",
    "energy",
    "explain",
    "export",
    "fetch",
    "import_file",
    "init_text",
    "load",
    "observe",
    "operating_points",
    "plan",
    "price",
    "replay",
    "report",
    "schema",
    "settle",
    "simulate",
    "thesis",
]
"""A name that is added here is a promise; one that is taken away breaks somebody's program."""


def test_the_exported_names() -> None:
    assert te.__all__ == EXPORTED
    assert dir(te) == sorted([*EXPORTED, "__version__"])


@pytest.mark.parametrize("name", EXPORTED)
def test_every_name_is_there_and_says_what_it_is_for(name: str) -> None:
    held = getattr(te, name)
    assert held.__doc__
    assert held.__name__ == name


def test_the_rooms_own_list_is_the_same() -> None:
    import tokenergy.api

    assert tokenergy.api.__all__ == EXPORTED


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'prices'"):
        te.prices  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import tokenergy", "numpy highspy polars altair numba pydantic typer rich yaml"),
        ("from tokenergy import load, price, simulate, report", "polars altair numba vl_convert"),
    ],
)
def test_importing_is_light(statement: str, absent: str) -> None:
    script = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) & set(absent.split()) == set()
