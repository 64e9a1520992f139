"""The soak's report: columns under each other, what has a bound last."""

from .finding import Finding

HEADER = ["", "now", "an hour", "bound", "met"]
MIB = 1 << 20


def text(findings: list[Finding]) -> str:
    rows = [HEADER, *map(_cells, sorted(findings, key=lambda finding: finding.is_met is not None))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 3, 4) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows)


def _cells(finding: Finding) -> list[str]:
    return [
        finding.name, _figure(finding.figure, finding.unit),
        "" if finding.per_hour is None else "+-"[finding.per_hour < 0] + _figure(abs(finding.per_hour), finding.unit),
        finding.bound, {True: "yes", False: "NO", None: ""}[finding.is_met],
    ]


def _figure(value: float | str, unit: str) -> str:
    if isinstance(value, str):
        return value
    if unit == "B":
        return f"{value / MIB:,.2f} MiB"
    number = f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.2f}"
    return f"{number} {unit}".rstrip()
