"""Models and accelerators: known to the catalogue, of the right kind, and small enough."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.finding import Finding
from tokenergy.company.fleet import Fleet, Model
from tokenergy.company.model import LanguageModel, MediaModel
from tokenergy.company.parts import Parts
from tokenergy.company.tier import Workload
from tokenergy.errors import UnknownName

USABLE_MEMORY_SHARE: Final = 0.9
"""What is left for weights and cache (energy sheet, section 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A fleet with its place in the file and its row of the catalogue."""

    path: str
    fleet: Fleet
    sku: Accelerator


def check_models(parts: Parts, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield what the catalogue, the fleets and the ladders say against the models."""
    yield from _lost(parts, catalogue)
    fleets: dict[str, _Placed] = {}
    for path, fleet in parts.placed("fleets"):
        try:
            sku = catalogue.accelerator(fleet.accelerator)
        except UnknownName as error:
            yield _not_in_catalogue(
                "UNKNOWN_ACCELERATOR", f"{path}.accelerator", fleet.accelerator, error
            )
            continue
        fleets[fleet.name] = _Placed(path=path, fleet=fleet, sku=sku)
    kinds: dict[str, str] = {}
    for path, model in parts.placed("models"):
        try:
            row = catalogue.model(model.catalogue)
        except UnknownName as error:
            yield _not_in_catalogue("UNKNOWN_MODEL", f"{path}.catalogue", model.catalogue, error)
            continue
        kinds[model.name] = row.kind
        yield from _shape(path, model, row)
        yield from _memory(path, model, row, fleets, parts)
    for path, workload in parts.placed("workloads"):
        yield from _lengths(path, workload, kinds)


def _lost(parts: Parts, catalogue: Catalogue) -> Iterator[Finding]:
    """Look up the catalogue's names in items that could not be read."""
    for section, word, code, find in (
        ("fleets", "accelerator", "UNKNOWN_ACCELERATOR", catalogue.accelerator),
        ("models", "catalogue", "UNKNOWN_MODEL", catalogue.model),
    ):
        for position, words in parts.lost(section).items():
            try:
                find(words[word]) if word in words else None
            except UnknownName as error:
                path = f"{section}[{position}].{word}"
                yield _not_in_catalogue(code, path, words[word], error)


def weights_gb(model: Model, row: LanguageModel | MediaModel) -> float:
    """Return the memory of a model's weights at its precision, GB."""
    if model.bytes_per_weight is None or isinstance(row, MediaModel):
        return row.weights_gb
    return row.total_b * model.bytes_per_weight


def _not_in_catalogue(code: str, path: str, value: str, error: UnknownName) -> Finding:
    reason, _, near = str(error).partition("; ")
    remedy = near[:1].upper() + near[1:] if near else "See the catalogue"
    return Finding(code=code, path=path, value=value, reason=reason, remedy=remedy)


def _shape(path: str, model: Model, row: LanguageModel | MediaModel) -> Iterator[Finding]:
    if isinstance(row, LanguageModel):
        if model.shape is not None:
            yield Finding(
                code="SHAPE_ON_LANGUAGE_MODEL",
                path=f"{path}.shape",
                value=model.catalogue,
                reason=f"model {model.name!r} makes tokens, and a token has no shape",
                remedy="Remove shape",
            )
        return
    what = "an image" if row.kind == "image" else "a video"
    suggestion = (
        f"{{height: {row.height}, width: {row.width}, frames: {row.frames}, steps: {row.steps}}}"
    )
    if model.shape is None:
        yield Finding(
            code="SHAPE_MISSING",
            path=path,
            value=model.catalogue,
            reason=f"model {model.name!r} makes {what}, and nothing says how large",
            remedy=f"Add a shape; the catalogue was measured at {suggestion}",
        )
    elif row.kind == "video_second" and model.shape.fps is None:
        yield Finding(
            code="SHAPE_MISSING",
            path=f"{path}.shape",
            value=model.catalogue,
            reason=f"model {model.name!r} makes a video, and nothing says how fast it plays",
            remedy=f"Add fps to the shape, {row.fps:g} for example",
        )
    if model.precision not in (None, "bf16"):
        yield Finding(
            code="PRECISION_UNKNOWN",
            path=f"{path}.precision",
            value=str(model.precision),
            limit="bf16",
            reason="image and video models are measured in bf16 only",
            remedy="Remove precision",
        )


def _memory(
    path: str,
    model: Model,
    row: LanguageModel | MediaModel,
    fleets: Mapping[str, _Placed],
    parts: Parts,
) -> Iterator[Finding]:
    """Hold the weights against the GPUs of one replica on each fleet that is to hold it.

    A model for every fleet (`fleets` left out) uses those that it fits; one must be among them,
    else the fleet that comes nearest is named.
    """
    named = model.fleets is not None
    wanted = [fleets[name] for name in model.fleets or fleets if name in fleets]
    faults = [
        fault for placed in wanted if (fault := _misfit(path, model, row, placed)) is not None
    ]
    all_known = len(fleets) == len(parts.names("fleets")) and parts.knows_all("fleets")
    if named:
        yield from faults
    elif faults and len(faults) == len(wanted) and all_known:
        yield max(faults, key=lambda fault: float(fault.limit))


def _misfit(
    path: str, model: Model, row: LanguageModel | MediaModel, placed: _Placed
) -> Finding | None:
    fleet, sku, count = placed.fleet, placed.sku, model.gpus_per_replica
    need_gb = weights_gb(model, row)
    room_gb = USABLE_MEMORY_SHARE * count * sku.memory_gb
    if need_gb > room_gb:
        least = math.ceil(need_gb / (USABLE_MEMORY_SHARE * sku.memory_gb))
        return Finding(
            code="MODEL_DOES_NOT_FIT",
            path=f"{path}.gpus_per_replica",
            value=f"{need_gb:.4g}",
            limit=f"{room_gb:.4g}",
            unit="GB",
            reason=f"the weights of {model.name!r} exceed {USABLE_MEMORY_SHARE:g} of the "
            f"memory of {count} x {sku.accelerator} (fleet {fleet.name!r})",
            remedy=f"Use {least} GPUs or more for a replica, or narrower weights, or name "
            "other fleets in the model's fleets",
        )
    available_count = math.floor(fleet.gpu_count * fleet.available_share)
    if count > available_count:
        return Finding(
            code="REPLICA_LARGER_THAN_FLEET",
            path=f"{path}.gpus_per_replica",
            value=f"{count}",
            limit=f"{available_count}",
            unit="GPUs",
            reason=f"fleet {fleet.name!r} has fewer GPUs at work than one replica of "
            f"{model.name!r} needs",
            remedy="Use fewer GPUs for a replica, or leave the fleet out of the model's fleets",
        )
    return None


def _lengths(path: str, workload: Workload, kinds: Mapping[str, str]) -> Iterator[Finding]:
    known = {name: kinds[name] for name in workload.ladder if name in kinds}
    if len(set(known.values())) > 1:
        yield Finding(
            code="LADDER_MIXED",
            path=f"{path}.ladder",
            value=", ".join(f"{name}: {kind}" for name, kind in known.items()),
            reason=f"workload {workload.name!r} asks for one kind of work, and its ladder "
            "makes several",
            remedy="Split the workload by kind",
        )
        return
    if len(known) < 1:
        return
    stated = workload.output_tokens is not None or workload.lengths is not None
    makes_tokens = next(iter(known.values())) == "token"
    if makes_tokens and not stated:
        yield Finding(
            code="LENGTHS_MISSING",
            path=path,
            value=workload.name,
            reason=f"workload {workload.name!r} asks for tokens, and nothing says how many",
            remedy="State input_tokens and output_tokens, or lengths of a trace",
        )
    elif not makes_tokens and stated:
        where = "lengths" if workload.lengths is not None else "output_tokens"
        yield Finding(
            code="LENGTHS_ON_MEDIA",
            path=f"{path}.{where}",
            value=workload.name,
            reason=f"workload {workload.name!r} asks for images or video: their size is the "
            "model's shape",
            remedy="Remove the lengths; say how many items a request asks for",
        )
