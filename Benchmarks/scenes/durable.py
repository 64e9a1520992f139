"""P3: from TCP to durable while PostgreSQL is stopped, beside what the disk can do."""

from . import disk, tls
from .bench import Bench
from .sending import send_acknowledged

# One for each core of the machine that the goal is stated for.
CONNECTIONS = 2
MIB = 1 << 20


def run(bench: Bench, _: frozenset[str]) -> None:
    """Lines with a greeting; the clock stops at the last ack."""
    files = bench.events(bench.settings.durable_events, is_short=True)
    line_bytes = files.lines.stat().st_size
    bench.cluster.start()
    daemon = bench.daemon()
    daemon.create()
    bench.cluster.stop()
    secure = bench.daemon(**tls.settings(bench.work, "tcp"))
    for turn in range(bench.settings.runs):
        disk_rate = disk.append_bytes_per_second(bench.work, line_bytes)
        daemon.erase()
        daemon.start()
        before = daemon.cpu_seconds()
        seconds = send_acknowledged(files.lines, daemon.tcp_port, CONNECTIONS)
        cpu, resident = daemon.cpu_seconds() - before, daemon.resident_mib_max()
        daemon.kill()  # nothing of it is wanted, and a stop would wait for the database
        bench.results.add("disk bytes", disk_rate / MIB)
        bench.results.add(
            "durable bytes", line_bytes / seconds / MIB, seconds=round(seconds, 3),
            line_bytes_mean=round(files.line_bytes_mean, 1), daemon_cpu_seconds=round(cpu, 2))
        bench.results.add("durable events", files.count / seconds)
        bench.results.add("flood resident", resident, scene="TCP → durable")
        daemon.erase()
        secure.start()
        before = secure.cpu_seconds()
        tls_seconds = send_acknowledged(files.lines, secure.tcp_port, CONNECTIONS, tls.client())
        tls_cpu = secure.cpu_seconds() - before
        secure.kill()
        bench.results.add(
            "durable events, tls", files.count / tls_seconds, seconds=round(tls_seconds, 3),
            daemon_cpu_seconds=round(tls_cpu, 2))
        bench.say(
            f"P3 run {turn + 1}: {files.count / seconds:,.0f} events/s, {line_bytes / seconds / MIB:.0f} MiB/s durable, "
            f"disk {disk_rate / MIB:.0f} MiB/s, daemon {cpu:.2f} s, {resident:.0f} MiB; "
            f"over TLS {files.count / tls_seconds:,.0f} events/s, daemon {tls_cpu:.2f} s")
    daemon.erase()
