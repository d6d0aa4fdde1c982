"""What an image or a clip takes, as a table for people."""

from collections.abc import Sequence

from tokenergy.api.media_energy import ServedItem
from tokenergy.cli.columns import put, say
from tokenergy.energy.media_item import MediaItem

MANY_J = 1e4
"""From here on joules are shown in thousands."""


def media_table(items: Sequence[ServedItem]) -> None:
    """Print J and Wh of each item, and of a second of video at several lengths; nothing without."""
    if not items:
        return
    lengths_s = dict.fromkeys(clip.duration_s for served in items for clip in served.item.clips)
    cells = []
    for served in items:
        item = served.item
        own = "" if item.duration_s is None else f"{item.duration_s:.1f}"
        cells.append(
            [
                served.name,
                f"{item.gpus_count} {item.accelerator}",
                own,
                joules(item.item_j),
                watt_hours(item.item_wh),
                joules(item.j_per_video_s),
                watt_hours(item.wh_per_video_s),
                *(_of_length(item, length_s) for length_s in lengths_s),
            ]
        )
    put(
        "What an image or a clip takes on its GPU boards: no host, no idle, no cooling",
        cells,
        left=("model", "GPUs"),
        right=(
            "s", "J", "Wh", "J/s", "Wh/s", *(f"at {length_s:g} s" for length_s in lengths_s),
        ),
    )  # fmt: skip
    if lengths_s:
        say(
            "J/s, Wh/s: per second of video, at the clip's own length; then Wh/s at others, all "
            "else equal: attention grows with the square of the length, so a second of a longer "
            "clip takes more"
        )


def joules(figure: float | None) -> str:
    """Write joules, from ten thousand on in thousands; "-" where there are none."""
    if figure is None:
        return "-"
    return f"{figure / 1e3:,.0f}k" if figure >= MANY_J else f"{figure:,.0f}"


def watt_hours(figure: float | None) -> str:
    """Write watt-hours with three digits that mean something; "-" where there are none."""
    if figure is None:
        return "-"
    if figure >= 100.0:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10.0 else f"{figure:.2f}"


def _of_length(item: MediaItem, length_s: float) -> str:
    clips = [clip for clip in item.clips if clip.duration_s == length_s]
    return watt_hours(clips[0].wh_per_video_s) if clips else "-"
