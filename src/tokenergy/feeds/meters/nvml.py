"""NVIDIA boards: millijoules since the driver was loaded, else samples of power."""

from contextlib import suppress
from typing import Any, Final

from tokenergy.company.refusal import refuse
from tokenergy.feeds.meters.library import library_of, said
from tokenergy.metering.meter import DeviceCount, MeterRule

LEAST_SPAN_S: Final = 1.0
"""The counter is written every 20 to 100 ms (energy sheet, section 10): 1 s keeps that below
10 %, and a usual window of a minute below 0.2 %."""
MICROJOULES_PER_MJ: Final = 1000
MW_PER_W: Final = 1000.0
"""Milliwatts, as NVML says power."""
MIG_REASON: Final = (
    "the counter is of the whole board, and MIG divides it: there is no figure of one instance"
)


class NvidiaBoards:
    """Boards by index or UUID, through NVML.

    The counter needs Volta or newer; an older board gives its power, and its energy is then a
    line through samples and says so. A board that MIG divides tells nothing: its counter has no
    figure of one instance.
    """

    def __init__(
        self,
        devices: tuple[str, ...],
        *,
        path: str,
        every_s: float | None = None,
        library: Any = None,
    ) -> None:
        """Open NVML and find every board.

        Args:
            devices: index or UUID of each.
            path: of the meter in the company file.
            every_s: seconds between readings.
            library: the module `pynvml`; None: imported here.

        Raises:
            FindingsError: METER_LIBRARY_MISSING, METER_UNAVAILABLE, METER_DEVICE_UNKNOWN,
                METER_DOUBLE_COUNT.
        """
        self._nvml = library or library_of(
            "pynvml", path=path, install="Install it: pip install 'tokenergy[nvml]'"
        )
        self.rule = MeterRule(
            tier="measured", boundary="gpu", least_span_s=LEAST_SPAN_S, every_s=every_s
        )
        self._devices = devices
        self._handles: dict[str, Any] = {}
        self._without_counter: set[str] = set()
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as error:
            refuse(
                "METER_UNAVAILABLE",
                path=path,
                value="nvml",
                reason=f"NVML cannot be opened here ({said(error)})",
                remedy="Run on the machine with the boards, with NVIDIA's driver loaded",
            )
        try:
            self._find_all(path)
        except BaseException:
            self.close()
            raise

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return every board's counter or power."""
        return tuple(self._count(device) for device in self._devices)

    def close(self) -> None:
        """Close NVML."""
        with suppress(self._nvml.NVMLError):  # a reload of the driver has closed it
            self._nvml.nvmlShutdown()

    def _find_all(self, path: str) -> None:
        uuids: dict[str, str] = {}
        for device in self._devices:
            try:
                handle = self._find(device)
                uuid = str(self._nvml.nvmlDeviceGetUUID(handle))
            except self._nvml.NVMLError as error:
                boards_count = self._nvml.nvmlDeviceGetCount()
                refuse(
                    "METER_DEVICE_UNKNOWN",
                    path=f"{path}.devices",
                    value=device,
                    limit=f"0 to {boards_count - 1}" if boards_count else "no board",
                    reason=f"NVML has no such board ({said(error)})",
                    remedy="Name an index or a UUID that nvidia-smi -L lists",
                )
            if uuid in uuids:
                refuse(
                    "METER_DOUBLE_COUNT",
                    path=f"{path}.devices",
                    value=device,
                    reason=f"it is the same board as {uuids[uuid]!r}",
                    remedy="Name each board once",
                )
            uuids[uuid] = device
            self._handles[device] = handle

    def _find(self, device: str) -> Any:
        if device.isdecimal():
            return self._nvml.nvmlDeviceGetHandleByIndex(int(device))
        return self._nvml.nvmlDeviceGetHandleByUUID(device)

    def _count(self, device: str) -> DeviceCount:
        try:
            handle = self._handles.get(device)
            if handle is None:  # the driver was reloaded: begin again
                self._nvml.nvmlInit()
                handle = self._handles[device] = self._find(device)
            if self._is_divided(handle, device):
                return DeviceCount(device=device, reason=f"board {device}: {MIG_REASON}")
            return self._energy_or_power(device, handle)
        except self._nvml.NVMLError as error:
            self._handles.pop(device, None)
            return DeviceCount(device=device, reason=f"board {device}: NVML says {said(error)}")

    def _energy_or_power(self, device: str, handle: Any) -> DeviceCount:
        if device not in self._without_counter:
            try:
                millijoules = int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
                return DeviceCount(
                    device=device, energy_microjoules=millijoules * MICROJOULES_PER_MJ
                )
            except self._nvml.NVMLError_NotSupported:
                self._without_counter.add(device)
        power_w = int(self._nvml.nvmlDeviceGetPowerUsage(handle)) / MW_PER_W
        return DeviceCount(device=device, power_w=power_w)

    def _is_divided(self, handle: Any, device: str) -> bool:
        if device.startswith("MIG-"):
            return True
        try:
            current, _ = self._nvml.nvmlDeviceGetMigMode(handle)
        except self._nvml.NVMLError_NotSupported:
            return False
        return bool(current)
