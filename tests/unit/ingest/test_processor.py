"""The live chain: cuts do not matter, silence is found, breaks and resets are handled."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ingest.poses import PoseReset
from ingest.processor import OVER_S, Processor
from ingest.timeline import Piece
from processing.pipeline import PipelineParams
from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from processing.types import ImuBlock
from storage.result_rows import ResultBatch
from tests.support.collecting import IDENTITY, plain_setup

T0_NS = 1_700_000_000_000_000_000
ZONE = ZoneInfo("Europe/Berlin")
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def recording() -> SimulatedRecording:
    return simulate(PatientSpec(), 5, 75.0, truth=False)


def part(block: ImuBlock, a: int, b: int, shift_ns: int = 0) -> ImuBlock:
    return ImuBlock(
        t_ns=block.t_ns[a:b] + T0_NS + shift_ns,
        acc=block.acc[a:b],
        gyr=block.gyr[a:b],
        valid=block.valid[a:b],
        rate_hz=block.rate_hz,
    )


def piece(block: ImuBlock, a: int, b: int, shift_ns: int = 0, *, new_axis: bool = False) -> Piece:
    return Piece(part(block, a, b, shift_ns), new_axis)


def processor(*, head_only: bool = False) -> Processor:
    return Processor(PipelineParams(), plain_setup(head_only=head_only), patient="p1", zone=ZONE)


def seconds(batches: Sequence[ResultBatch | None]) -> tuple[np.ndarray, np.ndarray]:
    series = [batch.angles for batch in batches if batch is not None and batch.angles is not None]
    return np.concatenate([s.t_ns for s in series]), np.concatenate([s.values for s in series])


def run(recording: SimulatedRecording, cut: int) -> list[ResultBatch]:
    head, trunk = recording.blocks()
    chain = processor()
    batches = []
    for a in range(0, head.t_ns.size, cut):
        chain.add("head", [piece(head, a, a + cut)])
        chain.add("trunk", [piece(trunk, a, a + cut)])
        done = chain.step(None)
        batches += [done.results] if done.results else []
    last = chain.step(None, final=True)
    return batches + ([last.results] if last.results else [])


def test_any_cut_stores_the_same(recording: SimulatedRecording) -> None:
    whole, parts = run(recording, 10**9), run(recording, 37)
    for one, other in zip(seconds(whole), seconds(parts), strict=True):
        assert np.array_equal(one, other, equal_nan=True)
    minutes = [tuple(m for b in batches for m in b.minutes) for batches in (whole, parts)]
    assert minutes[0] == minutes[1]
    assert len(minutes[0]) == 2
    episodes = [tuple(e for b in batches for e in b.episodes) for batches in (whole, parts)]
    assert episodes[0] == episodes[1]


def test_rows_wait_for_a_late_sensor_and_not_for_a_silent_one(
    recording: SimulatedRecording,
) -> None:
    head, trunk = recording.blocks()
    chain = processor()
    chain.add("head", [piece(head, 0, 400)])
    chain.add("trunk", [piece(trunk, 0, 100)])
    now_ns = T0_NS + int(head.t_ns[399])
    waiting = chain.step(now_ns - SECOND_NS)
    assert waiting.live is not None
    assert waiting.live.valid
    assert waiting.live.t_ns < T0_NS + int(trunk.t_ns[99]) + 10_000_000
    chain.add("head", [piece(head, 400, 500)])
    silent = chain.step(now_ns + SECOND_NS)
    assert silent.live is not None
    assert not silent.live.valid
    assert silent.live.t_ns > T0_NS + 2 * SECOND_NS


def test_rows_of_a_burst_wait_for_the_other_sensors_burst(recording: SimulatedRecording) -> None:
    """After a lost link seconds come at once, one sensor's first: nobody is missing yet."""
    head, trunk = recording.blocks()
    live, batch = processor(), processor()
    cuts = [(0, 1000), (1000, 1800), (1800, 2000)]
    for a, b in cuts:
        now_ns = T0_NS + int(head.t_ns[b - 1]) + SECOND_NS // 10
        live.add("head", [piece(head, a, b)])
        found = [live.step(now_ns)]
        live.add("trunk", [piece(trunk, a, b)])
        found.append(live.step(now_ns + SECOND_NS // 10))
        batch.add("head", [piece(head, a, b)])
        batch.add("trunk", [piece(trunk, a, b)])
        ours = [done.results for done in found if done.results is not None]
        expected = batch.step(None).results
        for one, other in zip(seconds(ours), seconds([expected]), strict=True):
            assert np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("silence_s", [40, 3500, 4000])
def test_while_all_are_silent_nothing_is_made_up(
    recording: SimulatedRecording, silence_s: int
) -> None:
    """Live with its clock stores what one batch of the same samples does, at every moment."""
    head, trunk = recording.blocks()
    shift_ns = silence_s * SECOND_NS
    parts = [(0, 2000, 0), (2000, 4000, shift_ns)]
    chain, batch, batches, expected = processor(), processor(), [], []

    def take(now_ns: int) -> None:
        batches.append(chain.step(now_ns).results)

    for a, b, late_ns in parts:
        for k in range(a, b, 100):
            for role, block in (("head", head), ("trunk", trunk)):
                chain.add(role, [piece(block, k, k + 100, late_ns)])  # type: ignore[arg-type] # the two roles
            take(T0_NS + int(head.t_ns[k + 99]) + late_ns + SECOND_NS // 10)
        heard_ns = T0_NS + int(head.t_ns[b - 1]) + late_ns
        for k in range(0, silence_s, 50):
            take(heard_ns + k * SECOND_NS)
        assert seconds(batches)[0][-1] <= heard_ns
        for role, block in (("head", head), ("trunk", trunk)):
            batch.add(role, [piece(block, a, b, late_ns)])  # type: ignore[arg-type] # the two roles
        expected.append(batch.step(None).results)
    expected.append(batch.step(None, final=True).results)
    batches.append(chain.step(None, final=True).results)
    for one, other in zip(seconds(batches), seconds(expected), strict=True):
        assert np.array_equal(one, other, equal_nan=True)


def test_what_waits_is_given_out_once_a_stretch_is_over(recording: SimulatedRecording) -> None:
    head, trunk = recording.blocks()
    chain = processor()
    chain.add("head", [piece(head, 0, 7000)])
    chain.add("trunk", [piece(trunk, 0, 7000)])
    now_ns = T0_NS + int(head.t_ns[6999])
    found = [chain.step(now_ns + s * SECOND_NS).results for s in (0, 600, round(OVER_S) + 1, 9000)]
    assert [result is None for result in found] == [False, True, False, True]
    assert found[2] is not None
    assert found[2].minutes[-1].t_ns + 60 * SECOND_NS > now_ns


def test_a_slow_sensor_is_not_judged_for_jerks(recording: SimulatedRecording) -> None:
    head, trunk = recording.blocks()
    chain = processor()
    chain.declare_rate(low=True)
    chain.add("head", [piece(head, 0, 7000)])
    chain.add("trunk", [piece(trunk, 0, 7000)])
    done = chain.step(None, final=True).results
    assert done is not None
    assert {minute.jerk_n for minute in done.minutes} == {None}


def test_a_broken_time_axis_begins_a_new_stretch(recording: SimulatedRecording) -> None:
    head, trunk = recording.blocks()
    chain = processor()
    back = -5 * SECOND_NS
    for role, block in (("head", head), ("trunk", trunk)):
        chain.add(
            role,  # type: ignore[arg-type]  # the two roles
            [piece(block, 0, 1000), piece(block, 1000, 2000, back, new_axis=True)],
        )
    done = chain.step(None, final=True)
    assert chain.stretches >= 2
    assert done.results is not None
    assert done.results.angles is not None
    assert done.results.angles.t_ns.size >= 17


def test_a_long_silence_begins_a_new_stretch_in_bounded_memory(
    recording: SimulatedRecording,
) -> None:
    head, trunk = recording.blocks()
    chain = processor()
    for shift in (0, 30 * 24 * 3600 * SECOND_NS):
        chain.add("head", [piece(head, 0, 500, shift)])
        chain.add("trunk", [piece(trunk, 0, 500, shift)])
        done = chain.step(None)
    assert chain.stretches == 2
    assert done.live is not None
    assert done.live.t_ns > T0_NS + 29 * 24 * 3600 * SECOND_NS


def test_overlapping_reference_poses_are_not_taken() -> None:
    chain = processor()
    first = PoseReset(T0_NS, T0_NS + 5 * SECOND_NS, IDENTITY, 3.0)
    assert chain.add_reset(first)
    assert not chain.add_reset(first)
    assert not chain.add_reset(PoseReset(T0_NS + 6 * SECOND_NS, T0_NS + 9 * SECOND_NS, IDENTITY, 3))
    assert chain.add_reset(PoseReset(T0_NS + 20 * SECOND_NS, T0_NS + 25 * SECOND_NS, IDENTITY, 3.0))


def test_a_reset_before_the_first_sample_is_processed_counts(
    recording: SimulatedRecording,
) -> None:
    head, trunk = recording.blocks()
    sigmas = []
    for resets in ((), (PoseReset(T0_NS + SECOND_NS, T0_NS + 5 * SECOND_NS, IDENTITY, 2.0),)):
        chain = processor()
        chain.restart(plain_setup(), resets)
        chain.add("head", [piece(head, 0, 1500)])
        chain.add("trunk", [piece(trunk, 0, 1500)])
        live = chain.step(None).live
        assert live is not None
        assert live.heading_sigma_deg is not None
        sigmas.append(live.heading_sigma_deg)
    assert sigmas[1] < 15.0 < sigmas[0]


def test_abandoning_drops_what_waits(recording: SimulatedRecording) -> None:
    head, trunk = recording.blocks()
    chain = processor()
    chain.add("head", [piece(head, 0, 100)])
    chain.abandon()
    chain.add("head", [piece(head, 200, 400)])
    chain.add("trunk", [piece(trunk, 200, 400)])
    live = chain.step(None).live
    assert live is not None
    assert live.t_ns > T0_NS + int(head.t_ns[300])
