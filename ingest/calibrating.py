"""A calibration worked out from the samples that are still in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.intake import Intake
from ingest.live import Role
from ingest.merging import joined
from ingest.poses import PoseReset
from ingest.units_in_force import Calibration
from processing import grid, session
from processing.alignment import StoredReference
from processing.errors import AlignmentError
from processing.pipeline import PipelineParams, Setup
from processing.session import Plan
from processing.types import ImuBlock, PairBlock, Span

MARGIN_S = 2.0
"""Samples before the first pose of a calibration that the chain begins with."""


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """What the chain goes on with."""

    plan: Plan
    resets: tuple[PoseReset, ...]
    """The calibration's own poses."""
    since_ns: int
    """UTC from which on the new wear session is fed."""


def pair_since(
    params: PipelineParams,
    intakes: Mapping[Role, Intake],
    since_ns: int,
    *,
    head_only: bool,
    calibrations: Mapping[Role, Calibration] | None = None,
) -> PairBlock:
    """Return what is in memory from a time on, on the grid.

    Parameters
    ----------
    calibrations : mapping, optional
        Of the units, where they are not those in force.

    Raises
    ------
    AlignmentError
        A sensor delivered nothing, or its clock jumped.
    """
    blocks: dict[Role, ImuBlock | None] = {}
    for role, intake in intakes.items():
        if head_only and role == "trunk":
            continue
        pieces = intake.since(since_ns, (calibrations or {}).get(role))
        if any(piece.new_axis for piece in pieces[1:]):
            raise AlignmentError(f"The clock of the {role} sensor jumped during the calibration.")
        blocks[role] = joined([piece.block for piece in pieces])
    if None in blocks.values():
        raise AlignmentError("A sensor delivered nothing during the calibration.")
    state = grid.start(params.grid, has_trunk=not head_only)
    _, pair = grid.step(params.grid, state, blocks["head"], blocks.get("trunk"), final=True)
    return pair


def worked_out(
    params: PipelineParams,
    intakes: Mapping[Role, Intake],
    setup: Setup,
    spans: Sequence[Span],
    stored: StoredReference | None,
) -> WorkedOut:
    """Work out the alignment of poses and movements just made; the units' newest figures count.

    Parameters
    ----------
    setup : Setup
        In force until now.
    stored : StoredReference or None
        The person's references: a re-don, which keeps N.

    Raises
    ------
    AlignmentError
        It cannot be had of these movements; nothing has changed.
    """
    if not spans:
        raise AlignmentError("No pose or movement was given to calibrate by.")
    since_ns = min(span.start_ns for span in spans) - round(MARGIN_S * 1e9)
    # a wear session begins here: what was found of the units since the last one now counts
    newest = {role: intake.newest_calibration() for role, intake in intakes.items()}
    pair = pair_since(params, intakes, since_ns, head_only=setup.head_only, calibrations=newest)
    plan = session.plan(
        params,
        pair,
        spans,
        stored=stored,
        head_only=setup.head_only,
        low_rate=setup.low_rate,
        head_sensor=intakes["head"].known(newest["head"]),
        trunk_sensor=intakes["trunk"].known(newest["trunk"]),
    )
    for role, intake in intakes.items():
        intake.adopt(newest[role])
    period_ns = params.grid.period_ns
    resets = tuple(PoseReset.of(reset, pair.t0_ns, period_ns) for reset in plan.resets)
    return WorkedOut(plan, resets, since_ns)
