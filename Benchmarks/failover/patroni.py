"""A throw-away cluster of PostgreSQL under Patroni and etcd, on loopback."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from scenes import cluster, processes
from scenes.scene_error import SceneError

NODES = 3
START_SECONDS = 120
# Patroni's least: so long the leader's key outlives the leader.
TTL_SECONDS = 20


class PatroniCluster:
    """In the place of `scenes.cluster.Cluster`, as far as a daemon and this test want it."""

    def __init__(self, directory: Path):
        for program in ("patroni", "etcd"):
            if shutil.which(program) is None:
                raise SceneError(f"{program} is missing: apt-get install patroni etcd-server")
        self.directory = directory
        directory.mkdir()
        self.etcd = Etcd(directory / "etcd")
        self.nodes = [Node(directory, number, self.etcd) for number in range(1, NODES + 1)]

    def start(self) -> None:
        self.etcd.start()
        # The first one makes the cluster, the others copy it.
        self.nodes[0].start()
        self.leader()
        for node in self.nodes[1:]:
            node.start()
        for node in self.nodes[1:]:
            node.wait_until_streaming()

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()
        self.etcd.kill()

    def leader(self, other_than: "Node | None" = None) -> "Node":
        """Waits for a node that takes writes."""
        limit = time.monotonic() + START_SECONDS
        while True:
            for node in self.nodes:
                if node is not other_than and node.takes_writes():
                    return node
            if time.monotonic() > limit:
                raise SceneError(f"no node leads after {START_SECONDS} s; see {self.directory}/*.log")
            time.sleep(0.2)

    def url(self, database: str) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://postgres@{hosts}/{database}?target_session_attrs=read-write&connect_timeout=3"

    def sql(self, text: str, database: str = "postgres") -> str:
        """Of the leader; see `Cluster.sql`."""
        return _sql(self.url(database), text)

    def recreate(self, database: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE);\nCREATE DATABASE {database};")


class Etcd:
    def __init__(self, directory: Path):
        self.directory, self.port, self._peer_port = directory, _free_port(), _free_port()
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        peer, client = f"http://127.0.0.1:{self._peer_port}", f"http://127.0.0.1:{self.port}"
        arguments = [
            "etcd", "--name", "one", "--data-dir", self.directory, "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"one={peer}",
        ]
        with open(f"{self.directory}.log", "wb") as log:
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            processes.stop(self._process)


class Node:
    """One PostgreSQL and the Patroni that looks after it."""

    def __init__(self, directory: Path, number: int, etcd: Etcd):
        self.name, self.port = f"node{number}", _free_port()
        self.log = directory / f"{self.name}.log"
        # Patroni, which is postgres, makes files of its own beside the data.
        self._home = directory / self.name
        self._home.mkdir(mode=0o700)
        self._process: subprocess.Popen | None = None
        self._configuration = self._home / "patroni.yml"
        # JSON is YAML.
        self._configuration.write_text(json.dumps(self._settings(etcd), indent=2))
        if os.geteuid() == 0:
            shutil.chown(self._home, "postgres")
            shutil.chown(self._configuration, "postgres")

    def start(self) -> None:
        command = ["patroni", str(self._configuration)]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._home.parent, start_new_session=True)

    def kill(self) -> None:
        """kill -9 of Patroni, and of the server, whose processes end with their first."""
        server = self._server_pid()
        if self._process is not None:
            for process in processes.tree(self._process.pid):
                _kill(process)
            self._process.wait()
            self._process = None
        if server is not None:
            _kill(server)
            limit = time.monotonic() + 30
            while Path(f"/proc/{server}").exists() and time.monotonic() < limit:
                time.sleep(0.05)

    def takes_writes(self) -> bool:
        try:
            return _sql(self.url("postgres"), "SELECT NOT pg_is_in_recovery()") == "t"
        except SceneError:
            return False

    def wait_until_streaming(self) -> None:
        limit = time.monotonic() + START_SECONDS
        while True:
            try:
                if _sql(self.url("postgres"), "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'") == "1":
                    return
            except SceneError:
                pass
            if time.monotonic() > limit:
                raise SceneError(f"{self.name} does not stream after {START_SECONDS} s; see {self.log}")
            time.sleep(0.2)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}?connect_timeout=3"

    def count(self, database: str, table: str) -> int:
        return int(_sql(self.url(database), f"SELECT count(*) FROM {table}"))

    def _server_pid(self) -> int | None:
        try:
            return int((self._home / "data" / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None

    def _settings(self, etcd: Etcd) -> dict:
        rest = f"127.0.0.1:{_free_port()}"
        server = f"127.0.0.1:{self.port}"
        return {
            "scope": "millrace",
            "name": self.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"host": f"127.0.0.1:{etcd.port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_SECONDS, "loop_wait": 1, "retry_timeout": 3, "maximum_lag_on_failover": 1 << 30,
                    "postgresql": {"use_pg_rewind": True, "use_slots": True},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}],
            },
            "postgresql": {
                "listen": server,
                "connect_address": server,
                "bin_dir": str(cluster.installation()),
                "data_dir": str(self._home / "data"),
                "pgpass": str(self._home / "pgpass"),
                "authentication": {
                    "superuser": {"username": "postgres", "password": "loopback"},
                    "replication": {"username": "replicator", "password": "loopback"},
                },
                "pg_hba": [
                    "local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust",
                ],
                "parameters": {
                    "unix_socket_directories": str(self._home), "shared_buffers": "128MB", "max_connections": 200,
                    "timezone": "UTC",
                },
                "remove_data_directory_on_rewind_failure": True,
                "remove_data_directory_on_diverged_timelines": True,
            },
        }


def _sql(url: str, text: str) -> str:
    command = [
        str(cluster.installation() / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-",
    ]
    run = subprocess.run(command, input=text, capture_output=True, text=True)
    if run.returncode != 0:
        raise SceneError(f"psql failed: {run.stderr.strip()}")
    return run.stdout.strip()


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
