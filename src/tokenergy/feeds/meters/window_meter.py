"""A meter that is read in windows, each beginning where the one before ended."""

from collections.abc import Callable

from tokenergy.feeds.meters.opened import OpenMeter
from tokenergy.metering.meter import MeterRule, MeterSample
from tokenergy.metering.reading import Reading


class WindowMeter:
    """A meter whose every `read` ends a window and begins the next.

    No joule falls between two windows: the last sample of one is the first of the next. It keeps
    no clock of its own, and no thread: whoever holds it calls it on a beat.
    """

    def __init__(self, meter: OpenMeter, on_close: Callable[[], None] | None = None) -> None:
        """Read nothing yet; `on_close` is called once the meter is closed."""
        self._meter = meter
        self._on_close = on_close
        self._samples: list[MeterSample] = []

    @property
    def rule(self) -> MeterRule:
        """How its samples become a reading; `least_span_s` is its shortest window."""
        return self._meter.rule

    @property
    def claims(self) -> frozenset[str]:
        """What it counts, for `overlaps`."""
        return self._meter.claims

    def look(self) -> None:
        """Take a sample within the window: for power, and against resets that the ends hide."""
        self._samples.append(self._meter.read())

    def read(self) -> Reading:
        """End the window that began at the last `read`, and return its joules.

        The first reading has none, and no length: it only begins.
        """
        self.look()
        reading = self._meter.reading(self._samples)
        del self._samples[:-1]
        return reading

    def close(self) -> None:
        """Give back what the meter holds."""
        self._meter.close()
        if self._on_close is not None:
            self._on_close()
