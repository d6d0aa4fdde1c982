"""Write the fit of the product's form into the language rows of `catalogue/coefficients.csv`.

`bench_energy.py --write` calls it. Every other row, and every other cell, stays as it is.
"""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from energy_form import PRODUCT
from energy_rows import Column
from record import ROOT

FILE = ROOT / "src" / "tokenergy" / "catalogue" / "coefficients.csv"
SOURCE = (
    "own fit of the form of energy/predict.py on the facts of models.csv (benchmarks/"
    "bench_energy.py); attribute the dataset ml-energy/benchmark-v3 (Apache-2.0)"
)
UNITS = {
    "c_layer": "J/(GPU layer step)",
    "c_w": "J/GB",
    "c_e": "J/GB",
    "c_f": "J/TFLOP",
    "c_kv": "J/GB",
}


def write_coefficients(
    logs: Mapping[str, Column],
    *,
    in_sample_share: Mapping[str, float],
    blind_share: Mapping[str, float],
    rows_count: Mapping[str, int],
) -> None:
    """Replace the language rows by the fit; nuisances of the benchmark are not written."""
    text = FILE.read_text(encoding="utf-8")
    table = csv.DictReader(io.StringIO(text))
    head, old = list(table.fieldnames or ()), list(table)
    model = next(row for row in old if row["group"] == "language")
    new = [
        model
        | {
            "accelerator": gpu,
            "parameter": name,
            "value": f"{np.exp(values[PRODUCT.parameters.index(name)]):.4g}",
            "unit": UNITS.get(name, "ratio"),
            "fitted_on": f"{rows_count[gpu]} rows, ratios on all {sum(rows_count.values())}",
            "in_sample_mape": f"{in_sample_share[gpu]:.3f}",
            "blind_mape": f"{blind_share[gpu]:.3f}",
            "source": SOURCE,
            "retrieved_on": datetime.now(UTC).date().isoformat(),
        }
        for gpu, values in logs.items()
        for name in PRODUCT.parameters
        if not name.startswith("s_")
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, head, lineterminator="\n")
    writer.writeheader()
    writer.writerows([*new, *(row for row in old if row["group"] != "language")])
    FILE.write_text(out.getvalue(), encoding="utf-8")
