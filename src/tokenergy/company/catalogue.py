"""The catalogue: every accelerator and model this package knows facts about."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.coefficients import Coefficients
from tokenergy.company.curve_point import CurvePoint
from tokenergy.company.model import LanguageModel, MediaModel
from tokenergy.company.preset import Preset
from tokenergy.company.stack import Stack
from tokenergy.errors import UnknownAccelerator, UnknownModel

MOST_NAMED_COUNT: Final = 24
"""An error lists so many names; of more it says where they are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Facts by name. Lookups ignore case; a model answers to its id and to its hub id.

    `presets` are figures of others, for `preset.select`: nothing reads them as a default.
    `points` are what a company measured itself, under the names of the catalogue; none ship.
    """

    accelerators: tuple[Accelerator, ...]
    models: tuple[LanguageModel, ...]
    media_models: tuple[MediaModel, ...]
    coefficients: tuple[Coefficients, ...]
    presets: tuple[Preset, ...] = ()
    stacks: tuple[Stack, ...] = ()
    points: tuple[CurvePoint, ...] = ()

    def accelerator(self, name: str) -> Accelerator:
        """Return the accelerator of that name.

        Raises:
            UnknownAccelerator: naming the nearest known ones.
        """
        for row in self.accelerators:
            if row.accelerator.lower() == name.lower():
                return row
        known = [row.accelerator for row in self.accelerators]
        raise UnknownAccelerator(
            f"unknown accelerator {name!r}; {_nearest(name, known, 'accelerators')}"
        )

    def model(self, name: str) -> LanguageModel | MediaModel:
        """Return the model of that id or hub id, of whatever kind.

        Raises:
            UnknownModel: naming the nearest known ones.
        """
        wanted = name.lower()
        rows: tuple[LanguageModel | MediaModel, ...] = (*self.models, *self.media_models)
        for row in rows:
            if wanted in (row.model_id.lower(), row.hub_id.lower()):
                return row
        known = [known_name for row in rows for known_name in (row.model_id, row.hub_id)]
        raise UnknownModel(f"unknown model {name!r}; {_nearest(name, known, 'models', 'media')}")

    def language_model(self, name: str) -> LanguageModel:
        """Return the language model of that id or hub id.

        Raises:
            UnknownModel: if nothing, or something else, answers to that name.
        """
        row = self.model(name)
        if not isinstance(row, LanguageModel):
            raise UnknownModel(f"{name!r} makes {row.kind}s, not tokens")
        return row

    def media_model(self, name: str) -> MediaModel:
        """Return the image or video model of that id or hub id.

        Raises:
            UnknownModel: if nothing, or something else, answers to that name.
        """
        row = self.model(name)
        if not isinstance(row, MediaModel):
            raise UnknownModel(f"{name!r} makes tokens, not images or video")
        return row

    def fitted_coefficients(self, accelerator: str) -> Coefficients | None:
        """Return the numbers fitted on that accelerator, or None where there is no fit."""
        for row in self.coefficients:
            if row.accelerator.lower() == accelerator.lower():
                return row
        return None

    def stack(self, name: str, *, accelerator: str = "") -> Stack | None:
        """Return the serving stack of that name, like `vllm 0.11.1`, on that accelerator.

        A row of this accelerator comes before one that holds on any. None where no row
        answers: then nothing is known of the stack, which is a wide band and no error.
        """
        wanted = " ".join(name.lower().split())
        rows = [row for row in self.stacks if row.name.lower() == wanted]
        for board in (accelerator.lower(), ""):
            for row in rows:
                if row.accelerator.lower() == board:
                    return row
        return None


def _nearest(name: str, known: Iterable[str], *tables: str) -> str:
    from tokenergy.company.noun import nearest_names  # it loads pydantic: only on the way out

    known = tuple(known)
    names = nearest_names(name, known)
    if not names:
        every = sorted(known)
        if len(every) > MOST_NAMED_COUNT:
            listed = " and ".join(f"`tokenergy catalogue {table}`" for table in tables)
            return f"{len(every)} names are known: see {listed}"
        return "known are " + ", ".join(every)
    return "did you mean " + ", ".join(repr(hit) for hit in names) + "?"
