"""The machine that the figures are from."""

import mmap
import os
import platform
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

from . import cluster

TOUCHED_PAGES = 8192


def describe(work: Path, binary: Path) -> dict[str, object]:
    """Cores, processor, memory, the file system under `work`, versions, commit; and how fast it is just now."""
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
        "page_fault_us": round(_page_fault_us(), 2),
    }


def sentence(machine: dict[str, object]) -> str:
    """One line for people."""
    return (
        f"{machine['date'][:10]}, {machine['cores']} cores ({machine['processor']}), "
        f"{round(machine['memory_mib'] / 1024)} GiB, {machine['file_system']}, "
        f"PostgreSQL {machine['postgresql']}, commit {machine['commit']}, {machine['page_fault_us']} µs a page fault")


def _page_fault_us() -> float:
    """Mean time of the first write to a page of new memory: what separates a quiet host from a crowded one."""
    with mmap.mmap(-1, TOUCHED_PAGES * mmap.PAGESIZE) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        began = time.perf_counter()
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1
        return (time.perf_counter() - began) / TOUCHED_PAGES * 1e6


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
