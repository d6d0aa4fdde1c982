"""The tables of the catalogue and what its release check says, for people."""

from collections.abc import Mapping
from typing import Any, Final

from tokenergy.api.catalogued import CatalogueShown
from tokenergy.cli.columns import counted, figure, put, say

_TITLES: Final = {
    "accelerators": "Accelerators, one board: dense rates; idle: no process; held: a process too",
    "models": "Language models: 10^9 parameters, bytes of BF16 cache a token, experts",
    "media": "Image and video models: 10^9 parameters, and the shape that was measured",
    "coefficients": "Fitted numbers: dimensions of a form, not measured facts one by one",
    "stacks": "Serving stacks: the factor on the joules of the reference stack",
}
_LEFT: Final = {
    "accelerators": ("accelerator",),
    "models": ("model", "kind"),
    "media": ("model", "makes"),
    "coefficients": ("accelerator", "group", "parameter"),
    "stacks": ("stack", "accelerator"),
}
_RIGHT: Final = {
    "accelerators": ("TDP W", "idle W", "held W", "GB", "GB/s", "BF16 TF/s", "FP8 TF/s"),
    "models": ("total", "active", "layers", "cache", "window", "experts", "bytes/w"),
    "media": ("params", "layers", "passes", "fps", "frames", "pixels", "steps"),
    "coefficients": ("value", "unit"),
    "stacks": ("factor", "low", "high", "points"),
}


def overview(shown: CatalogueShown) -> None:
    """Print how many rows each table has, and how many of them were checked."""
    cells = []
    for table in shown.rows:
        rows = shown.of(table)
        verified_count = sum(row.verified for row in rows)
        cells.append([table, str(len(rows)), str(verified_count), str(len(rows) - verified_count)])
    put("The catalogue that ships", cells, left=("table",), right=("rows", "verified", "not"))
    say("tokenergy catalogue TABLE shows its rows; --check what is verified; --json all of it")


def rows(shown: CatalogueShown) -> None:
    """Print the figures of each chosen table."""
    for table, table_rows in shown.rows.items():
        words_count = len(_LEFT[table])
        cells = []
        for row, provenance in zip(table_rows, shown.of(table), strict=True):
            told = _CELLS[table](row)
            mark = provenance.source_kind + ("" if provenance.verified else ", not verified")
            cells.append([*told[:words_count], mark, *told[words_count:]])
        put(_TITLES[table], cells, left=(*_LEFT[table], "source"), right=_RIGHT[table])


def checked(shown: CatalogueShown) -> None:
    """Print what was verified, then what was not with its source, then what keeps it back."""
    for table in shown.rows:
        verified = [row.name for row in shown.of(table) if row.verified]
        say(f"{table}: {len(verified)} of {counted(len(shown.of(table)), 'row')} verified")
        if verified and table != "coefficients":
            say(", ".join(verified), indent=2)
    waiting = [row for row in shown.provenance if not row.verified]
    if waiting:
        say("not verified", style="bold")
    for row in waiting:
        say(f"{row.path} ({row.source_kind}): {row.source or 'no source'}", indent=2)
    for finding in shown.errors:
        say(f"error {finding.code} {finding.path}: {finding.reason}. {finding.remedy}", style="red")
    if shown.errors:
        say(f"{counted(len(shown.errors), 'error')}: not fit for a release")
    else:
        say(f"fit for a release: no row is only recalled; {len(waiting)} not verified")


def _accelerator(row: Mapping[str, Any]) -> list[str]:
    held_w = None if row["context_w"] is None else row["idle_w"] + row["context_w"]
    return [
        row["accelerator"],
        figure(row["tdp_w"], 0),
        figure(row["idle_w"], 0),
        figure(held_w, 0),
        figure(row["memory_gb"], 0),
        figure(row["bandwidth_gb_per_s"], 0),
        figure(row["bf16_tflop_per_s"], 0),
        figure(row["fp8_tflop_per_s"], 0),
    ]


def _model(row: Mapping[str, Any]) -> list[str]:
    cache_bytes = row["kv_full_bytes_per_token"] + row["kv_slide_bytes_per_token"]
    return [
        row["model_id"],
        row["architecture"],
        figure(row["total_b"], 2),
        figure(row["active_b"], 2),
        str(row["layers"]),
        figure(cache_bytes, 0),
        str(row["window_tokens"]),
        f"{row['topk']}/{row['experts']}" if row["experts"] else "-",
        figure(row["bytes_per_weight"], 2),
    ]


def _media(row: Mapping[str, Any]) -> list[str]:
    return [
        row["model_id"],
        row["kind"],
        figure(row["params_b"], 1),
        str(row["layers"]),
        str(row["cfg_passes"]),
        figure(row["fps"], 0),
        str(row["frames"]),
        f"{row['height']} x {row['width']}",
        str(row["steps"]),
    ]


def _coefficient(row: Mapping[str, Any]) -> list[str]:
    return [
        row["accelerator"],
        row["group"],
        row["parameter"],
        f"{row['value']:.4g}",
        row["unit"],
    ]


def _stack(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['engine']} {row['version']}",
        row["accelerator"] or "any",
        figure(row["scalar_ratio"], 2),
        figure(row["low_ratio"], 2),
        figure(row["high_ratio"], 2),
        figure(row["points_count"], 0),
    ]


_CELLS: Final = {
    "accelerators": _accelerator,
    "models": _model,
    "media": _media,
    "coefficients": _coefficient,
    "stacks": _stack,
}
