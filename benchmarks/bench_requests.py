"""How fast and how true is the request simulator, what does its restraint keep, what is decided?

Goals, in this order:
1. No silent wrong answers: first and last token of every request equal Vidur's to 1e-9 s, with
   the same iterations, blocks and batches, and `leap` equals `step` as closely; else this exits
   with 1 and writes nothing.
2. Recorded runs of vLLM: mean errors of TTFT, TPOT and end-to-end at most 5 %, one law, no fit.
3. Speed: at least 1,000 times Vidur's requests per second (one thread, metrics on both sides),
   `leap` at least 5 times `step`, 5 million requests/s on two cores in product form.
4. Controllers of free tiers: the shares of value that `requests_controllers.py` asks for.
What misses one of the goals 2 to 4 is said, and this exits with 2. The parts are files of their
own, put together here:

| file | prints |
|---|---|
| `requests_speed.py` | Vidur, `leap` against `step`, two cores |
| `requests_recorded.py` | errors against recorded vLLM |
| `requests_controllers.py` | what each controller keeps of the value |
| `requests_decide.py` | microseconds of one decision |

Vidur is not part of this repository: `vidur_home.py` says where it is from. Where it is absent,
that is printed, and no ratio. `--parts speed decide` runs some; the others keep what the file
holds.
"""

import argparse
import importlib
import json
import sys
import time
from typing import Any

from record import RESULTS, environment, write

PARTS = ("speed", "recorded", "controllers", "decide")
EQUAL_S = 1e-9
GOAL_RATIO = 1000.0
GOAL_LEAP_OVER_STEP = 5.0
GOAL_REQUESTS_PER_S = 5e6
GOAL_ERROR_PERCENT = 5.0
RECORDED_RUN = "reused"
ERRORS = ("ttft_error_percent", "tpot_error_percent", "e2e_error_percent")


def measured(part: str) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what one part found, and its lines; None where its file is not there."""
    name = f"requests_{part}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None, [f"{part}: benchmarks/{name}.py is missing"]
    began = time.perf_counter()
    figures: dict[str, Any] = module.figures()
    lines: list[str] = list(module.tell(figures))
    return figures, [*lines, f"({part} took {time.perf_counter() - began:.0f} s)"]


def keys_of(part: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Return a part's figures under the keys that the results are read by."""
    if part == "recorded":
        return {"vllm": {name: with_errors(each) for name, each in figures.items()}}
    if part == "controllers":
        return {"controller": figures}
    if part == "decide":
        return {"decide_us": figures["decide_us"], "decide": figures}
    return figures


def with_errors(card: Any) -> Any:
    """Return a card's figures with the errors, in percent, of the run that reuses blocks.

    The recorded engine had prefix caching on, so that is the run to hold it to; `runs` keeps the
    other one beside it, where an evicted request finds none of its blocks again.
    """
    if not isinstance(card, dict) or "runs" not in card:
        return card
    run = card["runs"][RECORDED_RUN]
    errors = {f"{name}_error_percent": 100.0 * run[name] for name in ("ttft", "tpot", "e2e")}
    return errors | {"run": RECORDED_RUN} | card


def wrong(results: dict[str, Any]) -> list[str]:
    """Return what is not equal that must be."""
    vidur, said = results.get("vidur", {}), []
    if vidur.get("peers"):
        if not vidur["max_abs_diff_s"] <= EQUAL_S:
            said.append(f"{vidur['max_abs_diff_s']:.1e} s apart from Vidur, above {EQUAL_S} s")
        if not vidur["counts_equal"]:
            said.append("iterations, blocks or batches differ from Vidur's")
    apart_s = results.get("leap_step_max_abs_diff_s", 0.0)
    if not apart_s <= EQUAL_S:
        said.append(f"leap and step are {apart_s:.1e} s apart, above {EQUAL_S} s")
    return said


def missed(results: dict[str, Any]) -> list[str]:
    """Return which goals are missed."""
    said = []
    goals = (
        ("requests/s over Vidur's", results.get("vidur", {}).get("ratio"), GOAL_RATIO),
        ("leap over step", results.get("leap_over_step"), GOAL_LEAP_OVER_STEP),
        ("requests/s on two cores", results.get("requests_per_s_two_cores"), GOAL_REQUESTS_PER_S),
    )
    for name, found, goal in goals:
        if found is not None and not found >= goal:
            said.append(f"{name}: {found:,.4g} is below the goal of {goal:,g}")
    for run, errors in results.get("vllm", {}).items():
        for name in ERRORS:
            found = errors.get(name) if isinstance(errors, dict) else None
            if found is not None and not abs(found) <= GOAL_ERROR_PERCENT:
                said.append(f"vLLM {run}: {name} {found:+.1f} is beyond {GOAL_ERROR_PERCENT:g} %")
    for name, scenario in results.get("controller", {}).items():
        if isinstance(scenario, dict) and scenario.get("passes") is False:
            said.append(f"controller, {name}: below its goal")
    return said


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parts = parser.parse_args().parts
    file = RESULTS / "requests.json"
    held = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    ran = held.get("ran", {})
    results: dict[str, Any] = {}
    for part in parts:
        figures, lines = measured(part)
        print(f"\n== {part} ==", *lines, sep="\n", flush=True)
        if figures is not None:
            results |= keys_of(part, figures)
            ran[part] = environment("numba")
    if unequal := wrong(results):
        print(*unequal, sep="\n", file=sys.stderr)
        return 1
    if not results:
        print("nothing was measured, nothing written", file=sys.stderr)
        return 1
    ours = {"command", "date", "processor", "system", "clock", "load_average", "versions"}
    kept = {key: value for key, value in held.items() if key not in ours | {"ran"}}
    write("requests", kept | results | {"ran": ran}, "numba")
    below = missed(results)
    for line in below:
        print(line, file=sys.stderr)
    return 2 if below else 0


if __name__ == "__main__":
    sys.exit(main())
