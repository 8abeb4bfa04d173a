"""The figures of a day that a clinician follows, and how they are written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.web import texts
from processing.summary.types import DaySummary
from processing.trend import Better


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a day."""

    key: str
    pick: Callable[[DaySummary], float | None]
    digits: int
    better: Better | None
    """None where neither way is better as such."""
    per_neutral: bool
    """Relative to the patient's neutral: never joined across neutrals unmarked."""
    needs_rotation: bool
    """Rests on rotation, so it needs heading of fair trust or better."""

    @property
    def name(self) -> str:
        """What it is called."""
        return texts.text(f"clinic.figure.{self.key}")

    @property
    def unit(self) -> str:
        """Its unit, as written behind a number."""
        return texts.text(f"clinic.figure.{self.key}.unit")

    def write(self, value: float | None) -> str:
        """Return a value with its unit, or a dash."""
        return texts.text("unit.none") if value is None else f"{self.bare(value)}{self.unit}"

    def bare(self, value: float) -> str:
        """Return a value without its unit."""
        shown = f"{value:.{self.digits}f}"
        return (shown[1:] if float(shown) == 0 and shown[0] == "-" else shown).replace("-", "−")

    def signed(self, value: float) -> str:
        """Return a difference with its sign and unit."""
        shown = self.bare(value)
        plus = "" if shown.startswith("−") or float(shown) == 0 else "+"
        points = texts.text("clinic.points") if self.unit.endswith("%") else ""
        return f"{plus}{shown}{self.unit}{points}"


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


_TIED: Final = frozenset({"deviation", "near", "posture", "rotation", "lateral", "flexion"})
_TURNED: Final = frozenset({"deviation", "near", "posture", "rotation"})


def _figure(
    key: str, pick: Callable[[DaySummary], float | None], digits: int, better: Better | None
) -> Figure:
    return Figure(key, pick, digits, better, key in _TIED, key in _TURNED)


FIGURES: Final[dict[str, Figure]] = {
    figure.key: figure
    for figure in (
        _figure("deviation", lambda d: d.deviation_p50_deg, 1, "lower"),
        _figure("near", lambda d: _percent(d.near_neutral_fraction), 0, "higher"),
        _figure("posture", lambda d: d.posture_per_evaluable_h, 1, "lower"),
        _figure("jerk", lambda d: d.jerk_per_evaluable_h, 1, "lower"),
        _figure("tremor", lambda d: _percent(d.tremor_fraction_of_still), 1, "lower"),
        _figure("rotation", lambda d: d.rotation_p50_deg, 1, None),
        _figure("lateral", lambda d: d.lateral_p50_deg, 1, None),
        _figure("flexion", lambda d: d.flexion_p50_deg, 1, None),
    )
}
CYCLE_FIGURES: Final = ("deviation", "near", "posture", "jerk", "tremor")
"""Figures with a better and a worse side."""
