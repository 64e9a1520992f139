"""The table of goals: for the screen, as markdown, as JSON, and between the marks in the guide to performance."""

import json
from dataclasses import asdict
from pathlib import Path

from . import machine as machines
from .results import Results, Row
from .scene_error import SceneError

BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
HEADER = ["goal", "scene", "figure", "reference", "ratio", "goal is", "met"]
IS_RIGHT = [False, False, True, True, True, True, False]


def text(results: Results) -> str:
    """Columns under each other."""
    rows = [HEADER, *map(_cells, results.rows())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, IS_RIGHT)).rstrip()
        for row in rows
    ]
    return "\n".join(lines + _failures(results))


def markdown(results: Results, machine: dict[str, object], command: str) -> str:
    """The table, and under it what made it, where and when."""
    lines = [
        "| " + " | ".join(HEADER) + " |",
        "| " + " | ".join("---:" if is_right else "---" for is_right in IS_RIGHT) + " |",
        *("| " + " | ".join(_cells(row)) + " |" for row in results.rows()),
        "",
        f"`{command}`, medians, {machines.sentence(machine)}.",
    ]
    return "\n".join(lines + _failures(results)) + "\n"


def document(results: Results, machine: dict[str, object], settings: dict[str, object], seconds: float) -> str:
    """All of it as JSON."""
    goals = [
        {
            "id": row.goal.id, "scene": row.goal.scene, "unit": row.goal.unit, "figure": row.figure,
            "reference": row.reference, "reference_name": row.goal.reference_name or None, "ratio": row.ratio,
            "goal": row.goal.bound or None, "met": row.is_met, "runs": row.runs,
        }
        for row in results.rows()
    ]
    samples = {name: [asdict(sample) for sample in samples] for name, samples in results.samples.items()}
    return json.dumps(
        {"machine": machine, "settings": settings, "seconds": round(seconds, 1), "goals": goals,
         "failures": results.failures, "samples": samples},
        indent=2, ensure_ascii=False) + "\n"


def update_guide(guide: Path, table: str) -> None:
    """Puts `table` between the marks."""
    before, begin, rest = guide.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SceneError(f"{guide} has no lines {BEGIN} and {END}")
    guide.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}")


def _cells(row: Row) -> list[str]:
    goal = row.goal
    reference = "" if row.reference is None else f"{number(row.reference)} ({goal.reference_name})"
    return [
        goal.id, goal.scene, f"{number(row.figure)} {goal.unit}", reference,
        "" if row.ratio is None else f"{row.ratio:.2f}",
        goal.bound if goal.reference or not goal.bound else f"{goal.bound} {goal.unit}",
        {True: "yes", False: "no", None: ""}[row.is_met],
    ]


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _failures(results: Results) -> list[str]:
    return [f"{scene} failed: {message.splitlines()[0]}" for scene, message in results.failures.items()]
