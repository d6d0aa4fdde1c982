"""The window of an account: when it began and when it is whole again, in its own zone's days."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tokenergy.company.serving.plan import WindowName


def window_of(window: WindowName, time_zone: str, now_s: float) -> tuple[float, float]:
    """Return `[start, end)` of the window that a moment lies in, seconds since the Unix epoch.

    The same windows as `company.budget.Budget.window_at` tells: hours are those of the UTC offset
    at the moment; a day on which clocks change has 23 or 25 hours.
    """
    moment = datetime.fromtimestamp(now_s, tz=UTC)
    local = moment.astimezone(ZoneInfo(time_zone))
    if window == "hour":
        past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        start = moment - past
        return start.timestamp(), (start + timedelta(hours=1)).timestamp()
    first = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if window == "week":
        first -= timedelta(days=first.weekday())
    if window == "month":
        first = first.replace(day=1)
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    else:
        after = first + timedelta(days=7 if window == "week" else 1)
    return first.timestamp(), after.timestamp()
