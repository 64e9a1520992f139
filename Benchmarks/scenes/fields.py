"""Encryption of two members that every event of `event_text` has."""

import os
import subprocess

from .bench import Bench

_PATHS = ["payload.page.path", "payload.device.v"]


def settings(bench: Bench) -> dict[str, object]:
    """A daemon's settings; makes the keys."""
    path = bench.work / "field.keys"
    made = subprocess.run([bench.settings.binary, "fields", "keys"], check=True, stdout=subprocess.PIPE)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(made.stdout)
    return {"fields__keys_file": path, "fields__encrypt": ",".join(_PATHS)}
