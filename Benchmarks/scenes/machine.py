"""Where the figures are from."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from . import cluster


def describe(work: Path, binary: Path) -> dict[str, object]:
    """Cores, processor, memory, the file system under `work`, versions, commit."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cores": os.cpu_count(),
        "processor": _field("/proc/cpuinfo", "model name"),
        "memory_mib": int(_field("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": platform.release(),
        "file_system": _output("findmnt", "-n", "-o", "FSTYPE", "-T", str(work)),
        "postgresql": _output(str(cluster.installation() / "postgres"), "--version").split(" ")[2],
        "millrace": _output(str(binary), "--version"),
        "commit": _commit(),
        "load_before": os.getloadavg()[0],
    }


def sentence(machine: dict[str, object]) -> str:
    """One line for people."""
    return (
        f"{machine['date'][:10]}, {machine['cores']} cores ({machine['processor']}), "
        f"{round(machine['memory_mib'] / 1024)} GiB, {machine['file_system']}, "
        f"PostgreSQL {machine['postgresql']}, commit {machine['commit']}")


def _commit() -> str:
    here = str(Path(__file__).parent)
    commit = _output("git", "-C", here, "rev-parse", "--short", "HEAD")
    is_changed = _output("git", "-C", here, "status", "--porcelain", "--untracked-files=no")
    return (commit or "unknown") + (" with changes" if is_changed else "")


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _output(*command: str) -> str:
    try:
        run = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
