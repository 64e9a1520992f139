"""The reference: the same table as a team without Millrace would make it, and what they would write it with."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from . import months, processes
from .bench import Bench
from .events import EventFiles
from .scene_error import SceneError
from .sending import send_one_way

DATABASE = "reference"
COLUMNS = "id, event_type, user_id, payload, created_at"

TABLE = """
CREATE TABLE analytics_events (
    id uuid NOT NULL,
    event_type text NOT NULL,
    user_id uuid,
    payload jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
"""

INDEXES = """
CREATE INDEX ON analytics_events (event_type, created_at DESC);
CREATE INDEX ON analytics_events (user_id, created_at DESC) WHERE user_id IS NOT NULL;
CREATE INDEX ON analytics_events USING gin (payload jsonb_path_ops);
"""


def create(bench: Bench, files: EventFiles, *, is_indexed: bool) -> None:
    """A new database with the table, and a checkpoint, so that nothing of the run before is left to write."""
    create_months(bench, files.start, files.end, is_indexed=is_indexed)


def create_months(bench: Bench, start: datetime, end: datetime, *, is_indexed: bool) -> None:
    """The same for events from `start` to `end`."""
    bench.cluster.recreate(DATABASE)
    month, partitions = months.previous_month(start), []
    while month <= months.next_month(end):
        after = months.next_month(month)
        partitions.append(
            f"CREATE TABLE analytics_events_{month:%Y_%m} PARTITION OF analytics_events "
            f"FOR VALUES FROM ('{month:%Y-%m-%d}') TO ('{after:%Y-%m-%d}');")
        month = after
    bench.cluster.sql(
        TABLE + "\n".join(partitions) + (INDEXES if is_indexed else "") + "CHECKPOINT;", DATABASE)


def psql(bench: Bench, name: str, files: EventFiles, *, sessions: int, is_indexed: bool) -> None:
    """psql's \\copy of the binary file into the parent: one session, or two with a half each."""
    create(bench, files, is_indexed=is_indexed)
    parts = [files.copy] if sessions == 1 else files.copy_halves
    commands = [
        bench.cluster.psql_command(
            DATABASE, "-c", f"\\copy analytics_events ({COLUMNS}) FROM '{part}' (FORMAT binary)")
        for part in parts
    ]
    cpu_before, began = bench.cluster.cpu_seconds(), time.perf_counter()
    running = [subprocess.Popen(command, env=os.environ | bench.cluster.environment) for command in commands]
    if any([process.wait() for process in running]):
        raise SceneError("psql's \\copy failed; its message is above")
    _report(bench, name, files, time.perf_counter() - began, cpu_before)


def asyncio_peer(bench: Bench, name: str, files: EventFiles) -> None:
    """A server as a Python team would write it, fed over one connection."""
    create(bench, files, is_indexed=True)
    with running_peer(bench) as (server, port):
        cpu_before, began = bench.cluster.cpu_seconds(), time.perf_counter()
        send_one_way(files.lines, port)
        seconds, peer_cpu = time.perf_counter() - began, processes.cpu_seconds(server.pid)
    _report(bench, name, files, seconds, cpu_before, peer_cpu_seconds=round(peer_cpu, 2))


@contextlib.contextmanager
def running_peer(bench: Bench, *arguments: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """The asyncio peer on the reference's database, and its port."""
    python = bench.settings.venv / "bin" / "python"
    if not python.exists():
        raise SceneError(f"{python} is missing; `make bench` makes it from Benchmarks/peer/requirements.txt")
    script = Path(__file__).parent.parent / "peer" / "server.py"
    server = subprocess.Popen(
        [python, script, *arguments], stdout=subprocess.PIPE, text=True,
        env=os.environ | bench.cluster.environment | {"PGDATABASE": DATABASE})
    try:
        port = server.stdout.readline().strip()
        if not port:
            raise SceneError("the asyncio peer did not start; its message is above")
        yield server, int(port)
    finally:
        processes.stop(server)


def _report(bench: Bench, name: str, files: EventFiles, seconds: float, cpu_before: float, **details: object) -> None:
    time.sleep(0.1)  # the postmaster has to reap the sessions before their time counts
    postgres_cpu = bench.cluster.cpu_seconds() - cpu_before
    rows = int(bench.cluster.sql("SELECT count(*) FROM analytics_events", DATABASE))
    if rows != files.count:
        raise SceneError(f"{name}: {rows} rows are in the table, {files.count} were sent")
    rate = files.count / seconds
    bench.results.add(
        name, rate, seconds=round(seconds, 3), postgres_cpu_seconds=round(postgres_cpu, 2),
        load=os.getloadavg()[0], **details)
    bench.say(f"{name:24} {seconds:7.2f} s {rate:10,.0f} rows/s  PostgreSQL {postgres_cpu:.1f} s")
    bench.cluster.drop(DATABASE)
