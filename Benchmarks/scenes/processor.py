"""P2: what a million events of 330 bytes cost the daemon in processor time, and which thread spends it; the same where
rules look at each of them; and where two of their members are encrypted."""

import signal
import subprocess

from . import fields, processes, rules
from .bench import Bench
from .daemon import DATABASE, Daemon
from .events import EventFiles
from .ingest import check_rows, wait_until_committed
from .scene_error import SceneError
from .sending import send_one_way
from .session import Session

EVENTS_OF_THE_GOAL = 1_000_000


def run(bench: Bench, _: frozenset[str]) -> None:
    """The daemon's defaults; scaled to a million events when fewer are sent."""
    files = bench.events(bench.settings.processor_events, is_short=True)
    path = rules.write(bench.work / "rules.toml")
    secret = fields.settings(bench)
    bench.cluster.start()
    for turn in range(bench.settings.runs):
        _run(bench, files, turn, "processor seconds")
        _run(bench, files, turn, "processor seconds, rules", rules__file=str(path))
        _run(bench, files, turn, "processor seconds, fields", **secret)


def _run(bench: Bench, files: EventFiles, turn: int, figure: str, **settings: object) -> None:
    daemon = bench.daemon(partitions__maintenance_interval="1d", **settings)
    daemon.create()
    daemon.start()
    daemon.settle()
    before, threads_before = daemon.cpu_seconds(), processes.cpu_seconds_by_thread(daemon.pid)
    profiler = _Profiler(bench, daemon) if bench.settings.profile and turn == 0 and not settings else None
    with Session(bench.cluster, DATABASE) as session:
        send_one_way(files.lines, daemon.tcp_port)
        wait_until_committed(session, files.count)
        spent, threads = daemon.cpu_seconds() - before, processes.cpu_seconds_by_thread(daemon.pid)
        check_rows(session, files.count)
    if profiler:
        profiler.finish()
    scale = EVENTS_OF_THE_GOAL / files.count
    by_thread = {
        name: round((seconds - threads_before.get(name, 0)) * scale, 3)
        for name, seconds in sorted(threads.items(), key=lambda item: -item[1])
    }
    bench.results.add(
        figure, spent * scale, by_thread=by_thread, line_bytes_mean=round(files.line_bytes_mean, 1),
        resident_mib_max=round(daemon.resident_mib_max(), 1))
    busiest = ", ".join(f"{name} {seconds:.2f}" for name, seconds in by_thread.items() if seconds >= 0.01)
    bench.say(f"P2 run {turn + 1}, {figure}: {spent * scale:.2f} s a million events ({busiest})")
    daemon.stop()
    bench.cluster.drop(DATABASE)


class _Profiler:
    """perf on the daemon, when it is asked for."""

    def __init__(self, bench: Bench, daemon: Daemon):
        self._bench, self._recording = bench, bench.work / "perf.data"
        command = ["perf", "record", "-q", "-F", "999", "-g", "-p", str(daemon.pid), "-o", str(self._recording)]
        try:
            self._perf = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            raise SceneError("--profile needs perf: apt-get install linux-perf") from None

    def finish(self) -> None:
        self._perf.send_signal(signal.SIGINT)
        self._perf.wait()
        report = subprocess.run(
            ["perf", "report", "--stdio", "--no-children", "-g", "none", "--percent-limit", "0.5",
             "--sort", "comm,symbol", "-i", str(self._recording)], capture_output=True, text=True)
        out = self._bench.settings.out / "perf.txt"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(report.stdout or report.stderr)
        self._bench.say(f"{out} says where the processor time went")
