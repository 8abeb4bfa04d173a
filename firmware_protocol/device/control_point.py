"""The sensor's side of the Control Point: one function per operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from firmware_protocol.answers import DeviceConfig, RangeAnswer, StreamStarted
from firmware_protocol.control import Answer, Request
from firmware_protocol.definition import (
    ATT_NOTIFY_OVERHEAD,
    REQUEST_MAX,
    ControlStatus,
    Feature,
    FrameType,
    Op,
    RangeOperator,
    RateCode,
    TlvType,
)
from firmware_protocol.device.reports import Report, stretches_of
from firmware_protocol.errors import AttRejectedError, LengthError, ProtocolError
from firmware_protocol.gatt import BACKFILL_UUID, STREAM_UUID, samples_per_frame
from firmware_protocol.tlv import SampleRange, Tlv, decode_tlvs, encode_tlvs

if TYPE_CHECKING:
    from firmware_protocol.device.sensor import VirtualSensor

Values = dict[TlvType, Any]
Reply = ControlStatus | tuple[Tlv, ...]
"""A refusal, or the parameters of an answer that is ok."""
Handler = Callable[["VirtualSensor", Values, int], Reply]

_IDENTIFY_DEFAULT_S = 5
_REQUEST_TLVS = frozenset(
    {
        TlvType.FRAME_TYPE,
        TlvType.RATE,
        TlvType.ACC_RANGE,
        TlvType.GYR_RANGE,
        TlvType.N_PER_FRAME,
        TlvType.RANGE,
        TlvType.WALL_TIME,
        TlvType.RECORD,
        TlvType.DURATION,
    }
)
"""Parameters that a sensor reads in requests; others are unknown to it and ignored."""


def handle(sensor: VirtualSensor, data: bytes, now_us: int) -> list[bytes]:
    """Act on a request; return the answers to indicate, in order.

    A REPORT that begins is answered after its last frame, so it returns nothing here.

    Raises
    ------
    AttRejectedError
        The request is too short to be answered, or answers to nobody (token 0).
    """
    op, token, values = _parsed(data)
    if isinstance(values, ControlStatus):
        return [_answered(sensor, data, Answer(op, token, values))]
    if op == Op.REPORT:
        refusal = _begin_report(sensor, token, values, data)
        return [] if refusal is None else [_answered(sensor, data, Answer(op, token, refusal))]
    if op == Op.ABORT:
        return _abort(sensor, token, data)
    handler = _HANDLERS.get(op)
    if handler is None or (op in _FLASH_OPS and Feature.BACKFILL not in sensor.model.features):
        return [_answered(sensor, data, Answer(op, token, ControlStatus.OP_UNKNOWN))]
    if sensor.report is not None and op in _REFUSED_DURING_REPORT:
        return [_answered(sensor, data, Answer(op, token, ControlStatus.BUSY))]
    reply = handler(sensor, values, now_us)
    if isinstance(reply, ControlStatus):
        answer = Answer(op, token, reply)
    else:
        answer = Answer(op, token, ControlStatus.OK, reply)
    return [_answered(sensor, data, answer)]


def finish_report(sensor: VirtualSensor, report: Report) -> bytes:
    """End a REPORT whose frames are sent; return its answer."""
    sensor.report = None
    status = ControlStatus.NOT_COMPLETED if report.incomplete else ControlStatus.OK
    tlvs = RangeAnswer(report.wanted, report.n_sent).tlvs()
    return _answered(sensor, report.request, Answer(Op.REPORT, report.token, status, tlvs))


def _parsed(data: bytes) -> tuple[int, int, Values | ControlStatus]:
    if len(data) > REQUEST_MAX:
        raise AttRejectedError(AttRejectedError.INVALID_LENGTH, "a request")
    try:
        request = Request.from_bytes(data)
    except LengthError as error:
        raise AttRejectedError(AttRejectedError.INVALID_LENGTH, "a request") from error
    except ProtocolError as error:
        op, token = data[0], data[1]
        if token == 0 or op >= 0x80:
            raise AttRejectedError(AttRejectedError.VALUE_NOT_ALLOWED, "a request") from error
        return op, token, ControlStatus.OPERAND_INVALID
    try:
        used = (tlv for tlv in request.tlvs if tlv.type in _REQUEST_TLVS)
        return request.op, request.token, decode_tlvs(used)
    except ProtocolError:
        return request.op, request.token, ControlStatus.OPERAND_INVALID


def _answered(sensor: VirtualSensor, request: bytes, answer: Answer) -> bytes:
    """Return the answer as it fits the MTU, and remember it for a repetition."""
    tlvs = answer.tlvs
    room = (sensor.att_mtu or 0) - ATT_NOTIFY_OVERHEAD
    while tlvs and len(bytes(replace(answer, tlvs=tlvs))) > room:
        tlvs = tlvs[:-1]
    data = bytes(replace(answer, tlvs=tlvs))
    sensor.last_exchange = (request, data)
    return data


def _config(sensor: VirtualSensor) -> DeviceConfig:
    model, settings, measured = sensor.model, sensor.settings, sensor.measured_rate_mhz
    frame_type = FrameType.IMU9 if model.has_mag else FrameType.IMU6
    return DeviceConfig(
        rate_code=settings.rate,
        rate_codes=tuple(map(int, model.rates)),
        acc_range_g=settings.acc_range_g,
        gyr_range_dps=settings.gyr_range_dps,
        boot_counter=sensor.boot_counter,
        n_per_frame=sensor.n_per_frame(frame_type),
        mag_range_ut=model.mag_range_ut if model.has_mag else None,
        measured_rate_hz=None if measured is None else measured / 1e3,
        acc_ranges_g=model.acc_ranges_g,
        gyr_ranges_dps=model.gyr_ranges_dps,
        gyr_noise_dps_rthz=model.gyr_noise_dps_rthz,
        sample_delay_us=model.sample_delay_us,
        model=model.name,
    )


def _get_config(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    del values, now_us
    return _config(sensor).tlvs()


def _set_config(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    del now_us
    if sensor.live is not None:
        return ControlStatus.WRONG_STATE
    model, settings = sensor.model, sensor.settings
    rate = values.get(TlvType.RATE, settings.rate)
    acc = values.get(TlvType.ACC_RANGE, settings.acc_range_g)
    gyr = values.get(TlvType.GYR_RANGE, settings.gyr_range_dps)
    offered = rate in model.rates and acc in model.acc_ranges_g and gyr in model.gyr_ranges_dps
    if not offered:
        return ControlStatus.OPERAND_UNSUPPORTED
    n_per_frame = values.get(TlvType.N_PER_FRAME, settings.n_per_frame)
    if rate != settings.rate:
        sensor.restart_rate_measurement()
    sensor.settings = replace(
        settings,
        rate=RateCode(rate),
        acc_range_g=acc,
        gyr_range_dps=gyr,
        n_per_frame=n_per_frame or None,
    )
    return _config(sensor).tlvs()


def _start_stream(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    del now_us
    if sensor.fault:
        return ControlStatus.SENSOR_FAULT
    if sensor.live is not None or STREAM_UUID not in sensor.subscribed:
        return ControlStatus.WRONG_STATE
    kind = values.get(TlvType.FRAME_TYPE, int(FrameType.IMU6))
    rate = values.get(TlvType.RATE, sensor.settings.rate)
    kinds = (FrameType.IMU6, FrameType.IMU9) if sensor.model.has_mag else (FrameType.IMU6,)
    if kind not in kinds or rate not in sensor.model.rates:
        return ControlStatus.OPERAND_UNSUPPORTED
    frame_type = FrameType(kind)
    n_per_frame = sensor.n_per_frame(frame_type)
    if n_per_frame == 0:
        return ControlStatus.MTU_TOO_SMALL
    if rate != sensor.settings.rate:
        sensor.restart_rate_measurement()
    sensor.settings = replace(sensor.settings, rate=RateCode(rate))
    sensor.begin_stream(frame_type)
    return StreamStarted(sensor.boot_counter, sensor.next_index, n_per_frame).tlvs()


def _stop_stream(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    del values, now_us
    if sensor.live is None:
        return ControlStatus.WRONG_STATE
    sensor.end_stream()
    return ()


def _set_wall_time(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    if TlvType.WALL_TIME not in values:
        return ControlStatus.OPERAND_INVALID
    sensor.wall_time = (now_us, values[TlvType.WALL_TIME])
    return encode_tlvs({TlvType.DEVICE_TIME: now_us})


def _record(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    del now_us
    wanted = values.get(TlvType.RECORD)
    if wanted not in {0, 1}:
        return ControlStatus.OPERAND_INVALID
    if sensor.fault:
        return ControlStatus.SENSOR_FAULT
    sensor.recording = bool(wanted)
    return ()


def _identify(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    duration_s = values.get(TlvType.DURATION, _IDENTIFY_DEFAULT_S)
    sensor.identify_until_us = now_us + duration_s * 1_000_000
    return ()


def _count(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    del now_us
    wanted = values.get(TlvType.RANGE)
    if wanted is None:
        return ControlStatus.OPERAND_INVALID
    found = stretches_of(sensor.flash, wanted, _backfill_n(sensor))
    if isinstance(found, ControlStatus):
        return found
    return RangeAnswer(wanted, sum(stretch.n for stretch in found)).tlvs()


def _delete(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    del now_us
    wanted = values.get(TlvType.RANGE)
    if wanted is None:
        return ControlStatus.OPERAND_INVALID
    if wanted.operator != RangeOperator.UP_TO:
        return ControlStatus.OPERATOR_INVALID
    gone = sensor.flash.delete(wanted.boot_counter, wanted.last)
    return RangeAnswer(wanted, gone).tlvs() if gone else ControlStatus.NO_RECORDS


def _factory_reset(sensor: VirtualSensor, values: Values, now_us: int) -> Reply:
    del values
    if not sensor.button_pressed_lately(now_us):
        return ControlStatus.WRONG_STATE
    sensor.end_stream()
    sensor.recording = False
    sensor.flash.clear()
    return ()


def _begin_report(
    sensor: VirtualSensor, token: int, values: Values, request: bytes
) -> ControlStatus | None:
    """Begin a REPORT; None where it runs, else why not."""
    if Feature.BACKFILL not in sensor.model.features:
        return ControlStatus.OP_UNKNOWN
    running = sensor.report
    if running is not None:
        # its answer follows the last frame, so a repetition needs nothing
        return None if running.request == request else ControlStatus.BUSY
    wanted: SampleRange | None = values.get(TlvType.RANGE)
    if wanted is None:
        return ControlStatus.OPERAND_INVALID
    if BACKFILL_UUID not in sensor.subscribed:
        return ControlStatus.WRONG_STATE
    n_per_frame = _backfill_n(sensor)
    if n_per_frame == 0:
        return ControlStatus.MTU_TOO_SMALL
    found = stretches_of(sensor.flash, wanted, n_per_frame)
    if isinstance(found, ControlStatus):
        return found
    if not found:
        return ControlStatus.NO_RECORDS
    sensor.report = Report(
        token=token,
        request=request,
        wanted=wanted,
        stretches=found,
        frame_type=_backfill_type(sensor),
        n_per_frame=n_per_frame,
        seq=sensor.backfill_seq,
    )
    return None


def _abort(sensor: VirtualSensor, token: int, data: bytes) -> list[bytes]:
    """End a running REPORT: it is answered as not completed, then ABORT as done."""
    if sensor.report is None:
        return [_answered(sensor, data, Answer(Op.ABORT, token, ControlStatus.ABORT_FAILED))]
    sensor.report.incomplete = True
    ended = finish_report(sensor, sensor.report)
    return [ended, _answered(sensor, data, Answer(Op.ABORT, token, ControlStatus.OK))]


def _backfill_type(sensor: VirtualSensor) -> FrameType:
    return FrameType.IMU9 if sensor.model.has_mag else FrameType.IMU6


def _backfill_n(sensor: VirtualSensor) -> int:
    return samples_per_frame(sensor.value_size(), _backfill_type(sensor))


_HANDLERS: dict[int, Handler] = {
    Op.GET_CONFIG: _get_config,
    Op.SET_CONFIG: _set_config,
    Op.START_STREAM: _start_stream,
    Op.STOP_STREAM: _stop_stream,
    Op.SET_WALL_TIME: _set_wall_time,
    Op.RECORD: _record,
    Op.IDENTIFY: _identify,
    Op.COUNT: _count,
    Op.DELETE: _delete,
    Op.FACTORY_RESET: _factory_reset,
}
_FLASH_OPS = frozenset({Op.RECORD, Op.COUNT, Op.DELETE})
_REFUSED_DURING_REPORT = frozenset({Op.SET_CONFIG, Op.COUNT, Op.DELETE, Op.FACTORY_RESET})
