"""What operators do meanwhile: a rebuild, a dead letter and its retry, restarts; and the audit at the end."""

import time
from collections.abc import Callable

from scenes.cluster import Cluster
from scenes.daemon import DATABASE, Daemon
from scenes.scene_error import SceneError

from .finding import Finding
from .load import Loads
from .sampler import Sampler

# Seconds of one round.
ROUND_SECONDS = 240
REFUSAL = "ALTER TABLE public.analytics_events ADD CONSTRAINT soak_poison CHECK (event_type <> 'soak.poison') NOT VALID"
FIX = "ALTER TABLE public.analytics_events DROP CONSTRAINT soak_poison"
OPEN = "SELECT count(*) FROM public.dead_letters WHERE state = 'open'"


class Operations:
    def __init__(
        self, daemon: Daemon, cluster: Cluster, loads: Loads, sampler: Sampler, say: Callable[[str], None]
    ):
        self._daemon, self._cluster, self._loads, self._sampler, self._say = daemon, cluster, loads, sampler, say

    def run(self, seconds: float) -> None:
        """Runs each operation, evenly over this much time; in rounds when there is time for several."""
        steps = [self._rebuild, self._bury, self._stop, self._kill]
        rounds = max(1, int(seconds / ROUND_SECONDS))
        began = time.monotonic()
        for number, step in enumerate(steps * rounds):
            due = began + seconds * (number + 1) / (len(steps) * rounds + 1)
            while time.monotonic() < due:
                self._loads.check()
                time.sleep(0.2)
            step()
        while time.monotonic() < began + seconds:
            self._loads.check()
            time.sleep(0.2)

    def verify(self) -> list[Finding]:
        """Once the load has ended: every event and save is in the tables, and the audits find all well."""
        wanted = self._loads.events, self._loads.saves
        limit = time.monotonic() + 60
        while (found := self._rows()) != wanted and time.monotonic() < limit:
            time.sleep(0.2)
        return [
            Finding("events in the tables", found[0], bound=f"= {wanted[0]}", is_met=found[0] == wanted[0]),
            Finding("saves in the tables", found[1], bound=f"= {wanted[1]}", is_met=found[1] == wanted[1]),
            self._audit("verify"),
            self._audit("projections", "verify"),
        ]

    def _rows(self) -> tuple[int, int]:
        tables = ("public.analytics_events", "public.conversations")
        events, saves = (int(self._cluster.sql(f"SELECT count(*) FROM {table}", DATABASE)) for table in tables)
        return events, saves

    def _audit(self, *arguments: str) -> Finding:
        name = f"millrace {' '.join(arguments)}"
        try:
            self._daemon.command(*arguments)
        except SceneError as error:
            self._say(str(error))
            return Finding(name, "failed", bound="clean", is_met=False)
        return Finding(name, "clean", bound="clean", is_met=True)

    def _rebuild(self) -> None:
        self._say("projections rebuild analytics")
        self._daemon.command("projections", "rebuild", "analytics")

    def _bury(self) -> None:
        """A row that the database refuses, and takes after the fix."""
        self._say("a dead letter, and its retry")
        self._cluster.sql(REFUSAL, DATABASE)
        try:
            self._loads.send_event("soak.poison")
            if (count := int(self._cluster.sql(OPEN, DATABASE))) != 1:
                raise SceneError(f"{count} dead letters are open, one was made")
        finally:
            self._cluster.sql(FIX, DATABASE)
        self._daemon.command("dead-letters", "retry", "--all")
        if (count := int(self._cluster.sql(OPEN, DATABASE))) != 0:
            raise SceneError(f"{count} dead letters are open after the retry")

    def _stop(self) -> None:
        self._say("restart by SIGTERM")
        self._restart(self._daemon.stop)

    def _kill(self) -> None:
        self._say("restart after kill -9")
        self._restart(self._daemon.kill)

    def _restart(self, end: Callable[[], None]) -> None:
        with self._sampler.paused():
            end()
            self._daemon.start()
