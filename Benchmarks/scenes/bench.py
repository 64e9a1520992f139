"""What every scene needs: a place to work, a cluster, events, a daemon; and everything stopped at the end."""

import contextlib
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from . import events
from .cluster import Cluster
from .daemon import Daemon
from .events import EventFiles
from .results import Results
from .scene_error import SceneError
from .settings import Settings


class Bench:
    """A context: what it started is stopped, and its directory removed, when it ends."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.results = Results()
        self._began = time.monotonic()
        self._exits = contextlib.ExitStack()
        self._daemons: list[Daemon] = []

    def __enter__(self) -> Self:
        self.work = Path(tempfile.mkdtemp(prefix="millrace-bench."))
        self._exits.callback(shutil.rmtree, self.work, ignore_errors=True)
        self.work.chmod(0o711)  # the user postgres passes through
        self.data = self.settings.data or self.work / "events"
        self.data.mkdir(parents=True, exist_ok=True)
        try:
            self.cluster = Cluster(self.work / "pg")
        except BaseException:
            self._exits.close()
            raise
        self._exits.callback(self.cluster.kill)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_daemons()
        self._exits.close()

    @property
    def seconds(self) -> float:
        """Seconds since the bench began."""
        return time.monotonic() - self._began

    def need_disk(self, gibibytes: float, what: str) -> None:
        free = shutil.disk_usage(self.work).free / 2**30
        if free < gibibytes:
            raise SceneError(
                f"{what} needs {gibibytes:.0f} GiB, {self.work} has {free:.0f} GiB free; set TMPDIR to a larger disk")

    def events(self, count: int, *, is_short: bool = False) -> EventFiles:
        return events.random_order(self.data, count, self.settings.seed, is_short=is_short)

    def daemon(self, **settings: object) -> Daemon:
        """A daemon that is not started yet; it is stopped at the end if nobody did that."""
        daemon = Daemon(self.settings.binary, self.work, self.cluster, **settings)
        self._daemons.append(daemon)
        return daemon

    def stop_daemons(self) -> None:
        """Kills everything at once: for the end of a scene that failed."""
        while self._daemons:
            self._daemons.pop().kill()

    def say(self, text: str) -> None:
        """A line of progress."""
        minutes, seconds = divmod(int(self.seconds), 60)
        print(f"[{minutes:02d}:{seconds:02d}] {text}", file=sys.stderr, flush=True)
