"""T1: what a tail that nobody reads costs those who send."""

import socket
from typing import Self

from . import ingest
from .bench import Bench
from .daemon import Daemon
from .durable import CONNECTIONS
from .scene_error import SceneError
from .sending import send_acknowledged


class StuckTail:
    """A client of `/v1/tail` that reads the head of its answer and nothing more."""

    def __init__(self, daemon: Daemon):
        self._daemon = daemon

    def __enter__(self) -> Self:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", self._daemon.http_port))
        self._socket.sendall(b"GET /v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if b" 200 " not in (answer := self._socket.recv(4096)).split(b"\r\n")[0]:
            raise SceneError(f"/v1/tail answered {answer[:200]!r}")
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def run(bench: Bench, _: frozenset[str]) -> None:
    """P3 and P1b without a tail and with one, in turn."""
    _durable(bench)
    _committed(bench)


def _durable(bench: Bench) -> None:
    """As P3."""
    files = bench.events(bench.settings.durable_events, is_short=True)
    bench.cluster.start()
    daemon = bench.daemon()
    daemon.create()
    bench.cluster.stop()
    for turn in range(bench.settings.runs):
        rates = []
        for name, has_tail in (("durable, no tail", False), ("durable, stuck tail", True)):
            daemon.erase()
            daemon.start()
            if has_tail:
                with StuckTail(daemon):
                    seconds = send_acknowledged(files.lines, daemon.tcp_port, CONNECTIONS)
            else:
                seconds = send_acknowledged(files.lines, daemon.tcp_port, CONNECTIONS)
            daemon.kill()  # nothing of it is wanted, and a stop would wait for the database
            rates.append(files.count / seconds)
            bench.results.add(name, rates[-1], seconds=round(seconds, 3))
        bench.say(f"T1 run {turn + 1}: durable {rates[0]:,.0f} events/s, with a stuck tail {rates[1]:,.0f}")
    daemon.erase()


def _committed(bench: Bench) -> None:
    """As P1b: here there is something to be shown."""
    files = bench.events(bench.settings.rows)
    bench.cluster.start()
    for _ in range(bench.settings.runs):
        ingest.measure(bench, "committed, no tail", files, database__writers=2)
        ingest.measure(
            bench, "committed, stuck tail", files, beside=StuckTail, database__writers=2, http__write_timeout="10m",
            intake__peer_timeout="10m")
