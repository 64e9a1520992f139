"""What was measured: samples by name, one for each run."""

from dataclasses import dataclass, field

from .goals import GOALS, Goal


@dataclass
class Sample:
    """One figure of one run, and what belongs to it."""

    value: float
    details: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A goal and how it came out over the runs; of a ratio, each run's own counts."""

    goal: Goal
    figure: float
    reference: float | None
    ratio: float | None
    runs: list[float]
    is_met: bool | None


class Results:
    """Filled by the scenes, read by the report."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Sample]] = {}
        self.failures: dict[str, str] = {}

    def add(self, name: str, value: float, **details: object) -> None:
        self.samples.setdefault(name, []).append(Sample(value, details))

    def values(self, name: str) -> list[float]:
        return [sample.value for sample in self.samples.get(name, [])]

    def rows(self) -> list[Row]:
        """The goals that were measured, in their order."""
        return [row for goal in GOALS if (row := self._row(goal)) is not None]

    def _row(self, goal: Goal) -> Row | None:
        figures = self.values(goal.figure)
        if not figures:
            return None
        if goal.reference is None:
            figure = goal.pick(figures)
            return Row(goal, figure, None, None, figures, goal.is_met(figure))
        references = self.values(goal.reference)
        # Run by run: what disturbs the machine disturbs both.
        ratios = [figure / reference for figure, reference in zip(figures, references)]
        if not ratios:
            return None
        ratio = goal.pick(ratios)
        return Row(goal, goal.pick(figures), goal.pick(references), ratio, ratios, goal.is_met(ratio))
