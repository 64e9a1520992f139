"""R1: what the projections cost: packs loaded beside none, from TCP to committed with two writers."""

from . import ingest
from .bench import Bench

PACKS = "analytics,conversations,workspaces,commerce,casework"


def run(bench: Bench, _: frozenset[str]) -> None:
    """One run of each in turn, over the events of P1 with the indexes as they come."""
    files = bench.events(bench.settings.rows)
    bench.cluster.start()
    for turn in range(bench.settings.runs):
        bench.say(f"R1 run {turn + 1} of {bench.settings.runs}, {files.count:,} rows")
        ingest.measure(bench, "without projections", files, database__writers=2, projections__packs="")
        ingest.measure(bench, "all packs", files, database__writers=2, projections__packs=PACKS)
        ingest.measure(bench, "product pack", files, database__writers=2, projections__packs="product")
