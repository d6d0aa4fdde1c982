"""The live page: its shell, which knows no company, and the face that each board gives it."""

from collections.abc import Mapping
from typing import Any

from tokenergy.page import palette
from tokenergy.page.document import views
from tokenergy.page.live_rows import part_rows
from tokenergy.page.live_sections import first_look, found, next_hours, where_now
from tokenergy.page.live_shell import live_html
from tokenergy.page.rows import columns_of

__all__ = ["face_of", "live_html"]


def face_of(outlook: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a board.

    Args:
        outlook: `Outlook.to_dict()`: prices, powers and queues of the next hours.

    Returns:
        JSON-ready: `board_id`, `start` and `made_at` of the board; `html`, a fragment in which
        every name is escaped; `charts`, specifications without numbers and the `looks` by day
        and night; `numbers`, the tables that the charts and the choices of the reader read.
    """
    parts = [where_now(outlook), next_hours(outlook), found(outlook)]
    specs, numbers = views(parts)
    looks = {"light": palette.config(dark=False), "dark": palette.config(dark=True)}
    body = "\n".join(part.html() for part in parts)
    return {
        "board_id": outlook["board_id"],
        "start": outlook["start"],
        "made_at": outlook["made_at"],
        "html": f"{first_look(outlook)}\n{body}",
        "charts": {"charts": specs, "looks": looks},
        "numbers": numbers | {"site_parts": columns_of(part_rows(outlook))},
    }
