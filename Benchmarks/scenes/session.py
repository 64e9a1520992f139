"""One psql that stays connected, for questions that are asked often."""

import os
import subprocess
from typing import Self

from .cluster import Cluster
from .scene_error import SceneError

END = "--end--"


class Session:
    """A session for one thread only."""

    def __init__(self, cluster: Cluster, database: str):
        self._psql = subprocess.Popen(
            cluster.psql_command(database), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | cluster.environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._psql.stdin.close()
        self._psql.wait()

    def ask(self, query: str) -> str:
        """The rows as psql prints them, unaligned."""
        try:
            self._psql.stdin.write(f"{query};\n\\echo {END}\n")
            self._psql.stdin.flush()
        except BrokenPipeError:
            raise SceneError("psql ended; its message is above") from None
        lines = []
        while (line := self._psql.stdout.readline().rstrip("\n")) != END:
            if not line and self._psql.poll() is not None:
                raise SceneError("psql ended; its message is above")
            lines.append(line)
        return "\n".join(lines)
