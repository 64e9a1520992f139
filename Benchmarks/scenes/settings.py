"""What one call of `make bench` measures, and how much of it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Sizes are in events unless the name says otherwise."""

    binary: Path
    bare_server: Path
    venv: Path
    out: Path
    rows: int
    runs: int
    seed: int
    only: frozenset[str]
    quick: bool
    profile: bool
    readme: bool
    data: Path | None

    @property
    def processor_events(self) -> int:
        """P2: the goal is stated for a million."""
        return 100_000 if self.quick else 1_000_000

    @property
    def durable_events(self) -> int:
        """P3: events sent."""
        return 300_000 if self.quick else 2_000_000

    @property
    def http_seconds(self) -> int:
        """P4: seconds of one run of wrk."""
        return 2 if self.quick else 8

    @property
    def latency_seconds(self) -> int:
        """P5: seconds of the open loop, its ramp-up excluded."""
        return 3 if self.quick else 20

    @property
    def backlog_events(self) -> int:
        """P6 and P7: events of the backlog."""
        return 300_000 if self.quick else 10_000_000

    @property
    def drain_seconds(self) -> int:
        """P6: how long the drained backlog is watched."""
        return 5 if self.quick else 60

    @property
    def growth_step(self) -> int:
        """P8: rows of one step; the first step and the last one are compared."""
        return 50_000 if self.quick else 1_000_000

    @property
    def growth_steps(self) -> int:
        """P8: the month's rows in steps."""
        return 6 if self.quick else 20

    @property
    def reading_events(self) -> int:
        """R2: events in the tables at the end, beside a fifth as many conversations."""
        return 50_000 if self.quick else 5_000_000

    @property
    def reading_seconds(self) -> int:
        """R2: seconds for one route."""
        return 2 if self.quick else 10

    @property
    def recount_events(self) -> int:
        """L2: events in the month."""
        return 100_000 if self.quick else 2_000_000

    @property
    def live_seconds(self) -> int:
        """L1: seconds of one rate, after a warm-up of the same length at most."""
        return 5 if self.quick else 30
