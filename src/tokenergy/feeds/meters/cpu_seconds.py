"""A process of this machine: its CPU seconds times stated watts, always modelled."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import psutil

from tokenergy.company.observe import CpuSecondsMeter, Engine
from tokenergy.company.refusal import refuse
from tokenergy.metering.meter import DeviceCount, MeterRule
from tokenergy.units import MICROJOULES_PER_J

PORTS: Final = {"http": 80, "https": 443}
LOOKS_COUNT: Final = 3


class ProcessSeconds:
    """The process that answers, with its children: user and system seconds of all of them.

    The seconds of a child that ended stay with its parent, so the sum does not go back. A
    process that was started again is another counter, and the window between has no figure.
    """

    def __init__(
        self, meter: CpuSecondsMeter, engine: Engine, *, path: str, every_s: float | None = None
    ) -> None:
        """Look for no process yet: it may start later.

        Raises:
            FindingsError: METER_PROCESS_UNKNOWN, if neither a pid nor a port of this machine
                says which process it is.
        """
        self._pid = meter.pid
        self._port = None if meter.pid is not None else _port_here(engine, path)
        self._w_per_core = meter.w_per_core
        self._roots: tuple[psutil.Process, ...] = ()
        self.rule = MeterRule(
            tier="modelled",
            boundary="gpu",
            note=f"modelled: CPU seconds x {meter.w_per_core:g} W per core",
            every_s=every_s,
        )
        told = f"pid {self._pid}" if self._pid is not None else f"port {self._port}"
        self.claims = frozenset({f"process:{told}"})

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return the CPU seconds of the process and its children, times watts."""
        device = f"pid {self._pid}" if self._pid is not None else f"port {self._port}"
        if not self._roots or not all(root.is_running() for root in self._roots):
            self._roots = self._found()
        if not self._roots:
            reason = (
                f"{device}: no such process"
                if self._pid is not None
                else f"{device}: no process that we may see listens there; state its pid, or run "
                "as its user"
            )
            return (DeviceCount(device=device, reason=reason),)
        try:
            # is_running has held pid and moment of creation against each other: a pid that
            # somebody else has now is not our process
            seconds = sum(_seconds_of_tree(root) for root in self._roots)
            identity = ", ".join(f"pid {root.pid}@{root.create_time():.2f}" for root in self._roots)
        except (psutil.NoSuchProcess, psutil.AccessDenied) as error:
            self._roots = ()
            return (DeviceCount(device=device, reason=f"{device}: {type(error).__name__}"),)
        microjoules = round(seconds * self._w_per_core * MICROJOULES_PER_J)
        return (DeviceCount(device=device, identity=identity, energy_microjoules=microjoules),)

    def close(self) -> None:
        """Nothing is held open."""

    def _found(self) -> tuple[psutil.Process, ...]:
        """Return the process, or those that listen on the port: of a family the oldest only."""
        pids = {self._pid} if self._pid is not None else _listeners(self._port)
        found: dict[int, psutil.Process] = {}
        for pid in sorted(pids):
            try:
                found[pid] = psutil.Process(pid)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return tuple(process for process in found.values() if not _has_elder(process, found))


def _port_here(engine: Engine, path: str) -> int:
    """Return the port of an engine's address, if it is one of this machine."""
    parts = urlsplit(engine.metrics_url)
    host = parts.hostname or ""
    if engine.selector is None and _is_loopback(host):
        return parts.port or PORTS.get(parts.scheme, 80)
    refuse(
        "METER_PROCESS_UNKNOWN",
        path=path,
        value=f"{host}:{parts.port}" if parts.port else host,
        reason="the port of a Prometheus server says nothing of the engine"
        if engine.selector is not None
        else "CPU seconds are those of a process of this machine, and this address is not",
        remedy="State the pid of the engine on this machine, or meter it where it runs",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _listeners(port: int | None) -> set[int]:
    """Return the processes that listen on a port, as far as we may see."""
    try:
        every = psutil.net_connections("tcp")
    except (psutil.AccessDenied, OSError):
        return set()
    return {
        each.pid
        for each in every
        if each.status == psutil.CONN_LISTEN and each.pid and each.laddr and each.laddr.port == port
    }


def _has_elder(process: psutil.Process, others: dict[int, psutil.Process]) -> bool:
    try:
        return any(parent.pid in others for parent in process.parents())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _seconds_of_tree(root: psutil.Process) -> float:
    """Return the CPU seconds of a process and all below it.

    A child that ends while we look is in nobody's seconds until its parent takes them: look
    again, so that the sum does not go back.

    Raises:
        psutil.NoSuchProcess: if the process itself has ended, or children end at every look.
    """
    for _ in range(LOOKS_COUNT - 1):
        try:
            return _seconds(root) + sum(_seconds(child) for child in root.children(recursive=True))
        except psutil.NoSuchProcess as error:
            if error.pid == root.pid:
                raise
    return _seconds(root) + sum(_seconds(child) for child in root.children(recursive=True))


def _seconds(process: psutil.Process) -> float:
    """Return a process's own seconds and those of its children that ended."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
