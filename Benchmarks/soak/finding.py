"""One line of the soak's report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A figure, how much it grows in an hour, and its bound; `is_met` is None without one."""

    name: str
    figure: float | str
    per_hour: float | None = None
    unit: str = ""
    bound: str = ""
    is_met: bool | None = None
