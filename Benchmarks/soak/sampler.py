"""Looks at everything that could grow, again and again, and judges how it went."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

from scenes import processes
from scenes.cluster import Cluster
from scenes.daemon import DATABASE, Daemon
from scenes.scene_error import SceneError
from scenes.session import Session

from .finding import Finding

MIB = 1 << 20
# The soak's own tables have their own schema, since the audits look at public.
EXTENSION = "CREATE SCHEMA soak; CREATE EXTENSION pgstattuple SCHEMA soak"
RELATIONS = """
    SELECT c.oid::regclass, pg_relation_size(c.oid)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'i', 't', 'm') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'soak')
        AND (n.nspname <> 'pg_toast' OR EXISTS (
            SELECT FROM pg_class AS t JOIN pg_namespace AS o ON o.oid = t.relnamespace
            WHERE c.oid IN (t.reltoastrelid, (SELECT indexrelid FROM pg_index WHERE indrelid = t.reltoastrelid))
                AND o.nspname NOT IN ('pg_catalog', 'information_schema')))
"""
COUNTS = """
    SELECT
        (SELECT count(*) FROM public.ingest_batches),
        (SELECT count(*) FROM public.dead_letters WHERE state = 'open'),
        (SELECT count(*) FROM projections.parked),
        (SELECT count(*) FROM projections.versions),
        (SELECT count(DISTINCT table_schema) FROM information_schema.tables),
        (SELECT sum(xact_commit) FROM pg_stat_database),
        pg_current_wal_insert_lsn() - '0/0'::pg_lsn
"""
# The rows that were asked for: they are what is kept.
KEPT = ("analytics_events_", "conversations_")
TABLES = """
    SELECT c.oid::regclass, coalesce(nullif(c.reltoastrelid, 0)::regclass::text, '')
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'soak', 'pg_toast')
"""
# Below this, a table is small whatever it holds.
SMALL_BYTES = 8 * MIB
LIVE_FACTOR = 4


@dataclass(frozen=True)
class _Sample:
    instant: float
    values: dict[str, float]
    relations: dict[str, int]


class Sampler:
    """A context: the thread runs in it."""

    def __init__(self, daemon: Daemon, cluster: Cluster, interval_seconds: float):
        self._daemon, self._cluster, self._interval = daemon, cluster, interval_seconds
        self._samples: list[_Sample] = []
        self._window = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        cluster.sql(EXTENSION, DATABASE)
        self._session = Session(cluster, DATABASE)
        self._thread = threading.Thread(target=self._run, name="sampler")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
            self._session.__exit__()

    def stop(self) -> None:
        self.__exit__()
        self.check()

    def check(self) -> None:
        if self._failure is not None:
            raise SceneError(f"the sampler failed: {self._failure!r}") from self._failure

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """A context in which nothing is sampled: while the daemon is away."""
        with self._lock:
            yield

    def begin_window(self) -> None:
        """Growth is judged from now on."""
        self._window = len(self._samples)

    def findings(self) -> list[Finding]:
        samples = self._samples[self._window:]
        if len(samples) < 6:
            raise SceneError(f"{len(samples)} samples are too few to judge growth by: let it run longer")
        return [*self._relation_findings(samples), *self._cost_findings(samples), *self._bounded_findings(samples),
                *self._bloat_findings()]

    # Sampling.

    def _run(self) -> None:
        try:
            while not self._ended.wait(self._interval):
                with self._lock:
                    self._samples.append(self._sample())
        except BaseException as error:
            self._failure = error

    def _sample(self) -> _Sample:
        ledger, dead, parked, versions, schemas, transactions, wal = map(int, self._session.ask(COUNTS).split("|"))
        relations = {
            name: int(size)
            for name, size in (row.split("|") for row in self._session.ask(RELATIONS).splitlines())
        }
        pid, spool = self._daemon.pid, list(self._daemon.spool.iterdir())
        return _Sample(time.monotonic(), {
            "ledger rows": ledger, "open dead letters": dead, "parked rows": parked, "versions": versions,
            "schemas": schemas, "transactions": transactions, "wal": wal,
            "resident": processes.resident_mib(pid) * MIB, "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "threads": len(os.listdir(f"/proc/{pid}/task")), "spool": sum(map(_size, spool)),
            "daemon processor": self._daemon.cpu_seconds(), "PostgreSQL processor": self._cluster.cpu_seconds(),
            "events": self._committed(),
        }, relations)

    def _committed(self) -> int:
        """Rows that went in, by PostgreSQL's count: the ledger's would be read whole."""
        return int(self._session.ask(
            "SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables"
            " WHERE schemaname = 'public' AND (relname LIKE 'analytics_events\\_%' OR relname LIKE 'conversations\\_%')"))

    # Judging.

    def _relation_findings(self, samples: list[_Sample]) -> list[Finding]:
        """The relations that take more than 64 KiB."""
        last = samples[-1].relations
        return [
            Finding(name, size, _per_hour(samples, lambda sample: sample.relations.get(name, 0)), "B")
            for name, size in sorted(last.items(), key=lambda item: -item[1]) if size > 65_536
        ]

    def _cost_findings(self, samples: list[_Sample]) -> list[Finding]:
        middle = len(samples) // 2
        first, second = (
            self._rate(part, "wal", "events") for part in (samples[:middle + 1], samples[middle:]))
        # Full pages after a checkpoint are in one half or in the other.
        wal = Finding(
            "WAL an event", second, None, "bytes", f"≤ 3 × {first:,.0f} of the first half", second <= 3 * first)
        seconds = samples[-1].instant - samples[0].instant
        return [wal] + [
            Finding(name, (samples[-1].values[name] - samples[0].values[name]) / seconds * 100, None, "% of a core")
            for name in ("daemon processor", "PostgreSQL processor")
        ] + [Finding("transactions a second", self._rate(samples, "transactions", None), None)]

    def _rate(self, samples: list[_Sample], name: str, by: str | None) -> float:
        first, last = samples[0], samples[-1]
        events = last.values[by] - first.values[by] if by else last.instant - first.instant
        return (last.values[name] - first.values[name]) / max(1, events)

    def _bounded_findings(self, samples: list[_Sample]) -> list[Finding]:
        """The growth from the middle of the first half to that of the second."""
        events = (samples[-1].values["events"] - samples[0].values["events"]) / 2
        bounds = {
            "resident": ("B", 4 * MIB), "descriptors": ("", 8), "threads": ("", 4), "spool": ("B", 4 * MIB),
            "open dead letters": ("", 0), "parked rows": ("", 0), "versions": ("", 0), "schemas": ("", 0),
            # Joined; else a row a batch of some ten events.
            "ledger rows": ("", events / 20),
        }
        findings = []
        for name, (unit, most) in bounds.items():
            growth = _growth(samples, lambda sample: sample.values[name])
            shown = f"{most / MIB:g} MiB" if unit == "B" else f"{most:.0f}"
            findings.append(Finding(
                name, samples[-1].values[name], _per_hour(samples, lambda sample: sample.values[name]), unit,
                f"grows ≤ {shown}", growth <= most))
        return findings

    def _bloat_findings(self) -> list[Finding]:
        """Of each table but those of the events: its size against what lives in it."""
        findings = []
        for row in self._cluster.sql(TABLES, DATABASE).splitlines():
            name, toast = row.split("|")
            size = live = 0
            for relation in filter(None, (name, toast)):
                answer = self._cluster.sql(
                    f"SELECT table_len, tuple_len FROM soak.pgstattuple('{relation}'::regclass)", DATABASE)
                length, tuples = map(int, answer.split("|"))
                size, live = size + length, live + tuples
            if size == 0 or name.removeprefix("public.").startswith(KEPT):
                continue
            most = max(SMALL_BYTES, LIVE_FACTOR * live)
            if size > SMALL_BYTES / 8:
                findings.append(Finding(
                    f"{name}, {live / MIB:.2f} MiB of it live", size, None, "B", f"≤ {most / MIB:,.0f} MiB",
                    size <= most))
        return findings


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # retired meanwhile
        return 0


def _halves(samples: list[_Sample], figure) -> tuple[float, float, float]:
    """The medians of both halves, and the time between them."""
    middle = len(samples) // 2
    first, second = samples[:middle], samples[middle:]
    return (
        median(map(figure, first)), median(map(figure, second)),
        median(sample.instant for sample in second) - median(sample.instant for sample in first))


def _growth(samples: list[_Sample], figure) -> float:
    before, after, _ = _halves(samples, figure)
    return after - before


def _per_hour(samples: list[_Sample], figure) -> float:
    before, after, seconds = _halves(samples, figure)
    return (after - before) / seconds * 3600
