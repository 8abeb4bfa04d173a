"""Errors of the wire contract.

ProtocolError
├── FieldError            a value that its field cannot carry (encoding)
├── LengthError           bytes of another length than the layout (decoding)
├── FormatError           bytes of a possible length that break a rule (decoding)
├── VersionError          the other side speaks another major version
├── AttRejectedError      a virtual sensor refuses an attribute access, as a GATT server does
└── RequestRefusedError   the sensor answered a request with a status other than ok
"""


class ProtocolError(Exception):
    """Root of all errors raised by `firmware_protocol`."""


class FieldError(ProtocolError, ValueError):
    """A value does not fit its field; the message names both and the allowed range."""

    def __init__(self, where: str, value: object, allowed: str) -> None:
        super().__init__(f"{where} is {value!r}; it must be {allowed}")
        self.where = where
        """Layout and field, such as ``status.battery_mv``."""
        self.value = value
        """The value that was refused."""


class LengthError(ProtocolError, ValueError):
    """Bytes do not have the length that their layout fixes."""

    def __init__(self, where: str, got: int, expected: str) -> None:
        super().__init__(
            f"{where} has {got} bytes, expected {expected}; "
            "the notification was cut or belongs to another protocol version"
        )
        self.got = got
        """Length found, bytes."""


class FormatError(ProtocolError, ValueError):
    """Bytes break a rule of the format; the message says which."""


class VersionError(ProtocolError):
    """The sensor speaks another major version of the protocol."""

    def __init__(self, got: int, expected: int) -> None:
        older = "sensor firmware" if got < expected else "program"
        super().__init__(
            f"sensor firmware speaks protocol {got}, this program protocol {expected}: "
            f"update the {older}"
        )
        self.got = got
        """Major version of the sensor."""
        self.expected = expected
        """Major version of this program."""


class RequestRefusedError(ProtocolError):
    """The sensor refused a request; `status` says why."""

    def __init__(self, request: str, status: int, reason: str) -> None:
        super().__init__(f"the sensor refused {request}: {reason} (status 0x{status:02x})")
        self.request = request
        """Name of the request."""
        self.status = status
        """Status byte of the answer (`definition.ControlStatus`)."""


class AttRejectedError(ProtocolError):
    """A virtual sensor refuses an access to an attribute; `code` is the ATT error."""

    READ_NOT_PERMITTED = 0x02
    WRITE_NOT_PERMITTED = 0x03
    NOT_PERMITTED = 0x06
    INVALID_LENGTH = 0x0D
    VALUE_NOT_ALLOWED = 0x13
    CCCD_IMPROPER = 0xFD

    def __init__(self, code: int, what: str) -> None:
        super().__init__(f"the sensor refuses {what} with ATT error 0x{code:02x}")
        self.code = code
        """ATT error code."""
