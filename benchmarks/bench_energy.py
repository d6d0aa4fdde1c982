"""How wrong are joules that nobody measured, and how much does each measured point mend them?

The error ladder of the energy sheet, sections 3, 4 and 5, on the ML.ENERGY benchmark v3 (dataset
ml-energy/benchmark-v3, Apache-2.0), which is read from ../shared/data/energy and not shipped.

Goals, in this order:
1. No silent wrong answers: the sheet's form on the sheet's facts gives the sheet's figures (25.1
   +-.1 %, median 19.6, MoE 30.2, every row of blind_predictions.csv to .2 %), and the vectorised
   form equals the product's `language_curve` on every row to 1e-12; else this exits with 1.
2. The product, on the verified catalogue, every family held out once: MAPE <= 25 % (dense 15, MoE
   30), median <= 19; with 1, 2, 3 points <= 15.5, 10, 7.2; throughput known <= 18; video and image
   of a model held out <= 12.5 and 26.5; 85 to 95 % of the rows within the nominal 90 % band; the
   power line of a replica to 3.0 % in the median; else this exits with 2.
3. EcoLogits on the same rows, in an environment of its own, with its note of fairness.

`--write` writes the fit into catalogue/coefficients.csv; `--no-peer` leaves EcoLogits out.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import energy_ecologits
import energy_media
import energy_points
import energy_power_line
import energy_stack
import energy_throughput
import numpy as np
from energy_blind import Blind, coverage, opened, product, reproduction
from energy_coefficients import write_coefficients
from energy_folds import ACCELERATORS, errors
from energy_form import PRODUCT
from energy_rows import SHARED, Column, catalogue_models, measured_rows, shared_models
from record import show, write

from tokenergy.company.model import LanguageModel
from tokenergy.energy.predict import coefficients_for, language_curve
from tokenergy.files.catalogue import load_catalogue

REPRODUCED = (
    ("mape_percent", 25.1, 0.1),
    ("median_percent", 19.6, 0.1),
    ("moe_mape_percent", 30.2, 0.1),
)
FURTHEST_ROW_PERCENT = 0.2
SAME_SHARE = 1e-12


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="write the fit into the catalogue")
    options.add_argument("--no-peer", action="store_true", help="leave EcoLogits out")
    asked = options.parse_args()
    if not SHARED.is_dir():
        print("no ../shared/data/energy beside this checkout: there is nothing to measure against")
        return 0
    blind = opened()
    results = ladder(blind, installs=not asked.no_peer)
    print_tables(results)
    wrong = list(faults(results))
    for fault in wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    if wrong:
        return 1
    write("energy", results, "scipy")
    if asked.write:
        write_fit(blind)
    missed = [goal for goal in goals(results) if not goal[3]]
    for name, said, wanted, _ in missed:
        print(f"missed: {name} {said:g}, goal {wanted}", file=sys.stderr)
    return 2 if missed else 0


def ladder(blind: Blind, *, installs: bool) -> dict[str, Any]:
    """Return every figure of the ladder, under the names that the JSON file has."""
    throughput = energy_throughput.figures()
    return {
        "reproduction": reproduction(),
        "blind": product(blind),
        **coverage(blind),
        "furthest_from_product_share": furthest_from_product(blind),
        "ecologits": energy_ecologits.figures(measured_rows(shared_models()), installs=installs),
        "points": energy_points.figures(blind.held_out_j),
        "points_reproduction": energy_points.figures(),
        "throughput_known_mape_percent": throughput["throughput_known_mape_percent"],
        "throughput": throughput,
        "media": energy_media.figures(),
        "power_line": energy_power_line.figures(),
        "stack": energy_stack.figures(),
    }


def furthest_from_product(blind: Blind) -> float:
    """Return the largest relative distance of the vectorised form from the product's own curve.

    Both with the coefficients of the catalogue, inputs of the guessed lengths.
    """
    catalogue, models = load_catalogue(), catalogue_models()
    rows = blind.rows
    said = np.array([_product_j(rows, at, models, catalogue) for at in range(rows.count)])
    return float(errors(_vectorised_j(blind, catalogue), said).max())


def _vectorised_j(blind: Blind, catalogue: Any) -> Column:
    rows = blind.rows
    answer = np.empty(rows.count)
    for gpu in ACCELERATORS:
        fit = coefficients_for(catalogue, gpu).language
        values = {
            "c_layer": fit.c_layer_j, "c_w": fit.c_w_j_per_gb, "c_f": fit.c_f_j_per_tflop,
            "c_kv": fit.c_kv_j_per_gb, "c_e": fit.c_e_j_per_gb, "x_moe": fit.x_moe_ratio,
            "x_fp8moe": fit.x_fp8moe_ratio, "x_flop_moe": fit.x_flop_moe_ratio,
            "c_comm": fit.c_comm_ratio, "s_image": 1.0, "s_video": 1.0,
        }  # fmt: skip
        at = rows.gpu == gpu
        logs = np.log([values[name] for name in PRODUCT.parameters])
        answer[at] = PRODUCT.j_per_token(logs, rows.where(at))
    return answer


def _product_j(rows: Any, at: int, models: dict[str, LanguageModel], catalogue: Any) -> float:
    inputs, outputs = float(rows.input_tokens_count[at]), float(rows.output_tokens_count[at])
    curve = language_curve(
        models[str(rows.hub_id[at])],
        coefficients_for(catalogue, str(rows.gpu[at])),
        gpus_count=int(rows.gpus_count[at]),
        context_tokens_count=inputs + outputs / 2.0,
        input_ratio=inputs / outputs,
    )
    return curve.average_j_per_token(float(rows.batch_count[at]))


def faults(results: dict[str, Any]) -> Iterator[str]:
    """Yield what makes the figures worthless."""
    told = results["reproduction"]
    for name, wanted, within in REPRODUCED:
        if abs(told[name] - wanted) > within:
            yield f"reproduction {name} is {told[name]:g}, the sheet has {wanted}"
    if told["furthest_row_percent"] > FURTHEST_ROW_PERCENT:
        yield f"a row is {told['furthest_row_percent']:g} % off blind_predictions.csv"
    if results["furthest_from_product_share"] > SAME_SHARE:
        yield f"the product differs by {results['furthest_from_product_share']:.2g} from its form"


def goals(results: dict[str, Any]) -> Iterator[tuple[str, float, str, bool]]:
    """Yield name, figure, goal in words and whether it is met."""
    blind, points, media = results["blind"], results["points"], results["media"]
    most = (
        ("blind MAPE %", blind["mape_percent"], 25.0),
        ("blind median %", blind["median_percent"], 19.0),
        ("blind dense MAPE %", blind["dense_mape_percent"], 15.0),
        ("blind MoE MAPE %", blind["moe_mape_percent"], 30.0),
        ("1 measured point MAPE %", points["1"], 15.5),
        ("2 measured points MAPE %", points["2"], 10.0),
        ("3 measured points MAPE %", points["3"], 7.2),
        ("throughput known MAPE %", results["throughput_known_mape_percent"], 18.0),
        ("video, model held out MAPE %", media["video_mape_percent"], 12.5),
        ("image, model held out MAPE %", media["image_mape_percent"], 26.5),
    )
    for name, said, limit in most:
        yield name, said, f"<= {limit:g}", said <= limit
    line = results["power_line"]["line_median_percent"]
    yield "power line of a replica, median %", line, "3, in whole %", round(line) <= 3
    share = 100.0 * results["coverage_share"]
    yield "rows in the nominal 90 % band %", round(share, 1), "85 to 95", 85.0 <= share <= 95.0


def print_tables(results: dict[str, Any]) -> None:
    """Print the ladder, then what no line of it can say."""
    told, blind, eco = results["reproduction"], results["blind"], results["ecologits"]
    names = (
        ("sheet's form, shared facts (reproduction)", told),
        ("sheet's form, verified catalogue", blind["sheet_form"]),
        ("our form as first declared, verified catalogue", blind["declared_first"]),
        ("product's form, verified catalogue", blind),
    )
    keys = ("", "median_", "dense_", "moe_", "hybrid_", "h100_", "b200_")
    show(
        "Joules per token of a family never measured: error in %, 838 rows",
        ["form", "MAPE", "median", "dense", "MoE", "hybrid", "H100", "B200"],
        [[name, *(part[_key(key)] for key in keys)] for name, part in names],
    )
    show(
        "The ladder",
        ["figure", "here", "goal", ""],
        [[name, said, wanted, "met" if met else "MISSED"]
         for name, said, wanted, met in goals(results)],
    )  # fmt: skip
    show(
        "EcoLogits on the same rows, boards alone: MAPE %",
        ["variant", "MAPE", "median"],
        [
            [name, eco.get(f"{key}_mape_percent", "absent"), eco.get(f"{key}_median_percent", "")]
            for name, key in (
                ("as it ships", "as_shipped"), ("true batch and GPUs", "true_batch"),
                ("its form refitted, family held out", "refitted_form"),
            )
        ],
    )  # fmt: skip
    print(eco["fairness"] + ".")
    for line in _notes(results):
        print(line)


def _notes(results: dict[str, Any]) -> Iterator[str]:
    blind, told = results["blind"], results["reproduction"]
    low, high = blind["bootstrap_percent"]
    yield f"furthest row from blind_predictions.csv: {told['furthest_row_percent']:.3g} %"
    yield (
        f"{blind['forms_tried_count']} forms of ours were judged on these folds (and seven of the "
        f"sheet's); bootstrap over families of the product's {low:.1f} to {high:.1f} %"
    )
    first = blind["declared_first"]
    yield (
        "NOT declared beforehand: the product's form was reached by looking at residuals of these "
        "folds, so its figures, and those with points, are optimistic. The one form that was "
        f"declared before they were opened gives {first['mape_percent']:.1f} % (median "
        f"{first['median_percent']:.1f}, dense {first['dense_mape_percent']:.1f}, MoE "
        f"{first['moe_mape_percent']:.1f})"
        + (": it misses the goal for dense" if first["dense_mape_percent"] > 15.0 else "")
    )
    worst = sorted(blind["families_mape_percent"].items(), key=lambda pair: -pair[1])[:5]
    yield "worst families: " + ", ".join(f"{name} {value:.0f} %" for name, value in worst)
    below = results["families_below_60_percent"]
    yield "band holds under 60 % of: " + (
        ", ".join(f"{name} ({share:.0%})" for name, share in below.items()) or "no family"
    )
    for part, name in (
        (energy_points, "points"), (energy_throughput, "throughput"), (energy_media, "media"),
        (energy_power_line, "power_line"), (energy_stack, "stack"),
    ):  # fmt: skip
        yield from part.tell(results[name])


def _key(key: str) -> str:
    return "median_percent" if key == "median_" else f"{key}mape_percent"


def write_fit(blind: Blind) -> None:
    """Write the product's coefficients."""
    rows = blind.rows

    def shares(said: Column) -> dict[str, float]:
        wrong = errors(said, rows.j_per_token)
        return {gpu: float(wrong[rows.gpu == gpu].mean()) for gpu in ACCELERATORS}

    write_coefficients(
        blind.logs,
        in_sample_share=shares(blind.in_sample_j),
        blind_share=shares(blind.held_out_j),
        rows_count={gpu: int((rows.gpu == gpu).sum()) for gpu in ACCELERATORS},
    )


if __name__ == "__main__":
    sys.exit(main())
