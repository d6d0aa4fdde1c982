"""A row of the table of operating points knows what it was made for."""

import math
from dataclasses import fields, replace
from typing import Any

import pytest
from commands import SMALL
from operating_rows import TERMS, made_row

from tokenergy.company.curve_point import CurvePoint
from tokenergy.company.inputs import Lengths
from tokenergy.company.operating_row import (
    Misfit,
    OperatingTerms,
    facts_digest,
    fitting_row,
    operating_terms,
)
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.company_file import read_company


def test_the_rate_in_mtok_is_the_rate_times_the_output() -> None:
    """5 requests/s of 200 tokens are 1,000 tokens/s, 3.6 Mtok/h."""
    assert made_row().rate_mtok_per_h == pytest.approx(3.6)


def test_the_line_of_the_row_passes_through_its_point() -> None:
    """650 W and 0.15 J on each of 1,000 tokens/s are 800 W."""
    row = made_row()
    line_w = row.base_w + row.marginal_j_per_token * row.terms.output_tokens * row.rate_per_s
    assert line_w == pytest.approx(row.power_w)


@pytest.mark.parametrize("name", [term.name for term in fields(OperatingTerms)])
def test_another_value_of_any_term_is_another_digest(name: str) -> None:
    value: Any = getattr(TERMS, name)
    changed = replace(TERMS, **{name: f"{value}x" if isinstance(value, str) else value + 1})
    assert changed.digest != TERMS.digest
    assert TERMS.differences(changed)[0].startswith(name)
    assert len(TERMS.differences(changed)) == 1


def test_a_term_that_went_through_a_file_is_the_same() -> None:
    third = replace(TERMS, network_s=1.0 / 3.0)
    assert replace(third, network_s=float(f"{1.0 / 3.0:.12g}")).digest == third.digest
    assert third.differences(replace(third, network_s=float(f"{1.0 / 3.0:.12g}"))) == ()


def test_a_row_stands_only_for_its_own_terms() -> None:
    row = made_row()
    assert fitting_row([row], TERMS) is row
    stale = fitting_row([row], replace(TERMS, tpot_limit_s=0.08))
    assert isinstance(stale, Misfit)
    assert stale.differences == ("tpot_limit_s 0.05 instead of 0.08",)
    assert "chat with small@texas-h100" in str(stale)
    missing = fitting_row([row], replace(TERMS, workload="free"))
    assert isinstance(missing, Misfit)
    assert missing.differences == ()
    assert "no row for free with small@texas-h100" in str(missing)


def test_the_row_of_a_mix_stands_for_no_workload_alone() -> None:
    mixed = made_row(replace(TERMS, also="free"))
    assert isinstance(fitting_row([mixed], TERMS), Misfit)


def test_a_row_is_one_flat_mapping_without_nan() -> None:
    told = made_row(rate_per_s=0.0, power_w=math.nan).to_dict()
    assert told["power_w"] is None
    assert told["rate_mtok_per_h"] == 0.0
    assert told["workload"] == "chat"
    assert told["digest"] == TERMS.digest
    assert told["notes"] == ["made up", "for a test"]


def test_terms_are_read_off_the_company() -> None:
    """SMALL: chat-america may wait 2 s and 50 ms a token; texas is some 2,500 km away."""
    company, _ = read_company(SMALL)
    assert company is not None
    workload, model, fleet = company.workloads[0], company.models[0], company.fleets[0]
    terms = operating_terms(
        company,
        load_catalogue(),
        workload=workload,
        model=model,
        fleet=fleet,
        lengths=Lengths(input_tokens=900.0, output_tokens=300.0, digest="abc"),
    )
    assert terms.key == ("texas-h100", "large", "chat-america", "")
    assert (terms.ttft_limit_s, terms.tpot_limit_s) == (2.0, 0.05)
    assert (terms.gpus_count, terms.bytes_per_weight, terms.batch_limit_count) == (4, 2.0, 256)
    assert terms.lengths_digest == "abc"
    assert terms.host_w_per_gpu == 150.0
    assert 0.005 + 2000 * 1.4e-5 < terms.network_s < 0.005 + 3000 * 1.4e-5


def test_the_digest_of_the_facts_follows_figures_and_not_their_source() -> None:
    catalogue = load_catalogue()
    model, h100 = catalogue.language_model("llama-3.1-8b"), catalogue.accelerator("H100")
    before = facts_digest(catalogue, model, h100)
    assert facts_digest(catalogue, replace(model, source="another page"), h100) == before
    assert facts_digest(catalogue, replace(model, layers=model.layers + 1), h100) != before
    assert facts_digest(catalogue, model, replace(h100, tdp_w=h100.tdp_w - 1.0)) != before


def test_the_digest_of_the_facts_follows_the_points_of_its_own_replica() -> None:
    """A row made without points, or with others, is stale; those of another model are nothing."""
    catalogue = load_catalogue()
    model, h100 = catalogue.language_model("llama-3.1-8b"), catalogue.accelerator("H100")
    before = facts_digest(catalogue, model, h100)
    point = CurvePoint(
        model="llama-3.1-8b", accelerator="H100", gpus_count=1, batch_count=8.0, j_per_token=0.4
    )

    def digest(*points: CurvePoint) -> str:
        return facts_digest(replace(catalogue, points=points), model, h100)

    assert digest(point) != before
    assert digest(replace(point, j_per_token=0.5)) != digest(point)
    assert digest(replace(point, source="another page")) == digest(point)
    assert digest(replace(point, model="qwen3-8b")) == before


def test_a_stack_that_is_not_stated_leaves_older_rows_standing() -> None:
    """The digest of a term that older tables lack holds only where it says something."""
    assert replace(TERMS, stack="").digest == TERMS.digest == "f90b4607e8a3"
    assert replace(TERMS, stack="vllm 0.11.1").digest != TERMS.digest


@pytest.mark.parametrize(("sku", "moves"), [("H100", True), ("B200", False), ("H200", True)])
def test_a_refit_of_one_accelerator_moves_those_that_lean_on_it(sku: str, *, moves: bool) -> None:
    """H200 has no fit of its own and leans on another's; B200 has one."""
    catalogue = load_catalogue()
    model, own = catalogue.language_model("llama-3.1-8b"), catalogue.accelerator(sku)
    refitted = replace(
        catalogue,
        coefficients=tuple(
            replace(row, c_pre_j_per_tflop=9.0) if row.accelerator == "H100" else row
            for row in catalogue.coefficients
        ),
    )
    changed = facts_digest(refitted, model, own) != facts_digest(catalogue, model, own)
    assert changed is moves
