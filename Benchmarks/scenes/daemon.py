"""Millrace, as `millrace serve` runs it: a fresh configuration, everything not said here is the default."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from . import processes, tls
from .cluster import Cluster
from .scene_error import SceneError

DATABASE = "millrace"


class Daemon:
    """`settings`: keys of config.toml with `__` for the dot, such as `database__writers=2`."""

    def __init__(self, binary: Path, directory: Path, cluster: Cluster, **settings: object):
        self.binary = binary
        self.directory = directory
        self.cluster = cluster
        self.tcp_port, self.http_port = _free_port(), _free_port()
        self._is_https = settings.get("http__tls") == "true"
        self._process: subprocess.Popen | None = None
        self._environment = self._make_environment(settings)

    @property
    def environment(self) -> dict[str, str]:
        """The environment for other commands of the same binary."""
        return self._environment

    @property
    def url(self) -> str:
        """Where it speaks HTTP."""
        return f"{'https' if self._is_https else 'http'}://127.0.0.1:{self.http_port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise SceneError("the daemon does not run")
        return self._process.pid

    @property
    def spool(self) -> Path:
        return self.directory / "data" / "spool"

    @property
    def log(self) -> Path:
        return self.directory / "daemon.log"

    def create(self) -> None:
        """A new, migrated database and an empty spool."""
        self.cluster.recreate(DATABASE)
        self.erase()
        self.command("migrate", "up")

    def erase(self) -> None:
        """Removes the spool."""
        shutil.rmtree(self.directory / "data", ignore_errors=True)

    def command(self, *arguments: str) -> str:
        """Runs another command with the same settings; returns its standard output."""
        run = subprocess.run([self.binary, *arguments], env=self._environment, capture_output=True, text=True)
        if run.returncode != 0:
            raise SceneError(f"millrace {' '.join(arguments)} failed:\n{(run.stderr or run.stdout)[-2000:]}")
        return run.stdout

    def start(self) -> float:
        """Starts it and waits until `/readyz` answers 200; returns the seconds that took, from fork on."""
        began = time.perf_counter()
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen([self.binary, "serve"], env=self._environment, stdout=log, stderr=log)
        while self._readiness() is None:
            self._check_alive()
            if time.perf_counter() - began > 120:
                raise SceneError(f"the daemon is not ready after two minutes:\n{self._log_tail()}")
            time.sleep(0.002)
        return time.perf_counter() - began

    def settle(self) -> None:
        """Waits until its database is there and the months ahead are made."""
        limit = time.monotonic() + 60
        while self._readiness() != []:
            self._check_alive()
            if time.monotonic() > limit:
                raise SceneError(f"the daemon does not reach its database:\n{self._log_tail()}")
            time.sleep(0.02)
        made = "SELECT count(*) > 3 FROM pg_inherits WHERE inhparent = 'analytics_events'::regclass"
        while self.cluster.sql(made, DATABASE) != "t":
            if time.monotonic() > limit:
                raise SceneError(f"the months ahead are not made:\n{self._log_tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process)
            self._process = None

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def cpu_seconds(self) -> float:
        return processes.cpu_seconds(self.pid)

    def resident_mib_max(self) -> float:
        """The highest resident memory since its start."""
        return processes.resident_mib(self.pid, "VmHWM")

    def _readiness(self) -> list | None:
        """The notes of `/readyz`; None while it does not answer 200."""
        if self._is_https:
            connection = http.client.HTTPSConnection("127.0.0.1", self.http_port, timeout=5, context=tls.client())
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            body = answer.read()
            return json.loads(body).get("notes", []) if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _check_alive(self) -> None:
        if self._process is None or self._process.poll() is not None:
            raise SceneError(f"the daemon ended by itself:\n{self._log_tail()}")

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def _make_environment(self, settings: dict[str, object]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        configuration = self.directory / "config.toml"
        configuration.write_text("")  # so that the machine's own file does not count
        values = {
            "config": configuration,
            "data__directory": self.directory / "data",
            "database__url": self.cluster.url(DATABASE),
            "tcp__listen": f"127.0.0.1:{self.tcp_port}",
            "http__listen": f"127.0.0.1:{self.http_port}",
        }
        values |= settings
        return kept | {f"MILLRACE_{key.replace('__', '_').upper()}": str(value) for key, value in values.items()}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
