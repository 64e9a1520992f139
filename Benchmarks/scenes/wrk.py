"""wrk, with a script that says what is asked; its answer is the last line of its output."""

import json
import os
import subprocess
from pathlib import Path

from .scene_error import SceneError


def run(script: str, url: str, connections: int, seconds: int, **environment: str) -> dict:
    """`requests`, `seconds`, `p50_us` and `p99_us`; raises when a request failed or was answered by an error."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(Path(__file__).with_name(script)), url]
    # Where the scripts find what they share.
    environment |= {"SCENES": str(Path(__file__).parent)}
    try:
        process = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    except FileNotFoundError:
        raise SceneError("wrk is missing: apt-get install wrk") from None
    lines = process.stdout.strip().splitlines()
    if process.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise SceneError(f"wrk failed:\n{process.stdout[-1000:]}{process.stderr[-1000:]}")
    result = json.loads(lines[-1])
    if result["bad"] or not result["requests"]:
        raise SceneError(f"{result['bad']} of {result['requests']} requests failed")
    return result
