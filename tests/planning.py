"""The small company with sizes that are open, as a file: for tests of what `plan` says."""

from pathlib import Path

from commands import SMALL

PLAN = """
plan: # what may have another size
  sites:
    - {name: texas, most_mw: 6}
    - {name: virginia, most_mw: 4, step_mw: 0.5}
    - {name: frankfurt, most_mw: 2} # dear
  fleets:
    - {name: texas-h100, most_count: 4000}
    - {name: virginia-h100, most_count: 2400, step_count: 8}
    - {name: frankfurt-h100, most_count: 1800}
  batteries:
    - {name: frankfurt-battery, most_mw: 2}
  contracts:
    - {name: texas-wind, most_mw: 4}
"""


def planning_text(*, budget_usd: float | None = None) -> str:
    """Return the file's text."""
    text = SMALL.read_text(encoding="utf-8")
    more = "" if budget_usd is None else f"  budget_usd: {budget_usd}\n"
    return text + PLAN + more


def planning_file(folder: Path, **changes) -> Path:
    """Write the file into a folder."""
    path = folder / "planning.yaml"
    path.write_text(planning_text(**changes), encoding="utf-8")
    return path
