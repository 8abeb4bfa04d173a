"""The guided calibration: what to ask for, when, and what to keep of it.

Prompts go to whoever guides: the terminal now. The movements are those of the clinical
specification: neutral pose, nodding, head shaking, bowing the trunk.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.alignments import alignment_body
from api.guided.references import KEY
from api.hub.compiling import COMPILING
from api.runtime import Runtime
from ingest.calibrating import MARGIN_S
from ingest.reprocess_wear import wear_detail
from ingest.service import Collector
from processing.errors import AlignmentError
from processing.session import Plan
from processing.types import Alignment, Span
from storage.catalog import Catalog, Patient, StoredAlignment

Sleep = Callable[[float], Awaitable[None]]
Say = Callable[[str], None]

READY_S = 4.0
"""Time to read a prompt and get ready."""
SETTLE_S = 3.0
"""Time after the last movement until its samples have surely arrived."""
PREPARING_S = 3.0
"""Samples have given angles by then, unless the kernels are being compiled."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is asked for."""

    kind: str
    seconds: float
    prompt: str


STEPS = (
    Step(
        "neutral_pose",
        5.0,
        "Sit upright and look straight ahead, as straight as you can; a mirror or a helper may "
        "guide your head. Hold still.",
    ),
    Step("nod", 12.0, "Nod slowly five times, chin down first: as in a big yes."),
    Step("shake", 14.0, "Turn your head slowly five times, to the right first: as in a big no."),
    Step("trunk_bow", 10.0, "Bow forward three times from the hips, keeping your neck still."),
)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a guided calibration gave."""

    plan: Plan
    spans: tuple[Span, ...]
    detail: dict[str, Any]
    """What the wear session keeps, so that its results can be made again."""


async def guide(collector: Collector, say: Say, *, sleep: Sleep = asyncio.sleep) -> Calibrated:
    """Ask for each step, work out the alignment, and go on with it.

    Parameters
    ----------
    collector : Collector
        Running, with its sensors streaming.
    say : callable
        Shows a line to the person.
    sleep : callable
        Waits so many seconds.

    Raises
    ------
    AlignmentError
        It cannot be had of these movements; the message says which step to repeat.
    """
    spans: list[Span] = []
    # no trunk sensor feels a bow
    head_only = collector.spec.setup.head_only
    steps = [step for step in STEPS if not (head_only and step.kind == "trunk_bow")]
    for number, step in enumerate(steps, start=1):
        say(f"Step {number} of {len(steps)}. {step.prompt}")
        await sleep(READY_S)
        say(f"Now, for {step.seconds:.0f} seconds.")
        start_ns = collector.now_utc_ns()
        await sleep(step.seconds)
        spans.append(Span(step.kind, start_ns, collector.now_utc_ns()))
        say("Thank you, relax.")
    await sleep(SETTLE_S)
    since_ns = spans[0].start_ns - round(MARGIN_S * 1e9)
    until_ns = collector.now_utc_ns()
    plan = await collector.calibrate(spans)
    detail = wear_detail(plan.setup, plan.resets, since_ns, until_ns)
    return Calibrated(plan, tuple(spans), detail)


def keep_calibration(
    catalog: Catalog,
    patient: str,
    alignment: Alignment,
    spans: Sequence[Span],
    detail: Mapping[str, Any],
    *,
    poses_are_kept: bool = False,
    references: Mapping[str, Any] | None = None,
) -> None:
    """Keep a calibration, the movements it rests on, and the wear session it begins.

    Parameters
    ----------
    detail : mapping
        What `wear_detail` says of the session, so that it can be processed again.
    poses_are_kept : bool
        The poses were written down when they were announced.
    references : mapping, optional
        What N, M and D stand for (`references_body`), for later re-dons and resets.
    """
    start_ns = min(span.start_ns for span in spans)
    catalog.save_alignment(
        StoredAlignment(
            patient=patient,
            id=alignment.id,
            n_id=alignment.n_id,
            valid_from_ns=start_ns,
            body=alignment_body(alignment) | ({KEY: dict(references)} if references else {}),
        )
    )
    for span in spans:
        if not (poses_are_kept and span.kind == "neutral_pose"):
            catalog.add_span(patient, span.kind, span.start_ns, span.end_ns)
    catalog.start_wear(patient, start_ns, alignment_id=alignment.id, detail=detail)


def verdict(alignment: Alignment) -> str:
    """Return what came out, in plain words."""
    words = {
        "good": "The calibration is good.",
        "fair": "The calibration is fair; repeating it may make it better.",
        "low": "The calibration is of low quality; please repeat it.",
    }[alignment.quality]
    return "\n- ".join([words, *alignment.warnings])


async def calibrate_in_terminal(
    runtime: Runtime, patient: Patient, collector: Collector, say: Callable[[str], None]
) -> None:
    """Wait for the sensors, guide through the calibration and keep it."""
    assert runtime.hub is not None
    say("Calibration: waiting for the sensors.")
    told = False
    sending_since_s: float | None = None
    with runtime.hub.subscribe() as frames:
        async for frame in frames:
            if frame.sample_utc_ns is not None and not frame.stale:
                break
            if frame.head.samples and sending_since_s is None:
                sending_since_s = time.monotonic()
            # samples without angles: the computation is not ready
            waited_s = 0.0 if sending_since_s is None else time.monotonic() - sending_since_s
            if frame.sample_utc_ns is None and waited_s > PREPARING_S and not told:
                told = True
                say(f"The sensors send, and all of it is recorded. {COMPILING}.")
    try:
        done = await guide(collector, say)
    except AlignmentError as error:
        say(f"The calibration did not work: {error} Start again with `necktrace up --calibrate`.")
        return
    alignment = done.plan.setup.alignment
    keep_calibration(runtime.catalog, patient.id, alignment, done.spans, done.detail)
    say(verdict(alignment))
