"""Which poses and movements are asked for, how often and for how long."""

from dataclasses import dataclass
from typing import Final, Literal

from processing.alignment.references import MOVEMENTS

Task = Literal["calibration", "redon", "reset"]
Pose = Literal["neutral_pose", "midline_pose"]

READY_S: Final[dict[Task, float]] = {"calibration": 4.0, "redon": 3.0, "reset": 4.0}
"""Time to hear a prompt and get ready. Shorter hurries a stiff neck, longer spoils the two minutes
(and the 20 s of a re-don)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is asked for."""

    kind: str
    seconds: float
    """Length of a pose; longest time for a movement, which ends when it was done often enough."""
    times: int = 0
    """Repetitions asked for; 0 for a pose."""
    least: int = 0
    """Repetitions with which it counts."""

    @property
    def is_movement(self) -> bool:
        """Whether it is a movement and not a pose."""
        return self.kind in MOVEMENTS


CALIBRATION: Final = (
    Step("neutral_pose", 5.0),
    Step("nod", 20.0, times=5, least=3),
    Step("shake", 25.0, times=5, least=3),
    Step("trunk_bow", 18.0, times=3, least=3),
    # measured right after the calibration, while heading is fresh (docs/explanation/numbers.md)
    Step("midline_pose", 4.0),
    Step("midline_pose", 4.0),
    Step("dystonic_pose", 4.0),
)
"""The guided calibration, two minutes (clinical specification, section 3). Of M there are two
repetitions, so that its scatter is known."""


def steps_of(task: Task, pose: Pose, *, head_only: bool = False) -> tuple[Step, ...]:
    """Return what a task asks for.

    Parameters
    ----------
    task : {"calibration", "redon", "reset"}
    pose : {"neutral_pose", "midline_pose"}
        The one that a re-don or a reset rests on.
    head_only : bool
        No trunk sensor feels a bow.
    """
    asked = _steps_of(task, pose)
    return tuple(step for step in asked if not (head_only and step.kind == "trunk_bow"))


def _steps_of(task: Task, pose: Pose) -> tuple[Step, ...]:
    if task == "calibration":
        return CALIBRATION
    held = Step(pose, 5.0)
    if task == "reset":
        return (held,)
    nod, bow = Step("nod", 8.0, times=1, least=1), Step("trunk_bow", 8.0, times=1, least=1)
    return (held, nod, bow)
