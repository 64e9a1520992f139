"""Processes and what they cost, from /proc."""

import os
import signal
import subprocess
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all its living descendants."""
    found = [pid]
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split():
                found += tree(int(child))
    except OSError:
        pass  # it ended meanwhile
    return found


def cpu_seconds(pid: int) -> float:
    """Processor seconds of the living tree, and of the children it has waited for."""
    ticks = 0
    for process in tree(pid):
        try:
            ticks += sum(map(int, _stat_fields(f"/proc/{process}/stat")[11:15]))
        except OSError:
            continue
    return ticks / TICKS_PER_SECOND


def cpu_seconds_by_thread(pid: int) -> dict[str, float]:
    """Processor seconds by thread name; digits at the end are dropped, so that a pool is one entry."""
    seconds: dict[str, float] = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            name = Path(f"/proc/{pid}/task/{thread}/comm").read_text().strip().rstrip("0123456789").rstrip("-# ")
            user, system = _stat_fields(f"/proc/{pid}/task/{thread}/stat")[11:13]
        except OSError:
            continue
        seconds[name] = seconds.get(name, 0) + (int(user) + int(system)) / TICKS_PER_SECOND
    return seconds


def resident_mib(pid: int, field: str = "VmRSS") -> float:
    """`VmRSS` now, or `VmHWM`: the highest it ever was. 0 when the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0


def stop(process: subprocess.Popen, patience_seconds: float = 30) -> None:
    """SIGTERM, then SIGKILL when that is not heard in time."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _stat_fields(path: str) -> list[str]:
    # The name may hold spaces and brackets; the fields start after the last one.
    return Path(path).read_text().rsplit(")", 1)[1].split()
