"""What a failure means for a link: which reason a person is told, and whether to try again."""

from dataclasses import dataclass

from ingest.errors import (
    AdapterUnavailableError,
    CommandRefusedError,
    CommandTimeoutError,
    ConnectFailedError,
    DeviceGoneError,
    GattError,
    LinkLostError,
    MalformedAnswerError,
    MtuTooSmallError,
    PairingRefusedError,
    PairingRequiredError,
    ProtocolVersionError,
    ScanFailedError,
    SensorNotFoundError,
    SilentLinkError,
    UnknownSensorError,
    WrongSensorError,
)
from ingest.link_state import LinkReason


@dataclass(frozen=True, slots=True)
class Outcome:
    """Consequence of a failure."""

    reason: LinkReason
    refused: bool = False
    """Trying again is pointless until a person did something."""
    unexpected: bool = False
    """A fault of this program: worth a traceback in the log."""


# subclasses before their parents: the first match counts
_OUTCOMES: tuple[tuple[type[Exception], Outcome], ...] = (
    (AdapterUnavailableError, Outcome(LinkReason.ADAPTER_OFF)),
    (ScanFailedError, Outcome(LinkReason.SCAN_FAILED)),
    (DeviceGoneError, Outcome(LinkReason.CONNECT_FAILED)),
    (SensorNotFoundError, Outcome(LinkReason.NOT_FOUND)),
    (ConnectFailedError, Outcome(LinkReason.CONNECT_FAILED)),
    (LinkLostError, Outcome(LinkReason.LINK_LOST)),
    (SilentLinkError, Outcome(LinkReason.NO_DATA)),
    (PairingRequiredError, Outcome(LinkReason.PAIRING_REQUIRED)),
    (PairingRefusedError, Outcome(LinkReason.PAIRING_REFUSED, refused=True)),
    (GattError, Outcome(LinkReason.COMMAND_REFUSED)),
    (ProtocolVersionError, Outcome(LinkReason.PROTOCOL_MAJOR, refused=True)),
    (UnknownSensorError, Outcome(LinkReason.UNKNOWN_SENSOR, refused=True)),
    (WrongSensorError, Outcome(LinkReason.WRONG_SENSOR)),
    (MtuTooSmallError, Outcome(LinkReason.MTU_TOO_SMALL)),
    (CommandTimeoutError, Outcome(LinkReason.COMMAND_TIMEOUT)),
    (CommandRefusedError, Outcome(LinkReason.COMMAND_REFUSED)),
    (MalformedAnswerError, Outcome(LinkReason.MALFORMED)),
    (TimeoutError, Outcome(LinkReason.COMMAND_TIMEOUT)),
)


def outcome_of(error: Exception) -> Outcome:
    """Return the consequence of a failure of a link."""
    for kind, outcome in _OUTCOMES:
        if isinstance(error, kind):
            return outcome
    return Outcome(LinkReason.FAILED, unexpected=True)
