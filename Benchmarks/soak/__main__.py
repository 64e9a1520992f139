"""Runs the load and the operations, and judges the growth."""

import argparse
import os
import sys
import time
from pathlib import Path

from scenes import trial
from scenes.daemon import Daemon
from scenes.scene_error import SceneError
from scenes.trial import Trial, say

from . import report
from .load import Loads
from .operations import Operations
from .sampler import Sampler

ROOT = Path(__file__).resolve().parents[2]
# This part of the time, the first, has the operations; growth is that of the rest.
OPERATIONS_SHARE = 0.4
# Segments are retired, months looked at and the ledger joined many times in ten minutes.
SETTINGS = {
    "spool__segment_bytes": "1MiB", "spool__group_bytes": "1MiB", "spool__retain": "5s",
    "partitions__maintenance_interval": "30s", "partitions__gin_clean_limit": "5s",
    "database__ledger_join_age": "30s",
}


def main() -> int:
    arguments = _arguments()
    return trial.main("soak", lambda trial: _soak(arguments, trial))


def _soak(arguments: argparse.Namespace, trial: Trial) -> int:
    if not os.access(arguments.binary, os.X_OK):
        raise SceneError(f"{arguments.binary} is missing: `make build` makes it")
    cluster, exits = trial.cluster, trial.exits
    daemon = Daemon(arguments.binary, trial.directory, cluster, **SETTINGS)
    exits.callback(daemon.kill)
    daemon.create()
    daemon.start()
    daemon.settle()

    seconds = arguments.minutes * 60
    loads = exits.enter_context(Loads(daemon, arguments.rate, arguments.seed))
    sampler = exits.enter_context(Sampler(daemon, cluster, interval_seconds=max(1, min(10, seconds / 120))))
    say(f"{arguments.rate} events/s for {arguments.minutes:g} minutes, and saves and reads; {trial.directory}")
    operations = Operations(daemon, cluster, loads, sampler, say)
    began = time.monotonic()
    operations.run(seconds * OPERATIONS_SHARE)
    sampler.begin_window()
    while (left := began + seconds - time.monotonic()) > 0:
        loads.check()
        sampler.check()
        time.sleep(min(1, left))
    loads.stop()
    sampler.stop()
    findings = sampler.findings() + operations.verify()
    print(report.text(findings))
    failures = [finding for finding in findings if finding.is_met is False]
    say(f"{loads.events} events, {loads.saves} saves, {loads.reads} reads: " + (
        "nothing grew that should not, nothing lost" if not failures else f"{len(failures)} bounds were passed"))
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description="A mixed load at live rates, and what grows.")
    parser.add_argument("--binary", type=Path, default=ROOT / ".build" / "release" / "millrace")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=200, help="events a second")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.minutes < 1:
        parser.error("at least a minute: the first part of the time is not judged")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
