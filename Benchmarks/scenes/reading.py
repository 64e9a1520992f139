"""R2: the read API's latencies at 20 readers while events come in, with few events in the tables and with ten times."""

import random
import subprocess
import urllib.parse
from datetime import timedelta

from . import event_text, ingest, months, reading_events, wrk
from .bench import Bench
from .daemon import DATABASE, Daemon
from .projections import PACKS
from .scene_error import SceneError
from .sending import send_one_way
from .session import Session

READERS = 20
WARMUP_SECONDS = 2
INTAKE_RATE = 10_000
PATHS = 2_000
# What the goal of 10 ms is about, by what a sample of it is called.
COUNTING = ["counts", "tops", "status counts"]
PIECE = 100_000


def run(bench: Bench, _: frozenset[str]) -> None:
    """Loads a tenth, asks each route in turn, loads the rest, asks again."""
    settings = bench.settings
    bench.need_disk(settings.reading_events * 3000 / 2**30 + 4, "R2")
    bench.cluster.start()
    daemon = bench.daemon(
        partitions__maintenance_interval="1d", database__writers=2, spool__retain="0s", projections__packs=PACKS)
    daemon.create()
    daemon.start()
    daemon.settle()
    loaded = 0
    for name, part in (("small", settings.reading_events // 10), ("large", settings.reading_events)):
        bench.say(f"R2 loads {part:,} events and {part // 5:,} conversations")
        _load(bench, daemon, loaded, part)
        loaded = part
        bench.cluster.sql("VACUUM ANALYZE; CHECKPOINT", DATABASE)
        for route, paths in _routes(settings.seed).items():
            result = _ask(bench, daemon, route, paths)
            bench.results.add(
                f"{route}, {name}", result["p99_us"] / 1000, p50_ms=result["p50_us"] / 1000,
                requests_per_second=result["requests"] / result["seconds"])
            bench.say(
                f"R2 {route:14} {name:5} p50 {result['p50_us'] / 1000:.1f} ms, p99 {result['p99_us'] / 1000:.1f} ms, "
                f"{result['requests'] / result['seconds']:,.0f} requests/s")
        counting = {route: bench.results.values(f"{route}, {name}")[-1] for route in COUNTING}
        bench.results.add(f"counting p99, {name}", max(counting.values()), **counting)
    small = {route: bench.results.values(f"{route}, small")[-1] for route in COUNTING}
    bench.results.add("counting growth", max(counting[route] / small[route] for route in COUNTING))
    daemon.stop()
    bench.cluster.drop(DATABASE)
    daemon.erase()


def _load(bench: Bench, daemon: Daemon, first: int, last: int) -> None:
    with Session(bench.cluster, DATABASE) as session:
        before = ingest.committed_rows(session)
        for begin in range(first, last, PIECE):
            count = min(PIECE, last - begin)
            lines = bench.work / "reading.ndjson"
            with open(lines, "w") as file:
                file.writelines(reading_events.events(begin, count, bench.settings.seed))
                file.writelines(reading_events.conversations(begin // 5, count // 5, bench.settings.seed))
            send_one_way(lines, daemon.tcp_port)
        ingest.wait_until_committed(session, before + (last - first) + (last - first) // 5)


def _routes(seed: int) -> dict[str, list[str]]:
    """The paths to ask for in turn, by the route's name."""
    source = random.Random(f"paths {seed}")
    people = reading_events.users(seed)

    def paths(make) -> list[str]:
        return [make() for _ in range(PATHS)]

    def query(path: str, **values: object) -> str:
        return path + ("?" + urllib.parse.urlencode(values) if values else "")

    def span(days: int) -> dict[str, str]:
        end = months.now() - timedelta(days=source.random() * (months.DAYS - days))
        return {"from": f"{end - timedelta(days=days):%Y-%m-%dT%H:00:00Z}", "to": f"{end:%Y-%m-%dT%H:00:00Z}"}

    def anyone() -> str:
        return people[int(source.random() * len(people))]

    def topic() -> str:
        return source.choice(reading_events.TOPICS)

    return {
        "counts": paths(lambda: query(
            "/v1/counts/analytics/events_by_hour", bucket="day", event_type=source.choice(event_text.TYPES), **span(7))),
        "tops": paths(lambda: query("/v1/tops/conversations/top_users", limit=1 + int(source.random() * 20))),
        "status counts": paths(lambda: query("/v1/status-counts/commerce/orders_by_status")),
        "uniques": paths(lambda: query("/v1/uniques/analytics/active_users", bucket="day", **span(7))),
        "events of type": paths(lambda: query(
            "/v1/events", type=source.choice(event_text.TYPES), limit=50, **span(1))),
        "events of user": paths(lambda: query("/v1/events", user_id=anyone(), limit=50)),
        "history": paths(lambda: query("/v1/conversations", user_id=anyone(), limit=50)),
        "search": paths(lambda: query(
            "/v1/conversations/search", q=f"{topic()} {topic()} w{source.getrandbits(20)}", language="fr", limit=20)),
        "orders": paths(lambda: query("/v1/entities/commerce/orders", status="paid", limit=50)),
        "dashboard": paths(lambda: "/api/v1/stats-fast/dashboard"),
    }


def _ask(bench: Bench, daemon: Daemon, route: str, paths: list[str]) -> dict:
    """wrk with as many connections as readers, each asking again 50 to 150 ms after an answer, while events come in.

    What it asks at first, when the daemon's own connections are opened, does not count.
    """
    seconds = bench.settings.reading_seconds
    file = bench.work / "paths"
    file.write_text("".join(f"{path}\n" for path in paths))
    intake = subprocess.Popen(
        [str(daemon.binary), "bench", "--protocol", "tcp", "--to", f"127.0.0.1:{daemon.tcp_port}", "--ack", "spooled",
         "--rate", str(INTAKE_RATE), "--batch", "50", "--warmup", "1", "--duration", str(seconds + WARMUP_SECONDS),
         "--no-verify", "--quiet", "--json"],
        env=daemon.environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{daemon.http_port}"
    try:
        wrk.run("paths.lua", url, READERS, WARMUP_SECONDS, PATHS=str(file))
        result = wrk.run("paths.lua", url, READERS, seconds, PATHS=str(file))
    except SceneError as error:
        raise SceneError(f"{route}: {error}, such as {paths[0]}") from None
    finally:
        intake.wait()
    if intake.returncode != 0:
        raise SceneError(f"{route}: the events that come in meanwhile were not all taken")
    return result
