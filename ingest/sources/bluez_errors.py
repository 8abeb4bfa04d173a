"""Turns the error names and texts of BlueZ into our errors, each with what to do."""

import re

from ingest.errors import (
    AdapterUnavailableError,
    BluetoothError,
    ConnectFailedError,
    DeviceGoneError,
    GattError,
    LinkLostError,
    PairingRefusedError,
    PairingRequiredError,
    ScanFailedError,
)

_NO_SERVICE = "The Bluetooth service (bluetoothd) is not running."
_NO_SLOT = "The adapter cannot hold another connection."
# (error name, text) patterns, first match wins; names without their D-Bus prefix
_RULES: tuple[tuple[str, str, type[BluetoothError], str], ...] = (
    (
        "ServiceUnknown|NameHasNoOwner",
        "",
        AdapterUnavailableError,
        _NO_SERVICE,
    ),
    (
        "AccessDenied",
        "",
        AdapterUnavailableError,
        "The system does not let this program use Bluetooth.",
    ),
    ("NotReady", "", AdapterUnavailableError, "Bluetooth is off on this computer."),
    (
        "Failed",
        "le-connection-abort-by-local",
        ConnectFailedError,
        "The connection was given up at once, most often for interference.",
    ),
    (
        "Failed",
        "profile-unavailable|br-connection",
        ConnectFailedError,
        "The device was taken for one that is not Bluetooth LE.",
    ),
    (
        "Failed|ConnectionAttemptFailed",
        "page-timeout|refused|timeout|create-socket|"
        "Connection Attempt|Software caused connection abort|unknown",
        ConnectFailedError,
        "The sensor did not answer the connection attempt.",
    ),
    (
        "Failed",
        "limit|resources",
        ConnectFailedError,
        _NO_SLOT,
    ),
    ("NotConnected", "", LinkLostError, "The link was lost."),
    (".*", "Not [Cc]onnected", LinkLostError, "The link was lost."),
    (
        "UnknownObject|DoesNotExist",
        "",
        DeviceGoneError,
        "The system has forgotten the sensor since it was seen.",
    ),
    (
        "AuthenticationRejected|AuthenticationCanceled",
        "",
        PairingRefusedError,
        "The pairing was refused.",
    ),
    ("AuthenticationTimeout", "", PairingRequiredError, "Nobody confirmed the pairing in time."),
    (
        "AuthenticationFailed",
        "",
        PairingRequiredError,
        "The sensor wants to be paired, and no program answered for you.",
    ),
    (
        "AlreadyExists",
        "",
        PairingRefusedError,
        "The sensor is paired already, but not with these keys.",
    ),
    (
        "NotPermitted|NotAuthorized",
        "[Nn]ot paired|[Ii]nsufficient|[Ee]ncrypt|^$",
        PairingRequiredError,
        "The sensor wants an encrypted link.",
    ),
    ("InProgress", "", ScanFailedError, "Another program uses the adapter at the moment."),
)
_REMEDIES: dict[str, str] = {
    _NO_SERVICE: "Start it: `systemctl start bluetooth`.",
    _NO_SLOT: "Disconnect other devices, or use another adapter, best USB on an extension lead.",
}
_ATT_CODE = re.compile(r"ATT error: 0x([0-9a-fA-F]+)")
_ENCRYPTION_CODES = {0x05, 0x08, 0x0C, 0x0F}
"""ATT: insufficient authentication, authorisation, key size, encryption."""


def explain(name: str, text: str, *, doing: str, address: str = "") -> BluetoothError:
    """Return the error that a D-Bus error name and text stand for.

    Parameters
    ----------
    name, text
        `org.bluez.Error.Failed` and its message, as BlueZ gave them.
    doing
        What was tried, for the sentence and to tell a refused read from a failed connection.
    address
        Device concerned, if any.
    """
    raw = f"{name}: {text}" if text else name
    short = name.rsplit(".", 1)[-1]
    code = _ATT_CODE.search(text)
    if code is not None:
        return from_att_code(int(code.group(1), 16), doing=doing, address=address, raw=raw)
    for name_pattern, text_pattern, kind, sentence in _RULES:
        if re.fullmatch(name_pattern, short) and re.search(text_pattern, text):
            return kind(sentence, remedy=_REMEDIES.get(sentence), raw=raw, address=address)
    if doing == "Connect":
        return ConnectFailedError(
            f"The connection failed: {text or short}.", raw=raw, address=address
        )
    return GattError(f"{doing} was refused: {text or short}.", raw=raw, address=address)


def from_att_code(code: int, *, doing: str, address: str = "", raw: str = "") -> BluetoothError:
    """Return the error that an ATT error code stands for."""
    if code in _ENCRYPTION_CODES:
        return PairingRequiredError("The sensor wants an encrypted link.", raw=raw, address=address)
    return GattError(
        f"The sensor refused {doing} with error 0x{code:02x}.",
        remedy="Switch the sensor off and on; update its firmware if it persists.",
        raw=raw,
        address=address,
        att_code=code,
    )
