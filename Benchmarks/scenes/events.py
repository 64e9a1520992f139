"""Makes the events of the scenes: the same from the same seed, count and days, however many processes make them."""

import multiprocessing
import random
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

from . import event_text, months

CHUNK = 20_000


@dataclass(frozen=True)
class EventFiles:
    """Events as lines, and the same rows for `COPY … (FORMAT binary)`: all of them, and in two halves."""

    count: int
    lines: Path
    copy: Path
    copy_halves: tuple[Path, Path]
    start: datetime
    end: datetime

    @property
    def line_bytes_mean(self) -> float:
        return self.lines.stat().st_size / self.count


@dataclass(frozen=True)
class _Chunk:
    seed: int
    first: int
    count: int
    start_ms: int
    span_ms: int
    is_short: bool


def random_order(directory: Path, count: int, seed: int, *, is_short: bool = False) -> EventFiles:
    """`count` events spread over 20 days in random order, each with an id: about 357 bytes a line, or 330 (`is_short`).

    Keeps the files in `directory` and takes them from there the next time.
    """
    start, end = months.window(months.now())
    size = "330" if is_short else "357"
    stem = f"events-{size}-{count}-{seed}-{start:%Y%m%d}"
    files = EventFiles(
        count=count, lines=directory / f"{stem}.ndjson", copy=directory / f"{stem}.copy",
        copy_halves=(directory / f"{stem}.copy.0", directory / f"{stem}.copy.1"), start=start, end=end)
    if files.lines.exists():
        return files
    print(f"making {count:,} events of {size} bytes", file=sys.stderr)
    span = months.milliseconds(end) - months.milliseconds(start)
    half = count // 2
    jobs = [
        _Chunk(seed, first, min(CHUNK, last - first), months.milliseconds(start), span, is_short)
        for begin, last in ((0, half), (half, count)) for first in range(begin, last, CHUNK)
    ]
    unfinished = files.lines.with_suffix(".part")
    with (
        multiprocessing.Pool() as pool, open(unfinished, "wb") as lines, open(files.copy, "wb") as copy,
        open(files.copy_halves[0], "wb") as copy0, open(files.copy_halves[1], "wb") as copy1,
    ):
        for file in (copy, copy0, copy1):
            file.write(event_text.COPY_HEADER)
        for job, (text, rows) in zip(jobs, pool.imap(_make, jobs)):
            lines.write(text)
            copy.write(rows)
            (copy0 if job.first < half else copy1).write(rows)
        for file in (copy, copy0, copy1):
            file.write(event_text.COPY_TRAILER)
    unfinished.rename(files.lines)
    return files


def arrival_order(directory: Path, count: int, seed: int, day: datetime) -> Path:
    """`count` events of one day in order, without an id: the daemon makes them, so that no line is ever a repeat.

    Each line starts with `day_mark(day)`, by which it can be moved to another day.
    """
    file = directory / f"arrivals-{count}-{seed}-{day:%Y%m%d}.ndjson"
    if file.exists():
        return file
    print(f"making {count:,} events in order of arrival", file=sys.stderr)
    unfinished = file.with_suffix(".part")
    start = months.milliseconds(day)
    source = random.Random(f"arrivals {seed}")
    people = _users(seed)
    types = source.choices(event_text.TYPES, weights=event_text.TYPE_WEIGHTS, k=count)
    with open(unfinished, "w") as lines:
        for index, event_type in enumerate(types):
            # Up to a minute late, as events of many senders are.
            offset = min(months.DAY_MS - 1, index * months.DAY_MS // count + int(source.random() * 60_000))
            user = people[int(source.random() * len(people))]
            lines.write(
                f'{{"created_at":"{_stamp(start + offset)}","event_type":"{event_type}","user_id":"{user}",'
                f'"payload":{event_text.payload(source.getrandbits(256), is_short=False)}}}\n')
    unfinished.rename(file)
    return file


def day_mark(day: datetime) -> bytes:
    """How the lines of `arrival_order` start."""
    return f'{{"created_at":"{day:%Y-%m-%d}'.encode()


@cache
def _users(seed: int) -> list:
    return event_text.users(seed)


@cache
def _day(days: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%d")


def _stamp(milliseconds: int) -> str:
    days, rest = divmod(milliseconds, months.DAY_MS)
    return f"{_day(days)}T{event_text.CLOCK[rest // 1000]}.{rest % 1000:03d}Z"


def _make(chunk: _Chunk) -> tuple[bytes, bytes]:
    source = random.Random(f"events {chunk.seed} {chunk.first}")
    people = _users(chunk.seed)
    types = source.choices(event_text.TYPES, weights=event_text.TYPE_WEIGHTS, k=chunk.count)
    lines, rows = [], []
    for event_type in types:
        digits = f"{source.getrandbits(128):032x}"
        digits = f"{digits[:12]}4{digits[13:16]}{'89ab'[int(digits[16], 16) % 4]}{digits[17:]}"
        id_ = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        user = None if source.random() < 0.1 else people[int(source.random() * len(people))]
        user_text = "null" if user is None else f'"{user}"'
        payload = event_text.payload(source.getrandbits(256), is_short=chunk.is_short)
        created = chunk.start_ms + int(source.random() * chunk.span_ms)
        lines.append(
            f'{{"id":"{id_}","event_type":"{event_type}","user_id":{user_text},'
            f'"created_at":"{_stamp(created)}","payload":{payload}}}\n')
        rows.append(event_text.copy_row(
            bytes.fromhex(digits), event_type, None if user is None else user.bytes, payload, created))
    return "".join(lines).encode(), b"".join(rows)
