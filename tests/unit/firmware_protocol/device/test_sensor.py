"""Link, stream, status, time sync and the plain commands of the virtual sensor."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol import control
from firmware_protocol.answers import DeviceConfig, StreamStarted
from firmware_protocol.control import Request
from firmware_protocol.definition import (
    ControlStatus,
    DeviceState,
    EventCode,
    Feature,
    FrameFlag,
    FrameType,
    Op,
    RateCode,
    StatusFlag,
    TimeSyncOp,
    TlvType,
)
from firmware_protocol.device import SensorModel, SensorSettings, VirtualSensor
from firmware_protocol.errors import AttRejectedError, FieldError
from firmware_protocol.frames import decode_frames
from firmware_protocol.gatt import (
    BACKFILL_UUID,
    CONTROL_UUID,
    INFO_UUID,
    STATUS_UUID,
    STREAM_UUID,
    TIME_SYNC_UUID,
)
from firmware_protocol.info import ProtocolInfo
from firmware_protocol.status import Status
from firmware_protocol.timesync import TimeSync
from firmware_protocol.tlv import SampleRange, decode_tlvs
from tests.unit.firmware_protocol.device.bench import MODEL, Bench, counts_of, with_mag


def streaming(model: SensorModel = MODEL, *, recording: bool = False) -> Bench:
    bench = Bench(model, recording).connect()
    assert bench.ask(control.start_stream(1))[0].status == ControlStatus.OK
    return bench


# --- stream -------------------------------------------------------------------------------


def test_a_stream_carries_every_sample_with_index_and_time() -> None:
    bench = Bench().connect()
    bench.sample(100)
    (answer,) = bench.ask(control.start_stream(7))
    assert StreamStarted.from_answer(answer) == StreamStarted(5, 100, 18)
    bench.sample(180)
    frames = bench.frames()
    assert frames.sample_index.tolist() == list(range(100, 280))
    assert frames.seq.tolist() == list(range(10))
    assert frames.device_us.tolist() == [10_000 * i for i in frames.index0.tolist()]
    assert np.array_equal(frames.samples, counts_of(frames.sample_index, 5))
    assert set(frames.rate_hz.tolist()) == {100.0}
    assert set(frames.flags.tolist()) == {0}


@pytest.mark.parametrize(("mtu", "n"), [(247, 18), (185, 13), (517, 18), (33, 1)])
def test_the_mtu_sets_the_samples_per_frame(mtu: int, n: int) -> None:
    bench = Bench().connect(att_mtu=mtu)
    (answer,) = bench.ask(control.start_stream(1))
    assert StreamStarted.from_answer(answer).n_per_frame == n
    bench.sample(90)
    assert set(bench.frames().n.tolist()) == {n}


def test_a_smaller_frame_can_be_chosen() -> None:
    bench = Bench().connect()
    (config,) = bench.ask(control.set_config(1, n_per_frame=10))
    assert DeviceConfig.from_answer(config).n_per_frame == 10
    bench.ask(control.start_stream(2))
    bench.sample(30)
    assert bench.frames().n.tolist() == [10, 10, 10]


def test_start_needs_room_for_one_sample() -> None:
    bench = Bench().connect(att_mtu=23)
    assert bench.ask(control.start_stream(1))[0].status == ControlStatus.MTU_TOO_SMALL
    bench.sample(50)
    assert bench.frames().n.size == 0


def test_start_needs_the_stream_cccd() -> None:
    bench = Bench().connect(cccds=(CONTROL_UUID, STATUS_UUID))
    assert bench.ask(control.start_stream(1))[0].status == ControlStatus.WRONG_STATE


def test_requests_need_the_control_cccd() -> None:
    bench = Bench().connect(cccds=(STREAM_UUID,))
    with pytest.raises(AttRejectedError) as refused:
        bench.ask(control.start_stream(1))
    assert refused.value.code == 0xFD


def test_nothing_streams_before_the_command() -> None:
    bench = Bench().connect()
    bench.sample(100)
    assert bench.frames().n.size == 0


def test_a_second_start_is_refused_and_stop_ends_with_the_rest() -> None:
    bench = streaming()
    assert bench.ask(control.start_stream(2))[0].status == ControlStatus.WRONG_STATE
    bench.sample(25)
    bench.sent.clear()
    (stopped,) = bench.ask(control.stop_stream(3))
    assert stopped.status == ControlStatus.OK
    assert [o.uuid for o in bench.sent] == [STREAM_UUID, CONTROL_UUID]
    assert bench.frames().sample_index.tolist() == list(range(18, 25))
    bench.sample(50)
    assert bench.frames().n.size == 1
    assert bench.ask(control.stop_stream(4))[0].status == ControlStatus.WRONG_STATE


def test_the_sequence_continues_over_a_second_start() -> None:
    bench = streaming()
    bench.sample(18)
    bench.ask(control.stop_stream(2))
    bench.ask(control.start_stream(3))
    bench.sample(18)
    assert bench.frames().seq.tolist() == [0, 1]


def test_the_magnetometer_streams_when_asked_for() -> None:
    bench = Bench(model=with_mag()).connect()
    (answer,) = bench.ask(control.start_stream(1, frame_type=FrameType.IMU9))
    assert StreamStarted.from_answer(answer).n_per_frame == 12
    bench.sample(24)
    assert np.array_equal(bench.frames().samples, counts_of(np.arange(24), 5, 9))


@pytest.mark.parametrize(
    "request_",
    [
        control.start_stream(1, frame_type=FrameType.IMU9),
        control.start_stream(1, frame_type=FrameType.QUATERNION),
        control.start_stream(1, rate=RateCode.HZ_400),
    ],
)
def test_what_the_sensor_does_not_offer_is_refused(request_: Request) -> None:
    bench = Bench().connect()
    assert bench.ask(request_)[0].status == ControlStatus.OPERAND_UNSUPPORTED
    assert bench.sensor.live is None


def test_a_failed_sensor_says_so() -> None:
    bench = Bench().connect()
    bench.sensor.fault = True
    assert bench.ask(control.start_stream(1))[0].status == ControlStatus.SENSOR_FAULT
    assert bench.ask(control.record(2, on=True))[0].status == ControlStatus.SENSOR_FAULT
    assert bench.sensor.status().state == DeviceState.FAULT


def test_overrun_and_clock_step_reach_the_frame_of_their_sample() -> None:
    bench = streaming()
    bench.sample(20)
    bench.sample(18, flags=FrameFlag.OVERRUN | FrameFlag.CLOCK_STEPPED)
    flagged = bench.frames()
    assert flagged.n.tolist() == [18, 2, 18]
    assert flagged.flags.tolist() == [0, 0, 12]


def test_frames_dropped_in_the_queue_are_counted() -> None:
    bench = streaming(model=replace(MODEL, live_queue_frames=2))
    bench.sample(90, chunk=90)
    assert bench.sensor.status().frames_dropped == 3
    bench.ask(control.stop_stream(2))
    bench.ask(control.start_stream(3))
    assert bench.sensor.status().frames_dropped == 3


def test_events_travel_between_the_samples() -> None:
    bench = streaming()
    bench.sample(5)
    bench.sensor.push_event(EventCode.TAP, bench.now_us, value=2)
    bench.sample(18)
    batch = decode_frames([o.data for o in bench.sent if o.uuid == STREAM_UUID])
    assert batch.events["code"].tolist() == [EventCode.TAP]
    assert batch.events["index"].tolist() == [5]
    assert batch.event_headers["seq"].tolist() == [1]
    assert batch.imu.seq.tolist() == [0, 2]
    assert batch.imu.sample_index.tolist() == list(range(23))


@pytest.mark.parametrize(
    ("counts", "times", "flags"),
    [
        (np.zeros((3, 6)), np.zeros(3, np.uint64), 0),
        (np.zeros((3, 9), np.int16), np.zeros(3, np.uint64), 0),
        (np.zeros((3, 6), np.int16), np.zeros(2, np.uint64), 0),
        (np.zeros((3, 6), np.int16), np.zeros(3, np.uint64), FrameFlag.LAST),
    ],
)
def test_wrong_samples_are_refused(counts: np.ndarray, times: np.ndarray, flags: int) -> None:
    with pytest.raises(FieldError):
        Bench().sensor.push_samples(counts, times, flags=flags)


# --- link ---------------------------------------------------------------------------------


def test_a_disconnect_stops_the_stream_and_keeps_recording() -> None:
    bench = streaming(recording=True)
    bench.sample(50)
    bench.sensor.disconnect()
    assert bench.sensor.state == DeviceState.RECORDING
    assert bench.sensor.subscribed == set()
    bench.sample(50)
    bench.connect()
    assert sum(s.n for s in bench.sensor.flash.select(5)) == 100
    bench.sent.clear()
    bench.sample(50)
    assert bench.frames().n.size == 0
    bench.ask(control.start_stream(1))
    bench.sample(18)
    assert bench.frames().seq.tolist() == [0]
    assert bench.frames().index0.tolist() == [150]


def test_a_reboot_raises_the_counter_and_keeps_flash_and_recording() -> None:
    bench = streaming(recording=True)
    bench.sample(50)
    bench.sensor.reboot()
    assert not bench.sensor.connected
    assert (bench.sensor.boot_counter, bench.sensor.next_index) == (6, 0)
    bench.now_us = 0
    bench.sample(20)
    assert bench.sensor.flash.boots == (5, 6)
    assert [s.n for s in bench.sensor.flash.select(6)] == [20]


def test_closing_the_stream_cccd_ends_the_stream() -> None:
    bench = streaming()
    bench.sensor.set_subscribed(STREAM_UUID, on=False, now_us=0)
    assert bench.sensor.live is None


@pytest.mark.parametrize("uuid", [INFO_UUID])
def test_a_read_only_value_cannot_be_subscribed(uuid: str) -> None:
    bench = Bench().connect()
    with pytest.raises(AttRejectedError):
        bench.sensor.set_subscribed(uuid, on=True, now_us=0)


def test_access_against_the_properties_is_refused() -> None:
    bench = Bench().connect()
    with pytest.raises(AttRejectedError):
        bench.sensor.read(STREAM_UUID, 0)
    with pytest.raises(AttRejectedError):
        bench.sensor.write(STATUS_UUID, b"", 0)
    with pytest.raises(FieldError, match="att_mtu"):
        bench.sensor.connect(att_mtu=22)


# --- values -------------------------------------------------------------------------------


def test_protocol_info_says_who_is_there() -> None:
    info = ProtocolInfo.from_bytes(Bench().sensor.read(INFO_UUID, 0))
    assert info.device_id == MODEL.device_id
    assert info.features == Feature.BACKFILL | Feature.TIME_SYNC


def test_status_is_told_every_ten_seconds_and_on_change() -> None:
    bench = Bench().connect()
    told = [o for o in bench.wait(35_000_000) if o.uuid == STATUS_UUID]
    assert len(told) == 3
    bench.sensor.battery_mv -= 50
    assert bench.wait(1_000_000) == []
    bench.sensor.flags = StatusFlag.CHARGING
    (changed,) = bench.wait(1_000_000)
    assert Status.from_bytes(changed.data).flags == StatusFlag.CHARGING
    assert Status.from_bytes(changed.data).battery_mv == 3850


def test_status_follows_the_state() -> None:
    bench = streaming(recording=True)
    status = Status.from_bytes(bench.sensor.read(STATUS_UUID, 0))
    assert status.state == DeviceState.BOTH
    assert (status.att_mtu, status.boot_counter, status.connection_interval_ms) == (247, 5, 15.0)
    bench.sample(252 * 8 + 1)
    wrapped = bench.sensor.status()
    assert wrapped.flags & StatusFlag.FLASH_WRAPPED
    assert wrapped.free_flash_permille == 0
    bench.ask(control.record(2, on=False))
    assert bench.sensor.status().state == DeviceState.STREAMING
    bench.ask(control.stop_stream(3))
    assert bench.sensor.status().state == DeviceState.IDLE


def test_without_subscription_nothing_is_told() -> None:
    bench = Bench().connect(cccds=())
    assert bench.wait(30_000_000) == []
    bench.sensor.disconnect()
    assert bench.sensor.due(10**9) == []


def test_time_sync_is_answered_at_once() -> None:
    bench = Bench().connect()
    request = TimeSync(TimeSyncOp.REQUEST, 9, 123_456)
    (reply,) = bench.sensor.write(TIME_SYNC_UUID, bytes(request), 2_000_000)
    assert reply.uuid == TIME_SYNC_UUID
    assert TimeSync.from_bytes(reply.data) == request.reply(2_000_000, 2_000_000)
    assert bench.sensor.write(TIME_SYNC_UUID, reply.data, 0) == []
    assert bench.sensor.write(TIME_SYNC_UUID, b"garbage", 0) == []
    bench.sensor.set_subscribed(TIME_SYNC_UUID, on=False, now_us=0)
    assert bench.sensor.write(TIME_SYNC_UUID, bytes(request), 0) == []


# --- commands -----------------------------------------------------------------------------


def test_the_configuration_tells_what_the_sensor_offers() -> None:
    bench = Bench(model=with_mag()).connect()
    bench.sample(300)
    config = DeviceConfig.from_answer(bench.ask(control.get_config(1))[0])
    assert config.rate_codes == tuple(map(int, MODEL.rates))
    assert (config.acc_range_g, config.gyr_range_dps, config.mag_range_ut) == (16, 2000, 4912)
    assert config.measured_rate_hz == pytest.approx(100.0)
    assert (config.model, config.boot_counter, config.n_per_frame) == (MODEL.name, 5, 12)


def test_a_long_answer_loses_its_least_important_end() -> None:
    bench = Bench().connect(att_mtu=50)
    (answer,) = bench.ask(control.get_config(1))
    assert len(bytes(answer)) <= 47
    config = DeviceConfig.from_answer(answer)
    assert config.gyr_range_dps == 2000
    assert config.model == ""


def test_set_config_changes_what_is_given() -> None:
    bench = Bench().connect()
    asked = control.set_config(1, rate=RateCode.HZ_52, acc_range_g=8, gyr_range_dps=1000)
    config = DeviceConfig.from_answer(bench.ask(asked)[0])
    assert (config.rate_code, config.acc_range_g, config.gyr_range_dps) == (6, 8, 1000)
    assert bench.sensor.settings == SensorSettings(RateCode.HZ_52, 8, 1000)


@pytest.mark.parametrize(
    "request_",
    [control.set_config(1, acc_range_g=3), control.set_config(1, rate=RateCode.HZ_400)],
)
def test_set_config_refuses_what_is_not_offered(request_: Request) -> None:
    bench = Bench().connect()
    before = bench.sensor.settings
    assert bench.ask(request_)[0].status == ControlStatus.OPERAND_UNSUPPORTED
    assert bench.sensor.settings == before


def test_set_config_is_refused_while_streaming() -> None:
    bench = streaming()
    answer = bench.ask(control.set_config(2, acc_range_g=8))[0]
    assert answer.status == ControlStatus.WRONG_STATE
    assert bench.sensor.settings.acc_range_g == 16


def test_start_can_choose_the_rate() -> None:
    bench = Bench().connect()
    bench.ask(control.start_stream(1, rate=RateCode.HZ_104))
    bench.sample(18)
    assert bench.frames().rate_hz.tolist() == [104.0]


def test_a_repeated_token_is_answered_without_acting_again() -> None:
    bench = Bench().connect()
    start = control.start_stream(1)
    first = bench.ask(start)
    bench.sample(20)
    again = bench.ask(start)
    assert again == first
    assert bench.sensor.live is not None
    stop = control.stop_stream(2)
    assert bench.ask(stop) == bench.ask(stop)
    assert bench.ask(stop)[0].status == ControlStatus.OK


def test_a_new_connection_forgets_the_tokens() -> None:
    bench = streaming()
    bench.sensor.disconnect()
    bench.connect()
    (answer,) = bench.ask(control.start_stream(1))
    assert answer.status == ControlStatus.OK
    assert bench.sensor.live is not None


def test_wall_time_is_metadata_and_never_steps_the_clock() -> None:
    bench = streaming()
    bench.sample(18)
    (answer,) = bench.ask(control.set_wall_time(2, utc_us=1_700_000_000_000_000))
    assert decode_tlvs(answer.tlvs) == {TlvType.DEVICE_TIME: bench.now_us}
    assert bench.sensor.wall_time == (bench.now_us, 1_700_000_000_000_000)
    bench.sample(18)
    assert bench.frames().device_us.tolist() == [0, 180_000]
    assert set(bench.frames().flags.tolist()) == {0}


def test_identify_blinks_for_a_while() -> None:
    bench = Bench().connect()
    bench.now_us = 1_000_000
    bench.ask(control.identify(1, duration_s=3))
    assert bench.sensor.identify_until_us == 4_000_000


def test_factory_reset_needs_the_button() -> None:
    bench = Bench(recording=True).connect()
    bench.sample(100)
    reset = Request(Op.FACTORY_RESET, 1)
    assert bench.ask(reset)[0].status == ControlStatus.WRONG_STATE
    bench.sensor.press_button(bench.now_us)
    bench.now_us += 31_000_000
    assert bench.ask(replace(reset, token=2))[0].status == ControlStatus.WRONG_STATE
    bench.sensor.press_button(bench.now_us)
    assert bench.ask(replace(reset, token=3))[0].status == ControlStatus.OK
    assert bench.sensor.flash.boots == ()
    assert not bench.sensor.recording


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request(0x7F, 1), ControlStatus.OP_UNKNOWN),
        (Request(Op.SET_WALL_TIME, 1), ControlStatus.OPERAND_INVALID),
        (Request(Op.RECORD, 1), ControlStatus.OPERAND_INVALID),
    ],
)
def test_malformed_requests_are_answered(request_: Request, status: ControlStatus) -> None:
    assert Bench().connect().ask(request_)[0].status == status


def test_a_sensor_without_flash_knows_no_flash_commands() -> None:
    bench = Bench(model=replace(MODEL, features=Feature.TIME_SYNC)).connect()
    requests = (
        control.record(1, on=True),
        control.report(2, SampleRange.all_of(5)),
        control.count(3, SampleRange.all_of(5)),
        control.delete(4, boot_counter=5, up_to=1),
    )
    assert {bench.ask(r)[0].status for r in requests} == {ControlStatus.OP_UNKNOWN}


@given(st.lists(st.binary(max_size=24), max_size=6))
def test_any_bytes_are_answered_or_rejected(writes: list[bytes]) -> None:
    bench = Bench().connect()
    for data in writes:
        for tried in (data, b"\x03\x05" + data, b"\x10\x06\x0e\x0d" + data):
            try:
                out = bench.sensor.write(CONTROL_UUID, tried, 0)
            except AttRejectedError:
                continue
            assert {o.uuid for o in out} <= {CONTROL_UUID}
        bench.sensor.write(TIME_SYNC_UUID, data, 0)


def test_impossible_requests_get_an_att_error() -> None:
    bench = Bench().connect()
    for data, code in (
        (b"", 0x0D),
        (b"\x03", 0x0D),
        (b"\x03\x01" + bytes(243), 0x0D),
        (b"\x03\x00", 0x13),
        (b"\x83\x01", 0x13),
    ):
        with pytest.raises(AttRejectedError) as refused:
            bench.sensor.write(CONTROL_UUID, data, 0)
        assert refused.value.code == code
    (answer,) = bench.sensor.write(CONTROL_UUID, b"\x03\x01\x02\x05", 0)
    assert answer.data == b"\x83\x01\x05"


def test_a_new_sensor_is_idle() -> None:
    sensor = VirtualSensor(MODEL)
    assert sensor.state == DeviceState.IDLE
    assert sensor.status().att_mtu == 23
    assert BACKFILL_UUID not in sensor.subscribed
