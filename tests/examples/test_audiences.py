"""The scripts of examples/, one for each audience: each runs and prints what that person wants."""

import re
import runpy
import sys
from contextlib import redirect_stdout
from functools import cache
from io import StringIO

import pytest
from commands import ROOT

EXAMPLES = ROOT / "examples"
PAGE = ROOT / "docs" / "audiences.md"
SAYS = {
    "on_call": (
        r"Meridian, 2026-03-02 18:00 UTC, USD/Mtok at the margin",
        r"chat-america +0\.0366  large at texas: gpu_rent 0\.02\d\d, energy 0\.01\d\d",
        r"texas +\d+\.\d\d of 15 MW",
    ),
    "energy_planner": (
        r"dallas: at most 0\.\d+ of 0\.3 MW, full in 0 h",
        r"That costs [\d,]+ USD over 48 h, .* proved by duality",
        r"sun +0\.600 MW: one more saves [\d,]+ USD a year and costs 0",
    ),
    "finops": (
        r"A Mtok costs 0\.\d+ USD in full, kWh \d+\.\d%; marginal 0\.\d+; sells for 2\.57",
        r"chat +revenue +[\d,]+ USD, margin at full cost +[\d,]+ USD",
        r"wires +[\d,]+\.\d\d USD",
    ),
    "visitor": (
        r"films by film at sydney: 0\.\d{4} USD/Mtok",
        r"mpc saves [\d,]+ USD against greedy_battery: \d+\.\d% of its cost",
        r"mpc is 0\.\d+% above clairvoyant",
    ),
}


SLOW = {"on_call", "visitor"}
"""Scripts that price Meridian: five seconds of a core each."""
MARKED = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in SAYS]


@cache
def said(name: str) -> str:
    """Run a script as `python examples/NAME.py` and return what it printed."""
    path, told = EXAMPLES / f"{name}.py", StringIO()
    kept, sys.argv = sys.argv, [str(path)]
    try:
        with redirect_stdout(told):
            runpy.run_path(str(path), run_name="__main__")
    finally:
        sys.argv = kept
    return told.getvalue()


@pytest.mark.parametrize("name", MARKED)
def test_a_script_prints_what_its_reader_wants(name: str) -> None:
    for pattern in SAYS[name]:
        assert re.search(pattern, said(name)), f"{pattern}\n{said(name)}"


@pytest.mark.slow
def test_the_visitors_parts_sum_to_the_price() -> None:
    """Each printed part is rounded by at most half of its last digit; the smallest are left out."""
    lines = said("visitor").splitlines()
    at = next(at for at, line in enumerate(lines) if "USD/Mtok" in line)
    price = float(lines[at].rsplit(maxsplit=2)[1])
    parts = [float(line.split()[1]) for line in lines[at + 1 :] if line.startswith("  ")]
    assert len(parts) > 2
    assert sum(parts) == pytest.approx(price, abs=0.00005 * 10)


@pytest.mark.parametrize("name", SAYS)
def test_a_script_is_short_has_cells_and_its_page_names_it(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert text.count("\n# %% ") >= 3
    assert f"(../examples/{name}.py)" in PAGE.read_text(encoding="utf-8")
    assert "from tokenergy" not in text, "the public API is enough"
