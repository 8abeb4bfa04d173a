"""Many live patients on one core: notifications of two sensors each, to minutes and a live frame.

Every patient has its own decoders, clocks and chain, so that their states push each other out of
the processor's caches as they would in earnest; what they send is one simulated recording, entered
at another second by each, so that minutes close all the time.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from vqf import VQF

from firmware_protocol import RateCode, encode_frame
from ingest.assemble import Layout, live_anchors
from ingest.drivers.driver import SensorPacket
from ingest.drivers.inbox import Notification
from ingest.drivers.v1_decode import LIVE, V1Decoder
from ingest.merging import joined
from ingest.processor import Processor
from ingest.timeline import Piece, Timeline
from processing import grid, pipeline, session
from processing.pipeline import PipelineParams, PipelineState, Setup
from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from processing.synthesis.recording import SensorTruth

Role = Literal["head", "trunk"]
ROLES: Final[tuple[Role, Role]] = ("head", "trunk")
PATIENTS = 2000
BLOCK_S = 1.0
WARM_UP_S = 15
MEASURED_S = 20
PHASES_S = 60
PER_FRAME = 13
TRAVEL_NS = 20_000_000
UTC_OFFSET_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class _Sensor:
    """One sensor as a patient's core sees it."""

    decoder: V1Decoder
    timeline: Timeline


@dataclass(slots=True)
class _Patient:
    sensors: dict[Role, _Sensor]
    chain: PipelineState
    processor: Processor
    phase: int


def _layout(sensor: SensorTruth, rate_hz: float) -> Layout:
    scales = np.repeat((sensor.acc_per_count, sensor.gyr_per_count), 3)
    return Layout((0, 1, 2), (3, 4, 5), None, scales, 32767, rate_hz)


def _notifications(recording: SimulatedRecording, role: Role) -> list[list[Notification]]:
    """Return what one sensor sends, second by second."""
    counts = recording.head_counts if role == "head" else recording.trunk_counts
    per_second = round(recording.rate_hz * BLOCK_S)
    seconds = []
    for begin in range(0, counts.shape[0] - per_second + 1, per_second):
        frames = []
        for at in range(begin, begin + per_second, PER_FRAME):
            device_us = round(at * 1e6 / recording.rate_hz)
            data = encode_frame(
                counts[at : at + PER_FRAME],
                seq=at // PER_FRAME % 65536,
                index0=at,
                device_us=device_us,
                rate_code=RateCode.HZ_104,
            )
            frames.append(Notification(device_us * 1000 + TRAVEL_NS, LIVE, data))
        seconds.append(frames)
    return seconds


def _patient(
    recording: SimulatedRecording, params: PipelineParams, setup: Setup, number: int
) -> _Patient:
    worn = {"head": recording.head, "trunk": recording.trunk}
    sensors = {
        role: _Sensor(V1Decoder(role, 1), Timeline(_layout(worn[role], recording.rate_hz)))
        for role in ROLES
    }
    processor = Processor(params, setup, patient=f"p{number}", zone=ZoneInfo("UTC"))
    return _Patient(sensors, pipeline.start(params, setup), processor, number % PHASES_S)


def _placed(sensor: _Sensor, sent: list[Notification], rate_hz: float) -> list[Piece]:
    """Return one second of a sensor as samples in SI units on the clock."""
    placed: list[Piece] = []
    for packet in sensor.decoder.decode(sent):
        if isinstance(packet, SensorPacket):
            anchors = live_anchors(packet, 0, rate_hz, UTC_OFFSET_NS)
            placed += sensor.timeline.place_rows(1, anchors, packet.samples)
    return placed


def _to_minutes(
    patient: _Patient, pieces: dict[Role, list[Piece]], params: PipelineParams, setup: Setup
) -> int:
    """Advance the chain alone; return how many minutes became final."""
    head, trunk = (joined([piece.block for piece in pieces[role]]) for role in ROLES)
    patient.chain, out = pipeline.step(params, patient.chain, setup, head, trunk)
    return len(out.minutes.minutes)


def _to_results(patient: _Patient, pieces: dict[Role, list[Piece]]) -> int:
    """Advance as the collector does: a live frame and rows for the store besides."""
    for role, some in pieces.items():
        patient.processor.add(role, some)
    done = patient.processor.step(None)
    return len(done.results.minutes) if done.results is not None else 0


def resident_mb() -> float:
    """Return the memory of this process that is in RAM, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(echo: Callable[[str], None], patients: int = PATIENTS) -> None:
    """Print how much of a core live patients need, and how many one core carries."""
    recording = simulate(PatientSpec(), 1, PHASES_S + WARM_UP_S + MEASURED_S + 2.0)
    params = PipelineParams()
    _, pair = grid.step(
        params.grid, grid.start(params.grid, has_trunk=True), *recording.blocks(), final=True
    )
    setup = session.plan(params, pair, recording.spans).setup
    sent = {role: _notifications(recording, role) for role in ROLES}
    _load(echo, "notifications to minutes", patients, recording, params, setup, sent, stored=False)
    _load(
        echo,
        "the same with a live frame and rows for the store each second",
        patients // 4,
        recording,
        params,
        setup,
        sent,
        stored=True,
    )


def _load(
    echo: Callable[[str], None],
    what: str,
    patients: int,
    recording: SimulatedRecording,
    params: PipelineParams,
    setup: Setup,
    sent: dict[Role, list[list[Notification]]],
    *,
    stored: bool,
) -> None:
    def advance(patient: _Patient, second: int) -> int:
        pieces = {
            role: _placed(sensor, sent[role][patient.phase + second], recording.rate_hz)
            for role, sensor in patient.sensors.items()
        }
        if stored:
            return _to_results(patient, pieces)
        return _to_minutes(patient, pieces, params, setup)

    first = _patient(recording, params, setup, 0)
    for second in range(WARM_UP_S):  # loads the kernels, so that memory is that of patients alone
        advance(first, second)
    before_mb = resident_mb()
    everyone = [_patient(recording, params, setup, number) for number in range(patients)]
    for second in range(WARM_UP_S):
        for patient in everyone:
            advance(patient, second)
    steps = np.empty((MEASURED_S, patients))
    minutes = 0
    cpu = peer = 0.0
    for second in range(MEASURED_S):
        began = time.thread_time()
        for i, patient in enumerate(everyone):
            begin = time.perf_counter()
            minutes += advance(patient, WARM_UP_S + second)
            steps[second, i] = time.perf_counter() - begin
        between = time.thread_time()
        _vqf(recording)
        cpu += between - began
        peer += time.thread_time() - between
    peer /= MEASURED_S * recording.t_ns.shape[0] / recording.rate_hz
    echo(f"{patients} live patients, {MEASURED_S} s of two 104 Hz sensors each, one thread: {what}")
    echo(
        f"  processor time {cpu:.1f} s; {minutes} minutes became final; "
        f"{(resident_mb() - before_mb) * 1e3 / patients:.0f} kB a patient"
    )
    echo(
        f"  a patient's second, elapsed: median {np.median(steps) * 1e3:.3f} ms, "
        f"99 % {np.percentile(steps, 99) * 1e3:.3f} ms"
    )
    echo(
        f"  one core carries {patients * MEASURED_S / cpu:.0f} patients"
        f"{'' if stored else ', target at least 2000'}; a patient's second costs what vqf takes "
        f"for both orientations of {cpu / patients / MEASURED_S / peer:.1f} s"
    )


def _vqf(recording: SimulatedRecording) -> None:
    """Run the yardstick: what a busy machine does to us it does to vqf as well."""
    for block in recording.blocks():
        VQF(1.0 / recording.rate_hz).updateBatch(block.gyr, block.acc)


if __name__ == "__main__":
    measure(print)
