"""What people see while it runs, and that nothing they see can hurt the record."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.live import LiveFrame, Role
from ingest.processor import Processed, Processor
from ingest.reprocess_wear import END_NS, Wear
from ingest.resume import Resume
from ingest.sources import replay
from ingest.sources.simulated import RadioSpec
from ingest.sources.virtual_body import BodySpec
from processing.errors import AlignmentError
from processing.types import IntArray, Span
from storage.embedded import EmbeddedStore
from storage.record import RecordReader
from storage.result_rows import ResultBatch
from tests.support.collecting import Rig, collecting, plain_setup, recorded

pytestmark = pytest.mark.long

ROLES: tuple[Role, Role] = ("head", "trunk")
SECOND_NS = 1_000_000_000


def streaming(frame: LiveFrame) -> bool:
    return frame.deviation_deg is not None and not frame.stale


async def test_frames_carry_angles_trust_and_both_sensors(tmp_path: Path) -> None:
    async with collecting(tmp_path) as rig:
        first = await rig.frame_where(streaming)
        await asyncio.sleep(1.0)
        later = await rig.frame_where(streaming)
    assert later.event_id > first.event_id
    assert later.patient_id == "p1"
    assert later.q_rel is not None
    assert np.linalg.norm(later.q_rel) == pytest.approx(1.0)
    assert later.heading_sigma_deg is not None
    assert later.heading_quality is not None
    assert later.sample_utc_ns is not None
    assert first.sample_utc_ns is not None
    assert later.sample_utc_ns > first.sample_utc_ns
    assert later.latency_s is not None
    assert 0.0 < later.latency_s < 5.0
    assert later.warnings == ("Not calibrated yet.",)
    for sensor in (later.head, later.trunk):
        assert sensor.link_state == "streaming"
        assert sensor.battery_fraction == pytest.approx(1.0)
        assert sensor.rssi_dbm is not None
        assert sensor.rate_hz == pytest.approx(104.0, rel=0.02)
        assert not sensor.stale
        assert sensor.missing == 0
    assert later.today is not None
    assert later.today.local_date


@pytest.mark.slow
async def test_a_silent_sensor_looks_stale_and_the_other_goes_on(tmp_path: Path) -> None:
    async with collecting(tmp_path) as rig:
        await rig.frame_where(streaming)
        rig.transport.connections["trunk"].muted = True
        silent = await rig.frame_where(lambda f: f.trunk.stale)
        assert not silent.head.stale
        gone = await rig.frame_where(lambda f: f.deviation_deg is not None and not f.valid)
        assert gone.trunk.age_s is not None
        assert gone.trunk.age_s > 2.0
        again = await rig.frame_where(lambda f: f.valid and not f.trunk.stale, timeout_s=30.0)
        assert again.trunk.link_state == "streaming", "the watchdog has begun again"


async def test_a_single_head_sensor_gives_inclination_and_no_neck_angles(tmp_path: Path) -> None:
    async with collecting(tmp_path, roles=("head",)) as rig:
        frame = await rig.frame_where(lambda f: f.head_pitch_deg is not None)
    assert frame.flexion_deg is None
    assert frame.rotation_right_deg is None
    assert frame.trunk.link_state == "absent"
    assert not frame.stale


class WatchedStore(EmbeddedStore):
    """Notes, at every put, how far the record was committed then."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder_read = folder
        self.puts: list[tuple[ResultBatch, dict[Role, int]]] = []

    def put(self, batch: ResultBatch, *, replace_ns: tuple[int, int] | None = None) -> None:
        with RecordReader(self.folder_read) as reader:
            held: dict[Role, int] = {
                role: sum(s.samples for s in reader.streams(role=role, kind="imu"))
                for role in ROLES
            }
        self.puts.append((batch, held))
        super().put(batch, replace_ns=replace_ns)


async def test_results_are_stored_only_after_their_samples(tmp_path: Path) -> None:
    store = WatchedStore(tmp_path)
    async with collecting(tmp_path, speed=4.0, store=store) as rig:
        await rig.until_taken(1500)
    began = rig.body.began_ns
    assert began is not None
    began += rig.collector.utc_offset_ns
    rows = [(batch, held) for batch, held in store.puts if batch.angles is not None]
    assert len(rows) > 5
    for batch, held in rows:
        assert batch.angles is not None
        # A second given out rests on at least the samples up to its beginning. After seconds the
        # clock is known within what the link delays, here four times faster than life.
        needed = ((int(batch.angles.t_ns[-1]) - began) * 1e-9 - 0.1) * 104.0
        assert min(held.values()) >= needed
    stored = store.angles("p1", 0, 2**62)
    assert stored.t_ns.size >= 13
    assert (np.diff(stored.t_ns) == SECOND_NS).all()
    assert store.minutes("p1", 0, 2**62)
    store.close()


class Broken(Processor):
    """A chain with a mistake in it."""

    def step(
        self,
        now_ns: int | None,  # noqa: ARG002  # as overridden
        *,
        final: bool = False,  # noqa: ARG002
        live: bool = True,  # noqa: ARG002
    ) -> Processed:
        raise RuntimeError("planted mistake")


async def test_a_failing_chain_never_stops_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.service.Processor", Broken)
    async with collecting(tmp_path, speed=4.0) as rig:
        frame = await rig.frame_where(lambda f: any("planted" in w for w in f.warnings))
        assert "recording goes on" in " ".join(frame.warnings)
        await rig.until_taken(600)
    check_recorded(rig)


class FailingStore(EmbeddedStore):
    """A result store that refuses until told otherwise."""

    refusing = True

    def put(self, batch: ResultBatch, *, replace_ns: tuple[int, int] | None = None) -> None:
        if self.refusing:
            raise OSError("planted refusal")
        super().put(batch, replace_ns=replace_ns)


async def test_results_wait_while_their_store_refuses(tmp_path: Path) -> None:
    store = FailingStore(tmp_path)
    async with collecting(tmp_path, speed=4.0, store=store) as rig:
        await rig.frame_where(lambda f: any("wait to be stored" in w for w in f.warnings))
        store.refusing = False
        await rig.frame_where(lambda f: not any("wait to be stored" in w for w in f.warnings))
        await rig.until_taken(800)
    seconds = store.angles("p1", 0, 2**62).t_ns
    assert (np.diff(seconds) == SECOND_NS).all()
    assert seconds.size >= 6
    store.close()


def check_recorded(rig: Rig) -> None:
    assert rig.body.kept is not None
    for role in ROLES:
        index, counts = recorded(rig.folder, role)[1]
        assert index.size >= 500
        assert np.array_equal(counts, np.concatenate(rig.body.kept[role, 1])[index])


@pytest.mark.slow
async def test_replay_gives_live_samples_their_live_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[Role, list[IntArray]] = {"head": [], "trunk": []}
    add = Processor.add

    def spy(self: Processor, role: Role, pieces: Any) -> None:
        seen[role].extend(piece.block.t_ns for piece in pieces)
        add(self, role, pieces)

    monkeypatch.setattr(Processor, "add", spy)
    radio = RadioSpec(loss=0.05)
    async with collecting(tmp_path, speed=4.0, radio=radio) as rig:
        await rig.until_taken(1000)
        rig.transport.drop_link("trunk")
        await rig.until_taken(3000)
        rig.transport.reboot("head")
        await rig.frame_where(lambda f: f.head.reboots == 1)
        await rig.until_taken(3500)
        rig.transport.change_radio(RadioSpec())
        await rig.frame_where(lambda f: f.head.missing == 0 and f.trunk.missing == 0)
    with RecordReader(tmp_path) as reader:
        for role in ROLES:
            live = np.concatenate(seen[role])
            replayed = list(replay.blocks(reader, patient="p1", role=role))
            times = np.concatenate([piece.block.t_ns for piece in replayed])
            assert (np.diff(times) > 0).all()
            assert not any(piece.new_axis for piece in replayed)
            assert np.isin(live, times).all(), "every live time is found again, to the nanosecond"
            assert times.size >= live.size
            part = list(
                replay.blocks(
                    reader, patient="p1", role=role, t0_ns=int(times[500]), t1_ns=int(times[900])
                )
            )
            cut = np.concatenate([piece.block.t_ns for piece in part])
            assert np.array_equal(cut, times[500:900])


@pytest.mark.slow
async def test_calibration_of_the_guided_movements_is_worked_out_and_used(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    async with collecting(tmp_path, speed=4.0, store=store, body=BodySpec(seed=4)) as rig:
        await rig.frame_where(streaming)
        with pytest.raises(AlignmentError):
            now = rig.collector.now_utc_ns()
            await rig.collector.calibrate(
                [Span("neutral_pose", now + 3600 * SECOND_NS, now + 3605 * SECOND_NS)]
            )
        spans: Mapping[str, Span] = {}
        async with asyncio.timeout(60.0):
            while "trunk_bow" not in spans or rig.collector.now_utc_ns() < (
                max(s.end_ns for s in spans.values()) + 2 * SECOND_NS
            ):
                await asyncio.sleep(0.2)
                found = rig.body.spans(rig.collector.utc_offset_ns)
                spans = {span.kind: span for span in found}
        plan = await rig.collector.calibrate(list(spans.values()))
        assert plan.setup.alignment.method == "guided"
        frame = await rig.frame_where(
            lambda f: f.alignment_id == plan.setup.alignment.id and f.deviation_deg is not None
        )
        assert frame.heading_sigma_deg is not None
        assert frame.heading_sigma_deg < 20.0
    seconds = store.angles("p1", 0, 2**62).t_ns
    assert (np.diff(seconds) == SECOND_NS).all(), "replaced, not doubled"
    store.close()


async def test_a_restart_goes_on_with_the_wear_session(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    async with collecting(tmp_path, store=store) as rig:
        await rig.frame_where(streaming)
        await rig.until_taken(500)
        since_ns = (rig.body.began_ns or 0) + rig.collector.utc_offset_ns - SECOND_NS
    before = store.angles("p1", 0, 2**62)
    recorded_before = sum(m.values["recorded_s"] or 0.0 for m in store.minutes("p1", 0, 2**62))
    so_far = Resume(Wear(since_ns, END_NS, plain_setup()))
    async with collecting(tmp_path, store=store, boots=(2, 2), resume=so_far) as again:
        await again.frame_where(streaming)
        await again.until_taken(300)
    after = store.angles("p1", 0, 2**62)
    kept = np.isin(after.t_ns, before.t_ns[:-1])
    assert kept.sum() == before.t_ns.size - 1
    assert np.array_equal(after.values[kept], before.values[:-1], equal_nan=True), "as they were"
    assert after.t_ns[-1] >= before.t_ns[-1] + 2 * SECOND_NS
    recorded_after = sum(m.values["recorded_s"] or 0.0 for m in store.minutes("p1", 0, 2**62))
    assert recorded_after > recorded_before + 2.0, "the interrupted minute is whole"
    store.close()
