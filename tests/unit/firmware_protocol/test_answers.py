"""Typed content of answers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.answers import DeviceConfig, RangeAnswer, StreamStarted
from firmware_protocol.control import Answer
from firmware_protocol.definition import ControlStatus, Op, TlvType
from firmware_protocol.errors import FormatError, RequestRefusedError
from firmware_protocol.tlv import SampleRange, encode_tlvs
from firmware_protocol.vectors import VECTORS

GOLDEN = {v.name: v.data for v in VECTORS}
CONFIG = DeviceConfig(
    rate_code=7,
    rate_codes=(2, 3, 7),
    acc_range_g=16,
    gyr_range_dps=2000,
    boot_counter=42,
    n_per_frame=18,
)

u8 = st.integers(0, 255)
u16 = st.integers(1, 2**16 - 1)
configs = st.builds(
    DeviceConfig,
    rate_code=u8,
    rate_codes=st.lists(u8, min_size=1, max_size=9).map(tuple),
    acc_range_g=u16,
    gyr_range_dps=u16,
    boot_counter=st.integers(0, 2**32 - 1),
    n_per_frame=u8,
    mag_range_ut=st.none() | u16,
    measured_rate_hz=st.none() | st.integers(1, 2**32 - 1).map(lambda mhz: mhz / 1e3),
    acc_ranges_g=st.lists(u16, max_size=9).map(tuple),
    gyr_ranges_dps=st.lists(u16, max_size=9).map(tuple),
    gyr_noise_dps_rthz=st.none() | st.integers(0, 2**32 - 1).map(lambda n: n / 1e6),
    sample_delay_us=st.none() | st.integers(0, 2**16 - 1),
    model=st.text(max_size=30),
)


def answered(config: DeviceConfig) -> Answer:
    raw = bytes(Answer(Op.GET_CONFIG, 1, ControlStatus.OK, config.tlvs()))
    return Answer.from_bytes(raw)


@given(configs)
def test_a_configuration_round_trips(config: DeviceConfig) -> None:
    assert DeviceConfig.from_answer(answered(config)) == config


def test_counts_are_scaled_by_the_reported_ranges() -> None:
    small = replace(CONFIG, acc_range_g=4, gyr_range_dps=500, mag_range_ut=4912)
    assert small.acc_scale_ms2 == pytest.approx(4 * 9.80665 / 32768)
    assert small.gyr_scale_rads == pytest.approx(500 * 3.141592653589793 / 180 / 32768)
    assert small.mag_scale_ut == pytest.approx(4912 / 32768)
    assert CONFIG.mag_scale_ut is None


@pytest.mark.parametrize("kind", [TlvType.RATE, TlvType.ACC_RANGE, TlvType.BOOT_COUNTER])
def test_a_missing_parameter_is_named(kind: TlvType) -> None:
    answer = answered(CONFIG)
    without = replace(answer, tlvs=tuple(t for t in answer.tlvs if t.type != kind))
    with pytest.raises(FormatError, match=kind.name):
        DeviceConfig.from_answer(without)


def test_a_range_of_zero_is_refused() -> None:
    with pytest.raises(FormatError, match="ACC_RANGE 0"):
        DeviceConfig.from_answer(answered(replace(CONFIG, acc_range_g=0)))


def test_a_refusal_is_raised_before_the_content_is_read() -> None:
    with pytest.raises(RequestRefusedError):
        DeviceConfig.from_answer(Answer(Op.GET_CONFIG, 1, ControlStatus.BUSY))


def test_the_golden_answers() -> None:
    started = StreamStarted.from_answer(Answer.from_bytes(GOLDEN["answer_start"]))
    assert started == StreamStarted(boot_counter=42, next_index=36018, n_per_frame=18)
    assert bytes(Answer(Op.START_STREAM, 9, 1, started.tlvs())) == GOLDEN["answer_start"]
    counted = RangeAnswer.from_answer(Answer.from_bytes(GOLDEN["answer_count"]))
    assert counted == RangeAnswer(SampleRange.between(41, 1000, 2999), 2000)
    assert bytes(Answer(Op.COUNT, 1, 1, counted.tlvs())) == GOLDEN["answer_count"]


def test_an_answer_without_range_is_refused() -> None:
    only_count = encode_tlvs({TlvType.SAMPLE_COUNT: 1})
    with pytest.raises(FormatError, match="RANGE"):
        RangeAnswer.from_answer(Answer(Op.COUNT, 1, 1, only_count))
