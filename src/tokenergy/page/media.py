"""The section on images and video: what one takes in joules, and a second of video by length."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import altair as alt

from tokenergy.page import palette
from tokenergy.page.data import ReportData
from tokenergy.page.drawing import WIDTH_PX, legend, titled, with_rows
from tokenergy.page.html import Column, Section, figure, paragraph, table
from tokenergy.page.number import amount, significant
from tokenergy.page.rows import Row, unique
from tokenergy.page.stated import Stated, stated

SAME_LENGTH_SHARE = 0.05
BOARDS = "GPU boards only: no host, no idle, no cooling"


def media(data: ReportData) -> Section:
    """Return what an image or a clip takes on each kind of board."""
    when = stated(data)
    body = paragraph(
        "Joules of one image or clip, from its shape and its steps. Attention grows with the "
        "square of a clip's length, so a second of a longer clip takes more: it is a function of "
        "the length, not a number. Joules are modelled; measurements lie between low and high "
        "times these in 9 of 10 cases."
    ) + item_table(data.media, when)
    rows = length_rows(data.media)
    shown: dict[str, Any] = {}
    if rows:
        chart = length_chart(rows, stated=when)
        shown["media_lengths"] = chart
        body += figure(
            "media_lengths",
            chart,
            words="Lines of watt-hours per second of video, rising with the length of the clip, "
            "one for each model and kind of board. The table below has the numbers.",
        ) + length_table(rows, when)
    for note in unique(f"{row['model']}: {note}" for row in data.media for note in row["notes"]):
        body += paragraph(str(note))
    return Section(
        anchor="media", link="Media", title="What an image or a clip takes", body=body, charts=shown
    )


def item_table(items: Sequence[Mapping[str, Any]], stated: Stated) -> str:
    """Return J and Wh of each item at its own shape."""
    rows = [
        dict(item)
        | {
            "shape": f"{item['height']} x {item['width']}"
            + (f", {item['frames']} frames" if item["frames"] > 1 else "")
            + f", {item['steps']} steps",
            "place": _place(item),
        }
        for item in items
    ]
    columns = [
        Column(title="Model", name="model"),
        Column(title="On", name="place"),
        Column(title="Shape", name="shape"),
        Column(title="Length, s", name="duration_s", write=significant),
        Column(title="J", name="j_per_item", write=amount),
        Column(title="Wh", name="wh_per_item", write=significant),
        Column(title="J a second", name="j_per_video_s", write=amount),
        Column(title="Wh a second", name="wh_per_video_s", write=significant),
        Column(title="Low", name="low_share", write=significant),
        Column(title="High", name="high_share", write=significant),
    ]
    return table("Energy of an item", stated.subtitle("J and Wh", BOARDS), columns, rows)


def length_rows(items: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return one row for each clip, at the lengths shown and at its own, by rising length.

    A length so near its own that they would be told apart only by padding gives way to it.
    """
    rows: list[Row] = []
    for item, boards in _of_one_energy(items):
        own = {name: item[name] for name in ("duration_s", "frames", "j_per_item", "wh_per_item")}
        own |= {name: item[name] for name in ("j_per_video_s", "wh_per_video_s")}
        apart_s = SAME_LENGTH_SHARE * float(item["duration_s"])
        clips = [
            dict(clip)
            for clip in item["by_length"]
            if abs(clip["duration_s"] - item["duration_s"]) > apart_s
        ]
        clips.append(own)
        line = f"{item['model']} on {item['gpus_count']} {' or '.join(boards)}"
        rows += [
            {"line": line} | clip
            for clip in sorted(clips, key=lambda clip: float(clip["duration_s"]))
        ]
    return rows


def _of_one_energy(
    items: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[Mapping[str, Any], tuple[str, ...]]]:
    """Yield the clips, those that take the same on several boards once, with all the boards.

    A board without measurements whose data sheet has the ratios of a measured one takes the same.
    """
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for item in items:
        if item["duration_s"] is not None:
            key = (item["model"], item["gpus_count"], significant(item["j_per_item"], 4))
            found.setdefault(key, []).append(item)
    for same in found.values():
        yield same[0], tuple(str(item["accelerator"]) for item in same)


def length_table(rows: Sequence[Row], stated: Stated) -> str:
    """Return what clips of several lengths take, and a second of each."""
    columns = [
        Column(title="Model", name="line"),
        Column(title="Length, s", name="duration_s", write=significant),
        Column(title="Frames", name="frames", write="{:,.0f}".format),
        Column(title="J", name="j_per_item", write=amount),
        Column(title="Wh", name="wh_per_item", write=significant),
        Column(title="J a second", name="j_per_video_s", write=amount),
        Column(title="Wh a second", name="wh_per_video_s", write=significant),
    ]
    return table("Energy by length", stated.subtitle("J and Wh", BOARDS), columns, rows)


def length_chart(rows: Sequence[Row], *, stated: Stated) -> Any:
    """Show what a second of video takes over the length of the clip, a line for each model."""
    names = [str(name) for name in unique(row["line"] for row in rows)]
    colours = [palette.BLUE, palette.ORANGE, palette.GREEN, palette.VERMILLION, palette.SKY]
    chosen = {name: colours[at % len(colours)] for at, name in enumerate(names)}
    chart = (
        alt.Chart(alt.NamedData(name="media_lengths"))
        .mark_line(point=True, aria=False)
        .encode(
            x=alt.X("duration_s:Q", title="length of the clip, s", axis=alt.Axis(tickCount=8)),
            y=alt.Y("wh_per_video_s:Q", title="Wh per second of video"),
            color=legend("line", chosen, names),
            tooltip=[
                alt.Tooltip("line:N", title="model"),
                alt.Tooltip("duration_s:Q", title="s", format=",.3~r"),
                alt.Tooltip("wh_per_video_s:Q", title="Wh a second", format=",.3~r"),
                alt.Tooltip("wh_per_item:Q", title="Wh the clip", format=",.3~r"),
            ],
        )
        .properties(
            width=WIDTH_PX - 90,
            height=220,
            title=titled(
                "A second of video by the length of its clip", stated.subtitle("Wh", BOARDS)
            ),
        )
    )
    return with_rows(chart, media_lengths=rows)


def _place(item: Mapping[str, Any]) -> str:
    return f"{item['gpus_count']} {item['accelerator']}"
