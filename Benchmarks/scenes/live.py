"""L1: what live traffic costs: WAL, processor time and transactions at rates far below the highest one."""

import random
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

from . import event_text, processes, reference
from .bench import Bench
from .daemon import DATABASE
from .goals import LIVE_RATES
from .ingest import check_rows, wait_until_committed
from .sending import PacedSender
from .session import Session

PEER_COMMIT_MS = 10
# Seconds until connections are open, plans are made, and the tables' pages are touched after the checkpoint.
WARMUP_SECONDS = 10


def run(bench: Bench, _: frozenset[str]) -> None:
    """Each rate with the default packs, without, and by the asyncio peer; from an empty database and a checkpoint each."""
    bench.cluster.start()
    for rate in LIVE_RATES:
        _millrace(bench, "packs", rate)
        _millrace(bench, "plain", rate, projections__packs="")
        _peer(bench, rate)


def lines(seed: int) -> Iterator[bytes]:
    """Events that happen now, each with an id: about 357 bytes a line."""
    source = random.Random(f"live {seed}")
    people = event_text.users(seed)
    while True:
        event_type = source.choices(event_text.TYPES, weights=event_text.TYPE_WEIGHTS)[0]
        user = "null" if source.random() < 0.1 else f'"{people[int(source.random() * len(people))]}"'
        id_ = uuid.UUID(int=source.getrandbits(128), version=4)
        payload = event_text.payload(source.getrandbits(256), is_short=False)
        stamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        yield (
            f'{{"id":"{id_}","event_type":"{event_type}","user_id":{user},"created_at":"{stamp}",'
            f'"payload":{payload}}}\n').encode()


def _millrace(bench: Bench, name: str, rate: int, **settings: object) -> None:
    daemon = bench.daemon(partitions__maintenance_interval="1d", **settings)
    daemon.create()
    daemon.start()
    daemon.settle()
    bench.cluster.sql("CHECKPOINT")
    with Session(bench.cluster, DATABASE) as session:
        sender = PacedSender(lines(bench.settings.seed), daemon.tcp_port, rate, is_acknowledged=True)
        _measure(
            bench, name, rate, sender, session, daemon.cpu_seconds,
            committed=lambda: wait_until_committed(session, sender.sent),
            batches=lambda: int(session.ask("SELECT count(*) FROM ingest_batches WHERE rows > 0")))
        sender.finish()
        check_rows(session, sender.sent)
    daemon.stop()
    bench.cluster.drop(DATABASE)
    daemon.erase()


def _peer(bench: Bench, rate: int) -> None:
    now = datetime.now(timezone.utc)
    reference.create_months(bench, now - timedelta(days=1), now + timedelta(days=1), is_indexed=True)
    with (
        reference.running_peer(bench, str(PEER_COMMIT_MS)) as (server, port),
        Session(bench.cluster, reference.DATABASE) as session,
    ):
        sender = PacedSender(lines(bench.settings.seed), port, rate, is_acknowledged=False)
        _measure(
            bench, "asyncio", rate, sender, session, lambda: processes.cpu_seconds(server.pid),
            committed=lambda: time.sleep(PEER_COMMIT_MS / 1000), batches=None)
        sender.finish()
        check_rows(session, sender.sent)
    bench.cluster.drop(reference.DATABASE)


def _measure(
    bench: Bench, name: str, rate: int, sender: PacedSender, session: Session, server_cpu: Callable[[], float],
    committed: Callable[[], None], batches: Callable[[], int] | None,
) -> None:
    seconds = bench.settings.live_seconds
    sender.send(min(WARMUP_SECONDS, seconds))
    committed()
    sent, wal, taken = sender.sent, _wal_bytes(session), batches() if batches else 0
    server_before, postgres_before, began = server_cpu(), bench.cluster.cpu_seconds(), time.perf_counter()
    sender.send(seconds)
    committed()
    passed = time.perf_counter() - began
    server, postgres = server_cpu() - server_before, bench.cluster.cpu_seconds() - postgres_before
    events = sender.sent - sent
    wal_per_event = (_wal_bytes(session) - wal) / events
    bench.results.add(f"live wal {name} {rate}", wal_per_event, events=events, seconds=round(passed, 2))
    bench.results.add(
        f"live processor {name} {rate}", (server + postgres) / passed * 100,
        server_percent=round(server / passed * 100, 2), postgres_percent=round(postgres / passed * 100, 2))
    said = ""
    if batches:
        rate_of_batches = (batches() - taken) / passed
        bench.results.add(
            f"live batches {name} {rate}", rate_of_batches, per_event=round(rate_of_batches * passed / events, 4))
        said = f", {rate_of_batches:.0f} batches/s"
    bench.say(
        f"L1 {name:8} {rate:5,} events/s: {wal_per_event:,.0f} bytes of WAL an event, server {server / passed:.1%}, "
        f"PostgreSQL {postgres / passed:.1%} of a core{said}")


def _wal_bytes(session: Session) -> int:
    return int(session.ask("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
