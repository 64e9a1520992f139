"""Load that costs next to nothing: sendfile into TCP connections."""

import json
import mmap
import os
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from .scene_error import SceneError

GREETING = b'{"hello":{"acks":"spooled"}}\n'
SENDFILE_BYTES = 1 << 20
TLS_BYTES = 256 << 10


def send_one_way(file: Path, port: int) -> None:
    """One connection without a greeting; returns when the peer has read all and closed."""
    with socket.create_connection(("127.0.0.1", port)) as connection, open(file, "rb") as lines:
        connection.sendfile(lines)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass


def send_acknowledged(file: Path, port: int, connections: int, tls: ssl.SSLContext | None = None) -> float:
    """Sends the file's lines over several connections and reads the acks; returns the seconds until the last one.

    `tls`: by which it speaks TLS. Raises when a line was refused or not acknowledged.
    """
    with open(file, "rb") as lines:
        uploads: list[_Upload] = []
        for start, end in _line_ranges(lines.fileno(), connections):
            if tls:
                uploads.append(_TLSUpload(lines.fileno(), start, end, port, tls))
            else:
                uploads.append(_Upload(lines.fileno(), start, end, port))
        began = time.perf_counter()
        with selectors.DefaultSelector() as selector:
            for upload in uploads:
                selector.register(upload.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, upload)
            while selector.get_map():
                for key, events in selector.select():
                    key.data.advance(selector, events)
        seconds = time.perf_counter() - began
        for upload in uploads:
            upload.check()
    return seconds


class PacedSender:
    """An open loop on one connection: each line is a write of its own at the time it is due, whatever the peer does."""

    def __init__(self, lines: Iterator[bytes], port: int, rate: float, *, is_acknowledged: bool):
        """`lines`: each is asked for when it is due. `rate`: a second. What the peer answers is read and dropped."""
        self._lines, self._rate = lines, rate
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_acknowledged:
            self._socket.sendall(GREETING)
        self.sent = 0

    def send(self, seconds: float) -> None:
        """Sends for this long from now on."""
        began, first = time.perf_counter(), self.sent
        while (passed := time.perf_counter() - began) < seconds:
            while self.sent - first < passed * self._rate:
                self._socket.sendall(next(self._lines))
                self.sent += 1
                self._drop_answers()
            time.sleep(max(0.0, began + (self.sent - first) / self._rate - time.perf_counter()))

    def finish(self) -> None:
        """Returns when the peer has read all and closed."""
        self._socket.shutdown(socket.SHUT_WR)
        while self._socket.recv(65_536):
            pass
        self._socket.close()

    def _drop_answers(self) -> None:
        try:
            while self._socket.recv(65_536, socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            pass


class _Upload:
    """One connection's part of the file."""

    def __init__(self, descriptor: int, start: int, end: int, port: int, tls: ssl.SSLContext | None = None):
        self.socket = socket.create_connection(("127.0.0.1", port))
        if tls:
            self.socket = tls.wrap_socket(self.socket)
        self.socket.sendall(GREETING)
        self.socket.setblocking(False)
        self.acknowledged = 0
        self._descriptor, self._offset, self._end = descriptor, start, end
        self._start = start
        self._answers = b""

    def advance(self, selector: selectors.BaseSelector, events: int) -> None:
        if events & selectors.EVENT_READ and not self._read():
            selector.unregister(self.socket)
            self.socket.close()
            return
        if events & selectors.EVENT_WRITE and self._write():
            selector.modify(self.socket, selectors.EVENT_READ, self)

    def check(self) -> None:
        lines = _count_lines(self._descriptor, self._start, self._end)
        if self.acknowledged != lines:
            raise SceneError(f"{self.acknowledged} of {lines} lines were acknowledged; see the daemon's log")

    def _read(self) -> bool:
        """False at the end of the stream."""
        try:
            chunk = self.socket.recv(65_536)
        except BlockingIOError:
            return True
        *answers, self._answers = (self._answers + chunk).split(b"\n")
        for answer in answers:
            if b'"error"' in answer:
                raise SceneError(f"a line was refused: {answer.decode(errors='replace')}")
        if answers and b'"ack"' in answers[-1]:
            self.acknowledged = json.loads(answers[-1])["ack"]
        return bool(chunk)

    def _write(self) -> bool:
        """True when all is sent."""
        try:
            self._offset += os.sendfile(
                self.socket.fileno(), self._descriptor, self._offset, min(SENDFILE_BYTES, self._end - self._offset))
        except BlockingIOError:
            return False
        if self._offset < self._end:
            return False
        self.socket.shutdown(socket.SHUT_WR)
        return True


class _TLSUpload(_Upload):
    """The same over TLS, whose Python can't say that only one side has ended: the last ack ends it."""

    def __init__(self, descriptor: int, start: int, end: int, port: int, tls: ssl.SSLContext):
        super().__init__(descriptor, start, end, port, tls)
        self._lines = _count_lines(descriptor, start, end)
        self._memory = memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))

    def _read(self) -> bool:
        try:
            # What TLS has decrypted already is told by no selector.
            while super()._read():
                if self.acknowledged >= self._lines:
                    return False
        except ssl.SSLWantReadError:
            return True
        return False

    def _write(self) -> bool:
        try:
            self._offset += self.socket.send(self._memory[self._offset:min(self._end, self._offset + TLS_BYTES)])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return False
        return self._offset >= self._end


def _line_ranges(descriptor: int, count: int) -> list[tuple[int, int]]:
    """Offsets that cut the file into `count` parts of whole lines."""
    size = os.fstat(descriptor).st_size
    cuts = [0]
    for part in range(1, count):
        guess = size * part // count
        cuts.append(guess + os.pread(descriptor, 1 << 20, guess).index(b"\n") + 1)
    return list(zip(cuts, cuts[1:] + [size]))


def _count_lines(descriptor: int, start: int, end: int) -> int:
    lines = 0
    while start < end:
        chunk = os.pread(descriptor, min(1 << 22, end - start), start)
        lines += chunk.count(b"\n")
        start += len(chunk)
    return lines
