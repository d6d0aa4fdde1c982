"""AMD boards: an energy accumulator times its resolution, in microjoules."""

from contextlib import suppress
from typing import Any, Final

from tokenergy.company.refusal import refuse
from tokenergy.feeds.meters.library import library_of, said
from tokenergy.metering.meter import DeviceCount, MeterRule

LEAST_SPAN_S: Final = 1.0
INSTALL: Final = (
    "Install the Python library of AMD SMI that comes with ROCm (the folder amd_smi of its share)"
)
POWERS: Final = ("socket_power", "current_socket_power", "average_socket_power")
"""Names of a board's power, newest ROCm first; "N/A" where it has none."""


class AmdBoards:
    """Boards by index or UUID, through AMD SMI; it has no counter in a virtual machine.

    Newer releases call the accumulator `energy_accumulator`, older ones `power`; both are
    counts of `counter_resolution` microjoules.
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
        try:
            self._handles = self._find_all(devices, path)
        except BaseException:
            self.close()
            raise

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return every board's counter or power."""
        return tuple(self._count(device, handle) for device, handle in self._handles.items())

    def close(self) -> None:
        """Close AMD SMI."""
        with suppress(self._smi.AmdSmiException):  # a reload of the driver has closed it
            self._smi.amdsmi_shut_down()

    def _find_all(self, devices: tuple[str, ...], path: str) -> dict[str, Any]:
        try:
            boards = list(self._smi.amdsmi_get_processor_handles())
            uuids = [str(self._smi.amdsmi_get_gpu_device_uuid(board)) for board in boards]
        except self._smi.AmdSmiException as error:
            refuse(
                "METER_UNAVAILABLE",
                path=path,
                value="amd_smi",
                reason=f"AMD SMI does not list its boards ({said(error)})",
                remedy="Look at what `amd-smi list` says",
            )
        found: dict[str, Any] = {}
        taken: set[int] = set()
        for device in devices:
            at = int(device) if device.isdecimal() else _index(uuids, device)
            if at is None or at >= len(boards):
                refuse(
                    "METER_DEVICE_UNKNOWN",
                    path=f"{path}.devices",
                    value=device,
                    limit=", ".join(uuids) or "no board",
                    reason="AMD SMI has no such board",
                    remedy="Name an index or a UUID that `amd-smi list` shows",
                )
            if at in taken:
                refuse(
                    "METER_DOUBLE_COUNT",
                    path=f"{path}.devices",
                    value=device,
                    reason="this board is named already",
                    remedy="Name each board once",
                )
            taken.add(at)
            found[device] = boards[at]
        return found

    def _count(self, device: str, handle: Any) -> DeviceCount:
        try:
            told = self._smi.amdsmi_get_energy_count(handle)
            ticks = told.get("energy_accumulator", told.get("power"))
            resolution = float(told["counter_resolution"])
            return DeviceCount(device=device, energy_microjoules=round(int(ticks) * resolution))
        except (self._smi.AmdSmiException, KeyError, TypeError, ValueError) as error:
            return self._power(device, handle, why=said(error))

    def _power(self, device: str, handle: Any, *, why: str) -> DeviceCount:
        try:
            told = self._smi.amdsmi_get_power_info(handle)
        except self._smi.AmdSmiException as error:
            told = {}
            why = said(error)
        for name in POWERS:
            figure = told.get(name)
            if isinstance(figure, int | float) and figure > 0:
                return DeviceCount(device=device, power_w=float(figure))
        return DeviceCount(
            device=device, reason=f"board {device}: AMD SMI gives neither counter nor power ({why})"
        )


def _index(uuids: list[str], device: str) -> int | None:
    wanted = device.lower()
    return next((at for at, uuid in enumerate(uuids) if uuid.lower() == wanted), None)
