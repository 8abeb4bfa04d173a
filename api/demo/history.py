"""The simulated patient's past days: simulated raw samples, through the record, through the chain.

Runs as a child process (``python -m api.demo.history``), so that the live page keeps its
processor. One JSON line per step on standard output tells how far it is. It ends with its parent:
its standard input closes then, and on Linux the kernel sends it a signal.
"""

import argparse
import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from api.days import store_day
from api.demo.person import PATIENT_ID, SEED, patient_spec
from api.guided.references import references_body, stored_references
from api.hub.calibration import keep_calibration
from api.hub.recording import register_algorithm
from ingest.assemble import layout_of
from ingest.merging import joined
from ingest.poses import PoseReset
from ingest.processor import Processor
from ingest.reprocess_wear import pose_detail, wear_detail
from ingest.sources.virtual_body import ROLES, Role, device_id
from ingest.timeline import Piece, Run, Timeline
from processing import grid, session, synthesis
from processing.alignment import StoredReference, sensor_rotation, sharing
from processing.pipeline import PipelineParams
from processing.synthesis import SensorTruth
from processing.types import Span
from storage.catalog import Catalog, Patient
from storage.embedded import EmbeddedStore
from storage.record import Anchors, Channel, DirectWriter, RecordReader, StreamInfo

DAYS = 14
SHORT_S = 3600.0
LONG_S = 8 * 3600.0
"""The last day is long enough for a day's judgement."""
START_HOUR = 9
CHUNK_S = 300.0
PER_PACKET = 10
ALONE_SIGMA_DEG = 3.0
"""Of a pose taken up at home (NUMBERS.md)."""
CLOCK_PPM = {"head": 18.0, "trunk": -27.0}
LATENCY_NS = 12_000_000
JITTER_NS = 4_000_000
BOOTED_BEFORE_S = 60.0


@dataclass(frozen=True, slots=True)
class PastDay:
    """One day to be made."""

    day: date
    days_ago: int
    length_s: float
    boot: int


def planned_days(today: date, held: Sequence[date], first_boot: int) -> list[PastDay]:
    """Return the days of the last fortnight that are still missing, oldest first.

    Parameters
    ----------
    today : date
        In the patient's zone; itself left to the live sensors.
    held : sequence of date
        Days that have results already.
    first_boot : int
        Boot counter of the virtual sensors on the oldest day.
    """
    wanted = []
    for days_ago in range(DAYS, 0, -1):
        day = today - timedelta(days=days_ago)
        if day not in held:
            length_s = LONG_S if days_ago == 1 else SHORT_S
            wanted.append(PastDay(day, days_ago, length_s, first_boot + DAYS - days_ago))
    return wanted


class _Sensor:
    """One virtual sensor on one day: writes its stream and reads it back as the record has it."""

    def __init__(
        self,
        writer: DirectWriter,
        reader: RecordReader,
        role: Role,
        truth: SensorTruth,
        past: PastDay,
        start_ns: int,
        rate_hz: float,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._start_ns = start_ns
        self._rate_hz = rate_hz
        self._ticks_per_ns = (1.0 + CLOCK_PPM[role] * 1e-6) / 1000.0
        self._rng = np.random.default_rng([SEED, past.boot, ROLES.index(role)])
        self._boot = past.boot
        info = StreamInfo(
            patient=PATIENT_ID,
            device_id=f"v1-{device_id(role, SEED).hex()}",
            boot=past.boot,
            role=role,
            kind="imu",
            channels=tuple(
                [Channel(f"acc_{a}", "m/s^2", "int16", truth.acc_per_count) for a in "xyz"]
                + [Channel(f"gyr_{a}", "rad/s", "int16", truth.gyr_per_count) for a in "xyz"]
            ),
            rate_hz=rate_hz,
            device_clock_hz=1e6,
            model="virtual",
            metadata={"simulated": True},
        )
        self.stream = writer.open_stream(info)
        layout = layout_of(info.channels, "int16", rate_hz)
        assert layout is not None
        self._timeline = Timeline(layout)

    def write(self, first_index: int, counts: NDArray[np.int16]) -> None:
        """Seal samples into the record."""
        at = np.arange(first_index, first_index + len(counts), PER_PACKET, dtype=np.int64)
        sampled_ns = self._start_ns + np.round(at * (1e9 / self._rate_hz)).astype(np.int64)
        last_ns = sampled_ns + round((PER_PACKET - 1) * 1e9 / self._rate_hz)
        late = LATENCY_NS + np.abs(self._rng.normal(0.0, JITTER_NS, len(at))).astype(np.int64)
        since_boot = sampled_ns - self._start_ns + int(BOOTED_BEFORE_S * 1e9)
        self._writer.seal_direct(
            self.stream,
            counts,
            first_index=first_index,
            anchors=Anchors(
                index=at,
                device_ticks=np.floor(since_boot * self._ticks_per_ns).astype(np.int64),
                host_ns=np.maximum.accumulate(last_ns + late),
            ),
        )

    def read(self, first_index: int, end_index: int) -> list[Piece]:
        """Return what the record holds of a range as blocks on UTC."""
        pieces: list[Piece] = []
        for chunk in self._reader.samples(self.stream, first_index, end_index):
            starts = chunk.anchors.index
            ends = np.append(starts[1:], chunk.index[-1] + 1)
            runs = [
                Run(int(a), int(ticks), int(host), chunk.data[a - first : b - first], live=True)
                for first in (int(chunk.index[0]),)
                for a, b, ticks, host in zip(
                    starts, ends, chunk.anchors.device_ticks, chunk.anchors.host_ns, strict=True
                )
            ]
            pieces.extend(self._timeline.place(self._boot, runs))
        return pieces


def _one_axis(pieces: Sequence[Piece]) -> list[Piece]:
    """Return a day's first blocks as the beginning of its axis: nothing came before them."""
    return [replace(piece, new_axis=False) for piece in pieces]


def _chunks(state: synthesis.SimulatorState, length_s: float) -> Iterator[synthesis.SimulatedChunk]:
    made_s = 0.0
    while made_s < length_s:
        step_s = min(CHUNK_S, length_s - made_s)
        state, chunk = synthesis.step(state, step_s)
        made_s += step_s
        yield chunk


def make_day(
    folder: Path,
    patient: Patient,
    past: PastDay,
    store: EmbeddedStore,
    catalog: Catalog,
    on_progress: Callable[[float], None],
) -> int:
    """Make one past day: record, calibration, results, summary; return its samples.

    Parameters
    ----------
    on_progress : callable
        Told the seconds of the day that are done.
    """
    params = PipelineParams()
    spec = patient_spec(past.days_ago)
    state = synthesis.start(spec, SEED + 1000 * past.days_ago)
    began = datetime(
        past.day.year, past.day.month, past.day.day, START_HOUR, tzinfo=ZoneInfo(patient.zone)
    )
    start_ns = int(began.timestamp()) * 10**9
    samples = 0
    chain: _Chain | None = None
    with DirectWriter(folder) as writer, RecordReader(folder) as reader:
        sensors: dict[Role, _Sensor] = {
            role: _Sensor(writer, reader, role, truth, past, start_ns, spec.rate_hz)
            for role, truth in zip(ROLES, (state.head, state.trunk), strict=True)
        }
        for chunk in _chunks(state, past.length_s):
            first, n = chunk.first_index, len(chunk.head_counts)
            pieces: dict[Role, list[Piece]] = {}
            for role, counts in zip(ROLES, (chunk.head_counts, chunk.trunk_counts), strict=True):
                sensors[role].write(first, counts)
                pieces[role] = sensors[role].read(first, first + n)
            spans = [Span(s.kind, start_ns + s.start_ns, start_ns + s.end_ns) for s in chunk.spans]
            if chain is None:
                pieces = {role: _one_axis(found) for role, found in pieces.items()}
                chain = _Chain(params, patient, store, catalog, pieces, spans)
            else:
                chain.add_resets(spans)
            chain.step(pieces)
            samples += 2 * n
            on_progress((first + n) / spec.rate_hz)
        if chain is not None:
            chain.finish()
    store_day(store, patient, params.algorithm_id, past.day)
    return samples


class _Chain:
    """Calibration and processing of one past day, as the live collector would do them."""

    def __init__(
        self,
        params: PipelineParams,
        patient: Patient,
        store: EmbeddedStore,
        catalog: Catalog,
        pieces: dict[Role, list[Piece]],
        spans: Sequence[Span],
    ) -> None:
        self._store = store
        self._catalog = catalog
        blocks = {role: joined([piece.block for piece in pieces[role]]) for role in ROLES}
        state = grid.start(params.grid, has_trunk=True)
        _, pair = grid.step(params.grid, state, blocks["head"], blocks["trunk"], final=True)
        stored = stored_references(catalog, patient.id)
        plan = session.plan(params, pair, spans, stored=stored)
        if stored is None and (stored := stored_references(catalog, patient.id)) is not None:
            # the live calibration came first: the person has one N, and this is it
            plan = session.plan(params, pair, spans, stored=stored)
        self._processor = Processor(
            params, plan.setup, patient=patient.id, zone=ZoneInfo(patient.zone)
        )
        self._processor.exclude(session.movements_of(spans))
        period = params.grid.period_ns
        for reset in plan.resets:
            self._processor.add_reset(PoseReset.of(reset, pair.t0_ns, period))
        self._alignment = plan.setup.alignment
        self._known = stored or StoredReference(
            self._alignment.n_id, plan.references.rotations, plan.references.sigma_deg
        )
        since_ns = min(int(pieces[role][0].block.t_ns[0]) for role in ROLES)
        detail = wear_detail(plan.setup, plan.resets, since_ns)
        references = references_body(self._known)
        keep_calibration(catalog, PATIENT_ID, self._alignment, spans, detail, references=references)

    def add_resets(self, spans: Sequence[Span]) -> None:
        """Take the reference poses held later in the day."""
        for span in spans:
            if span.kind in self._known.rotations:
                reset = PoseReset(
                    span.start_ns,
                    span.end_ns,
                    sensor_rotation(self._alignment, self._known.rotations[span.kind]),
                    self._known.sigma_deg.get(span.kind, ALONE_SIGMA_DEG),
                    *sharing(span.kind, self._known.rotations),
                )
                self._processor.add_reset(reset)
                self._catalog.add_span(
                    PATIENT_ID,
                    span.kind,
                    span.start_ns,
                    span.end_ns,
                    sigma_deg=reset.sigma_deg,
                    detail=pose_detail(reset),
                )

    def step(self, pieces: dict[Role, list[Piece]]) -> None:
        """Process and store what has come."""
        for role, found in pieces.items():
            self._processor.add(role, found)
        self._put(final=False)

    def finish(self) -> None:
        """Process and store the rest."""
        self._put(final=True)

    def _put(self, *, final: bool) -> None:
        results = self._processor.step(None, final=final).results
        if results is not None:
            self._store.put(results)


def make_history(folder: Path, zone: str, first_boot: int) -> None:
    """Make the missing days of the fortnight, telling progress on standard output."""
    started_s = time.monotonic()
    params = PipelineParams()
    store = EmbeddedStore(folder)
    with Catalog(folder) as catalog:
        patient = catalog.patient(PATIENT_ID)
        register_algorithm(store, PATIENT_ID, params)
        today = datetime.now(ZoneInfo(zone)).date()
        days = planned_days(today, held_days(store, patient, today), first_boot)
        whole_s = sum(past.length_s for past in days)
        done_s = 0.0
        samples = 0
        for number, past in enumerate(days):

            def tell(second: float, number: int = number, before_s: float = done_s) -> None:
                _say(number, len(days), (before_s + second) / whole_s, started_s)

            tell(0.0)
            samples += make_day(folder, patient, past, store, catalog, tell)
            done_s += past.length_s
        _say(len(days), len(days), 1.0, started_s, samples=samples)
    store.close()


def held_days(store: EmbeddedStore, patient: Patient, today: date) -> list[date]:
    """Return the days of the fortnight that have a summary."""
    first = datetime.combine(
        today - timedelta(days=DAYS + 1), datetime.min.time(), tzinfo=ZoneInfo(patient.zone)
    )
    rows = store.days(patient.id, int(first.timestamp()) * 10**9, time.time_ns())
    return [date.fromisoformat(str(row.texts["date"])) for row in rows]


def _say(days_done: int, days: int, fraction: float, started_s: float, **more: int) -> None:
    line = {
        "days_done": days_done,
        "days": days,
        "fraction": round(fraction, 4),
        "elapsed_s": round(time.monotonic() - started_s, 2),
        **more,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def end_with_parent() -> None:
    """End this process when the one that started it ends, however that happens."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)

    def wait_for_end() -> None:
        # not through sys.stdin, whose lock would be held at the interpreter's end
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait_for_end, name="parent", daemon=True).start()


def main() -> None:
    """Run as a child process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("zone")
    parser.add_argument("first_boot", type=int)
    given = parser.parse_args()
    end_with_parent()
    os.nice(10)
    make_history(given.folder, given.zone, given.first_boot)


if __name__ == "__main__":
    main()
