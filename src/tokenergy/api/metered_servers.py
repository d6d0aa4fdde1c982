"""The meters of one plan, opened: read together, window after window."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from tokenergy.company.observe import Engine
from tokenergy.company.serving.plan import MeterPlan
from tokenergy.errors import InputError
from tokenergy.feeds.http import utc_now
from tokenergy.metering.meter import MeterRule
from tokenergy.metering.reading import Reading
from tokenergy.metering.together import together

SHARED_NOTE: Final = (
    "several models share the meter: it says what they took together, and the model how they "
    "share it"
)
SAY_AGAIN: Final = timedelta(minutes=10)
"""A meter that goes on telling nothing is told of so often, and not at each window."""


_SECONDS: Final = re.compile(r"\d+\.\d+")


class WindowMeter(Protocol):
    """A meter that is read window after window (`feeds.meters.open_meter.WindowMeter`)."""

    @property
    def rule(self) -> MeterRule:
        """How its samples become a reading."""
        ...

    @property
    def claims(self) -> frozenset[str]:
        """What it counts, by names that another meter of the same joules has too."""
        ...

    def read(self) -> Reading:
        """End the window and begin the next."""
        ...

    def look(self) -> None:
        """Take a sample within the window."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


OpenMeter = Callable[[Engine, float], WindowMeter]
"""Opens an engine's meter, told seconds between two readings; raises FindingsError."""


class MeteredServers:
    """Meters whose joules are one reading. `close` them.

    Attributes:
        plan: whose they are.
        least_span_s: below this a window has no figure.
    """

    def __init__(
        self, plan: MeterPlan, open_meter: OpenMeter, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """Open every meter, or none.

        Raises:
            InputError: if one of them cannot be opened, or two of them count the same joules.
        """
        self.plan = plan
        self._clock = clock
        self._meters: list[WindowMeter] = []
        self._missing: Reading | None = None
        try:
            claimed: set[str] = set()
            for text in plan.engines:
                engine = Engine.model_validate_json(text)
                meter = open_meter(engine, plan.every_s)
                self._meters.append(meter)
                if twice := sorted(claimed & meter.claims):
                    raise InputError(
                        f"the meter of engine {engine.name!r} counts {', '.join(twice)}, which "
                        "another one of the same servers counts already"
                    )
                claimed |= meter.claims
        except InputError:
            self.close()
            raise
        self.claims = frozenset(claimed)
        self.least_span_s = max((each.rule.least_span_s for each in self._meters), default=0.0)

    def begin(self) -> None:
        """Begin the first window: what came before it is not counted."""
        for meter in self._meters:
            meter.read()

    def look(self) -> None:
        """Take a sample within the window."""
        for meter in self._meters:
            meter.look()

    def read(self) -> tuple[Reading, ...]:
        """End the window, begin the next, and return what is to be told of it.

        That is its reading; of a meter that goes on telling nothing for the same reason the first
        window at once, and the others as one, every ten minutes or when it tells again.
        """
        made = self._shared(together([meter.read() for meter in self._meters]))
        held, self._missing = self._missing, None
        if made.energy_j is not None:
            return (made,) if held is None or not held.span_s else (held, made)
        if held is None:
            self._missing = replace(made, start=made.end)
            return (made,)
        if _same(held.reason) != _same(made.reason):
            self._missing = replace(made, start=made.end)
            return (held, made) if held.span_s else (made,)
        grown = replace(held, end=made.end)
        if made.end - held.start < SAY_AGAIN:
            self._missing = grown
            return ()
        self._missing = replace(grown, start=made.end)
        return (grown,)

    def rest(self) -> tuple[Reading, ...]:
        """Return what is still to be told of windows without a reading, at the end."""
        held, self._missing = self._missing, None
        return (held,) if held is not None and held.span_s else ()

    def close(self) -> None:
        """Give back what the meters hold."""
        for meter in self._meters:
            meter.close()
        self._meters = []

    def _shared(self, reading: Reading) -> Reading:
        """Mark what several models share: nobody measured how."""
        if self.plan.model or reading.energy_j is None:
            return reading
        reason = f"{reading.reason}; {SHARED_NOTE}" if reading.reason else SHARED_NOTE
        return replace(reading, tier="modelled", reason=reason)


def _same(reason: str) -> str:
    """Return what stays the same in a reason that is told window after window: not its seconds."""
    return _SECONDS.sub("", reason)


def unread(plan_name: str, start: datetime, end: datetime, reason: str) -> Reading:
    """Return the reading of a span in which nobody read a meter: none, with the reason."""
    return Reading(
        start=min(start, end),
        end=end,
        energy_j=None,
        tier="modelled",
        boundary="gpu",
        reason=f"meter {plan_name}: {reason}",
    )


def overlapping(held: Sequence[MeteredServers], fresh: MeteredServers) -> str:
    """Say which joules two plans' meters both count; "" if none."""
    for other in held:
        if twice := sorted(other.claims & fresh.claims):
            return (
                f"{', '.join(twice)} is counted by meter {other.plan.name!r} too: its joules "
                "would be divided twice"
            )
    return ""
