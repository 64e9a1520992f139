"""Samples a process's resident memory while something else happens."""

import threading
from statistics import median
from typing import Self

from . import processes

INTERVAL_SECONDS = 0.05


class ResidentWatch:
    """A context; what it saw is there after its end."""

    def __init__(self, pid: int):
        self._pid = pid
        self._samples: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def highest_mib(self) -> float:
        return max(self._samples, default=0)

    @property
    def median_mib(self) -> float:
        return median(self._samples) if self._samples else 0

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            if resident := processes.resident_mib(self._pid):
                self._samples.append(resident)
