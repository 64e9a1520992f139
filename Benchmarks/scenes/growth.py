"""P8: does a month that grows slow down its own writing?"""

import socket
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from . import events, months
from .bench import Bench
from .daemon import DATABASE
from .ingest import check_rows, committed_rows, wait_until_committed
from .scene_error import SceneError
from .session import Session

PIECE_BYTES = 4 << 20
# How far the sender is ahead of what is committed.
AHEAD_EVENTS = 100_000
POLL_SECONDS = 0.01
PATIENCE_SECONDS = 120
# A run takes about four minutes.
RUNS_MAX = 3
# Bytes of disk an event takes: its row, its index entries, its log.
BYTES_PER_EVENT = 1000


def run(bench: Bench, _: frozenset[str]) -> None:
    """One day a step of the month before this one, in order of arrival; the ids are the daemon's own."""
    settings = bench.settings
    bench.need_disk(settings.growth_step * settings.growth_steps * BYTES_PER_EVENT / 2**30 + 8, "P8")
    day = months.previous_month(months.now())
    lines = events.arrival_order(bench.data, settings.growth_step, settings.seed, day)
    for turn in range(min(settings.runs, RUNS_MAX)):
        bench.cluster.start(shared_buffers="128MB")
        # The spool's segments go at once, to spare the disk; no month is closed meanwhile.
        daemon = bench.daemon(
            partitions__maintenance_interval="1d", partitions__payload_index="closed", database__writers=2,
            spool__retain="0s")
        daemon.create()
        daemon.start()
        daemon.settle()
        bench.cluster.sql("CHECKPOINT")
        with Session(bench.cluster, DATABASE) as session:
            rates = _grow(lines, day, settings.growth_step, settings.growth_steps, daemon.tcp_port, session)
        bench.results.add("first step", rates[0])
        bench.results.add("last step", rates[-1], rates=[round(rate) for rate in rates])
        bench.say(f"P8 run {turn + 1}: " + " ".join(f"{rate / 1000:.0f}k" for rate in rates) + " rows/s by step")
        daemon.stop()
        bench.cluster.drop(DATABASE)
        daemon.erase()


def _grow(lines: Path, day: datetime, step: int, steps: int, port: int, session: Session) -> list[float]:
    """Rows a second of each step. One more is sent than measured, so that the intake works beside the last one too."""
    total = step * steps
    sent, seen = 0, [(time.perf_counter(), 0)]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        pieces = _pieces(lines, day, steps + 1)
        while seen[-1][1] < total:
            if sent - seen[-1][1] < AHEAD_EVENTS and (piece := next(pieces, None)):
                connection.sendall(piece)
                sent += piece.count(b"\n")
            else:
                time.sleep(POLL_SECONDS)
            now, committed = time.perf_counter(), committed_rows(session)
            if committed > seen[-1][1]:
                seen.append((now, committed))
            elif now - seen[-1][0] > PATIENCE_SECONDS:
                raise SceneError(f"{committed} of {total} rows are committed, and no more for two minutes")
    wait_until_committed(session, sent)
    check_rows(session, sent)
    crossings = [_time_of(row, seen) for row in range(0, total + 1, step)]
    return [step / (after - before) for before, after in zip(crossings, crossings[1:])]


def _pieces(lines: Path, day: datetime, days: int) -> Iterator[bytes]:
    """The file's lines moved from day to day, in pieces of whole lines."""
    mark = events.day_mark(day)
    for number in range(days):
        moved, rest = events.day_mark(day + timedelta(days=number)), b""
        with open(lines, "rb") as file:
            while chunk := file.read(PIECE_BYTES):
                whole, newline, tail = (rest + chunk).rpartition(b"\n")
                yield (whole + newline).replace(mark, moved)
                rest = tail


def _time_of(row: int, seen: list[tuple[float, int]]) -> float:
    """The time at which this many rows were committed, interpolated between two looks."""
    for (before, fewer), (after, more) in zip(seen, seen[1:]):
        if more >= row:
            return before + (after - before) * (row - fewer) / (more - fewer)
    raise SceneError(f"{row} rows were never seen")
