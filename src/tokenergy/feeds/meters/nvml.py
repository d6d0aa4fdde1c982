"""NVIDIA boards: millijoules since the driver was loaded, else samples of power."""

from contextlib import suppress
from typing import Any, Final

from tokenergy.company.refusal import refuse
from tokenergy.feeds.meters.library import library_of, said
from tokenergy.feeds.meters.sharers import shared_by
from tokenergy.metering.counter import STILL_S
from tokenergy.metering.meter import DeviceCount, MeterRule

LEAST_SPAN_S: Final = 1.0
"""The counter is written every 20 to 100 ms (energy sheet, section 10): 1 s keeps that below
10 %, and a usual window of a minute below 0.2 %."""
MICROJOULES_PER_MJ: Final = 1000
MW_PER_W: Final = 1000.0
"""Milliwatts, as NVML says power."""
NOT_AVAILABLE: Final = 2**64 - 1
"""NVML's word in a number's place for one that it does not have."""
NOT_AVAILABLE_MW: Final = 2**32 - 1
INSTANCE: Final = "MIG-"
MIG_REASON: Final = (
    "the counter is of the whole board, and MIG divides it: there is no figure of one instance"
)


class NvidiaBoards:
    """Boards by index or UUID, through NVML.

    The counter needs Volta or newer; an older board gives its power, and its energy is then a
    line through samples and says so. A board that MIG divides tells nothing: its counter has no
    figure of one instance. One on which several programs compute says so.

    A counter is the same as before if the board has the same UUID, and NVML was not opened anew
    in between: after a reload of the driver an index may be another board's, and a counter that
    began at 0 may have passed its old value.
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
                METER_DOUBLE_COUNT, METER_DIVIDED.
        """
        self._nvml = library or library_of(
            "pynvml", path=path, install="Install it: pip install 'tokenergy[nvml]'"
        )
        self.rule = MeterRule(
            tier="measured", boundary="gpu", least_span_s=LEAST_SPAN_S, every_s=every_s
        )
        self._devices = devices
        self._boards: dict[str, tuple[Any, str]] = {}
        self._without_counter: set[str] = set()
        self._openings_count = 1
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
        self._is_open = True
        try:
            self._find_all(path)
        except BaseException:
            self.close()
            raise
        self.claims = frozenset(f"nvml:{uuid}" for _, uuid in self._boards.values())

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return every board's counter or power."""
        counts = tuple(self._count(device) for device in self._devices)
        if all(device not in self._boards for device in self._devices):
            self._shut()  # the next reading opens NVML anew: the driver may have been reloaded
        return counts

    def close(self) -> None:
        """Close NVML."""
        self._shut()

    def _shut(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._boards.clear()
        self._without_counter.clear()
        with suppress(self._nvml.NVMLError):  # a reload of the driver has closed it
            self._nvml.nvmlShutdown()

    def _find_all(self, path: str) -> None:
        named: dict[str, str] = {}
        for device in self._devices:
            if device.startswith(INSTANCE):
                refuse(
                    "METER_DIVIDED",
                    path=f"{path}.devices",
                    value=device,
                    reason=MIG_REASON,
                    remedy="Leave the meter out, and the model's line stands in; or serve on a "
                    "whole board and name that",
                )
            try:
                board = self._find(device)
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
            uuid = board[1]
            if uuid in named:
                refuse(
                    "METER_DOUBLE_COUNT",
                    path=f"{path}.devices",
                    value=device,
                    reason=f"it is the same board as {named[uuid]!r}",
                    remedy="Name each board once",
                )
            named[uuid] = device
            self._boards[device] = board

    def _find(self, device: str) -> tuple[Any, str]:
        """Return a board's handle and its UUID."""
        if device.isdecimal():
            handle = self._nvml.nvmlDeviceGetHandleByIndex(int(device))
        else:
            handle = self._nvml.nvmlDeviceGetHandleByUUID(device)
        return handle, str(self._nvml.nvmlDeviceGetUUID(handle))

    def _count(self, device: str) -> DeviceCount:
        try:
            if not self._is_open:
                self._nvml.nvmlInit()
                self._is_open = True
                self._openings_count += 1
            if device not in self._boards:
                self._boards[device] = self._find(device)
            handle, uuid = self._boards[device]
            if self._is_divided(handle):
                return DeviceCount(device=device, reason=f"board {device}: {MIG_REASON}")
            return self._energy_or_power(device, handle, f"{uuid} #{self._openings_count}")
        except self._nvml.NVMLError as error:
            self._boards.pop(device, None)
            return DeviceCount(device=device, reason=f"board {device}: NVML says {said(error)}")

    def _energy_or_power(self, device: str, handle: Any, identity: str) -> DeviceCount:
        shared = shared_by(self._pids(handle))
        if device not in self._without_counter:
            try:
                millijoules = int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
            except (self._nvml.NVMLError_NotSupported, self._nvml.NVMLError_FunctionNotFound):
                self._without_counter.add(device)
            else:
                if millijoules == NOT_AVAILABLE:
                    return DeviceCount(
                        device=device, reason=f"board {device}: NVML has no value of its counter"
                    )
                return DeviceCount(
                    device=device,
                    identity=identity,
                    energy_microjoules=millijoules * MICROJOULES_PER_MJ,
                    still_s=STILL_S,
                    shared_by=shared,
                )
        milliwatts = int(self._nvml.nvmlDeviceGetPowerUsage(handle))
        if not 0 < milliwatts < NOT_AVAILABLE_MW:
            return DeviceCount(
                device=device,
                reason=f"board {device}: {milliwatts} mW is no power of a board that is on",
            )
        return DeviceCount(
            device=device, identity=identity, power_w=milliwatts / MW_PER_W, shared_by=shared
        )

    def _is_divided(self, handle: Any) -> bool:
        try:
            current, _ = self._nvml.nvmlDeviceGetMigMode(handle)
        except (self._nvml.NVMLError_NotSupported, self._nvml.NVMLError_FunctionNotFound):
            return False
        return bool(current)

    def _pids(self, handle: Any) -> tuple[int, ...]:
        """Return who computes on a board; nobody where NVML does not tell."""
        no_function = self._nvml.NVMLError_FunctionNotFound
        untold = (
            self._nvml.NVMLError_NotSupported,
            self._nvml.NVMLError_NoPermission,
            no_function,
            # what newer bindings make of a missing function, and no NVMLError
            getattr(self._nvml, "NVMLLibraryMismatchError", no_function),
        )
        try:
            processes = self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        except untold:
            return ()
        return tuple(int(process.pid) for process in processes)
