"""AMD boards: an energy accumulator times its resolution, in microjoules."""

import math
from contextlib import suppress
from fractions import Fraction
from typing import Any, Final

from tokenergy.company.refusal import refuse
from tokenergy.feeds.meters.library import library_of, said
from tokenergy.feeds.meters.sharers import shared_by
from tokenergy.metering.counter import STILL_S
from tokenergy.metering.meter import DeviceCount, MeterRule

LEAST_SPAN_S: Final = 1.0
INSTALL: Final = (
    "Install the Python library of AMD SMI that comes with ROCm (the folder amd_smi of its share)"
)
POWERS: Final = ("socket_power", "current_socket_power", "average_socket_power")
"""Names of a board's power, newest ROCm first; "N/A" where it has none."""
NOT_AVAILABLE: Final = frozenset({2**64 - 1, 2**32 - 1, 2**16 - 1})
"""AMD SMI's words in a number's place, by its width, for one that it does not have."""
WHOLE: Final = frozenset({"SPX", "N/A", ""})
"""Partitions of a board that is one device, or has none."""


class AmdBoards:
    """Boards by index or UUID, through AMD SMI; it has no counter in a virtual machine.

    Newer releases call the accumulator `energy_accumulator`, older ones `power`; both are
    counts of `counter_resolution` microjoules. A board that is partitioned (DPX, CPX ...) has
    one counter for all of its parts, and tells nothing of one. On boards of two dies the second
    die's counter stands still: name the first alone.
    """

    def __init__(
        self,
        devices: tuple[str, ...],
        *,
        path: str,
        every_s: float | None = None,
        library: Any = None,
    ) -> None:
        """Open AMD SMI and find every board.

        Args:
            devices: index or UUID of each.
            path: of the meter in the company file.
            every_s: seconds between readings.
            library: the module `amdsmi`; None: imported here.

        Raises:
            FindingsError: METER_LIBRARY_MISSING, METER_UNAVAILABLE, METER_DEVICE_UNKNOWN,
                METER_DOUBLE_COUNT.
        """
        self._smi = library or library_of("amdsmi", path=path, install=INSTALL)
        self.rule = MeterRule(
            tier="measured", boundary="gpu", least_span_s=LEAST_SPAN_S, every_s=every_s
        )
        self._devices = devices
        self._boards: dict[str, tuple[Any, str]] = {}
        self._openings_count = 1
        self._is_open = False
        try:
            self._smi.amdsmi_init()
        except self._smi.AmdSmiException as error:
            refuse(
                "METER_UNAVAILABLE",
                path=path,
                value="amd_smi",
                reason=f"AMD SMI cannot be opened here ({said(error)})",
                remedy="Run on the machine with the boards, with the amdgpu driver loaded",
            )
        self._is_open = True
        try:
            self._boards = self._find_all(path)
        except BaseException:
            self.close()
            raise
        self.claims = frozenset(f"amd_smi:{uuid}" for _, uuid in self._boards.values())

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return every board's counter or power."""
        counts = tuple(self._count(device) for device in self._devices)
        if all(device not in self._boards for device in self._devices):
            self.close()  # the next reading opens AMD SMI anew
        return counts

    def close(self) -> None:
        """Close AMD SMI."""
        if not self._is_open:
            return
        self._is_open = False
        self._boards.clear()
        with suppress(self._smi.AmdSmiException):  # a reload of the driver has closed it
            self._smi.amdsmi_shut_down()

    def _listed(self) -> list[tuple[Any, str]]:
        boards = list(self._smi.amdsmi_get_processor_handles())
        return [(board, str(self._smi.amdsmi_get_gpu_device_uuid(board))) for board in boards]

    def _find_all(self, path: str) -> dict[str, tuple[Any, str]]:
        try:
            boards = self._listed()
        except self._smi.AmdSmiException as error:
            refuse(
                "METER_UNAVAILABLE",
                path=path,
                value="amd_smi",
                reason=f"AMD SMI does not list its boards ({said(error)})",
                remedy="Look at what `amd-smi list` says",
            )
        found: dict[str, tuple[Any, str]] = {}
        for device in self._devices:
            board = _board(boards, device)
            if board is None:
                refuse(
                    "METER_DEVICE_UNKNOWN",
                    path=f"{path}.devices",
                    value=device,
                    limit=", ".join(uuid for _, uuid in boards) or "no board",
                    reason="AMD SMI has no such board",
                    remedy="Name an index or a UUID that `amd-smi list` shows",
                )
            if board[1] in {uuid for _, uuid in found.values()}:
                refuse(
                    "METER_DOUBLE_COUNT",
                    path=f"{path}.devices",
                    value=device,
                    reason="this board is named already",
                    remedy="Name each board once",
                )
            found[device] = board
        return found

    def _count(self, device: str) -> DeviceCount:
        try:
            if not self._is_open:
                self._smi.amdsmi_init()
                self._is_open = True
                self._openings_count += 1
            if device not in self._boards:
                board = _board(self._listed(), device)
                if board is None:
                    return DeviceCount(device=device, reason=f"board {device}: it is not there")
                self._boards[device] = board
        except self._smi.AmdSmiException as error:
            return DeviceCount(device=device, reason=f"board {device}: AMD SMI says {said(error)}")
        handle, uuid = self._boards[device]
        part = self._partition(handle)
        if part not in WHOLE:
            return DeviceCount(
                device=device,
                reason=f"board {device}: its counter is of the whole board, and {part} divides it: "
                "there is no figure of one part",
            )
        return self._energy_or_power(device, handle, f"{uuid} #{self._openings_count}")

    def _energy_or_power(self, device: str, handle: Any, identity: str) -> DeviceCount:
        try:
            told = self._smi.amdsmi_get_energy_count(handle)
            microjoules = _microjoules(told)
        except (self._smi.AmdSmiException, KeyError, TypeError, ValueError) as error:
            return self._power(device, handle, identity, why=said(error))
        return DeviceCount(
            device=device,
            identity=identity,
            energy_microjoules=microjoules,
            still_s=STILL_S,
            shared_by=shared_by(self._pids(handle)),
        )

    def _power(self, device: str, handle: Any, identity: str, *, why: str) -> DeviceCount:
        try:
            told = self._smi.amdsmi_get_power_info(handle)
        except self._smi.AmdSmiException as error:
            told = {}
            why = f"{why}; {said(error)}"
        for name in POWERS:
            figure = told.get(name)
            if isinstance(figure, int | float) and figure not in NOT_AVAILABLE and figure > 0:
                return DeviceCount(
                    device=device,
                    identity=identity,
                    power_w=float(figure),
                    shared_by=shared_by(self._pids(handle)),
                )
        self._boards.pop(device, None)
        return DeviceCount(
            device=device, reason=f"board {device}: AMD SMI gives neither counter nor power ({why})"
        )

    def _partition(self, handle: Any) -> str:
        try:
            return str(self._smi.amdsmi_get_gpu_compute_partition(handle)).strip()
        except (self._smi.AmdSmiException, AttributeError):
            return ""  # boards before MI300 have none, and older libraries do not ask

    def _pids(self, handle: Any) -> tuple[int, ...]:
        """Return who computes on a board; nobody where AMD SMI does not tell."""
        try:
            told = self._smi.amdsmi_get_gpu_process_list(handle)
            return tuple(int(process["pid"]) for process in told)
        except (self._smi.AmdSmiException, AttributeError, KeyError, TypeError, ValueError):
            return ()


def _microjoules(told: Any) -> int:
    """Return an accumulator in whole microjoules, exactly.

    Raises:
        ValueError, TypeError, KeyError: if it has none: nothing becomes 0 here.
    """
    ticks = int(told.get("energy_accumulator", told.get("power")))
    resolution = float(told["counter_resolution"])
    if ticks in NOT_AVAILABLE or ticks < 0:
        raise ValueError(f"its accumulator says {ticks}: not available")
    if not (math.isfinite(resolution) and resolution > 0.0):
        raise ValueError(f"a tick of its accumulator has {resolution:g} uJ")
    return round(ticks * Fraction(resolution))


def _board(boards: list[tuple[Any, str]], device: str) -> tuple[Any, str] | None:
    if device.isdecimal():
        at = int(device)
        return boards[at] if at < len(boards) else None
    wanted = device.lower()
    return next((board for board in boards if board[1].lower() == wanted), None)
