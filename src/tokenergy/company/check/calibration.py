"""Measured points against the deployments that they are to correct: each is of one of them."""

from collections.abc import Iterator
from dataclasses import replace

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.configuration import Configuration, precision_of
from tokenergy.company.finding import Finding
from tokenergy.company.fleet import Fleet, Model
from tokenergy.company.model import LanguageModel
from tokenergy.company.parts import Parts
from tokenergy.errors import UnknownName

PATH = "calibration"


def deployed(model: Model, fleet: Fleet, catalogue: Catalogue) -> Configuration | None:
    """Return what runs on a fleet: None for media, or where the catalogue lacks a name."""
    try:
        facts = catalogue.model(model.catalogue)
        sku = catalogue.accelerator(fleet.accelerator)
    except UnknownName:
        return None
    if not isinstance(facts, LanguageModel):
        return None
    return Configuration(
        model=facts.model_id,
        accelerator=sku.accelerator,
        gpus_count=model.gpus_per_replica,
        stack=model.stack or "",
        bytes_per_weight=precision_of(
            model.bytes_per_weight, published_bytes_per_weight=facts.bytes_per_weight
        ),
    )


def check_calibration(parts: Parts, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield what is wrong with the points of a catalogue for a company: nothing is an error.

    Points of no deployment correct nothing; points of one under several stacks correct nothing
    until the model says which of them it runs on.
    """
    measured = dict.fromkeys(point.configuration for point in catalogue.points)
    used: set[Configuration] = set()
    for path, model in parts.placed("models"):
        for fleet in parts.fleets:
            if model.fleets is not None and fleet.name not in model.fleets:
                continue
            own = deployed(model, fleet, catalogue)
            if own is None:
                continue
            hits = [each for each in measured if _answers(each, own)]
            used.update(hits)
            if len(hits) > 1:
                yield _several(path, own, hits)
    if not parts.knows_all("models") or not parts.knows_all("fleets"):
        return
    for each in measured:
        if each not in used:
            yield Finding(
                code="CALIBRATION_UNUSED",
                path=PATH,
                value=str(each),
                reason=f"points of {each}, and no model of this company runs like that: they "
                "correct nothing",
                remedy="State gpus_per_replica, precision and stack of the model as they were "
                "measured, or leave the points out",
                severity="warning",
            )


def _answers(measured: Configuration, own: Configuration) -> bool:
    if own.stack:
        same_case = replace(measured, stack=measured.stack.lower())
        return same_case == replace(own, stack=own.stack.lower())
    return replace(measured, stack="") == own


def _several(path: str, own: Configuration, hits: list[Configuration]) -> Finding:
    stacks = ", ".join(sorted(hit.stack or "no stated stack" for hit in hits))
    return Finding(
        code="CALIBRATION_STACKS",
        path=f"{path}.stack",
        value=stacks,
        limit="one",
        unit="stacks",
        reason=f"points of {own} were measured under several stacks, and none is used until the "
        "model says which it runs on",
        remedy="State stack",
        severity="warning",
    )
