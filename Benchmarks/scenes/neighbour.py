"""F1: what a well-behaved key's acks take alone, and beside a key that floods."""

import json
import multiprocessing
import os
import selectors
import socket
import time
from statistics import quantiles

from .bench import Bench
from .daemon import DATABASE

RATE = 200
FLOOD_PROCESSES = 2
FLOOD_CONNECTIONS = 4
LINE = b'{"event_type":"neighbour","payload":{"of":"F1","text":"a line as apps send them, of about 100 bytes"}}\n'
FLOOD_BYTES = 256 << 10
WARMUP_SECONDS = 2


def run(bench: Bench, _: frozenset[str]) -> None:
    """One line at a time at a steady rate, to the spool, with PostgreSQL stopped; then the same beside a flood."""
    bench.cluster.start()
    for turn in range(bench.settings.runs):
        daemon = bench.daemon()
        daemon.create()
        good, bad = (_key(daemon.command("keys", "create", "--scope", "write", "--name", name, "--json"))
                     for name in ("good", "flood"))
        daemon.start()
        daemon.settle()
        bench.cluster.stop()
        seconds = min(10, bench.settings.live_seconds)
        alone = acks(daemon.tcp_port, good, seconds)
        with Flood(daemon.tcp_port, bad) as flood:
            beside = acks(daemon.tcp_port, good, seconds)
        bench.results.add("neighbour alone p99", alone)
        bench.results.add("neighbour beside p99", beside, flood_bytes_per_second=flood.bytes_per_second)
        bench.say(
            f"F1 run {turn + 1}: p99 alone {alone:.2f} ms, beside {flood.bytes_per_second / 2**20:,.0f} MiB/s of another "
            f"key {beside:.2f} ms: {beside / alone:.1f} times")
        daemon.stop()
        bench.cluster.start()
        bench.cluster.drop(DATABASE)
        daemon.erase()


def _key(created: str) -> str:
    return json.loads(created)["key"]


def greeting(key: str) -> bytes:
    return json.dumps({"hello": {"acks": "spooled", "key": key}}).encode() + b"\n"


def acks(port: int, key: str, seconds: float) -> float:
    """p99, in milliseconds, from when a line was due to its ack, so that a late one counts for those behind it too."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(greeting(key))
        answers = connection.makefile("rb")
        if b"hello" not in (hello := answers.readline()):
            raise RuntimeError(f"no hello: {hello!r}")
        taken: list[float] = []
        begin = time.perf_counter()
        for number in range(int(RATE * (seconds + WARMUP_SECONDS))):
            due = begin + number / RATE
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            connection.sendall(LINE)
            if b"ack" not in (answer := answers.readline()):
                raise RuntimeError(f"no ack: {answer!r}")
            if number >= RATE * WARMUP_SECONDS:
                taken.append((time.perf_counter() - due) * 1000)
    return quantiles(taken, n=100)[98]


class Flood:
    """As many bytes as the daemon takes, on several connections of one key."""

    def __init__(self, port: int, key: str):
        self._sent = multiprocessing.Value("q", 0)
        self._ends = multiprocessing.Event()
        self._processes = [
            multiprocessing.Process(target=_flood, args=(port, key, self._sent, self._ends), daemon=True)
            for _ in range(FLOOD_PROCESSES)
        ]
        self.bytes_per_second = 0.0

    def __enter__(self) -> "Flood":
        for process in self._processes:
            process.start()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.bytes_per_second = self._sent.value / (time.perf_counter() - self._began)
        self._ends.set()
        for process in self._processes:
            process.join()


def _flood(port: int, key: str, sent: "multiprocessing.sharedctypes.Synchronized", ends: object) -> None:
    # Stands for another machine, which would take no processor time from the key that is measured.
    os.nice(19)
    block = LINE * (FLOOD_BYTES // len(LINE))
    with selectors.DefaultSelector() as selector:
        for _ in range(FLOOD_CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(greeting(key))
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE, [memoryview(block)])
        while not ends.is_set():
            for key_, events in selector.select(0.1):
                if events & selectors.EVENT_READ:
                    key_.fileobj.recv(65_536)
                if events & selectors.EVENT_WRITE:
                    rest = key_.data[0]
                    count = key_.fileobj.send(rest)
                    with sent.get_lock():
                        sent.value += count
                    key_.data[0] = rest[count:] if count < len(rest) else memoryview(block)
