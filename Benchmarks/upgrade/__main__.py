"""Runs the three versions one after another on one spool and one database, and audits each of them."""

import argparse
import sys
import time
from pathlib import Path

from scenes import trial
from scenes.cluster import Cluster
from scenes.daemon import DATABASE, Daemon
from scenes.scene_error import SceneError
from scenes.trial import Trial, say
from soak.load import Loads

SETTLE_SECONDS = 120
# Of the configuration's defaults.
PACKS = ["analytics", "conversations"]


def main() -> int:
    arguments = _arguments()
    return trial.main("upgrade-test", lambda trial: _run(arguments, trial))


def _run(arguments: argparse.Namespace, trial: Trial) -> int:
    cluster, exits = trial.cluster, trial.exits
    daemon = Daemon(arguments.old, trial.directory, cluster, spool__segment_bytes="1MiB", spool__group_bytes="1MiB")
    exits.callback(daemon.kill)
    daemon.create()
    daemon.start()
    daemon.settle()
    loads = exits.enter_context(Loads(daemon, arguments.rate, seed=11))

    def turn(name: str, binary: Path, *, migrates: bool) -> None:
        say(f"{name}: {binary}")
        if daemon.binary != binary:
            daemon.stop()
            daemon.binary = binary
            daemon.start()
        if migrates:
            # As a package's upgrade does it: the daemon first, which keeps everything in its spool until then.
            time.sleep(1)
            daemon.command("migrate", "up")
        daemon.settle()
        _load(loads, arguments.seconds)
        daemon.command("verify")
        say(f"{name}: {loads.events} events and {loads.saves} saves so far, verify is clean")

    turn("the older version", arguments.old, migrates=False)
    turn("this version", arguments.new, migrates=True)
    turn("the older version again", arguments.old, migrates=False)
    turn("this version again", arguments.new, migrates=True)
    loads.stop()
    _settle(cluster, loads)
    # What the older version did not fold, because it was of a newer pack.
    for pack in PACKS:
        daemon.command("projections", "rebuild", pack)
    daemon.command("verify")
    daemon.command("projections", "verify")
    say(f"{loads.events} events and {loads.saves} saves are in the tables, each once")
    return 0


def _load(loads: Loads, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        loads.check()
        time.sleep(0.2)


def _settle(cluster: Cluster, loads: Loads) -> None:
    """Waits until every acknowledged line is a row, and sees that none is twice there."""
    wanted = (loads.events, loads.saves)
    limit = time.monotonic() + SETTLE_SECONDS
    while (found := _rows(cluster)) != wanted:
        if time.monotonic() > limit:
            raise SceneError(f"{found[0]} events and {found[1]} saves are in the tables, {wanted[0]} and {wanted[1]} were sent")
        time.sleep(0.2)


def _rows(cluster: Cluster) -> tuple[int, int]:
    tables = ("public.analytics_events", "public.conversations")
    events, saves = (int(cluster.sql(f"SELECT count(*) FROM {table}", DATABASE)) for table in tables)
    return events, saves


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make upgrade-test", description="Upgrade and downgrade under load.")
    parser.add_argument("--old", type=Path, required=True, help="the older version's binary")
    parser.add_argument("--new", type=Path, required=True, help="this version's binary")
    parser.add_argument("--seconds", type=float, default=10, help="of load on each version")
    parser.add_argument("--rate", type=float, default=500, help="events a second")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
