"""P5: from received to committed at half of the highest rate, by `millrace bench`."""

import json
import subprocess

from .bench import Bench
from .daemon import DATABASE, Daemon
from .scene_error import SceneError

CONNECTIONS = 4
# Lines that a client of the open loop writes at once. With one a write, the generator's and the daemon's system calls
# alone would take most of two cores at these rates.
LINES_PER_WRITE = 50


def run(bench: Bench, _: frozenset[str]) -> None:
    """The highest rate by a closed loop, flat out; then half of it in an open loop, once a run."""
    bench.cluster.start()
    daemon = bench.daemon(partitions__maintenance_interval="1d")
    daemon.create()
    daemon.start()
    daemon.settle()
    seconds = str(bench.settings.latency_seconds)
    highest = _load(bench, daemon, "--duration", seconds)["events_per_second"]
    bench.results.add("highest rate", highest)
    bench.say(f"P5 highest rate: {highest:,.0f} events/s")
    for turn in range(bench.settings.runs):
        # A cluster made just now zeroes each new file of its log; one that has run for a while has used ones at hand.
        bench.cluster.sql("CHECKPOINT")
        report = _load(
            bench, daemon, "--rate", str(int(highest / 2)), "--batch", str(LINES_PER_WRITE), "--duration", seconds)
        corrected = report["latency_us"]["corrected"]
        for name, key in (("latency p50", "p50"), ("latency p99", "p99"), ("latency p99.9", "p99_9")):
            bench.results.add(
                name, corrected[key] / 1000, events_per_second=report["events_per_second"],
                uncorrected_ms=report["latency_us"]["uncorrected"][key] / 1000)
        bench.say(
            f"P5 run {turn + 1}: {report['events_per_second']:,.0f} events/s, corrected p50 {corrected['p50'] / 1000:.1f}, "
            f"p99 {corrected['p99'] / 1000:.1f}, p99.9 {corrected['p99_9'] / 1000:.1f} ms")
    daemon.stop()
    bench.cluster.drop(DATABASE)
    daemon.erase()


def _load(bench: Bench, daemon: Daemon, *arguments: str) -> dict:
    """The report; what it sent is in the tables, or this raises."""
    command = [
        str(daemon.binary), "bench", "--protocol", "tcp", "--to", f"127.0.0.1:{daemon.tcp_port}", "--ack", "committed",
        "--connections", str(CONNECTIONS), "--seed", str(bench.settings.seed), "--json", "--quiet", *arguments]
    run = subprocess.run(command, env=daemon.environment, capture_output=True, text=True)
    if run.returncode != 0:
        raise SceneError(f"{' '.join(command[1:])} failed:\n{(run.stderr or run.stdout)[-2000:]}")
    return json.loads(run.stdout)
