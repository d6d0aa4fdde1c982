"""The catalogue that ships with the package: its CSV files, as values.

`verified` on a row means that every figure on it was checked on `retrieved_on` against the
file that `source` names; `source_kind` recalled means that nobody has checked it yet.
"""

import csv
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.coefficients import (
    Coefficients,
    LanguageCoefficients,
    MediaCoefficients,
)
from tokenergy.company.model import LanguageModel, MediaModel
from tokenergy.company.stack import Stack
from tokenergy.errors import UnexpectedError
from tokenergy.files.presets import load_presets

Row = Mapping[str, str]

_TRUTH = {"true": True, "false": False}


@cache
def load_catalogue() -> Catalogue:
    """Return the shipped catalogue; read once per process."""
    return Catalogue(
        accelerators=tuple(_accelerator(row) for row in _rows("accelerators")),
        models=tuple(_language_model(row) for row in _rows("models")),
        media_models=tuple(_media_model(row) for row in _rows("media_models")),
        coefficients=_coefficients(_rows("coefficients")),
        presets=load_presets(),
        stacks=tuple(_stack(row) for row in _rows("stacks")),
    )


def _rows(table: str) -> list[dict[str, str]]:
    text = (files("tokenergy") / "catalogue" / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _provenance(row: Row) -> dict[str, Any]:
    return {
        "source": row["source"],
        "source_kind": row["source_kind"],
        "retrieved_on": date.fromisoformat(row["retrieved_on"]),
        "verified": _TRUTH[row["verified"]],
    }


def _or_none(text: str) -> float | None:
    return float(text) if text else None


def _accelerator(row: Row) -> Accelerator:
    return Accelerator(
        accelerator=row["accelerator"],
        tdp_w=float(row["tdp_w"]),
        idle_w=float(row["idle_w"]),
        memory_gb=float(row["memory_gb"]),
        bandwidth_gb_per_s=float(row["bandwidth_gb_per_s"]),
        bf16_tflop_per_s=float(row["bf16_tflop_per_s"]),
        fp8_tflop_per_s=_or_none(row["fp8_tflop_per_s"]),
        price_usd=_or_none(row["price_usd"]),
        context_w=_or_none(row["context_w"]),
        **_provenance(row),
    )


def _language_model(row: Row) -> LanguageModel:
    architecture: Any = row["architecture"]
    weight_format: Any = row["weight_format"]
    return LanguageModel(
        model_id=row["model_id"],
        hub_id=row["hub_id"],
        total_b=float(row["total_b"]),
        active_b=float(row["active_b"]),
        layers=int(row["layers"]),
        hidden=int(row["hidden"]),
        kv_full_bytes_per_token=float(row["kv_full_bytes_per_token"]),
        kv_slide_bytes_per_token=float(row["kv_slide_bytes_per_token"]),
        window_tokens=int(row["window_tokens"]),
        experts=int(row["experts"]),
        topk=int(row["topk"]),
        bytes_per_weight=float(row["bytes_per_weight"]),
        architecture=architecture,
        family=row["family"],
        family_measured=_TRUTH[row["family_measured"]],
        weight_format=weight_format,
        routed_b=float(row["routed_b"]),
        shared_expert_b=float(row["shared_expert_b"]),
        embedding_b=float(row["embedding_b"]),
        encoder_b=float(row["encoder_b"]),
        moe_layers=int(row["moe_layers"]),
        expert_hidden=int(row["expert_hidden"]),
        attention_layers=int(row["attention_layers"]),
        kv_heads=int(row["kv_heads"]),
        state_bytes=float(row["state_bytes"]),
        **_provenance(row),
    )


def _media_model(row: Row) -> MediaModel:
    kind: Any = row["kind"]
    return MediaModel(
        model_id=row["model_id"],
        hub_id=row["hub_id"],
        kind=kind,
        params_b=float(row["params_b"]),
        layers=int(row["layers"]),
        hidden=int(row["hidden"]),
        text_tokens=int(row["text_tokens"]),
        cfg_passes=int(row["cfg_passes"]),
        full_attention=_TRUTH[row["full_attention"]],
        pixels_per_token=int(row["pixels_per_token"]),
        frames_per_latent=int(row["frames_per_latent"]),
        latents_per_token=int(row["latents_per_token"]),
        fps=_or_none(row["fps"]),
        height=int(row["height"]),
        width=int(row["width"]),
        frames=int(row["frames"]),
        steps=int(row["steps"]),
        **_provenance(row),
    )


def _stack(row: Row) -> Stack:
    return Stack(
        engine=row["engine"],
        version=row["version"],
        accelerator=row["accelerator"],
        scalar_ratio=float(row["scalar_ratio"]),
        low_ratio=float(row["low_ratio"]),
        high_ratio=float(row["high_ratio"]),
        points_count=int(row["points_count"]),
        data_version=row["data_version"],
        **_provenance(row),
    )


def _coefficients(rows: list[dict[str, str]]) -> tuple[Coefficients, ...]:
    names = dict.fromkeys(row["accelerator"] for row in rows)
    return tuple(
        _coefficients_of(name, [row for row in rows if row["accelerator"] == name])
        for name in names
    )


def _coefficients_of(accelerator: str, rows: list[dict[str, str]]) -> Coefficients:
    by_key = {(row["group"], row["parameter"]): row for row in rows}
    if len(by_key) != len(rows):
        raise UnexpectedError(f"coefficients.csv: a parameter of {accelerator!r} twice")

    def number(group: str, parameter: str) -> float:
        return float(by_key[group, parameter]["value"])

    def media(group: str) -> MediaCoefficients:
        return MediaCoefficients(
            c_lin_j_per_tflop=number(group, "c_lin"),
            c_att_j_per_tflop=number(group, "c_att"),
            c_px_j_per_mpx=number(group, "c_px"),
            c_n_ratio=number(group, "c_n"),
            c_s_j=number(group, "c_s"),
        )

    fit = by_key["language", "c_layer"]
    return Coefficients(
        accelerator=accelerator,
        language=LanguageCoefficients(
            c_layer_j=number("language", "c_layer"),
            c_w_j_per_gb=number("language", "c_w"),
            c_e_j_per_gb=number("language", "c_e"),
            c_f_j_per_tflop=number("language", "c_f"),
            c_kv_j_per_gb=number("language", "c_kv"),
            x_moe_ratio=number("language", "x_moe"),
            x_fp8moe_ratio=number("language", "x_fp8moe"),
            x_flop_moe_ratio=number("language", "x_flop_moe"),
            c_comm_ratio=number("language", "c_comm"),
        ),
        media_one_gpu=media("media_one_gpu"),
        media_many_gpus=media("media_many_gpus"),
        c_pre_j_per_tflop=number("prefill", "c_pre"),
        power_share=number("power", "language"),
        image_power_share=number("power", "image"),
        video_power_share=number("power", "video_second"),
        data_version=fit["data_version"],
        media_data_version=by_key["media_one_gpu", "c_lin"]["data_version"],
        in_sample_mape_share=_or_none(fit["in_sample_mape"]),
        blind_mape_share=_or_none(fit["blind_mape"]),
    )
