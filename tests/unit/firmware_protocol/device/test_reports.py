"""REPORT, COUNT, ABORT, DELETE through the Control Point."""

from dataclasses import replace

import numpy as np
import pytest

from firmware_protocol import control
from firmware_protocol.answers import RangeAnswer
from firmware_protocol.definition import ControlStatus, FrameFlag, Op, RangeOperator
from firmware_protocol.device import SensorModel
from firmware_protocol.gatt import BACKFILL_UUID, CONTROL_UUID, STATUS_UUID, STREAM_UUID
from firmware_protocol.tlv import SampleRange
from tests.unit.firmware_protocol.device.bench import MODEL, Bench, answers, counts_of, with_mag


def stored_bench(n: int = 1000, *, model: SensorModel = MODEL) -> Bench:
    bench = Bench(model, recording=True)
    bench.sample(n)
    return bench.connect()


def reported(bench: Bench, wanted: SampleRange, token: int = 1) -> list[int]:
    """Run a REPORT to its end and return the indices received, after checking every frame."""
    bench.sent.clear()
    assert bench.ask(control.report(token, wanted)) == []
    bench.wait(3_000_000)
    frames = bench.frames(BACKFILL_UUID)
    assert np.all(frames.flags & FrameFlag.STORED)
    assert (frames.flags & FrameFlag.LAST > 0).tolist() == [False] * (frames.n.size - 1) + [True]
    index = frames.sample_index
    columns = bench.model.columns
    assert np.array_equal(frames.samples, counts_of(index, wanted.boot_counter, columns))
    assert frames.device_us.tolist() == (frames.index0.astype(int) * 10_000).tolist()
    last = [o for o in bench.sent if o.uuid in {BACKFILL_UUID, CONTROL_UUID}][-1]
    assert last.uuid == CONTROL_UUID
    (answer,) = answers(bench.sent)
    assert answer.token == token
    counted = RangeAnswer.from_answer(answer)
    assert counted == RangeAnswer(wanted, index.size)
    return [int(i) for i in index]


@pytest.mark.parametrize(
    ("operator", "first", "last", "expected"),
    [
        (RangeOperator.ALL, 0, 0, range(1000)),
        (RangeOperator.UP_TO, 777, 299, range(300)),
        (RangeOperator.FROM, 990, 0, range(990, 1000)),
        (RangeOperator.BETWEEN, 100, 401, range(100, 402)),
        (RangeOperator.BETWEEN, 400, 400, range(400, 401)),
        (RangeOperator.FIRST, 0, 0, range(18)),
        (RangeOperator.LAST, 0, 0, range(982, 1000)),
    ],
)
def test_each_operator(operator: int, first: int, last: int, expected: range) -> None:
    bench = stored_bench()
    wanted = SampleRange(operator, 5, first, last)
    assert reported(bench, wanted) == list(expected)
    (counted,) = bench.ask(control.count(2, wanted))
    assert RangeAnswer.from_answer(counted).n_samples == len(expected)


def test_stored_frames_have_nine_columns_with_a_magnetometer() -> None:
    bench = stored_bench(300, model=with_mag())
    assert reported(bench, SampleRange.between(5, 10, 200)) == list(range(10, 201))
    assert bench.frames(BACKFILL_UUID).n.max() == 12


def test_an_earlier_boot_is_reported_by_its_number() -> None:
    bench = Bench(recording=True)
    bench.sample(300)
    bench.sensor.reboot()
    bench.now_us = 0
    bench.sample(100)
    bench.connect()
    assert reported(bench, SampleRange.all_of(5)) == list(range(300))
    assert reported(bench, SampleRange.all_of(6), token=2) == list(range(100))


def test_nothing_stored_is_said() -> None:
    bench = stored_bench(100)
    for wanted in (SampleRange.all_of(4), SampleRange(RangeOperator.FROM, 5, 100, 0)):
        (answer,) = bench.ask(control.report(1, wanted))
        assert answer.status == ControlStatus.NO_RECORDS
        (counted,) = bench.ask(control.count(2, wanted))
        assert RangeAnswer.from_answer(counted).n_samples == 0


def test_what_was_overwritten_is_missing_from_the_report() -> None:
    bench = stored_bench(252 * 9)
    assert reported(bench, SampleRange.between(5, 0, 999)) == list(range(252, 1000))


def test_a_report_overtaken_by_the_ring_is_not_completed() -> None:
    bench = stored_bench(252 * 8, model=replace(MODEL, backfill_frames_per_s=20))
    assert bench.ask(control.report(1, SampleRange.all_of(5))) == []
    bench.sample(252 * 8)
    bench.wait(20_000_000)
    (answer,) = answers(bench.sent)
    assert answer.status == ControlStatus.NOT_COMPLETED
    index = bench.frames(BACKFILL_UUID).sample_index
    assert np.array_equal(bench.frames(BACKFILL_UUID).samples, counts_of(index, 5))
    assert 0 < index.size < 252 * 8


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (SampleRange.between(5, 9, 8), ControlStatus.OPERAND_INVALID),
        (SampleRange(0, 5), ControlStatus.OPERATOR_INVALID),
        (SampleRange(77, 5), ControlStatus.OPERATOR_UNSUPPORTED),
    ],
)
def test_senseless_ranges_are_refused(wanted: SampleRange, status: ControlStatus) -> None:
    bench = stored_bench(100)
    assert bench.ask(control.report(1, wanted))[0].status == status
    assert bench.ask(control.count(2, wanted))[0].status == status


@pytest.mark.parametrize("op", [Op.REPORT, Op.COUNT, Op.DELETE])
def test_a_range_is_needed(op: Op) -> None:
    bench = stored_bench(100)
    assert bench.ask(control.Request(op, 3))[0].status == ControlStatus.OPERAND_INVALID


def test_a_report_needs_somebody_who_listens() -> None:
    bench = stored_bench(100)
    bench.sensor.set_subscribed(BACKFILL_UUID, on=False, now_us=0)
    (answer,) = bench.ask(control.report(1, SampleRange.all_of(5)))
    assert answer.status == ControlStatus.WRONG_STATE


def test_a_report_needs_room_for_a_sample() -> None:
    bench = Bench(recording=True)
    bench.sample(100)
    bench.connect(att_mtu=23)
    (answer,) = bench.ask(control.report(1, SampleRange(RangeOperator.ALL, 5)))
    assert answer.status == ControlStatus.MTU_TOO_SMALL


def test_only_one_report_runs() -> None:
    bench = stored_bench()
    assert bench.ask(control.report(1, SampleRange.all_of(5))) == []
    (busy,) = bench.ask(control.report(2, SampleRange.all_of(5)))
    assert busy.status == ControlStatus.BUSY
    for request in (control.delete(3, boot_counter=5, up_to=5), control.set_config(4)):
        assert bench.ask(request)[0].status == ControlStatus.BUSY
    assert bench.ask(control.get_config(5))[0].status == ControlStatus.OK


def test_a_repeated_report_is_neither_restarted_nor_answered_early() -> None:
    bench = stored_bench()
    wanted = control.report(1, SampleRange.all_of(5))
    assert bench.ask(wanted) == []
    bench.wait(100_000)
    assert bench.ask(wanted) == []
    bench.wait(1_000_000)
    assert bench.frames(BACKFILL_UUID).sample_index.tolist() == list(range(1000))
    (answer,) = answers(bench.sent)
    (again,) = bench.ask(wanted)
    assert again == answer
    assert bench.wait(1_000_000) == []


def test_abort_ends_the_report_and_both_are_answered() -> None:
    bench = stored_bench(model=replace(MODEL, backfill_frames_per_s=10))
    bench.ask(control.report(1, SampleRange.all_of(5)))
    bench.wait(1_000_000)
    ended, done = bench.ask(control.abort(2))
    assert (ended.op, ended.token, ended.status) == (Op.REPORT, 1, ControlStatus.NOT_COMPLETED)
    assert (done.op, done.token, done.status) == (Op.ABORT, 2, ControlStatus.OK)
    assert bench.wait(1_000_000) == []
    (failed,) = bench.ask(control.abort(3))
    assert failed.status == ControlStatus.ABORT_FAILED


def test_delete_forgets_up_to_an_index() -> None:
    bench = stored_bench()
    (answer,) = bench.ask(control.delete(1, boot_counter=5, up_to=599))
    assert RangeAnswer.from_answer(answer).n_samples == 600
    assert reported(bench, SampleRange.all_of(5), token=2) == list(range(600, 1000))
    (nothing,) = bench.ask(control.delete(3, boot_counter=5, up_to=599))
    assert nothing.status == ControlStatus.NO_RECORDS


def test_delete_takes_no_other_operator() -> None:
    bench = stored_bench()
    request = control.Request(Op.DELETE, 1, control.report(1, SampleRange.all_of(5)).tlvs)
    assert bench.ask(request)[0].status == ControlStatus.OPERATOR_INVALID
    assert len(bench.sensor.flash.select(5)) > 0


def test_live_frames_come_before_stored_ones() -> None:
    bench = stored_bench()
    bench.ask(control.start_stream(1))
    bench.ask(control.report(2, SampleRange.all_of(5)))
    bench.sent.clear()
    for _ in range(5):
        at = len(bench.sent)
        bench.sample(36, chunk=36)
        order = [o.uuid for o in bench.sent[at:] if o.uuid in {STREAM_UUID, BACKFILL_UUID}]
        assert order == sorted(order, key=[STREAM_UUID, BACKFILL_UUID].index)
        assert order[:2] == [STREAM_UUID, STREAM_UUID]
    assert BACKFILL_UUID in [o.uuid for o in bench.sent]


def test_backfill_is_paced() -> None:
    bench = stored_bench(2000, model=replace(MODEL, backfill_frames_per_s=10))
    bench.ask(control.report(1, SampleRange.all_of(5)))
    bench.wait(2_000_000)
    assert 18 <= bench.frames(BACKFILL_UUID).n.size <= 21
    bench.now_us += 3_600_000_000
    flood = [o for o in bench.sensor.due(bench.now_us) if o.uuid == BACKFILL_UUID]
    assert len(flood) == 10


def test_a_lost_link_ends_the_report_without_an_answer() -> None:
    bench = stored_bench()
    bench.ask(control.report(1, SampleRange.all_of(5)))
    bench.wait(100_000)
    bench.sensor.disconnect()
    assert bench.wait(1_000_000) == []
    bench.connect()
    assert [o.uuid for o in bench.wait(1_000_000)] in ([], [STATUS_UUID])
    got = reported(bench, SampleRange.between(5, 500, 999))
    assert got == list(range(500, 1000))
    assert bench.frames(BACKFILL_UUID).seq[0] == 0


def test_clock_steps_are_stored() -> None:
    bench = Bench(recording=True)
    bench.sample(100)
    bench.sample(100, flags=FrameFlag.CLOCK_STEPPED)
    bench.connect()
    bench.ask(control.report(1, SampleRange.all_of(5)))
    bench.wait(1_000_000)
    frames = bench.frames(BACKFILL_UUID)
    stepped = frames.index0[frames.flags & FrameFlag.CLOCK_STEPPED > 0]
    assert stepped.tolist() == [100]
