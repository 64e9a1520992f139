"""The load: events over TCP, conversation saves and reads over HTTP, each on a thread of its own."""

import collections
import http.client
import itertools
import json
import random
import select
import socket
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Self

from scenes import event_text, live
from scenes.daemon import Daemon
from scenes.scene_error import SceneError
from scenes.sending import GREETING

SAVES_PER_SECOND = 5
READS_PER_SECOND = 5
# This many conversations are continued in turn.
CONVERSATIONS = 200
# Seconds; a daemon that is started again answers much earlier.
PATIENCE_SECONDS = 60
# Until all that was acknowledged is a row.
SETTLE_SECONDS = 120
READS = [
    "/v1/counts/analytics/events_by_hour?bucket=day",
    "/v1/tops/analytics/top_types?limit=10",
    "/v1/uniques/analytics/active_users?bucket=day",
    "/v1/tops/conversations/top_users?limit=10",
    "/v1/events?limit=50",
    "/v1/conversations?limit=50",
    "/v1/conversations/search?language=en&q=" + urllib.parse.quote("answer garden"),
    "/api/v1/stats-fast/dashboard",
]


class Loads:
    """A context: the threads run in it. Everything that was acknowledged is counted once, over restarts of the daemon."""

    def __init__(self, daemon: Daemon, rate: float, seed: int):
        self.saves = self.reads = 0
        self._streamed = self._single = 0
        self._daemon, self._rate, self._seed = daemon, rate, seed
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guard, args=(body,), name=body.__name__)
            for body in (self._send_events, self._save, self._read)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def events(self) -> int:
        return self._streamed + self._single

    def stop(self) -> None:
        """Waits for the last acknowledgements."""
        self.__exit__()
        self.check()

    def check(self) -> None:
        """Raises what a thread ended by."""
        if self._failure is not None:
            raise SceneError(f"the load failed: {self._failure}") from self._failure

    def go_on(self, seconds: float) -> None:
        """Lets it run so long. Raises what a thread ended by."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check()
            time.sleep(0.2)

    def settle(self, place: str, count: Callable[[str], int]) -> None:
        """Waits until `place` has a row of every acknowledged line, and sees that none is twice there; `count`: the rows of a
        table there."""
        wanted = (self.events, self.saves)
        limit = time.monotonic() + SETTLE_SECONDS
        while (found := (count("public.analytics_events"), count("public.conversations"))) != wanted:
            if time.monotonic() > limit:
                raise SceneError(
                    f"{place} has {found[0]} events and {found[1]} saves, {wanted[0]} and {wanted[1]} were acknowledged")
            time.sleep(0.2)

    def send_event(self, event_type: str) -> None:
        """One event, committed when this returns."""
        line = json.dumps({"event_type": event_type, "payload": {"why": "soak"}}).encode()
        self._persist(lambda: self._post("/v1/events?ack=committed", line))
        self._single += 1

    def _guard(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:
            self._failure = self._failure or error

    # Events.

    def _send_events(self) -> None:
        """An open loop. What was sent and not acknowledged when the daemon goes is sent again."""
        lines, unanswered = live.lines(self._seed), collections.deque()
        began, due = time.monotonic(), 0
        while not self._ended.is_set() or unanswered:
            try:
                with _Stream(self._daemon.tcp_port) as stream:
                    for line in unanswered:
                        stream.send(line)
                    while not self._ended.is_set():
                        while due < (time.monotonic() - began) * self._rate:
                            unanswered.append(next(lines))
                            due += 1
                            stream.send(unanswered[-1])
                        self._take_acks(stream, unanswered)
                        time.sleep(max(0.0, began + due / self._rate - time.monotonic()))
                    stream.end()
                    limit = time.monotonic() + PATIENCE_SECONDS
                    while unanswered and time.monotonic() < limit:
                        self._take_acks(stream, unanswered)
                        time.sleep(0.01)
                    if unanswered:
                        raise SceneError(f"{len(unanswered)} events were not acknowledged")
            except OSError:
                time.sleep(0.05)
                # What was due while the daemon was away is not caught up with: the rate is a live one.
                began, due = time.monotonic(), 0

    def _take_acks(self, stream: "_Stream", unanswered: collections.deque) -> None:
        for _ in range(stream.take_acknowledged()):
            unanswered.popleft()
            self._streamed += 1

    # Saves and reads.

    def _save(self) -> None:
        source, people = random.Random(f"saves {self._seed}"), event_text.users(self._seed)[:1000]
        for number in self._paced(SAVES_PER_SECOND):
            save = json.dumps({
                "conversation_id": f"soak-{number % CONVERSATIONS}", "user_id": str(source.choice(people)),
                "timestamp": datetime.now(timezone.utc).isoformat(), "source": source.choice(["web", "mobile"]),
                "question": f"question {number} {uuid.uuid4()}?", "response": f"answer {number} garden voyage",
            }).encode()
            # By turns durable and committed, as clients differ.
            self._persist(lambda: self._post("/v1/events" + ("?ack=committed" if number % 2 else ""), save))
            self.saves += 1

    def _read(self) -> None:
        for number in self._paced(READS_PER_SECOND):
            self._persist(lambda: self._request("GET", READS[number % len(READS)]))
            self.reads += 1

    def _paced(self, rate: float):
        """Counts, as often as `rate` a second, until the end."""
        for number in itertools.count():
            if self._ended.wait(1 / rate):
                return
            yield number

    def _persist(self, body: Callable[[], None]) -> None:
        """Sends the request, again while the daemon is away or answers 503."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return body()
            except (OSError, http.client.HTTPException, _Unavailable) as error:
                if time.monotonic() > limit:
                    raise SceneError(f"no answer for {PATIENCE_SECONDS} s: {error!r}") from error
                time.sleep(0.1)

    def _post(self, path: str, line: bytes) -> None:
        answer = json.loads(self._request("POST", path, line))
        if answer.get("accepted") != 1:
            raise SceneError(f"{path} answered {answer}")

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._daemon.http_port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status == 503:
            raise _Unavailable(text[:300])
        if answer.status not in (200, 202):
            raise SceneError(f"{method} {path} answered {answer.status}: {text[:300]!r}")
        return text


class _Unavailable(Exception):
    """The daemon answered 503."""


class _Stream:
    """A TCP connection with acks; a context."""

    def __init__(self, port: int):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(GREETING)
        self._rest, self._acknowledged = b"", 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, line: bytes) -> None:
        self._socket.sendall(line)

    def end(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def take_acknowledged(self) -> int:
        """How many lines were acknowledged since the last call."""
        before = self._acknowledged
        # Not MSG_DONTWAIT: a socket with a timeout waits for that all the same.
        while select.select([self._socket], [], [], 0)[0]:
            chunk = self._socket.recv(65_536)
            if not chunk:
                if self._acknowledged == before:
                    raise ConnectionResetError("the daemon closed")
                break
            *answers, self._rest = (self._rest + chunk).split(b"\n")
            for answer in map(json.loads, answers):
                if "error" in answer:
                    raise SceneError(f"a line was refused: {answer}")
                self._acknowledged = answer.get("ack", self._acknowledged)
        return self._acknowledged - before
