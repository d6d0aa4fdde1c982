"""The kernel's zones, as a real tree of folders (Documentation/power/powercap/powercap.rst)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tokenergy.errors import FindingsError
from tokenergy.feeds.meters.open_meter import OpenMeter
from tokenergy.feeds.meters.rapl import RaplZones
from tokenergy.metering.reading import Reading

PATH = "observe.engines.e.meter"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RANGE = 262_143_328_850
"""Microjoules at which the counter of a usual package goes round: 262 kJ."""


def zone(folder: Path, name: str, microjoules: int = 1_000_000, limit_w: int = 0) -> Path:
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE}\n")
    if limit_w:
        (folder / "constraint_0_max_power_uw").write_text(f"{limit_w * 1_000_000}\n")
        (folder / "constraint_0_power_limit_uw").write_text(f"{limit_w * 1_000_000}\n")
        (folder / "constraint_1_power_limit_uw").write_text("0\n")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two packages with their parts, linked from one folder as the kernel does, and a twin."""
    devices, root = tmp_path / "devices", tmp_path / "powercap"
    root.mkdir()
    (root / "intel-rapl").mkdir()
    for package in (0, 1):
        outer = zone(devices / f"intel-rapl:{package}", f"package-{package}", limit_w=200)
        zone(outer / f"intel-rapl:{package}:0", "core")
        zone(outer / f"intel-rapl:{package}:1", "dram")
        (root / outer.name).symlink_to(outer)
        for inner in (0, 1):
            name = f"intel-rapl:{package}:{inner}"
            (root / name).symlink_to(outer / name)
    zone(root / "intel-rapl-mmio:0", "package-0")
    return root


class Hand:
    def __init__(self, root: Path, *zones: str) -> None:
        self.root, self.second = root, 0.0
        self.meter = OpenMeter(
            RaplZones(zones, root=str(root), path=PATH),
            lambda: NOON + timedelta(seconds=self.second),
            lambda: self.second,
        )
        self.samples = [self.meter.read()]

    def after(self, span_s: float, **counters: int) -> Reading:
        """Move the clock, write counters by package and zone (`p0`, `p0_1`), and read."""
        self.second += span_s
        for name, microjoules in counters.items():
            place = name.removeprefix("p").replace("_", ":")
            (self.root / f"intel-rapl:{place}" / "energy_uj").write_text(f"{microjoules}\n")
        self.samples.append(self.meter.read())
        return self.meter.reading(self.samples)


def refused(root: Path, *zones: str) -> str:
    with pytest.raises(FindingsError) as caught:
        RaplZones(zones, root=str(root), path=PATH)
    (finding,) = caught.value.findings
    assert finding.path.startswith(PATH)
    assert finding.remedy
    return f"{finding.code}: {finding.reason} {finding.limit}"


def test_two_packages_add_up(root: Path) -> None:
    """1 to 501 J and 1 to 101 J."""
    hand = Hand(root, "package-0", "package-1")
    reading = hand.after(5.0, p0=501_000_000, p1=101_000_000)
    assert (reading.energy_j, reading.tier, reading.boundary) == (600.0, "measured", "gpu")


def test_a_package_goes_round_once(root: Path) -> None:
    """262,143 J at 200 W take 1,310 s; from 100 J below the top to 200 J: 300 J in 5 s."""
    hand = Hand(root, "package-0")
    hand.after(5.0, p0=RANGE - 100_000_000)
    hand.samples = hand.samples[-1:]
    reading = hand.after(5.0, p0=200_000_000)
    assert reading.energy_j == pytest.approx(300.0)


def test_a_span_in_which_it_may_go_round_twice_has_no_figure(root: Path) -> None:
    reading = Hand(root, "package-0").after(1400.0, p0=5_000_000)
    assert reading.energy_j is None
    assert "goes round in 1310.7 s" in reading.reason


def test_a_zone_without_a_limit_is_held_to_a_kilowatt(root: Path) -> None:
    """262 s at 1,000 W: an assumption that only shortens the span."""
    hand = Hand(root, "dram")
    reading = hand.after(200.0, p0_1=3_000_000, p1_1=2_000_000)
    assert reading.energy_j == 3.0
    late = Hand(root, "dram").after(263.0, p0_1=4_000_000, p1_1=4_000_000)
    assert late.energy_j is None
    assert "goes round" in late.reason


def test_memory_is_added_to_its_package_and_a_part_of_it_is_not(root: Path) -> None:
    """Joules of a package are without its memory; those of its cores are in them."""
    reading = Hand(root, "package-0", "intel-rapl:0:1").after(5.0, p0=3_000_000, p0_1=4_000_000)
    assert reading.energy_j == 5.0
    assert refused(root, "package-0", "core").startswith("METER_DOUBLE_COUNT: its joules are in")
    assert refused(root, "package-0", "intel-rapl:0").startswith("METER_DOUBLE_COUNT")


def test_the_whole_platform_stands_alone(root: Path) -> None:
    zone(root / "intel-rapl:2", "psys")
    (root / "intel-rapl:2" / "energy_uj").write_text("1000000\n")
    hand = Hand(root, "psys")
    (root / "intel-rapl:2" / "energy_uj").write_text("4000000\n")
    assert hand.after(5.0).energy_j == 3.0
    assert refused(root, "package-0", "psys").startswith("METER_DOUBLE_COUNT")


def test_a_zone_that_is_not_there_lists_those_that_are(root: Path) -> None:
    told = refused(root, "package-9")
    assert told.startswith("METER_DEVICE_UNKNOWN")
    assert "dram (intel-rapl:1:1)" in told
    assert "mmio" not in told


def test_a_machine_without_zones_says_so(tmp_path: Path) -> None:
    assert "virtual machines" in refused(tmp_path / "nothing", "package-0")


@contextmanager
def nobody(file: Path) -> Iterator[None]:
    """Be a user who may not read that file: root may read what nobody may."""
    file.chmod(0o000)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_no_permission_is_a_reason_with_its_remedy_and_never_0(root: Path) -> None:
    hand = Hand(root, "package-0")
    with nobody(root.parent / "devices" / "intel-rapl:0" / "energy_uj"):
        reading = hand.after(5.0)
    assert reading.energy_j is None
    assert "no permission" in reading.reason
    assert "udev" in reading.reason


def test_a_counter_that_is_no_number_is_a_reason(root: Path) -> None:
    hand = Hand(root, "package-0")
    (root / "intel-rapl:0" / "energy_uj").write_text("what\n")
    assert "cannot be read (ValueError)" in hand.after(5.0).reason


@pytest.mark.parametrize("still", ["package-0", "dram", "intel-rapl:1:1"])
def test_a_zone_that_stands_still_counts_nothing(root: Path, still: str) -> None:
    """As a virtual machine shows them, and memory that a processor does not meter: never 0 J."""
    reading = Hand(root, still).after(5.0)
    assert reading.energy_j is None
    assert "stood still" in reading.reason


def test_cores_that_are_switched_off_draw_0_joules(root: Path) -> None:
    """A part of a package may sleep: its 0 is a figure."""
    reading = Hand(root, "core").after(5.0)
    assert reading.energy_j == 0.0


def test_one_silent_package_of_two_leaves_no_sum(root: Path) -> None:
    reading = Hand(root, "package-0", "package-1").after(5.0, p0=2_000_000)
    assert reading.energy_j is None
    assert "package-1" in reading.reason


def test_a_zone_that_goes_away_is_a_reason_and_comes_back(root: Path) -> None:
    hand = Hand(root, "package-0")
    file = root / "intel-rapl:0" / "energy_uj"
    file.unlink()
    gone = hand.after(5.0)
    assert gone.energy_j is None
    assert "no such zone any more" in gone.reason
    hand.samples = hand.samples[-1:]
    assert hand.after(5.0, p0=2_000_000).energy_j is None
    hand.samples = hand.samples[-1:]
    assert hand.after(5.0, p0=5_000_000).energy_j == 3.0


def test_an_id_that_is_another_zone_after_a_reload_is_another_counter(root: Path) -> None:
    hand = Hand(root, "package-0")
    (root / "intel-rapl:0" / "name").write_text("package-1\n")
    reading = hand.after(5.0, p0=9_000_000)
    assert reading.energy_j is None
    assert "another counter" in reading.reason


def test_a_counter_that_began_anew_does_not_pass_for_a_wrap(root: Path) -> None:
    """100 kJ, then 0: as a wrap 162 kJ in 5 s at 200 W. It is a reset: a machine that slept."""
    hand = Hand(root, "package-0")
    hand.after(5.0, p0=100_000_000_000)
    hand.samples = hand.samples[-1:]
    reading = hand.after(5.0, p0=0)
    assert reading.energy_j is None
    assert "began anew" in reading.reason


def test_a_poller_that_slept_through_a_wrap_has_no_figure(root: Path) -> None:
    """Two hours at 200 W are 5 rounds of the counter, and it has even risen since."""
    reading = Hand(root, "package-0").after(7200.0, p0=200_000_000_000)
    assert reading.energy_j is None


def test_a_zone_claims_its_parts_and_the_platform_everything(root: Path) -> None:
    zone(root / "intel-rapl:2", "psys")
    claims = {
        name: RaplZones((name,), root=str(root), path=PATH).claims
        for name in ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "psys", "core")
    }
    assert claims["intel-rapl:0"] & claims["intel-rapl:0:0"]
    assert not claims["intel-rapl:0"] & claims["intel-rapl:0:1"]  # memory has its own counter
    assert claims["intel-rapl:0"] & claims["core"]
    assert all(claims["psys"] & other for other in claims.values())
