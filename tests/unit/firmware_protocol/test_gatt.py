"""UUIDs and MTU arithmetic."""

import uuid

import pytest

from firmware_protocol import gatt
from firmware_protocol.definition import CHARACTERISTICS, FrameType, Property


def test_uuids_share_one_random_base() -> None:
    assert gatt.SERVICE_UUID == "80ff0000-90be-4183-8550-b1597675f2d6"
    assert gatt.STREAM_UUID == "80ff0001-90be-4183-8550-b1597675f2d6"
    assert [c.short for c in CHARACTERISTICS] == [1, 2, 3, 4, 5, 6]
    assert uuid.UUID(gatt.SERVICE_UUID).version == 4
    assert set(gatt.CHARACTERISTIC_BY_UUID) == {c.uuid for c in CHARACTERISTICS}


def test_control_is_acknowledged_and_streams_are_not() -> None:
    by_uuid = gatt.CHARACTERISTIC_BY_UUID
    assert by_uuid[gatt.CONTROL_UUID].properties == Property.WRITE | Property.INDICATE
    assert by_uuid[gatt.STREAM_UUID].properties == Property.NOTIFY
    assert by_uuid[gatt.BACKFILL_UUID].properties == Property.NOTIFY
    assert [c.uuid for c in CHARACTERISTICS if not c.encrypted] == [gatt.INFO_UUID]


@pytest.mark.parametrize(
    ("mtu", "kind", "n"),
    [
        (247, FrameType.IMU6, 18),
        (247, FrameType.IMU9, 12),
        (185, FrameType.IMU6, 13),
        (33, FrameType.IMU6, 1),
        (32, FrameType.IMU6, 0),
        (23, FrameType.IMU6, 0),
        (517, FrameType.IMU6, 41),
        (0, FrameType.IMU6, 0),
    ],
)
def test_samples_per_frame(mtu: int, kind: FrameType, n: int) -> None:
    assert gatt.samples_per_frame(gatt.max_value_size(mtu), kind) == n
