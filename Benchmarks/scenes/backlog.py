"""P6 and P7: memory and starts, with an empty spool and with a backlog of ten million events."""

import time
from datetime import timedelta

from . import events, months
from .bench import Bench
from .daemon import DATABASE, Daemon
from .ingest import committed_rows
from .sending import send_acknowledged
from .session import Session
from .watch import ResidentWatch

# One file with a tenth of the events is sent this many times.
PASSES = 10
CONNECTIONS = 2
# Bytes of disk an event takes: in the spool, and in PostgreSQL what drains of it meanwhile.
BYTES_PER_EVENT = 600


def run(bench: Bench, scenes: frozenset[str]) -> None:
    """Fills the spool while PostgreSQL is stopped, starts over it in both ways, then lets it drain."""
    count = bench.settings.backlog_events
    bench.need_disk(count * BYTES_PER_EVENT / 2**30 + 5, "P6 and P7")
    bench.cluster.start()
    # A clean stop writes none of the backlog: the starts are over all of it.
    daemon = bench.daemon(partitions__maintenance_interval="1d", database__drain_limit="0s")
    daemon.create()
    if "P7" in scenes:
        _starts(bench, daemon, "start", is_clean=True)
    bench.cluster.stop()
    _fill(bench, daemon)
    bench.cluster.start()
    if "P7" in scenes:
        _starts(bench, daemon, "start stopped", is_clean=True)
        _starts(bench, daemon, "start killed", is_clean=False)
    if "P6" in scenes:
        _drain(bench, daemon)
    daemon.kill()
    bench.cluster.drop(DATABASE)
    daemon.erase()


def _starts(bench: Bench, daemon: Daemon, name: str, *, is_clean: bool) -> None:
    """Each measured start comes after a stop, or after kill -9; PostgreSQL runs."""
    end = daemon.stop if is_clean else daemon.kill
    daemon.start()
    for _ in range(bench.settings.runs):
        end()
        bench.results.add(name, daemon.start() * 1000)
    end()
    bench.say(f"P7 {name}: " + ", ".join(f"{value:.0f}" for value in bench.results.values(name)) + " ms")


def _fill(bench: Bench, daemon: Daemon) -> None:
    count = bench.settings.backlog_events
    day = months.window(months.now())[1] - timedelta(days=1)
    lines = events.arrival_order(bench.data, count // PASSES, bench.settings.seed, day)
    daemon.start()
    began = time.perf_counter()
    for _ in range(PASSES):
        send_acknowledged(lines, daemon.tcp_port, CONNECTIONS)
    seconds, resident = time.perf_counter() - began, daemon.resident_mib_max()
    bench.results.add("flood resident", resident, scene="backlog filled")
    bench.say(f"P6 {count:,} events spooled in {seconds:.1f} s, {resident:.0f} MiB")
    daemon.stop()


def _drain(bench: Bench, daemon: Daemon) -> None:
    """From the start on: the first minute, or less when all is written earlier."""
    count = bench.settings.backlog_events
    daemon.start()
    with Session(bench.cluster, DATABASE) as session, ResidentWatch(daemon.pid) as watch:
        end = time.monotonic() + bench.settings.drain_seconds
        while time.monotonic() < end and (committed := committed_rows(session)) < count:
            time.sleep(0.2)
    highest, median = daemon.resident_mib_max(), watch.median_mib
    bench.results.add("backlog resident", highest, median_mib=round(median, 1), committed=committed, events=count)
    bench.results.add("backlog growth", highest - median)
    bench.say(f"P6 {committed:,} of {count:,} events written: highest {highest:.1f} MiB, median {median:.1f} MiB")
