"""R3: the reports of the pack `product`: a dashboard that 20 readers look at, and each question when it is new."""

import http.client
import time
import urllib.parse
from datetime import timedelta

from . import ingest, months, product_events, wrk
from .bench import Bench
from .daemon import DATABASE, Daemon
from .reading import READERS, WARMUP_SECONDS
from .scene_error import SceneError
from .sending import send_one_way
from .session import Session

PIECE = 200_000
ROUTES = ["funnels", "retention", "sessions", "paths"]


def run(bench: Bench, _: frozenset[str]) -> None:
    """Loads the events, asks each question once, and then lets the readers ask."""
    settings = bench.settings
    bench.need_disk(settings.reading_events * 1500 / 2**30 + 4, "R3")
    bench.cluster.start()
    daemon = bench.daemon(
        partitions__maintenance_interval="1d", database__writers=2, spool__retain="0s", projections__packs="product")
    daemon.create()
    daemon.start()
    daemon.settle()
    bench.say(f"R3 loads {settings.reading_events:,} events")
    _load(bench, daemon)
    bench.cluster.sql("VACUUM ANALYZE; CHECKPOINT", DATABASE)
    for route, paths in _questions().items():
        first = [_seconds(daemon, path) for path in paths]
        bench.results.add(f"{route}, first", max(first) * 1000, each_ms=[round(one * 1000) for one in first])
        file = bench.work / "paths"
        file.write_text("".join(f"{path}\n" for path in paths))
        wrk.run("paths.lua", daemon.url, READERS, WARMUP_SECONDS, PATHS=str(file))
        result = wrk.run("paths.lua", daemon.url, READERS, settings.reading_seconds, PATHS=str(file))
        bench.results.add(
            f"{route}, readers", result["p99_us"] / 1000, p50_ms=result["p50_us"] / 1000,
            requests_per_second=result["requests"] / result["seconds"])
        bench.say(
            f"R3 {route:10} first {max(first) * 1000:,.0f} ms, 20 readers p50 {result['p50_us'] / 1000:.1f} ms, "
            f"p99 {result['p99_us'] / 1000:.1f} ms")
    for name in ("first", "readers"):
        bench.results.add(f"reports, {name}", max(bench.results.values(f"{route}, {name}")[-1] for route in ROUTES))
    daemon.stop()
    bench.cluster.drop(DATABASE)
    daemon.erase()


def _load(bench: Bench, daemon: Daemon) -> None:
    lines = product_events.lines(bench.settings.reading_events, bench.settings.seed)
    with Session(bench.cluster, DATABASE) as session:
        before, sent = ingest.committed_rows(session), 0
        while piece := [line for line, _ in zip(lines, range(PIECE))]:
            file = bench.work / "product.ndjson"
            file.write_text("".join(piece))
            send_one_way(file, daemon.tcp_port)
            sent += len(piece)
        ingest.wait_until_committed(session, before + sent)


def _questions() -> dict[str, list[str]]:
    """Of a dashboard, by route: this week, the one before, and the whole month."""
    today = months.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

    def span(first: int, last: int) -> dict[str, str]:
        return {
            "from": f"{today - timedelta(days=first):%Y-%m-%d}", "to": f"{today - timedelta(days=last):%Y-%m-%d}"}

    def query(route: str, **values: object) -> str:
        return f"/v1/{route}?" + urllib.parse.urlencode(values)

    week, before, month = span(7, 0), span(14, 7), span(30, 0)
    return {
        "funnels": [
            query("funnels", steps="signup.started,signup.done,order.placed", **week),
            query("funnels", steps="signup.started,signup.done,order.placed", bucket="day", **month),
            query("funnels", steps="search.done,cart.filled,order.placed", property="plan", within="1d", **week),
            query("funnels", steps="page.viewed,order.placed", **before),
        ],
        "retention": [
            query("retention", period="week", periods=4, **month), query("retention", period="day", periods=7, **week),
        ],
        "sessions": [
            query("sessions", **week), query("sessions", **before), query("sessions", bucket="none", gap="1h", **before),
        ],
        "paths": [
            query("paths", type="signup.done", **week), query("paths", limit=50, **before),
            query("paths", type="search.done", length=1, limit=20, **week),
        ],
    }


def _seconds(daemon: Daemon, path: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=60)
    try:
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SceneError(f"{path}: {body[:300]!r}")
        return time.perf_counter() - began
    finally:
        connection.close()
