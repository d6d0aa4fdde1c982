"""Our program against the optima that PyPSA found, kept by benchmarks/bench_dispatch.py.

PyPSA solved the same companies as networks of its own (benchmarks/pypsa_peer.py); the objectives
in benchmarks/results/dispatch.json are its, and this needs no PyPSA. A company that was changed
since has another digest: run `make bench-dispatch` to ask PyPSA again.
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tokenergy.dispatch.solve import Optimum, WindowModel

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
STORED = BENCHMARKS / "results" / "dispatch.json"
NAMES = ("plain", "stored", "contracted", "ten_sites")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        path = list(sys.path)
        spec = importlib.util.spec_from_file_location(
            "bench_dispatch", BENCHMARKS / "bench_dispatch.py"
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.path[:] = path
    return module


@pytest.fixture(scope="module")
def optima(bench: ModuleType) -> dict[str, Optimum]:
    return {
        case.name: WindowModel(case.world, case.window, case.state).solved(case.window)
        for case in bench.cases()
    }


def test_every_company_of_the_benchmark_has_a_stored_objective(bench: ModuleType) -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))["cases"]
    digests = {case.name: bench.digest(case) for case in bench.cases()}
    assert set(digests) == set(NAMES)
    assert {name: case["digest"] for name, case in stored.items()} == digests, (
        "a company changed after PyPSA solved it: make bench-dispatch"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_optimum_is_the_one_that_pypsa_found(name: str, optima: dict[str, Optimum]) -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))["cases"][name]
    assert optima[name].objective_usd == pytest.approx(stored["pypsa_objective_usd"], rel=1e-6)


def test_the_small_companies_put_every_row_to_work(optima: dict[str, Optimum]) -> None:
    """An agreement on rows that never bind would say nothing about them."""
    small = [optima[name] for name in ("plain", "stored", "contracted")]
    idle = {
        row
        for row in small[0].program.rows
        if not any(np.any(np.abs(optimum.dual(row)) > 1e-6) for optimum in small)
    }
    assert not idle
