"""Media: what an image or a second of video takes, for each shape and board of a company."""

from dataclasses import dataclass
from typing import Any

from tokenergy.api.opened import OpenCompany
from tokenergy.company.fleet import MediaShape, Model
from tokenergy.energy.media_item import MediaItem, media_item


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedItem:
    """An item under the company's own name of the model that makes it."""

    name: str
    item: MediaItem

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping; keys carry units."""
        return {"model": self.name} | self.item.to_dict()


def media_items(company: OpenCompany) -> tuple[ServedItem, ...]:
    """Return the items of every media model on every kind of board that holds it.

    In the order of the file, models before fleets; none for a company that makes no media.
    """
    found: dict[tuple[str, str], ServedItem] = {}
    for model in company.company.models:
        for fleet in company.company.fleets:
            held = model.fleets is None or fleet.name in model.fleets
            key = (model.name, fleet.accelerator)
            if model.shape is None or not held or key in found:
                continue
            if _fits(company, model, fleet.accelerator):
                found[key] = _served(company, model, model.shape, fleet.accelerator)
    return tuple(found.values())


def _fits(company: OpenCompany, model: Model, accelerator: str) -> bool:
    """Tell whether one board holds all weights: where it does not, no replica of it is built."""
    weights_gb = company.catalogue.media_model(model.catalogue).weights_gb
    return weights_gb <= company.catalogue.accelerator(accelerator).usable_gb


def _served(company: OpenCompany, model: Model, shape: MediaShape, accelerator: str) -> ServedItem:
    return ServedItem(
        name=model.name,
        item=media_item(
            company.catalogue,
            model=model.catalogue,
            accelerator=accelerator,
            gpus_count=model.gpus_per_replica,
            height=shape.height,
            width=shape.width,
            frames=shape.frames,
            steps=shape.steps,
            fps=shape.fps,
        ),
    )
