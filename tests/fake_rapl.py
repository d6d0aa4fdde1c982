"""A kernel's tree of power zones in a folder, with a counter that a test moves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FakeRapl:
    """One package; `gain` adds microjoules, and readers see the old file or the new one."""

    def __init__(self, root: Path, *, at_microjoules: int = 123_456_789) -> None:
        self.root = root
        self._folder = root / "intel-rapl:0"
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "name").write_text("package-0\n")
        (self._folder / "max_energy_range_uj").write_text(f"{2**48}\n")
        (self._folder / "constraint_0_max_power_uw").write_text("400000000\n")
        self.at_microjoules = at_microjoules
        self.gain(0)

    def gain(self, microjoules: int) -> None:
        self.at_microjoules += microjoules
        beside = self._folder / ".energy_uj"
        beside.write_text(f"{self.at_microjoules}\n")
        beside.replace(self._folder / "energy_uj")

    @contextmanager
    def drawing(self, watts: float, *, every_s: float = 0.01) -> Iterator[None]:
        """Draw power while the block runs; an odd number of microjoules at each step."""
        ends = threading.Event()

        def draw() -> None:
            while not ends.wait(every_s):
                self.gain(int(watts * every_s * 1e6) | 1)

        thread = threading.Thread(target=draw)
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()
