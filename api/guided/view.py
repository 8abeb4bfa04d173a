"""What pages see of a guided task: one picture that is complete in itself."""

from typing import Literal

from pydantic import BaseModel, Field

from api.guided.steps import Task

StepState = Literal["todo", "ready", "now", "done", "again"]


class GuideStepView(BaseModel):
    """One step."""

    kind: str
    state: StepState = "todo"
    seconds: float
    times: int = Field(description="Repetitions asked for; 0 for a pose.")
    repetitions: int = Field(default=0, description="Of a movement, so far.")
    unrest_dps: float = Field(default=0.0, description="Of a pose: how much the head moves.")
    problem: str = Field(default="", description="Why it is asked for again.")


class GuideView(BaseModel):
    """The task under way, or the last one."""

    task: Task | None = None
    state: Literal["idle", "running", "waiting", "judging", "done", "failed"] = Field(
        default="idle",
        description="`waiting`: a step did not work and a person decides; `failed`: nothing came "
        "of it, and what held before still holds.",
    )
    current: int | None = Field(default=None, description="Index of the step under way.")
    ends_utc_ms: int | None = Field(default=None, description="When the present wait is over.")
    steps: list[GuideStepView] = []
    quality: Literal["good", "fair", "low"] | None = None
    sentences: list[str] = Field(default=[], description="What came out, for a person.")
    redo: list[str] = Field(default=[], description="Kinds of steps worth repeating.")
    can_redo: bool = Field(default=False, description="One step can be repeated without the rest.")
    slipped: bool = Field(
        default=False, description="A sensor no longer sits as at the calibration."
    )
    sending: bool = Field(default=False, description="The sensors send, so a task can begin.")
    reset_due: bool = Field(default=False, description="A reference pose is worth the trouble.")
    poses: list[str] = Field(
        default=[], description="Reference poses that a re-don or a reset can rest on."
    )
