"""A Citus cluster on loopback: a coordinator and workers, each a PostgreSQL of its own."""

import socket
import subprocess
from pathlib import Path

from scenes.cluster import Cluster, installation
from scenes.scene_error import SceneError

SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
shared_preload_libraries = 'citus'
shared_buffers = 128MB
max_wal_size = 1GB
wal_level = logical
max_connections = 200
max_prepared_transactions = 400
citus.node_conninfo = 'sslmode=prefer'
citus.local_hostname = '127.0.0.1'
citus.shard_count = {shards}
citus.recover_2pc_interval = '5s'
"""
SHARDS = 8


def missing() -> str | None:
    """What this machine lacks; None when it has all."""
    bin = installation()
    directories = [
        subprocess.run([bin / "pg_config", option], capture_output=True, text=True).stdout.strip()
        for option in ("--sharedir", "--pkglibdir")
    ] if (bin / "pg_config").exists() else []
    root = bin.parent
    controls = [Path(directory) / "extension/citus.control" for directory in directories]
    controls += [root / "share/extension/citus.control", Path("/usr/share/postgresql") / root.name / "extension/citus.control"]
    if any(control.exists() for control in controls):
        return None
    return f"the extension citus is not there for the PostgreSQL in {bin}"


class Node(Cluster):
    """One of the servers, with a port of TCP beside its socket."""

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.port = _free_port()
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(SETTINGS.format(port=self.port, shards=SHARDS))

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"PGPORT": str(self.port)}

    def url(self, database: str) -> str:
        return f"postgresql://millrace@127.0.0.1:{self.port}/{database}"

    def crash(self) -> None:
        """As a power failure; then starts it again."""
        self.kill()
        self.start()


class CitusCluster:
    """`database`: there on each node, owned by the role millrace, which is no superuser."""

    def __init__(self, directory: Path, workers: int, database: str):
        directory.mkdir()
        directory.chmod(0o711)  # the user postgres passes through
        self.database = database
        self.coordinator = Node(directory / "coordinator")
        self.workers = [Node(directory / f"worker{number}") for number in range(workers)]

    def start(self) -> None:
        database = self.database
        for node in self.nodes:
            node.start()
            node.sql("CREATE ROLE millrace LOGIN")
            node.sql(f"CREATE DATABASE {database} OWNER millrace")
            node.sql("CREATE EXTENSION citus", database)
        coordinator = self.coordinator
        coordinator.sql(f"SELECT citus_set_coordinator_host('127.0.0.1', {coordinator.port})", database)
        for worker in self.workers:
            coordinator.sql(f"SELECT citus_add_node('127.0.0.1', {worker.port})", database)
        ill = coordinator.sql("SELECT count(*) FROM citus_check_cluster_node_health() WHERE result IS NOT TRUE", database)
        if ill != "0":
            raise SceneError(f"{ill} connections between the nodes fail")

    @property
    def nodes(self) -> list[Node]:
        return [self.coordinator, *self.workers]

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
