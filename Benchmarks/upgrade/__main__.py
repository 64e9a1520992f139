"""Runs the three versions one after another on one spool and one database, and audits each of them."""

import argparse
import sys
import time
from pathlib import Path

from scenes import trial
from scenes.daemon import DATABASE, Daemon
from scenes.trial import Trial, say
from soak.load import Loads

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
        loads.go_on(arguments.seconds)
        daemon.command("verify")
        say(f"{name}: {loads.events} events and {loads.saves} saves so far, verify is clean")

    turn("the older version", arguments.old, migrates=False)
    turn("this version", arguments.new, migrates=True)
    turn("the older version again", arguments.old, migrates=False)
    turn("this version again", arguments.new, migrates=True)
    loads.stop()
    loads.settle("the database", lambda table: int(cluster.sql(f"SELECT count(*) FROM {table}", DATABASE)))
    # What the older version did not fold, because it was of a newer pack.
    for pack in PACKS:
        daemon.command("projections", "rebuild", pack)
    daemon.command("verify")
    daemon.command("projections", "verify")
    say(f"{loads.events} events and {loads.saves} saves are in the tables, each once")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make upgrade-test", description="Upgrade and downgrade under load.")
    parser.add_argument("--old", type=Path, required=True, help="the older version's binary")
    parser.add_argument("--new", type=Path, required=True, help="this version's binary")
    parser.add_argument("--seconds", type=float, default=10, help="of load on each version")
    parser.add_argument("--rate", type=float, default=500, help="events a second")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
