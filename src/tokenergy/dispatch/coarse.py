"""A window whose intervals grow with distance: fine where it acts, hourly further on.

Powers, prices and PUE are means over what an interval holds, limits are the least, arrivals are
sums; so what fits into a coarse interval fits on average into its parts.
"""

from dataclasses import fields, replace

import numpy as np

from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import FloatArray, IntArray

FINE_H = 1.0
"""How far ahead the world's own intervals go (dispatch sheet, section 5)."""
COARSE_H = 1.0
"""Length of the intervals after that."""
SUMMED = ("arrivals_mtok", "lengths_h")
LEAST = ("import_limit_mw", "export_limit_mw")
KEPT = ("begin", "live_count", "edges", "stored_usd_per_mwh", "known_at")


def growing_edges(begin: int, *, end: int, step_h: float, window_h: float) -> IntArray:
    """Return edges from `begin` on: own intervals for an hour, then whole hours [n + 1].

    An interval that would reach beyond `end` stops there, so that one is never half live; the
    number of intervals is the same for every `begin`.

    Args:
        begin: index of the first interval.
        end: index after the horizon's last interval.
        step_h: length of the world's own intervals; it divides an hour or is longer than one.
        window_h: length of the window.
    """
    count = max(1, round(window_h / step_h))
    per_hour = max(1, round(COARSE_H / step_h))
    fine = min(count, max(1, round(FINE_H / step_h)))
    edges = np.append(np.arange(fine), np.arange(fine, count, per_hour))
    edges = begin + np.append(edges, count)
    straddling = np.flatnonzero((edges[:-1] < end) & (edges[1:] > end))
    edges[straddling + 1] = end
    return edges.astype(np.int64)


def coarsened(window: Window, edges: IntArray) -> Window:
    """Return a window of the world's own intervals on other edges.

    Args:
        window: an even window that begins at `edges[0]` and ends at `edges[-1]`.
        edges: where the intervals begin, and the last one ends [n + 1]; where the window's live
            part ends there is an edge.

    Raises:
        ValueError: if the window is uneven, or spans anything else.
    """
    if not window.even or window.edges[0] != edges[0] or window.edges[-1] != edges[-1]:
        raise ValueError("only an even window of the same span can be laid on other edges")
    starts, counts = edges[:-1] - edges[0], np.diff(edges)
    laid: dict[str, FloatArray] = {}
    for field in fields(window):
        if field.name in KEPT:
            continue
        values = getattr(window, field.name)
        if field.name in LEAST:
            laid[field.name] = np.minimum.reduceat(values, starts, axis=-1)
            continue
        sums = np.add.reduceat(values, starts, axis=-1)
        laid[field.name] = sums if field.name in SUMMED else sums / counts
    return replace(
        window,
        edges=edges,
        live_count=int(np.count_nonzero(edges[:-1] < window.live_end)),
        **laid,  # type: ignore[arg-type]
    )
