"""Which days the events of the scenes happened on."""

from datetime import datetime, timedelta, timezone

DAYS = 20
DAY_MS = 86_400_000


def now() -> datetime:
    """Today in UTC, as the partitions are."""
    return datetime.now(timezone.utc)


def window(now: datetime) -> tuple[datetime, datetime]:
    """20 days up to the last 20th: a day in one month, the rest in the next, whatever today is."""
    end = now.replace(day=20, hour=0, minute=0, second=0, microsecond=0)
    if end > now:
        end = previous_month(end).replace(day=20)
    return end - timedelta(days=DAYS), end


def month_start(day: datetime) -> datetime:
    return day.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def previous_month(day: datetime) -> datetime:
    """The first day of the month before."""
    return month_start(month_start(day) - timedelta(days=1))


def next_month(day: datetime) -> datetime:
    """The first day of the month after."""
    return month_start(month_start(day) + timedelta(days=31))


def stamp(seconds: float) -> str:
    """Of seconds since 1970, as events have it."""
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{int(seconds % 1 * 1000):03d}Z"


def milliseconds(day: datetime) -> int:
    return int((day - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(milliseconds=1))
