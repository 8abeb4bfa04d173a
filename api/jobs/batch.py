"""The batch door: one recording in, three files out.

Reads the recording once onto the common grid (on disk, so that memory stays bounded), settles the
alignment, runs the chain, and writes angles, episodes and summary. Nothing is written into the
output folder before everything has succeeded but whole files.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from processing import grid, session, summary
from processing.alignment import Mounting
from processing.alignment.slip_warnings import jump_warnings, pose_starts, slip_warnings
from processing.episodes import EpisodesOut
from processing.errors import InputError
from processing.pipeline import (
    ALGORITHM_VERSION,
    MIN_RATE_FOR_JERKS_HZ,
    PipelineOutput,
    PipelineParams,
)
from processing.session import Mode, Plan
from processing.summary import MinuteSummary
from processing.types import BoolArray, Episode, FloatArray, PairBlock, Span
from storage.importers import GyroscopeCheck, ImportedRecording
from storage.outputs import AngleRows, AnglesWriter, write_episodes, write_summary
from storage.spool import GridSpool

TRUNK_EMPTY: Final = (
    "the trunk sensor has no valid sample beside the head's: the head sensor was used alone, as "
    "with --single head, so there are no neck angles; check the trunk's columns or its clock"
)
Progress = Callable[[str, float], None]
"""Told the phase and the fraction of it that is done."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What the caller knows about a recording that the recording does not say."""

    mode: Mode = "online"
    mounting: Mounting | None = None
    neutral_s: tuple[float, float] | None = None
    """Start and end of a held neutral pose, seconds from the head stream's first sample."""
    head_only: bool = False


def process(
    recording: ImportedRecording,
    out: Path,
    options: BatchOptions,
    *,
    params: PipelineParams | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Process one recording and return what `summary.json` holds.

    Raises
    ------
    ImportFormatError, InputError, AlignmentError
        The recording cannot be processed as it stands.
    OSError
        The output folder cannot be written.
    """
    params = params or PipelineParams()
    told = progress or (lambda _phase, _fraction: None)
    out.mkdir(parents=True, exist_ok=True)
    head_only = options.head_only or "trunk" not in recording.points
    with GridSpool() as spool:
        told("reading", 0.0)
        check = GyroscopeCheck(recording)
        for pair in to_grid(recording, params.grid, head_only=head_only, check=check):
            spool.append(pair)
        check.conclude()
        whole = spool.pair()
        if not head_only and not whole.trunk_valid.any():
            head_only = True
            recording.warnings.append(TRUNK_EMPTY)
        told("aligning", 0.0)
        settled = session.plan(
            params,
            whole,
            recording.spans,
            mounting=options.mounting,
            neutral=_neutral_span(options.neutral_s, whole.t0_ns),
            head_only=head_only,
            low_rate=too_slow(recording, head_only=head_only),
            head_sensor=recording.units.get("head"),
            trunk_sensor=recording.units.get("trunk"),
        )
        return _run(params, settled, whole, out, options.mode, recording, told)


def too_slow(recording: ImportedRecording, *, head_only: bool) -> bool:
    """Whether a sensor that counts is too slow for jerks and tremor."""
    used = ("head",) if head_only else ("head", "trunk")
    return min(recording.rate_hz[point] for point in used) < MIN_RATE_FOR_JERKS_HZ


def to_grid(
    recording: ImportedRecording,
    params: grid.GridParams,
    *,
    head_only: bool,
    check: GyroscopeCheck | None = None,
) -> Iterator[PairBlock]:
    """Yield a recording's samples on the common grid, in order; `check` sees what is used."""
    state = grid.start(params, has_trunk=not head_only)
    for blocks in recording.read():
        trunk = None if head_only else blocks.get("trunk")
        if check is not None:
            used = ("head",) if head_only else ("head", "trunk")
            check.add({point: blocks[point] for point in used if point in blocks})
        state, pair = grid.step(params, state, blocks.get("head"), trunk)
        yield pair
    state, pair = grid.step(params, state, None, None, final=True)
    yield pair


def _neutral_span(neutral_s: tuple[float, float] | None, t0_ns: int) -> Span | None:
    if neutral_s is None:
        return None
    start_s, end_s = neutral_s
    return Span("neutral_pose", t0_ns + round(start_s * 1e9), t0_ns + round(end_s * 1e9))


def _run(
    params: PipelineParams,
    settled: Plan,
    pair: PairBlock,
    out: Path,
    mode: Mode,
    recording: ImportedRecording,
    told: Progress,
) -> dict[str, Any]:
    provenance = {
        "algorithm_version": ALGORITHM_VERSION,
        "params_hash": params.hash,
        "alignment_id": settled.setup.alignment.id,
        "n_id": settled.setup.alignment.n_id,
        "mode": mode,
        "source": recording.name,
        "angle_convention": "ISB_ZXY",
    }
    found: list[Episode] = []
    minutes: list[MinuteSummary] = []
    notes: list[str] = []
    n = pair.head_gyr.shape[0]
    worn = settled.setup.alignment, settled.references, recording.spans
    # smoothed, heading has drifted towards a jump before it came
    look = mode == "online" and not settled.setup.head_only
    starts = pose_starts(pair, *worn) if look else ()
    with AnglesWriter(out / "angles.parquet", provenance) as writer:
        rows = _GatedRows(pair)
        for output in session.run(params, settled, pair, mode=mode):
            for ready in rows.join(output):
                writer.write(ready)
            _collect(output.episodes, found, notes)
            notes.extend(jump_warnings(starts, output.angles, pair.rate_hz))
            minutes.extend(output.minutes.minutes)
            told("processing", (output.angles.k0 - pair.k0 + output.worn.shape[0]) / n)
    write_episodes(out / "episodes.parquet", found, t0_ns=pair.t0_ns, provenance=provenance)
    if not settled.setup.head_only:
        notes.extend(slip_warnings(pair, *worn))
    result = summary.summarise_recording(
        minutes,
        found,
        algorithm_version=ALGORITHM_VERSION,
        params_hash=params.hash,
        alignment=settled.setup.alignment,
        warnings=(*settled.warnings, *recording.warnings, *notes),
        wear=params.wear,
    )
    result |= {"mode": mode, "source": recording.name}
    write_summary(out / "summary.json", result)
    return result


def _collect(episodes: EpisodesOut, found: list[Episode], notes: list[str]) -> None:
    found.extend(episodes.final)
    notes.extend(note for note in episodes.notes if note not in notes)


class _GatedRows:
    """Holds back rows until their gate is known, a fixed lag later."""

    def __init__(self, pair: PairBlock) -> None:
        self._k0 = pair.k0
        self._rate_hz = pair.rate_hz
        self._waiting: list[PipelineOutput] = []
        self._gated: BoolArray = np.empty(0, dtype=np.bool_)
        self._next = pair.k0

    def join(self, output: PipelineOutput) -> Iterator[AngleRows]:
        """Yield the rows whose gate has come."""
        self._waiting.append(output)
        self._gated = np.concatenate((self._gated, output.gate.gated))
        while self._waiting:
            first = self._waiting[0]
            n = first.worn.shape[0]
            if self._gated.shape[0] < n:
                return
            gated, self._gated = self._gated[:n], self._gated[n:]
            del self._waiting[0]
            if first.angles.k0 != self._next:
                raise InputError(f"angle rows from {first.angles.k0} do not follow {self._next}")
            self._next += n
            yield self._rows(first, gated)

    def _rows(self, output: PipelineOutput, gated: BoolArray) -> AngleRows:
        angles = output.angles
        k = angles.k0 + np.arange(gated.shape[0])
        inclination: FloatArray | None = None
        if output.inclination is not None:
            inclination = np.column_stack(
                (output.inclination.head_pitch_deg, output.inclination.head_roll_deg)
            )
        return AngleRows(
            t_s=k / self._rate_hz,
            q_rel=angles.q_rel,
            angles_deg=np.column_stack(
                (
                    angles.flexion_deg,
                    angles.lateral_right_deg,
                    angles.rotation_right_deg,
                    angles.deviation_deg,
                    angles.heading_sigma_deg,
                )
            ),
            valid=angles.valid,
            gated=gated,
            inclination_deg=inclination,
        )
