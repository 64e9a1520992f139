"""What commands share that run Millrace on a throw-away PostgreSQL and judge it: `make soak`, `make upgrade-test`, `make
failover-test`, `make citus-test`."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .cluster import Cluster
from .scene_error import SceneError


class Trial:
    """`exits`: ends what was started. `directory`: for the daemon's files; gone afterwards."""

    def __init__(self, name: str, exits: contextlib.ExitStack, make_cluster: Callable[[Path], Cluster]):
        self.exits = exits
        self.directory = Path(tempfile.mkdtemp(prefix=f"millrace-{name}."))
        exits.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.directory.chmod(0o711)  # the user postgres passes through
        self.cluster = make_cluster(self.directory / "pg")
        exits.callback(self.cluster.kill)
        self.cluster.start()


def main(name: str, body: Callable[[Trial], int], make_cluster: Callable[[Path], Cluster] = Cluster) -> int:
    """Runs `body`; returns the exit status of the command `make {name}`. `make_cluster`: of a directory that is not there."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    for variable in [variable for variable in os.environ if variable.startswith("PG")]:
        del os.environ[variable]  # the user's own database is not meant
    try:
        with contextlib.ExitStack() as exits:
            return body(Trial(name, exits, make_cluster))
    except SceneError as error:
        print(f"{name}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
    return 1


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def _interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt
