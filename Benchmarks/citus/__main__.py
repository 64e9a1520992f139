"""Two daemons send events into a Citus cluster on loopback while its nodes are killed; then everything is counted."""

import argparse
import random
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from scenes import trial
from scenes.daemon import DATABASE, Daemon
from scenes.scene_error import SceneError
from scenes.sending import send_acknowledged
from scenes.trial import say

from .nodes import CitusCluster, missing

WORKERS = 2
EVENTS_PER_FILE = 10_000
SETTLE_SECONDS = 600
NEEDS = """make citus-test: {missing}.
It needs the extension citus 12.1 to 13.2 with PostgreSQL 15 (Debian has no package of it: Citus's own repository has, or it
is built by hand), with a pg_config beside the server's programs; MILLRACE_POSTGRES_BIN names their directory when it is not
the newest of /usr/lib/postgresql/*/bin. With 1,000,000 events it takes some 6 minutes on two cores, and 3 GiB of disk."""


def main() -> int:
    arguments = _arguments()
    if (reason := missing()) is not None:
        print(NEEDS.format(missing=reason), file=sys.stderr)
        return 2
    if arguments.needs:
        return 0
    return trial.main(
        "citus-test", lambda trial: _run(arguments, trial), lambda directory: CitusCluster(directory, WORKERS, DATABASE))


def _run(arguments: argparse.Namespace, trial: trial.Trial) -> int:
    seed = arguments.seed or random.randrange(1, 1_000_000_000)
    say(f"SEED={seed}")
    began = time.monotonic()
    cluster = trial.cluster
    coordinator = cluster.coordinator
    say(f"Citus {coordinator.sql(QUERY_VERSION, DATABASE)} with {WORKERS} workers")
    daemons = []
    for number in range(2):
        directory = trial.directory / f"daemon{number}"
        directory.mkdir()
        daemon = Daemon(
            arguments.binary, directory, coordinator, database__distribution="citus", database__retry_max="500ms",
            projections__packs="analytics,conversations,product", archive__directory=directory / "archive", database__statement_timeout="30s")
        trial.exits.callback(daemon.kill)
        daemons.append(daemon)
    if arguments.months_first:
        # The first months are made before the tables are distributed.
        daemons[0].command("migrate", "up", "--set", "database.distribution=none")
        daemons[0].command("partitions", "ensure")
    daemons[0].command("migrate", "up")
    for daemon in daemons:
        daemon.start()
        daemon.settle()
    say(daemons[0].command("check"))

    share = arguments.events // len(daemons)
    threads = [
        Sender(daemon, trial.directory / f"events{number}", share, seed + number)
        for number, daemon in enumerate(daemons)
    ]
    for thread in threads:
        thread.start()
    kills = _kill_nodes(cluster, threads, share * 2, random.Random(seed), arguments.pause)
    say(f"{share * 2} events acknowledged and written, {kills} nodes killed meanwhile")
    _audit(cluster, daemons, share * 2)
    _commands(daemons[0], cluster, seed)
    say(f"all is well after {time.monotonic() - began:.0f} s")
    return 0


class Sender(threading.Thread):
    """Sends the lines of a daemon, each until it is acknowledged."""

    def __init__(self, daemon: Daemon, file: Path, count: int, seed: int):
        super().__init__()
        self.daemon_process, self.file, self.count, self.seed = daemon, file, count, seed
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for start in range(0, self.count, EVENTS_PER_FILE):
                lines = range(start, min(start + EVENTS_PER_FILE, self.count))
                self.file.write_text("".join(_line(self.seed, number) for number in lines))
                send_acknowledged(self.file, self.daemon_process.tcp_port, 1)
        except BaseException as error:
            self.failure = error


def _line(seed: int, number: int) -> str:
    """An event by its id and time, by its id alone, with neither, or a save: the same whenever it is made."""
    name = uuid.uuid5(uuid.NAMESPACE_OID, f"{seed} {number}")
    kind = number % 50
    if kind == 7:
        return f'{{"event_type":"citus.timeless","id":"{name}","payload":{{"n":{number}}}}}\n'
    if kind == 13:
        return f'{{"event_type":"citus.nameless","payload":{{"n":{number},"seed":{seed}}}}}\n'
    if kind == 21:
        return (
            f'{{"conversation_id":"c-{seed}-{number}","question":"why {number}?","response":"because",'
            f'"user_id":"{name}","timestamp":"{_time(number)}"}}\n')
    return (
        f'{{"event_type":"citus.timed","id":"{name}","created_at":"{_time(number)}","user_id":"{name}",'
        f'"payload":{{"n":{number},"text":"größer {number % 97}"}}}}\n')


def _time(number: int) -> str:
    """Within the last weeks, each number somewhere else, so that several months have rows."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BEGAN - number * 7919 % 50_000 * 60))


BEGAN = int(time.time())
SETTLED = "SELECT COALESCE(sum(rows + duplicates + dead + refused), 0) FROM public.ingest_batches"
READ = (
    "/v1/events?limit=50", "/v1/events?type=citus.timed&payload=%7B%22n%22%3A1%7D", "/v1/conversations?limit=50",
    "/v1/conversations/search?q=why&limit=5", "/v1/packs", "/v1/counts/analytics/events_by_hour?bucket=day",
    "/v1/tops/analytics/top_types", "/v1/funnels?steps=citus.timed,citus.timeless", "/v1/retention?period=day",
    "/v1/sessions?gap=30m&bucket=none", "/v1/paths?type=citus.timed&length=1", "/v1/months", "/v1/database",
    "/api/v1/stats-fast/dashboard", "/api/v1/stats-fast/health", "/metrics",
)
DISTRIBUTED = ("analytics_events", "conversations", "event_ids")
QUERY_VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'citus'"


def _kill_nodes(
    cluster: CitusCluster, senders: list[Sender], sent: int, chance: random.Random, pause: float
) -> int:
    """Until all is acknowledged, and in the ledger: a worker or the coordinator, as by a power failure."""
    kills = 0
    limit = time.monotonic() + SETTLE_SECONDS
    while True:
        time.sleep(chance.uniform(pause / 2, pause * 3 / 2))
        for sender in senders:
            if sender.failure is not None:
                raise SceneError(f"the load failed: {sender.failure}") from sender.failure
        if not any(sender.is_alive() for sender in senders):
            settled = int(cluster.coordinator.sql(SETTLED, cluster.database))
            if settled >= sent:
                return kills
            if time.monotonic() > limit:
                raise SceneError(f"the ledger has {settled} of {sent} lines after {SETTLE_SECONDS} s")
        else:
            limit = time.monotonic() + SETTLE_SECONDS
        node = chance.choice(cluster.nodes)
        say(f"kill {kills + 1}: {node.directory.name}")
        node.crash()
        kills += 1


def _audit(cluster: CitusCluster, daemons: list[Daemon], sent: int) -> None:
    def count(query: str) -> int:
        return int(cluster.coordinator.sql(query, cluster.database))

    saves = count("SELECT count(*) FROM public.conversations")
    events = count("SELECT count(*) FROM public.analytics_events")
    found = {
        "rows": events + saves,
        "ids": count("SELECT count(*) FROM (SELECT DISTINCT id FROM public.analytics_events) AS ids") + saves,
        "lines of the ledger": count("SELECT sum(rows + duplicates) FROM public.ingest_batches"),
        "rows of the ledger": count("SELECT sum(rows) FROM public.ingest_batches"),
        "counted": count("SELECT sum(n) FROM projections.analytics_events_by_hour") + count("SELECT sum(n) FROM projections.conversations_daily"),
    }
    wrong = {name: value for name, value in found.items() if value != sent}
    if wrong:
        raise SceneError(f"{sent} lines were acknowledged, and these differ: {wrong}")
    for daemon in daemons:
        daemon.command("verify")
    daemons[0].command("projections", "verify")
    say(f"rows, ids, ledger and counters are {sent}; verify is clean")


def _commands(daemon: Daemon, cluster: CitusCluster, seed: int) -> None:
    """What operators and readers do, on the cluster as it is now."""
    month = cluster.coordinator.sql(
        "SELECT to_char(min(created_at) AT TIME ZONE 'UTC', 'YYYY-MM') FROM public.analytics_events", cluster.database)
    for path in READ:
        began = time.monotonic()
        try:
            with urllib.request.urlopen(daemon.url + path, timeout=60) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            raise SceneError(f"GET {path} is answered with {error.code}: {error.read()[:2000]}") from error
        say(f"GET {path}: {time.monotonic() - began:.1f} s")
    # Of each kind of row one user.
    users = [str(uuid.uuid5(uuid.NAMESPACE_OID, f"{seed} {number}")) for number in (1, 21)]
    for user in users:
        _command(daemon, "users", "erase", user, "--yes", "--wait", "60", "--quiet")
        for table in DISTRIBUTED:
            left = cluster.coordinator.sql(
                f"SELECT count(*) FROM public.{table} AS row WHERE row::text LIKE '%{user}%'", cluster.database)
            if left != "0":
                raise SceneError(f"{user} was erased, and is in {left} rows of {table}")
    before = _rows(cluster)
    for arguments in [
        ("partitions", "list"), ("status",),
        ("export", "--from", "2020-01-01", "--to", "2100-01-01", "--output", str(daemon.directory / "export.zst")),
        ("dead-letters", "retry", "--all"), ("projections", "rebuild", "--all", "--quiet"), ("projections", "verify"),
        ("partitions", "retire", month), ("verify",), ("partitions", "restore", "--writable", month), ("verify",),
        ("projections", "verify"), ("migrate", "seed", "--yes"), ("projections", "verify"),
        ("migrate", "unseed", "--yes"), ("verify",), ("projections", "verify"), ("migrate", "status"),
    ]:
        _command(daemon, *arguments)
    if _rows(cluster) != before:
        raise SceneError("a month came back, or seeds were taken away, and there are other rows")


def _command(daemon: Daemon, *arguments: str) -> None:
    began = time.monotonic()
    daemon.command(*arguments)
    say(f"millrace {' '.join(arguments)}: {time.monotonic() - began:.1f} s")


def _rows(cluster: CitusCluster) -> str:
    return cluster.coordinator.sql(
        "SELECT count(*), sum(hashtext(id::text)::bigint) FROM public.analytics_events", cluster.database)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make citus-test", description="Exactly once on a Citus cluster.")
    parser.add_argument("--binary", type=Path, help="of millrace")
    parser.add_argument("--needs", action="store_true", help="only look whether all is there")
    parser.add_argument("--events", type=int, default=1_000_000, help="of both daemons together")
    parser.add_argument("--pause", type=float, default=5, help="seconds between two kills, about")
    parser.add_argument("--seed", type=int, help="to repeat a run")
    parser.add_argument("--months-first", action="store_true", help="make months before the tables are distributed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
