"""Status: counters and health of a sensor."""

from dataclasses import dataclass
from typing import Self

from firmware_protocol.definition import MAJOR, STATUS
from firmware_protocol.errors import FormatError, VersionError


@dataclass(frozen=True, slots=True)
class Status:
    """Value of the Status characteristic, in the units of the wire."""

    state: int
    """`definition.DeviceState`, or a number that a later minor version adds."""
    flags: int
    """`definition.StatusFlag` bits; unknown ones are kept."""
    temperature_half_degc: int
    """Temperature of the motion sensor, 0.5 °C."""
    battery_mv: int
    free_flash_permille: int
    interval_1250us: int
    """Connection interval, 1.25 ms."""
    att_mtu: int
    """ATT MTU of the connection, bytes."""
    frames_dropped: int
    """Frames dropped in the sensor's queue since boot."""
    boot_counter: int
    version: int = MAJOR

    @property
    def temperature_degc(self) -> float:
        """Return the temperature of the motion sensor, °C."""
        return self.temperature_half_degc / 2.0

    @property
    def connection_interval_ms(self) -> float:
        """Return the connection interval, ms."""
        return self.interval_1250us * 1.25

    def __bytes__(self) -> bytes:
        return STATUS.pack(
            self.version,
            self.state,
            self.flags,
            self.temperature_half_degc,
            self.battery_mv,
            self.free_flash_permille,
            self.interval_1250us,
            self.att_mtu,
            self.frames_dropped,
            self.boot_counter,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the decoded value.

        Raises
        ------
        VersionError
            Another major version; checked before the length.
        LengthError
            `data` is not 20 bytes long.
        FormatError
            `data` is empty.
        """
        if not data:
            raise FormatError("Status is empty; read it again after connecting")
        if data[0] != MAJOR:
            raise VersionError(data[0], MAJOR)
        version, state, flags, temperature, battery, flash, interval, mtu, dropped, boot = (
            STATUS.unpack(data)
        )
        return cls(state, flags, temperature, battery, flash, interval, mtu, dropped, boot, version)
