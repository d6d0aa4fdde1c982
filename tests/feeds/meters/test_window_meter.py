"""A meter in windows: the metering loop's view of it, over the kernel's tree of zones."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenergy.company.observe import Engine, RaplMeter
from tokenergy.errors import FindingsError
from tokenergy.feeds.meters.open_meter import WindowMeter, open_meter, refuse_overlaps

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RANGE = 262_143_328_850


class Tree:
    """One package with its cores and memory, and a clock that is moved by hand."""

    def __init__(self, root: Path) -> None:
        self.root, self.second, self.microjoules = root, 0.0, 0
        for zone, name in (("0", "package-0"), ("0:0", "core"), ("0:1", "dram")):
            folder = root / f"intel-rapl:{zone}"
            folder.mkdir(exist_ok=True)
            (folder / "name").write_text(f"{name}\n")
            (folder / "max_energy_range_uj").write_text(f"{RANGE}\n")
            (folder / "energy_uj").write_text("0\n")

    def draw(self, microjoules: int, *, span_s: float) -> None:
        """Let the package draw, its counter going round at its range."""
        self.second += span_s
        self.microjoules = (self.microjoules + microjoules) % RANGE
        (self.root / "intel-rapl:0" / "energy_uj").write_text(f"{self.microjoules}\n")

    def open(self, *zones: str, every_s: float | None = None) -> WindowMeter:
        engine = Engine(
            name="e",
            metrics_url="http://127.0.0.1:1/metrics",
            fleet="f",
            model="m",
            meter=RaplMeter(kind="rapl", zones=zones, root=str(self.root)),
        )
        return open_meter(
            engine,
            clock=lambda: NOON + timedelta(seconds=self.second),
            ticks=lambda: self.second,
            every_s=every_s,
        )


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_each_window_begins_where_the_one_before_ended(tree: Tree) -> None:
    meter = tree.open("package-0")
    begun = meter.read()
    assert (begun.energy_j, begun.span_s) == (None, 0.0)
    tree.draw(1_500_001, span_s=2.0)
    first = meter.read()
    tree.draw(7, span_s=2.0)
    second = meter.read()
    meter.close()
    assert (first.energy_microjoules, second.energy_microjoules) == (1_500_001, 7)
    assert first.end == second.start == NOON + timedelta(seconds=2)


def test_a_missing_window_does_not_harm_the_ones_beside_it(tree: Tree) -> None:
    meter = tree.open("package-0")
    meter.read()
    tree.draw(5, span_s=2.0)
    assert meter.read().energy_microjoules == 5
    file = tree.root / "intel-rapl:0" / "energy_uj"
    file.unlink()
    tree.second += 2.0
    gone = meter.read()
    tree.draw(11, span_s=2.0)
    back = meter.read()
    tree.draw(13, span_s=2.0)
    assert (gone.energy_microjoules, back.energy_microjoules) == (None, None)
    assert gone.reason
    assert back.reason
    assert meter.read().energy_microjoules == 13


def test_a_look_within_the_window_shows_a_reset_that_its_ends_hide(tree: Tree) -> None:
    """200 kJ, back at 1 J, and past 200 kJ again: by its ends the counter has only risen."""
    tree.draw(200_000_000_000, span_s=0.0)
    meter = tree.open("package-0")
    meter.read()
    tree.microjoules = 1_000_000
    tree.draw(0, span_s=5.0)
    meter.look()
    tree.microjoules = 200_000_000_500
    tree.draw(0, span_s=5.0)
    assert meter.read().energy_microjoules is None


def test_a_poller_that_slept_has_no_figure(tree: Tree) -> None:
    meter = tree.open("package-0", every_s=2.0)
    meter.read()
    tree.draw(5_000_000, span_s=21.0)
    late = meter.read()
    assert late.energy_j is None
    assert "a gap of 21.0 s" in late.reason
    tree.draw(3, span_s=2.0)
    assert meter.read().energy_microjoules == 3


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(draws=st.lists(st.integers(1, 10**11), min_size=1, max_size=12))
def test_windows_add_up_to_what_was_drawn_whatever_the_counter_goes_round(
    tmp_path: Path, draws: list[int]
) -> None:
    """Up to 100 kJ in 100 s or more, twelve times: the counter of 262 kJ goes round."""
    tree = Tree(tmp_path)
    meter = tree.open("package-0")
    meter.read()
    total = 0
    for drawn in draws:
        tree.draw(drawn, span_s=100.0)
        reading = meter.read()
        assert reading.energy_microjoules is not None
        total += reading.energy_microjoules
    assert total == sum(draws)


def test_two_engines_of_one_package_are_refused(tree: Tree) -> None:
    whole, part = tree.open("package-0"), tree.open("core")
    memory = tree.open("dram")
    refuse_overlaps({"a": whole, "b": memory})
    with pytest.raises(FindingsError) as caught:
        refuse_overlaps({"a": whole, "b": part, "c": memory, "d": tree.open("dram")})
    assert [(each.code, each.path) for each in caught.value.findings] == [
        ("METER_DOUBLE_COUNT", "observe.engines.b.meter"),
        ("METER_DOUBLE_COUNT", "observe.engines.d.meter"),
    ]
    assert "engine 'a'" in caught.value.findings[0].reason


def test_an_engine_without_a_meter_and_a_port_that_is_ours(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(name="e", metrics_url="http://127.0.0.1:1/metrics", fleet="f", model="m")
    with pytest.raises(ValueError, match="no meter"):
        open_meter(engine)
    closed: list[str] = []
    close: Callable[[object], None] = lambda _: closed.append("closed")  # noqa: E731
    monkeypatch.setattr("tokenergy.feeds.http.Http.close", close)
    tree.open("package-0").close()
    with pytest.raises(FindingsError):
        tree.open("nothing")
    assert closed == ["closed", "closed"]
