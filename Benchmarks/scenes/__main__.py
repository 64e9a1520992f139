"""Runs the scenes and writes the table."""

import argparse
import os
import signal
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

from . import (
    backlog, durable, growth, ingest, latency, live, machine, neighbour, processor, projections, reading, recount, report,
    reports, requests, tail)
from .bench import Bench
from .goals import GOALS
from .scene_error import SceneError
from .settings import Settings

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "Sources" / "millrace" / "Millrace.docc" / "Performance.md"

# Scenes that share what is costly to make run together; the longest last, for a run that is ended by hand.
FAMILIES = [
    (("P2",), processor.run),
    (("P3",), durable.run),
    (("P4",), requests.run),
    (("P5",), latency.run),
    (("F1",), neighbour.run),
    (("T1",), tail.run),
    (("L1",), live.run),
    (("L2",), recount.run),
    (("R2",), reading.run),
    (("R3",), reports.run),
    (("R1",), projections.run),
    (("P1", "P1b", "P1c", "P1d"), ingest.run),
    (("P6", "P7"), backlog.run),
    (("P8",), growth.run),
]


def main() -> int:
    arguments = _arguments()
    settings = Settings(**arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # the user's own database is not meant
    try:
        if not os.access(settings.binary, os.X_OK):
            raise SceneError(f"{settings.binary} is missing: `make build` makes it")
        with Bench(settings) as bench:
            described = machine.describe(bench.work, settings.binary)
            bench.say(machine.sentence(described))
            try:
                _run(bench)
            except KeyboardInterrupt:
                bench.results.failures["the rest"] = "interrupted"
            _write(bench, described)
            return 1 if bench.results.failures else 0
    except SceneError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def _run(bench: Bench) -> None:
    for scenes, run in FAMILIES:
        wanted = bench.settings.only & set(scenes)
        if not wanted:
            continue
        try:
            run(bench, wanted)
        except Exception as error:  # the other scenes' figures are worth having
            if not isinstance(error, SceneError):
                traceback.print_exc()
            name = ", ".join(sorted(wanted))
            bench.results.failures[name] = str(error) or type(error).__name__
            bench.say(f"{name} failed: {error}")
        finally:
            bench.stop_daemons()


def _write(bench: Bench, described: dict[str, object]) -> None:
    settings = bench.settings
    shown = {name: value for name, value in asdict(settings).items() if not isinstance(value, Path)}
    shown["only"] = sorted(settings.only)
    table = report.markdown(bench.results, described, _command(settings))
    settings.out.mkdir(parents=True, exist_ok=True)
    (settings.out / "bench.md").write_text(table)
    (settings.out / "bench.json").write_text(report.document(bench.results, described, shown, bench.seconds))
    bench.say(f"{settings.out}/bench.json and bench.md are written")
    print(report.text(bench.results))
    if settings.readme and not bench.results.failures:
        report.update_guide(GUIDE, table)


def _command(settings: Settings) -> str:
    """What to type to get the same."""
    names = sorted({goal.id for goal in GOALS})
    only = "" if settings.only == set(names) else f" ONLY={','.join(sorted(settings.only))}"
    quick = " QUICK=1" if settings.quick else ""
    return f"make bench RUNS={settings.runs} ROWS={settings.rows}{only}{quick}"


def _arguments() -> dict[str, object]:
    parser = argparse.ArgumentParser(
        prog="make bench", description="Each scene beside its reference in the same run, and the table of goals.")
    build = ROOT / ".build" / "release"
    nested = ROOT / "Benchmarks" / ".build"
    parser.add_argument("--binary", type=Path, default=build / "millrace")
    parser.add_argument("--bare-server", type=Path, default=nested / "release" / "bare-server")
    parser.add_argument("--venv", type=Path, default=nested / "peer", help="the asyncio peer's environment")
    parser.add_argument("--out", type=Path, default=nested, help="where bench.json and bench.md go")
    parser.add_argument("--rows", type=_whole, help="events of a run of P1; default 2000000")
    parser.add_argument("--runs", type=_whole, help="of each scene; default 5")
    parser.add_argument("--seed", type=int, default=7, help="of the events")
    parser.add_argument("--only", default="", help="scenes, such as P1,P4; P1 is P1 alone")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run, not how fast")
    parser.add_argument("--profile", action="store_true", help="P2 under perf: where the time goes")
    parser.add_argument("--readme", action="store_true", help="put the table into the guide to performance")
    values = vars(parser.parse_args())
    names = {goal.id for goal in GOALS}
    only = frozenset(filter(None, values["only"].replace(" ", ",").split(",")))
    if unknown := only - names:
        parser.error(f"there is no scene {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    quick = values["quick"]
    data = os.environ.get("BENCH_DATA")
    return values | {
        "only": only or frozenset(names),
        "rows": values["rows"] or (100_000 if quick else 2_000_000),
        "runs": values["runs"] or (1 if quick else 5),
        "data": Path(data) if data else None,
    }


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def _interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
