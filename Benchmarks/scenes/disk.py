"""What the disk can do: one file, appended to and made durable in turn."""

import os
import time
from pathlib import Path

BLOCK_BYTES = 1 << 20


def append_bytes_per_second(directory: Path, total_bytes: int) -> float:
    """Sequential appends of 1 MiB, each followed by fdatasync."""
    file = directory / "appends"
    block, blocks = os.urandom(BLOCK_BYTES), max(1, total_bytes // BLOCK_BYTES)
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    try:
        began = time.perf_counter()
        for _ in range(blocks):
            os.write(descriptor, block)
            os.fdatasync(descriptor)
        return blocks * BLOCK_BYTES / (time.perf_counter() - began)
    finally:
        os.close(descriptor)
        file.unlink()
