"""Rounds of failover under load, and an audit of what is in the tables afterwards."""

import argparse
import sys
import time
from pathlib import Path

from scenes import trial
from scenes.daemon import DATABASE, Daemon
from scenes.scene_error import SceneError
from scenes.trial import Trial, say
from soak.load import Loads

from .patroni import Node, PatroniCluster


def main() -> int:
    arguments = _arguments()
    return trial.main("failover-test", lambda trial: _run(arguments, trial), PatroniCluster)


def _run(arguments: argparse.Namespace, trial: Trial) -> int:
    cluster, exits = trial.cluster, trial.exits
    say(f"{cluster.leader().name} leads {len(cluster.nodes)} nodes")
    daemon = Daemon(arguments.binary, trial.directory, cluster, database__retry_max="500ms")
    exits.callback(daemon.kill)
    daemon.create()
    daemon.start()
    daemon.settle()
    loads = exits.enter_context(Loads(daemon, arguments.rate, seed=19))
    for number in range(1, arguments.rounds + 1):
        loads.go_on(arguments.seconds)
        killed = cluster.leader()
        killed.kill()
        began = time.monotonic()
        leader = cluster.leader(other_than=killed)
        say(f"round {number}: {killed.name} killed, {leader.name} leads after {time.monotonic() - began:.0f} s")
        loads.go_on(arguments.seconds)
        # It comes back, finds that it is behind, and follows.
        killed.start()
        killed.wait_until_streaming()
        loads.go_on(arguments.seconds)
        if cluster.leader() is killed:
            raise SceneError(f"{killed.name} leads again")
    loads.stop()
    _settle(loads, cluster.leader())
    daemon.command("verify")
    daemon.command("projections", "verify")
    for node in cluster.nodes:
        _settle(loads, node)
    say(f"{loads.events} events and {loads.saves} saves are in the tables of all nodes, each once")
    return 0


def _settle(loads: Loads, node: Node) -> None:
    loads.settle(node.name, lambda table: node.count(DATABASE, table))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make failover-test", description="Failover under load, by Patroni.")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of load before, between and after what happens")
    parser.add_argument("--rate", type=float, default=300, help="events a second")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
