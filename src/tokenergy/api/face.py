"""The face of a board: drawn beside it, after it, and only while somebody looks.

Whatever goes wrong here is a finding and no board waits for it: the page then keeps the face that
it has, and says which board that is of.
"""

import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tokenergy.api.live_page import PageFile
from tokenergy.api.outlook import Outlook
from tokenergy.api.serving_plan import write_whole
from tokenergy.company.finding import Finding
from tokenergy.errors import InputError
from tokenergy.serve.live_face import FACE, is_looked_at

Draw = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Draws the face of an outlook: JSON-ready."""
PAGE_REMEDY: Final = "The log of the board maker has all of it; the API answers as before"


class Faces:
    """Draws for one gateway.

    Attributes:
        findings: what went wrong.
    """

    def __init__(
        self,
        folder: Path,
        *,
        draw: Draw | None = None,
        page: PageFile | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the folder of the gateway; nothing is drawn yet.

        Args:
            folder: where the files go.
            draw: draws a face; None: the page's own, imported when it is needed first.
            page: makes the shell; None: nobody does.
            clock: this machine's time, seconds since the Unix epoch.
        """
        self._folder, self._draw, self._page, self._clock = folder, draw, page, clock
        self._drawn_id = ""
        self.findings: tuple[Finding, ...] = ()

    def begin(self) -> None:
        """Begin to make the shell."""
        if self._page is not None:
            self._page.begin()

    def is_due(self, board_id: str) -> bool:
        """Tell whether a board has no face yet and somebody looks."""
        return board_id != self._drawn_id and is_looked_at(self._folder, now_s=self._clock())

    def look(self) -> bool:
        """Note how the shell came out; return whether there is a new finding."""
        if self._page is None or not self._page.look():
            return False
        self._found("PAGE_NOT_MADE", f"the process ended with status {self._page.status}")
        return True

    def show(self, outlook: Outlook) -> bool:
        """Draw the face of a board and write it; return whether that went well.

        Nothing is raised: a face that fails is a finding, and is not tried again for its board.
        """
        self._drawn_id = outlook.board.board_id
        self.findings = tuple(each for each in self.findings if each.code != "FACE_NOT_MADE")
        try:
            face = self._drawn(outlook)
            face["binding"] = [list(site.values()) for site in outlook.binding()]
            text = json.dumps(face, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
            write_whole(self._folder / FACE, text.encode())
        except InputError as error:
            self._found("FACE_NOT_MADE", str(error))
        except Exception as error:  # ours: told with all we know; boards go on
            traceback.print_exc(file=sys.stderr)
            self._found("FACE_NOT_MADE", f"{type(error).__name__}: {error}")
        else:
            return True
        return False

    def close(self) -> None:
        """End what still makes the shell."""
        if self._page is not None:
            self._page.close()

    def _drawn(self, outlook: Outlook) -> dict[str, Any]:
        if self._draw is None:
            from tokenergy.page.live import face_of

            self._draw = face_of
        return self._draw(outlook.to_dict())

    def _found(self, code: str, reason: str) -> None:
        finding = Finding(
            code=code, path="page", reason=reason, remedy=PAGE_REMEDY, severity="warning"
        )
        self.findings = (*self.findings, finding)
