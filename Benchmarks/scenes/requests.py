"""P4: one event a request over keep-alive connections, beside a server that does nothing but answer."""

import subprocess

from . import processes, tls, wrk
from .bench import Bench
from .daemon import DATABASE, Daemon
from .events import EventFiles
from .scene_error import SceneError

CONNECTIONS = 64
# The default of intake.threads: both serve with as many event loops.
EVENT_LOOPS = 2
# More than any machine sends in a second; wrk must not run out of lines.
REQUESTS_PER_SECOND_MAX = 150_000
# As many as the SDKs send at once, as shipped.
EVENTS_A_BATCH = 100
# Figure, path, and form of batches.lua.
BATCHES = [("batch events", "/v1/events", "events"), ("sdk events", "/v1/batch", "segment")]


def run(bench: Bench, _: frozenset[str]) -> None:
    """The same wrk script against both, in turn; the daemon alone, with PostgreSQL writing beside it, and over TLS."""
    if not bench.settings.bare_server.exists():
        raise SceneError(f"{bench.settings.bare_server} is missing: `make bench` builds it")
    files = bench.events(max(bench.settings.rows, REQUESTS_PER_SECOND_MAX * bench.settings.http_seconds))
    for turn in range(bench.settings.runs):
        _bare(bench, files)
        daemon = bench.daemon(partitions__maintenance_interval="1d")
        bench.cluster.start()
        daemon.create()
        daemon.start()
        daemon.settle()
        _millrace(bench, "http requests, writing", files, daemon)
        bench.cluster.drop(DATABASE)
        bench.cluster.stop()
        daemon.start()
        _millrace(bench, "http requests", files, daemon)
        for name, path, form in BATCHES:
            daemon.start()
            _batches(bench, name, path, form, files, daemon)
        secure = bench.daemon(**tls.settings(bench.work, "http"))
        secure.start()
        _millrace(bench, "http requests, tls", files, secure)
        bench.say(f"P4 run {turn + 1} of {bench.settings.runs}")


def _bare(bench: Bench, files: EventFiles) -> None:
    server = subprocess.Popen([bench.settings.bare_server, str(EVENT_LOOPS)], stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        before = processes.cpu_seconds(server.pid)
        _measure(bench, "bare requests", files, url, lambda: processes.cpu_seconds(server.pid) - before)
    finally:
        processes.stop(server)


def _millrace(bench: Bench, name: str, files: EventFiles, daemon: Daemon) -> None:
    before = daemon.cpu_seconds()
    _measure(bench, name, files, daemon.url, lambda: daemon.cpu_seconds() - before)
    daemon.kill()  # what it has not written yet is not wanted
    daemon.erase()


def _batches(bench: Bench, name: str, path: str, form: str, files: EventFiles, daemon: Daemon) -> None:
    before = daemon.cpu_seconds()
    result = wrk.run(
        "batches.lua", daemon.url + path, CONNECTIONS, bench.settings.http_seconds, EVENTS=str(files.lines), FORM=form,
        EVENTS_A_REQUEST=str(EVENTS_A_BATCH))
    cpu = daemon.cpu_seconds() - before
    rate = result["requests"] * EVENTS_A_BATCH / result["seconds"]
    bench.results.add(name, rate, p50_us=result["p50_us"], p99_us=result["p99_us"], server_cpu_seconds=round(cpu, 2))
    bench.say(f"{name:24} {rate:10,.0f} events/s, p99 {result['p99_us'] / 1000:.1f} ms, server {cpu:.1f} s")
    daemon.kill()
    daemon.erase()


def _measure(bench: Bench, name: str, files: EventFiles, url: str, spent) -> None:
    result = wrk.run("events.lua", f"{url}/v1/events", CONNECTIONS, bench.settings.http_seconds, EVENTS=str(files.lines))
    cpu = spent()
    rate = result["requests"] / result["seconds"]
    bench.results.add(
        name, rate, p50_us=result["p50_us"], p99_us=result["p99_us"], server_cpu_seconds=round(cpu, 2))
    bench.say(f"{name:24} {rate:10,.0f} requests/s, p99 {result['p99_us'] / 1000:.1f} ms, server {cpu:.1f} s")
