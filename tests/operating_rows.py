"""Rows of a table of operating points, for tests: made up, and said to be."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenergy.company.operating_row import OperatingRow, OperatingTerms, operating_terms
from tokenergy.dispatch.row_findings import pairs_of
from tokenergy.files.company_file import load

TERMS = OperatingTerms(
    fleet="texas-h100",
    model="small",
    workload="chat",
    catalogue_model="llama-3.1-8b",
    accelerator="H100",
    gpus_count=1,
    bytes_per_weight=2.0,
    batch_limit_count=256,
    input_tokens=500.0,
    output_tokens=200.0,
    ttft_limit_s=1.0,
    tpot_limit_s=0.05,
    network_s=0.005,
    host_w_per_gpu=150.0,
    facts_digest="0123456789ab",
)


def made_row(terms: OperatingTerms = TERMS, **changes: Any) -> OperatingRow:
    """Return a row: 5 requests/s, 800 W of which 650 W + 0.15 J a token of 200."""
    row = OperatingRow(
        terms=terms,
        rate_per_s=5.0,
        rate_spread_share=0.012,
        busy_share=0.99,
        mean_batch_count=41.5,
        power_w=800.0,
        base_w=650.0,
        marginal_j_per_token=0.15,
        power_tdp_share=650.0 / 700.0,
        half_load_error_share=0.04,
        prefill_beyond_share=0.2,
        ttft_s=0.9,
        tpot_s=0.03,
        unloaded_ttft_s=0.04,
        unloaded_tpot_s=0.008,
        bound="ttft",
        kv_blocks_count=20_000,
        block_tokens=16,
        chunk_tokens_count=2048,
        requests_count=20_000,
        seeds_count=3,
        lengths="made up for a test",
        law="roofline 1",
        tier="modelled",
        notes=("made up", "for a test"),
    )
    return replace(row, **changes)


def rows_for(path: Path, **changes: Any) -> list[OperatingRow]:
    """Return a made-up row for every pair of a company file."""
    company, inputs, catalogue, _ = load(path)
    return [
        made_row(
            operating_terms(
                company, catalogue, workload=pair.workload, model=pair.model, fleet=pair.fleet,
                lengths=pair.lengths,
            ),
            **changes,
        )
        for pair in pairs_of(company, inputs)
    ]  # fmt: skip
