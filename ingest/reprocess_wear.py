"""Wear sessions as units of independent work: from when to when, with which setup and poses.

What live knew at a calibration (setup, resets as rows of its grid) is kept in the wear session's
detail in the catalogue, exactly; poses held later carry their rotation in the span's detail. A
session without them, written by an older program, is rebuilt from its alignment and poses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from ingest.errors import ReprocessError
from ingest.poses import PoseReset
from ingest.priors import units_of
from processing import state
from processing.alignment.references import sensor_rotation
from processing.declared import TO_ORDER
from processing.orientation import SensorParams
from processing.pipeline import MIN_RATE_FOR_JERKS_HZ, Setup
from processing.types import Alignment, HeadingReset
from storage.catalog import Catalog, SpanEvent, WearSession
from storage.record import RecordReader

END_NS = 2**62
DEFAULT_SIGMA_DEG = 3.0
"""Of a stored pose that says nothing: taken up at home with a mirror (NUMBERS.md)."""

AlignmentOf = Callable[[Mapping[str, Any]], Alignment]
"""Makes an alignment of the body that the catalogue keeps."""


@dataclass(frozen=True, slots=True)
class Wear:
    """One unit of work."""

    since_ns: int
    """UTC of the first sample that belongs to it."""
    until_ns: int
    """Samples before this belong to it."""
    setup: Setup
    first_resets: tuple[HeadingReset, ...] = ()
    """Poses of the calibration, in rows of the grid that begins with the first head sample."""
    resets: tuple[PoseReset, ...] = ()
    """Poses held later."""
    excluded: tuple[tuple[int, int], ...] = ()
    """UTC (from, to) of movements made to order, nanoseconds."""


def wear_detail(
    setup: Setup, resets: Sequence[HeadingReset], since_ns: int, until_ns: int | None = None
) -> dict[str, Any]:
    """Return what to keep in `Catalog.start_wear(detail=...)` so that results can be made again.

    Parameters
    ----------
    setup : Setup
    resets : sequence of HeadingReset
        Of the calibration (`Plan.resets`).
    since_ns : int
        UTC from which on the session's chain was fed.
    until_ns : int, optional
        UTC up to which the session before was fed, where that is later: both saw the movements.
    """
    return {
        "setup": state.encode(setup),
        "resets": state.encode(tuple(resets)),
        "since_ns": since_ns,
        "until_ns": since_ns if until_ns is None else until_ns,
    }


def pose_detail(reset: PoseReset) -> dict[str, Any]:
    """Return what to keep in `Catalog.add_span(detail=...)` of a pose held during a session."""
    return {
        "q_th_ref": [float(value) for value in reset.q_th_ref],
        "own_value": reset.own_value,
        "shared_sigma_deg": reset.shared_sigma_deg,
    }


def wears(
    catalog: Catalog,
    reader: RecordReader,
    patient: str,
    *,
    alignment_of: AlignmentOf,
    uncalibrated: Alignment,
) -> list[Wear]:
    """Return the units that together cover the whole record of a patient, in order of time.

    Parameters
    ----------
    alignment_of : callable
        Reads the body of a stored alignment.
    uncalibrated : Alignment
        For samples before the first calibration.
    """
    sessions = sorted(catalog.wear_sessions(patient), key=_since_ns)
    starts = [_since_ns(session) for session in sessions]
    calibrated = [held.valid_from_ns for held in catalog.alignments(patient)]
    found: list[Wear] = []

    def unclaimed(since_ns: int, until_ns: int) -> None:
        """Enter what no session claims, if anything was recorded then."""
        borders = [since_ns, *(t for t in calibrated if since_ns < t < until_ns), until_ns]
        for a, b in pairwise(borders):
            facts = _facts(reader, patient, a, b)
            if a < b and facts is not None:
                held = catalog.alignment_at(patient, a)
                body = uncalibrated if held is None else alignment_of(held.body)
                found.append(Wear(a, b, facts.setup(body)))

    unclaimed(0, starts[0] if starts else END_NS)
    followers = [*sessions[1:], None][: len(sessions)]
    for session, since_ns, following in zip(sessions, starts, followers, strict=True):
        next_ns = END_NS if following is None else _since_ns(following)
        fed_ns = END_NS if following is None else int(following.detail.get("until_ns", next_ns))
        end_ns = next_ns
        # an end that is no later than the start was written by a session that came out of order
        if session.end_ns is not None and session.end_ns > session.start_ns:
            end_ns = min(next_ns, session.end_ns)
        if since_ns < end_ns:
            until_ns = fed_ns if end_ns == next_ns else end_ns
            found.append(_wear(catalog, reader, session, since_ns, until_ns, alignment_of))
        unclaimed(end_ns, next_ns)
    return found


def _since_ns(session: WearSession) -> int:
    return int(session.detail.get("since_ns", session.start_ns))


def _wear(
    catalog: Catalog,
    reader: RecordReader,
    session: WearSession,
    since_ns: int,
    until_ns: int,
    alignment_of: AlignmentOf,
) -> Wear:
    spans = catalog.spans(session.patient, since_ns, until_ns)
    if "setup" in session.detail:
        # older programs knew nothing of the units, and went by the parameters alone
        saved = {"head_sensor": None, "trunk_sensor": None, **session.detail["setup"]}
        setup: Setup = state.decode(saved)
        first: tuple[HeadingReset, ...] = state.decode(_completed(session.detail["resets"]))
        after_ns = int(session.detail["until_ns"])  # earlier poses are among its own resets
    else:
        held = {stored.id: stored for stored in catalog.alignments(session.patient)}
        named = held.get(session.alignment_id or "")
        named = named or catalog.alignment_at(session.patient, session.start_ns)
        if named is None:
            raise ReprocessError(
                f"the wear session of {session.patient} that began at {session.start_ns} ns has "
                "no calibration in the catalogue",
                remedy="Import the data folder again from where it was recorded.",
            )
        facts = _facts(reader, session.patient, since_ns, until_ns) or _Facts()
        setup = facts.setup(alignment_of(named.body))
        first, after_ns = (), since_ns
    resets = [_reset(span, setup.alignment) for span in spans if span.start_ns >= after_ns]
    later = tuple(reset for reset in resets if reset is not None)
    to_order = tuple((s.start_ns, s.end_ns) for s in spans if s.kind in TO_ORDER)
    return Wear(since_ns, until_ns, setup, first, later, to_order)


def _completed(resets: Any) -> Any:
    """Return saved resets with what older programs did not know of a pose."""
    if isinstance(resets, list):
        return [_completed(item) for item in resets]
    if not isinstance(resets, dict):
        return resets
    if "q_th_ref" in resets:
        return {"own_value": False, "shared_sigma_deg": None, **resets}
    return {name: _completed(value) for name, value in resets.items()}


def _reset(span: SpanEvent, alignment: Alignment) -> PoseReset | None:
    """Return a stored pose as a reset; None for movements, and for M and D of unknown rotation."""
    if "q_th_ref" in span.detail:
        q_th_ref = np.array(span.detail["q_th_ref"], dtype=np.float64)
    elif span.kind == "neutral_pose":
        q_th_ref = sensor_rotation(alignment, alignment.neutral_q)
    else:
        return None
    sigma_deg = DEFAULT_SIGMA_DEG if span.sigma_deg is None else span.sigma_deg
    return PoseReset(
        span.start_ns,
        span.end_ns,
        q_th_ref,
        sigma_deg,
        own_value=bool(span.detail.get("own_value", False)),
        shared_sigma_deg=span.detail.get("shared_sigma_deg"),
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the streams of a time say by themselves."""

    head_only: bool = False
    low_rate: bool = False
    units: Mapping[str, SensorParams] = field(default_factory=dict)

    def setup(self, alignment: Alignment) -> Setup:
        return Setup(
            alignment,
            head_only=self.head_only,
            low_rate=self.low_rate,
            head_sensor=self.units.get("head"),
            trunk_sensor=self.units.get("trunk"),
        )


def _facts(reader: RecordReader, patient: str, t0_ns: int, t1_ns: int) -> _Facts | None:
    """Return what the streams of a time say; None where no head sensor recorded."""
    streams = [
        stream
        for stream in reader.streams(patient=patient, kind="imu", t0_ns=t0_ns, t1_ns=t1_ns)
        if stream.samples
    ]
    # a chest strap without gyroscope is recorded, and gives the head nothing to turn against
    turning = [stream for stream in streams if "gyr_x" in stream.info.names]
    if not any(stream.info.role == "head" for stream in turning):
        return None
    return _Facts(
        head_only=not any(stream.info.role == "trunk" for stream in turning),
        low_rate=min(stream.info.rate_hz for stream in turning) < MIN_RATE_FOR_JERKS_HZ,
        units=units_of(stream.info for stream in streams),
    )
