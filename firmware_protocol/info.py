"""Protocol Info: who is there and which version it speaks."""

from dataclasses import dataclass
from typing import Self

from firmware_protocol.definition import MAJOR, MINOR, PROTOCOL_INFO
from firmware_protocol.errors import FormatError, VersionError


@dataclass(frozen=True, slots=True)
class ProtocolInfo:
    """Value of the Protocol Info characteristic."""

    device_id: bytes
    """8 bytes, unique and constant."""
    features: int = 0
    """`definition.Feature` bits; unknown ones are kept."""
    max_payload: int = 244
    """Longest notification that the firmware can send, bytes."""
    major: int = MAJOR
    minor: int = MINOR

    @property
    def device_id_hex(self) -> str:
        """Return the device id as 16 lower-case hexadecimal digits."""
        return self.device_id.hex()

    def __bytes__(self) -> bytes:
        return PROTOCOL_INFO.pack(
            self.major, self.minor, self.max_payload, self.features, self.device_id
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the decoded value.

        Raises
        ------
        VersionError
            The sensor speaks another major version; checked before the length.
        LengthError
            `data` is not 16 bytes long.
        FormatError
            `data` is empty.
        """
        if not data:
            raise FormatError("Protocol Info is empty; this is not a necktrace sensor")
        if data[0] != MAJOR:
            raise VersionError(data[0], MAJOR)
        major, minor, max_payload, features, device_id = PROTOCOL_INFO.unpack(data)
        return cls(device_id, features, max_payload, major, minor)
