"""The public names."""

import firmware_protocol

NAMES = """
MAJOR MINOR RATE_HZ SERVICE_UUID Answer ControlStatus DeviceConfig DeviceState DiscardReason
EventCode Feature FieldError FormatError FrameBatch FrameFlag FrameType Frames LengthError Op
ProtocolError ProtocolInfo RangeAnswer RangeOperator RateCode Request RequestRefusedError RoundTrip
SampleRange Status StatusFlag StreamStarted TimeSync TimeSyncOp Tlv TlvType VersionError
decode_frames encode_frame round_trip
"""


def test_all_is_pinned() -> None:
    assert set(firmware_protocol.__all__) == set(NAMES.split())
    assert all(hasattr(firmware_protocol, name) for name in firmware_protocol.__all__)
