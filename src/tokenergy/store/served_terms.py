"""Under which terms requests are served: prices by version, units of accounts, boards by id.

The control process writes them as files; here they get into the ledger's database, so that a bill
and a decision can be worked out again from it alone.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from tokenergy.company.serving.plan import PricePlan, WorkerPlan, decoded_plan
from tokenergy.metering.served_entries import moment_text

PLAN_FILE: Final = "plan.json"
BOARD_FILES: Final = ("board.json", "board.next.json")
RUN_ID: Final = "serve"


class Sheet(msgspec.Struct, frozen=True):
    """What one version of the prices says.

    Attributes:
        prices: of each model in each tier.
        units: `nano_usd` or `microjoules` by account, of the plan that had these prices last.
    """

    prices: tuple[PricePlan, ...]
    units: dict[str, str]


class _BoardHead(msgspec.Struct):
    board_id: str
    made_at_s: float


class ServedTerms:
    """Watches the files of one gateway and keeps what they say.

    Attributes:
        run_id: of the ledger.
    """

    def __init__(self, folder: Path) -> None:
        """Read nothing yet.

        Args:
            folder: with plan and boards.
        """
        self._folder = folder
        self.run_id = RUN_ID
        self._units: Mapping[str, str] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._sheets: dict[str, tuple[dict[tuple[str, str], PricePlan], Mapping[str, str]]] = {}

    def changed(self) -> dict[str, bytes]:
        """Return the texts of plan and boards that are new since they were last asked for."""
        found = {name: self._changed(name) for name in (PLAN_FILE, *BOARD_FILES)}
        return {name: text for name, text in found.items() if text is not None}

    def keep(self, held: sqlite3.Connection, texts: Mapping[str, bytes]) -> None:
        """Keep the prices of a plan, and boards; what is broken is looked at again."""
        for name, text in texts.items():
            try:
                if name == PLAN_FILE:
                    self._keep_plan(held, decoded_plan(text))
                else:
                    self._keep_board(held, text)
            except msgspec.MsgspecError:
                self._seen.pop(name, None)

    @staticmethod
    def _keep_board(held: sqlite3.Connection, text: bytes) -> None:
        head = msgspec.json.decode(text, type=_BoardHead)
        held.execute(
            "INSERT OR IGNORE INTO board (board_id, start, body) VALUES (?, ?, ?)",
            (head.board_id, moment_text(head.made_at_s), text.decode()),
        )
        held.execute(
            "INSERT OR REPLACE INTO served_board VALUES (?, ?)", (head.board_id, head.made_at_s)
        )

    def price(
        self, held: sqlite3.Connection, version: str, *, model: str, tier: str
    ) -> PricePlan | None:
        """Return what a tier's tenants pay for a model by a version of the prices, if known."""
        return self._sheet(held, version)[0].get((model, tier))

    def units(self, held: sqlite3.Connection, version: str) -> Mapping[str, str]:
        """Return the unit of each account under a version of the prices, and of the plan now."""
        return {**self._sheet(held, version)[1], **self._units}

    def _keep_plan(self, held: sqlite3.Connection, plan: WorkerPlan) -> None:
        self.run_id = plan.run_id
        self._units = {account.name: account.unit for account in plan.accounts}
        sheet = Sheet(plan.prices, dict(self._units))
        held.execute(
            "INSERT OR REPLACE INTO price_sheet VALUES (?, ?)",
            (plan.price_version, msgspec.json.encode(sheet)),
        )
        self._sheets.pop(plan.price_version, None)

    def _sheet(
        self, held: sqlite3.Connection, version: str
    ) -> tuple[dict[tuple[str, str], PricePlan], Mapping[str, str]]:
        found = self._sheets.get(version)
        if found is None:
            row = held.execute(
                "SELECT body FROM price_sheet WHERE price_version = ?", (version,)
            ).fetchone()
            if row is None:
                return {}, {}
            sheet = msgspec.json.decode(row[0], type=Sheet)
            found = {(one.model, one.tier): one for one in sheet.prices}, sheet.units
            self._sheets[version] = found
        return found

    def _changed(self, name: str) -> bytes | None:
        """Return the text of a file that was replaced since it was last looked at."""
        path = self._folder / name
        try:
            facts = path.stat()
            sign = (facts.st_mtime_ns, facts.st_ino)
            if self._seen.get(name) == sign:
                return None
            text = path.read_bytes()
        except OSError:
            return None
        self._seen[name] = sign
        return text

    def forget(self) -> None:
        """Look at every file again: what was kept of them was not committed."""
        self._seen.clear()
        self._sheets.clear()
