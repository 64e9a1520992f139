"""P1: from TCP to committed, with the indexes as they come, closed, and without."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from . import reference
from .bench import Bench
from .daemon import DATABASE, Daemon
from .events import EventFiles
from .scene_error import SceneError
from .sending import send_one_way
from .session import Session

POLL_SECONDS = 0.02
DROP_INDEXES = """
DROP INDEX analytics_events_event_type_created_at_idx;
DROP INDEX analytics_events_user_id_created_at_idx;
DROP INDEX analytics_events_batch_id_idx;
"""
# Searching what waits in a GIN index's list is slow, so emptying the list belongs to the work.
CLEAN = """
SELECT gin_clean_pending_list(index.oid::regclass)
FROM pg_class AS index
JOIN pg_am AS method ON method.oid = index.relam
JOIN pg_index AS state ON state.indexrelid = index.oid
JOIN pg_inherits AS link ON link.inhrelid = state.indrelid
WHERE method.amname = 'gin' AND link.inhparent = 'analytics_events'::regclass
"""


def run(bench: Bench, scenes: frozenset[str]) -> None:
    """`scenes`: which of P1, P1b, P1c and P1d; what none of them needs is left out. One run of each in turn."""
    files = bench.events(bench.settings.rows)
    bench.cluster.start()
    with_indexes = scenes & {"P1", "P1b", "P1c"}
    for turn in range(bench.settings.runs):
        bench.say(f"P1 run {turn + 1} of {bench.settings.runs}, {files.count:,} rows")
        if with_indexes:
            reference.psql(bench, "psql one session", files, sessions=1, is_indexed=True)
        if scenes & {"P1b", "P1c"}:
            reference.psql(bench, "psql two sessions", files, sessions=2, is_indexed=True)
            reference.asyncio_peer(bench, "asyncio", files)
        if "P1" in scenes:
            measure(bench, "millrace one writer", files, database__writers=1)
        if "P1b" in scenes:
            measure(bench, "millrace two writers", files, database__writers=2)
        if "P1c" in scenes:
            measure(bench, "millrace closed", files, database__writers=2, partitions__payload_index="closed")
        if "P1d" in scenes:
            reference.psql(bench, "psql primary key", files, sessions=2, is_indexed=False)
            measure(
                bench, "millrace primary key", files, before=DROP_INDEXES, database__writers=2,
                partitions__payload_index="none", projections__packs="")


def measure(
    bench: Bench, name: str, files: EventFiles, before: str = "",
    beside: Callable[[Daemon], AbstractContextManager] = nullcontext, **settings: object,
) -> None:
    """`before`: SQL after the migration. `beside`: goes on meanwhile. The clock stops when all is committed and GIN's
    lists are empty."""
    # Once at the start is enough, so that no month is closed meanwhile.
    daemon = bench.daemon(partitions__maintenance_interval="1d", **settings)
    daemon.create()
    if before:
        bench.cluster.sql(before, DATABASE)
    daemon.start()
    daemon.settle()
    bench.cluster.sql("CHECKPOINT")
    with Session(bench.cluster, DATABASE) as session, beside(daemon):
        postgres_before, daemon_before = bench.cluster.cpu_seconds(), daemon.cpu_seconds()
        began = time.perf_counter()
        send_one_way(files.lines, daemon.tcp_port)
        sent = time.perf_counter() - began
        wait_until_committed(session, files.count)
        committed = time.perf_counter() - began
        session.ask(CLEAN)
        seconds = time.perf_counter() - began
        daemon_cpu = daemon.cpu_seconds() - daemon_before
        postgres_cpu = bench.cluster.cpu_seconds() - postgres_before
        check_rows(session, files.count)
    _report(
        bench, name, files, daemon, seconds, sent_seconds=sent, committed_seconds=committed,
        daemon_cpu_seconds=daemon_cpu, postgres_cpu_seconds=postgres_cpu)
    daemon.stop()
    bench.cluster.drop(DATABASE)
    daemon.erase()


def _report(
    bench: Bench, name: str, files: EventFiles, daemon: Daemon, seconds: float, **details: float
) -> None:
    rate, resident = files.count / seconds, daemon.resident_mib_max()
    bench.results.add(
        name, rate, seconds=round(seconds, 3), resident_mib_max=round(resident, 1), load=os.getloadavg()[0],
        **{key: round(value, 3) for key, value in details.items()})
    bench.results.add("flood resident", resident, scene=name)
    bench.say(
        f"{name:24} {seconds:7.2f} s {rate:10,.0f} rows/s  PostgreSQL {details['postgres_cpu_seconds']:.1f} s, "
        f"daemon {details['daemon_cpu_seconds']:.2f} s, {resident:.0f} MiB; sent after "
        f"{details['sent_seconds']:.2f} s, committed after {details['committed_seconds']:.2f} s")


def wait_until_committed(session: Session, rows: int, patience_seconds: float = 60) -> None:
    """Waits until the ledger has this many rows; raises when it has stood still for a minute."""
    last, moved = -1, time.monotonic()
    while (committed := committed_rows(session)) < rows:
        if committed != last:
            last, moved = committed, time.monotonic()
        elif time.monotonic() - moved > patience_seconds:
            raise SceneError(f"{committed} of {rows} rows are committed, and no more for a minute")
        time.sleep(POLL_SECONDS)


def committed_rows(session: Session) -> int:
    """Rows committed, by the ledger, which is cheap to ask."""
    return int(session.ask("SELECT coalesce(sum(rows), 0) FROM ingest_batches"))


def check_rows(session: Session, rows: int) -> None:
    found = int(session.ask("SELECT count(*) FROM analytics_events"))
    if found != rows:
        raise SceneError(f"{found} rows are in the tables, {rows} were sent")
