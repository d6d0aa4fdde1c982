"""Stand-ins for the vendors' libraries of boards, with the names and the answers of the real ones.

After nvidia-ml-py 13 (pynvml.py: the functions, NVMLError and its subclasses by code, millijoules,
milliwatts, MIG mode as a list of current and pending) and ROCm's amdsmi (amdsmi_interface.py:
handles, `energy_accumulator` or in older releases `power`, `counter_resolution` in microjoules,
"N/A" for a power that a board does not give).
"""

# ruff: noqa: N802 -- the names are the vendor's

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class NvmlError(Exception):
    """The base of NVML's errors."""


class NvmlNotSupported(NvmlError):
    def __str__(self) -> str:
        return "Not Supported"


class NvmlFunctionNotFound(NvmlError):
    def __str__(self) -> str:
        return "Function Not Found"


class NvmlNoPermission(NvmlError):
    def __str__(self) -> str:
        return "Insufficient Permissions"


class NvmlNotFound(NvmlError):
    def __str__(self) -> str:
        return "Not Found"


class NvmlLost(NvmlError):
    def __str__(self) -> str:
        return "GPU is lost"


@dataclass
class NvmlBoard:
    """One board; `millijoules` None: older than Volta; `divided` None: no MIG at all."""

    uuid: str
    millijoules: int | None = 1_000_000
    milliwatts: int | None = 250_000
    divided: bool | None = None
    lost: bool = False
    pids: tuple[int, ...] = ()


@dataclass
class Nvml:
    """The module `pynvml`."""

    boards: list[NvmlBoard]
    has_driver: bool = True
    opened_count: int = 0
    NVMLError: type[Exception] = NvmlError
    NVMLError_NotSupported: type[Exception] = NvmlNotSupported
    NVMLError_FunctionNotFound: type[Exception] = NvmlFunctionNotFound
    NVMLError_NoPermission: type[Exception] = NvmlNoPermission

    def nvmlInit(self) -> None:
        if not self.has_driver:
            raise NvmlError("NVML Shared Library Not Found")
        self.opened_count += 1

    def nvmlShutdown(self) -> None:
        self.opened_count -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> NvmlBoard:
        if index >= len(self.boards):
            raise NvmlNotFound
        return self.boards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> NvmlBoard:
        for board in self.boards:
            if board.uuid == uuid:
                return board
        raise NvmlNotFound

    def nvmlDeviceGetUUID(self, board: NvmlBoard) -> str:
        return board.uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, board: NvmlBoard) -> int:
        if board.lost:
            raise NvmlLost
        if board.millijoules is None:
            raise NvmlNotSupported
        return board.millijoules

    def nvmlDeviceGetPowerUsage(self, board: NvmlBoard) -> int:
        if board.lost:
            raise NvmlLost
        if board.milliwatts is None:
            raise NvmlNotSupported
        return board.milliwatts

    def nvmlDeviceGetComputeRunningProcesses(self, board: NvmlBoard) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid) for pid in board.pids]

    def nvmlDeviceGetMigMode(self, board: NvmlBoard) -> list[int]:
        if board.divided is None:
            raise NvmlNotSupported
        return [int(board.divided), int(board.divided)]


class SmiError(Exception):
    """The base of AMD SMI's errors."""


@dataclass
class SmiBoard:
    """One board; `ticks` None: no accumulator, as in a virtual machine."""

    uuid: str
    ticks: int | None = 1_000_000
    resolution: float = 15.3
    accumulator: str = "energy_accumulator"
    powers: dict[str, Any] = field(default_factory=dict)
    partition: str = ""
    pids: tuple[int, ...] = ()


@dataclass
class Smi:
    """The module `amdsmi`."""

    boards: list[SmiBoard]
    has_driver: bool = True
    opened_count: int = 0
    AmdSmiException: type[Exception] = SmiError

    def amdsmi_init(self) -> None:
        if not self.has_driver:
            raise SmiError("AMDSMI_STATUS_DRIVER_NOT_LOADED")
        self.opened_count += 1

    def amdsmi_shut_down(self) -> None:
        self.opened_count -= 1

    def amdsmi_get_processor_handles(self) -> list[SmiBoard]:
        return list(self.boards)

    def amdsmi_get_gpu_device_uuid(self, board: SmiBoard) -> str:
        return board.uuid

    def amdsmi_get_energy_count(self, board: SmiBoard) -> dict[str, Any]:
        if board.ticks is None:
            raise SmiError("AMDSMI_STATUS_NOT_SUPPORTED")
        return {
            board.accumulator: board.ticks,
            "counter_resolution": board.resolution,
            "timestamp": 1,
        }

    def amdsmi_get_gpu_compute_partition(self, board: SmiBoard) -> str:
        if not board.partition:
            raise SmiError("AMDSMI_STATUS_NOT_SUPPORTED")
        return board.partition

    def amdsmi_get_gpu_process_list(self, board: SmiBoard) -> list[dict[str, Any]]:
        return [{"name": "N/A", "pid": pid, "mem": 1} for pid in board.pids]

    def amdsmi_get_power_info(self, board: SmiBoard) -> dict[str, Any]:
        if not board.powers:
            raise SmiError("AMDSMI_STATUS_NOT_SUPPORTED")
        return board.powers
