"""A throw-away PostgreSQL cluster."""

import os
import shutil
import subprocess
from pathlib import Path

from . import processes
from .scene_error import SceneError

SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0777
shared_buffers = 1GB
max_wal_size = 4GB
checkpoint_timeout = 15min
synchronous_commit = on
fsync = on
timezone = 'UTC'
"""


class Cluster:
    """Everything that these lines do not set is PostgreSQL's default, autovacuum too."""

    def __init__(self, directory: Path):
        """Makes it in `directory`, which must be reachable by the user postgres when this runs as root."""
        self.directory = directory
        self.bin = installation()
        directory.mkdir()
        # A path of a Unix socket holds 107 bytes.
        if len(str(directory / ".s.PGSQL.5432")) > 107:
            raise SceneError(f"{directory} is too long for a Unix socket; set TMPDIR to a shorter one")
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres")
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(SETTINGS.format(sockets=directory))

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    @property
    def is_running(self) -> bool:
        return (self.data / "postmaster.pid").exists()

    @property
    def environment(self) -> dict[str, str]:
        """What psql and libpq need to find it."""
        return {"PGHOST": str(self.directory), "PGPORT": "5432", "PGUSER": "postgres", "PGCONNECT_TIMEOUT": "10"}

    def url(self, database: str) -> str:
        return f"postgresql:///{database}?host={self.directory}&user=postgres"

    def start(self, **settings: str) -> None:
        """Starts it, again if it runs. `settings` go before the file's until it stops."""
        self.stop()
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "-D", self.data, "-l", self.directory / "log", "-o", options, "-w", "start")

    def stop(self) -> None:
        if self.is_running:
            self._run("pg_ctl", "-D", self.data, "-m", "fast", "-t", "300", "-w", "stop")

    def kill(self) -> None:
        """Stops it at once, for the end of a scene: without a checkpoint, and without complaint."""
        if self.is_running:
            command = self._command("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")
            subprocess.run(command, cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cpu_seconds(self) -> float:
        """Processor seconds of all its processes, ended ones included."""
        return processes.cpu_seconds(self.pid)

    def sql(self, text: str, database: str = "postgres") -> str:
        """Runs the statements one by one; returns the rows as psql prints them, unaligned."""
        return self.psql(database, "-f", "-", stdin=text)

    def psql(self, database: str, *arguments: str, stdin: str | None = None) -> str:
        run = subprocess.run(
            self.psql_command(database, *arguments), input=stdin, capture_output=True, text=True,
            env=os.environ | self.environment)
        if run.returncode != 0:
            raise SceneError(f"psql failed: {run.stderr.strip()}")
        return run.stdout.strip()

    def psql_command(self, database: str, *arguments: str) -> list[str]:
        return [str(self.bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, *arguments]

    def recreate(self, database: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE);\nCREATE DATABASE {database};")

    def drop(self, database: str) -> None:
        """Drops the database, and makes a checkpoint, so that what is left of it does not count against the next."""
        self.sql(f"DROP DATABASE {database} WITH (FORCE);\nCHECKPOINT;")

    def _run(self, tool: str, *arguments: object) -> None:
        # The output goes to a file: the server would keep a pipe open.
        out = self.directory / f"{tool}.log"
        with open(out, "wb") as log:
            status = subprocess.run(
                self._command(tool, *arguments), cwd=self.directory, stdout=log, stderr=log).returncode
        if status != 0:
            raise SceneError(f"{tool} failed:\n{out.read_text(errors='replace')[-2000:]}")

    def _command(self, tool: str, *arguments: object) -> list[str]:
        command = [str(self.bin / tool), *map(str, arguments)]
        # PostgreSQL refuses to run as root.
        return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def installation() -> Path:
    """The newest PostgreSQL's programs; MILLRACE_POSTGRES_BIN names others."""
    if named := os.environ.get("MILLRACE_POSTGRES_BIN"):
        return Path(named)
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0)
    if found:
        return found[-1].parent
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    raise SceneError("PostgreSQL is missing: apt-get install postgresql, or name its programs in MILLRACE_POSTGRES_BIN")
