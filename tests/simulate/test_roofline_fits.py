"""The fits of the roofline law to published measured rates, made again from the shared data."""

import csv
import math

import numpy as np
import pytest
from commands import ROOT

from tokenergy.files.catalogue import load_catalogue
from tokenergy.simulate.law import iteration_s
from tokenergy.simulate.roofline_fits import FITS, REFERENCE, fit_for
from tokenergy.simulate.roofline_law import RooflineFit, roofline_law

DATA = ROOT.parent / "shared" / "data" / "energy" / "mlenergy_v3_llm.csv"
INPUT_TOKENS = {"gpqa": 300, "lm-arena-chat": 250, "sourcegraph-fim": 2_000, "image-chat": 1_500,
                "video-chat": 6_000}  # fmt: skip
"""Of the benchmark's tasks, guessed: energy sheet, section 3."""
WIDTHS = {"bfloat16": 2.0, "fp8": 1.0}
CATALOGUE = load_catalogue()


def errors(accelerator: str, fit: RooflineFit) -> np.ndarray:
    """Return predicted over measured, less 1, of an iteration on every row of an accelerator.

    In the steady state an iteration makes one token of every sequence and prefills as many
    prompts as answers end: batch x input / output tokens. Measured is batch / output rate.
    """
    found = []
    known = {name for model in CATALOGUE.models for name in (model.model_id, model.hub_id)}
    with DATA.open(encoding="utf-8", newline="") as held:
        for row in csv.DictReader(held):
            if accelerator not in row["gpu_model"] or row["model_id"] not in known:
                continue
            if int(row["data_parallel"]) > 1:
                continue
            model = CATALOGUE.language_model(row["model_id"])
            width = WIDTHS.get(row["weight_precision"])
            model = model if width is None else model.at_precision(width)
            batch, output = float(row["avg_batch_size"]), float(row["avg_output_len"])
            asked = INPUT_TOKENS[row["task"]]
            law = roofline_law(
                model, CATALOGUE.accelerator(accelerator), gpus_count=int(row["num_gpus"]), fit=fit
            )
            decodes, chunk = round(batch), round(batch * asked / output)
            took_s, _ = iteration_s(
                law, decodes, int(decodes * (asked + output / 2.0)), min(1, chunk), chunk,
                chunk * chunk, 0, 0, chunk * asked / 2.0,
            )  # fmt: skip
            measured_s = batch / float(row["output_throughput_tokens_per_sec"])
            found.append(took_s / measured_s - 1.0)
    return np.array(found)


@pytest.mark.skipif(not DATA.is_file(), reason="needs the shared energy data")
@pytest.mark.parametrize(
    ("accelerator", "count", "mape_share"), [("H100", 405, 0.18), ("B200", 417, 0.29)]
)
def test_the_stated_error_is_the_error(accelerator: str, count: int, mape_share: float) -> None:
    own = errors(accelerator, FITS[accelerator])
    assert len(own) == count
    assert float(np.abs(own).mean()) == pytest.approx(mape_share, abs=0.01)
    # whoever leaves out the cost of a sequence is far off, however the rest is fitted
    plain = RooflineFit(
        arithmetic_share=FITS[accelerator].arithmetic_share,
        bandwidth_share=FITS[accelerator].bandwidth_share,
        layer_s=FITS[accelerator].layer_s,
        link_layer_s=FITS[accelerator].link_layer_s,
        source="without",
    )
    assert float(np.abs(errors(accelerator, plain)).mean()) > mape_share + 0.05


def test_an_accelerator_without_rates_leans_on_the_reference_and_says_so() -> None:
    carried = fit_for("H200")
    assert carried.bandwidth_share == FITS[REFERENCE].bandwidth_share
    assert "not measured on this one" in carried.source
    assert "not measured" not in fit_for("B200").source


def test_an_iteration_by_hand() -> None:
    """8.03 billion weights of 2 bytes at 0.903 of 3,350 GB/s, 32 layers of 66.9 us, one decode.

    16.06 / 3,025 s + 2.14 ms + 0.071 ms + cache of its 32 tokens (the middle of the bucket).
    """
    model, sku = CATALOGUE.language_model("llama-3.1-8b"), CATALOGUE.accelerator("H100")
    law = roofline_law(model, sku, gpus_count=1, fit=FITS["H100"])
    took_s, beyond = iteration_s(law, 1, 10, 0, 0, 0, 0, 0, 0.0)
    gb_per_s = 0.903 * sku.bandwidth_gb_per_s
    weights_s = model.total_b * 2.0 / gb_per_s
    cache_s = 32.5 * model.kv_full_bytes_per_token / 1e9 / gb_per_s
    by_hand_s = weights_s + 32 * 66.9e-6 + 70.9e-6 + cache_s
    assert beyond == 0
    assert took_s == pytest.approx(by_hand_s, rel=1e-9)
    assert math.isclose(weights_s, 5.3e-3, rel_tol=0.02)


def test_more_gpus_pay_for_their_links() -> None:
    """Four GPUs: twice 48.6 us a layer more, and a quarter of the weights each."""
    model, sku = CATALOGUE.language_model("llama-3.1-8b"), CATALOGUE.accelerator("H100")
    one, four = (roofline_law(model, sku, gpus_count=n, fit=FITS["H100"]) for n in (1, 4))
    assert four.fixed_s - one.fixed_s == pytest.approx(32 * 2 * 48.6e-6)
    assert four.weights_s == pytest.approx(one.weights_s / 4.0)


def test_the_source_of_the_rates_is_named() -> None:
    assert all("ML.ENERGY benchmark v3" in fit.source for fit in FITS.values())
