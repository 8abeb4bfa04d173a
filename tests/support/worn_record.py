"""Data folders with wear sessions of a simulated patient, sealed as a collector would."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from api.alignments import alignment_body
from ingest.reprocess_wear import wear_detail
from processing import grid, session
from processing.pipeline import PipelineParams
from processing.session import Plan
from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from storage.catalog import Catalog, Patient, StoredAlignment
from storage.record import Anchors, Channel, DirectWriter, StreamInfo

PATIENT = "p1"
ZONE = "Europe/Berlin"
SECOND_NS = 1_000_000_000
DAY_NS = 86_400_000_000_000
START_NS = 1_790_000_000_000_000_000
PER_PACKET = 10
SEGMENT_S = 300.0

Role = Literal["head", "trunk"]


def settle(recording: SimulatedRecording) -> Plan:
    """Return what the guided calibration of a recording gives."""
    params = PipelineParams()
    head, trunk = recording.blocks()
    state = grid.start(params.grid, has_trunk=True)
    _, pair = grid.step(params.grid, state, head, trunk, final=True)
    return session.plan(params, pair, recording.spans)


def write_samples(
    folder: Path, recording: SimulatedRecording, *, start_ns: int = START_NS, boot: int = 1
) -> None:
    """Seal both sensors' samples; every packet arrives when its first sample was taken."""
    roles: tuple[Role, Role] = ("head", "trunk")
    sides = (
        (recording.head, recording.head_counts),
        (recording.trunk, recording.trunk_counts),
    )
    step = round(SEGMENT_S * recording.rate_hz) // PER_PACKET * PER_PACKET
    with DirectWriter(folder) as writer:
        for role, (truth, counts) in zip(roles, sides, strict=True):
            channels = [Channel(f"acc_{a}", "m/s^2", "int16", truth.acc_per_count) for a in "xyz"]
            channels += [Channel(f"gyr_{a}", "rad/s", "int16", truth.gyr_per_count) for a in "xyz"]
            stream = writer.open_stream(
                StreamInfo(
                    patient=PATIENT,
                    device_id=role,
                    boot=boot,
                    role=role,
                    kind="imu",
                    channels=tuple(channels),
                    rate_hz=recording.rate_hz,
                    device_clock_hz=1e6,
                )
            )
            for first in range(0, len(counts), step):
                part = counts[first : first + step]
                at = np.arange(first, first + len(part), PER_PACKET, dtype=np.int64)
                took_us = np.round(at * (1e6 / recording.rate_hz)).astype(np.int64)
                anchors = Anchors(at, took_us, start_ns + took_us * 1000)
                writer.seal_direct(stream, part, first_index=first, anchors=anchors)


def wear_days(folder: Path, lengths_s: Sequence[float]) -> None:
    """Record one wear session a day, each with its own calibration, and its catalogue entries."""
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient(PATIENT, "", ZONE))
        for day, length_s in enumerate(lengths_s):
            recording = simulate(PatientSpec(), 10 + day, length_s)
            start_ns = START_NS + day * DAY_NS
            write_samples(folder, recording, start_ns=start_ns, boot=day + 1)
            plan = settle(recording)
            alignment = plan.setup.alignment
            body = alignment_body(alignment)
            catalog.save_alignment(
                StoredAlignment(PATIENT, alignment.id, alignment.n_id, start_ns, body)
            )
            detail = wear_detail(plan.setup, plan.resets, start_ns - SECOND_NS)
            catalog.start_wear(PATIENT, start_ns, alignment_id=alignment.id, detail=detail)
