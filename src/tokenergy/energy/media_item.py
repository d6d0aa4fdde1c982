"""An image or a clip as a company asks for it: its joules on one kind of board, by length too."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.model import MediaModel, WorkUnit
from tokenergy.energy.media import ClipEnergy, clip_energy, item_j, media_band
from tokenergy.energy.predict import coefficients_for
from tokenergy.units import J_PER_WH

LENGTHS_S: Final = (2.0, 5.0, 10.0, 20.0, 60.0)
"""Of the clips that are shown beside a company's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaItem:
    """What one image or clip takes on the GPU boards that make it: no host, no idle, no cooling.

    Attributes:
        model: the catalogue's name.
        kind: `image` or `video_second`.
        accelerator: the boards.
        gpus_count: how many of them make one item together.
        height, width, frames, steps: its shape, and the steps that it is made in.
        duration_s: how long it plays; None: an image.
        item_j: joules of one item.
        clips: what clips of other lengths take, all else equal; none for an image.
        low_share, high_share: measured over predicted, 5th and 95th percentile.
        energy_tier: how the joules are known.
        boundary: what is in them.
        notes: what they rest on beyond what was measured.
    """

    model: str
    kind: WorkUnit
    accelerator: str
    gpus_count: int
    height: int
    width: int
    frames: int
    steps: int
    duration_s: float | None
    item_j: float
    clips: tuple[ClipEnergy, ...]
    low_share: float
    high_share: float
    energy_tier: Literal["modelled"] = "modelled"
    boundary: Literal["gpu"] = "gpu"
    notes: tuple[str, ...] = ()

    @property
    def item_wh(self) -> float:
        """Watt-hours of one item."""
        return self.item_j / J_PER_WH

    @property
    def j_per_video_s(self) -> float | None:
        """Joules per second that it plays, at its own length; None: an image."""
        return None if self.duration_s is None else self.item_j / self.duration_s

    @property
    def wh_per_video_s(self) -> float | None:
        """Watt-hours per second that it plays, at its own length; None: an image."""
        return None if self.duration_s is None else self.item_wh / self.duration_s

    def to_dict(self) -> dict[str, Any]:
        """Return the item as a JSON-ready mapping; keys carry units."""
        return {
            "catalogue": self.model,
            "kind": self.kind,
            "accelerator": self.accelerator,
            "gpus_count": self.gpus_count,
            "height": self.height,
            "width": self.width,
            "frames": self.frames,
            "steps": self.steps,
            "duration_s": self.duration_s,
            "j_per_item": self.item_j,
            "wh_per_item": self.item_wh,
            "j_per_video_s": self.j_per_video_s,
            "wh_per_video_s": self.wh_per_video_s,
            "by_length": [
                {
                    "duration_s": clip.duration_s,
                    "frames": clip.frames,
                    "tokens_count": clip.tokens_count,
                    "j_per_item": clip.clip_j,
                    "wh_per_item": clip.clip_wh,
                    "j_per_video_s": clip.j_per_video_s,
                    "wh_per_video_s": clip.wh_per_video_s,
                }
                for clip in self.clips
            ],
            "low_share": self.low_share,
            "high_share": self.high_share,
            "energy_tier": self.energy_tier,
            "boundary": self.boundary,
            "notes": list(self.notes),
        }


def media_item(
    catalogue: Catalogue,
    *,
    model: str,
    accelerator: str,
    gpus_count: int,
    height: int | None = None,
    width: int | None = None,
    frames: int | None = None,
    steps: int | None = None,
    fps: float | None = None,
    lengths_s: tuple[float, ...] = LENGTHS_S,
) -> MediaItem:
    """Return what one item takes; a part of its shape that is left out is the measured one.

    Args:
        fps: frames per second; None: the model's own.
        lengths_s: the lengths that `clips` are of, s; an image has none.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
        InputError: if a size, a length or a rate is not positive.
    """
    facts = catalogue.media_model(model)
    fit = coefficients_for(catalogue, accelerator)
    height, width = _or(height, facts.height), _or(width, facts.width)
    frames, steps = _or(frames, facts.frames), _or(steps, facts.steps)
    rate_fps = facts.fps if fps is None else fps
    made = {"gpus_count": gpus_count, "height": height, "width": width, "steps": steps}
    lengths_s = lengths_s if facts.kind == "video_second" else ()
    low_share, high_share = media_band(facts, fitted=fit.fitted)
    return MediaItem(
        model=facts.model_id,
        kind=facts.kind,
        accelerator=fit.accelerator,
        gpus_count=gpus_count,
        height=height,
        width=width,
        frames=frames,
        steps=steps,
        duration_s=None if facts.fps is None or rate_fps is None else frames / rate_fps,
        item_j=item_j(facts, fit, frames=frames, **made),
        clips=tuple(
            clip_energy(facts, fit, duration_s=duration_s, fps=rate_fps, **made)
            for duration_s in lengths_s
        ),
        low_share=low_share,
        high_share=high_share,
        notes=_notes(facts, fitted=fit.fitted, accelerator=fit.accelerator),
    )


def _notes(model: MediaModel, *, fitted: bool, accelerator: str) -> tuple[str, ...]:
    """Say what the joules rest on beyond what was measured."""
    notes = []
    if not fitted:
        notes.append(f"no measurements on {accelerator}: another accelerator's fit carried over")
    if model.kind == "video_second":
        notes.append(
            f"one shape of it was measured, {model.frames} frames of {model.height} x "
            f"{model.width}: any other is the form's"
        )
    return tuple(notes)


def _or(given: int | None, measured: int) -> int:
    return measured if given is None else given
