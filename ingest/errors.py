"""Errors of the collector.

IngestError
├── BluetoothError                 the radio, the operating system's Bluetooth, or the link
│   ├── AdapterUnavailableError    no adapter, switched off, no service, no permission
│   ├── ScanFailedError            the scan could not run
│   ├── ConnectFailedError         no link came about
│   │   ├── SensorNotFoundError    not heard during a whole scan
│   │   └── DeviceGoneError        the system has forgotten the device: scan again
│   ├── LinkLostError              the link ended during an operation
│   ├── SilentLinkError            connected by all accounts, but nothing arrives
│   ├── PairingRequiredError       encryption is needed and nobody confirmed the pairing
│   ├── PairingRefusedError        the sensor refuses, or does not know this computer any more
│   └── GattError                  the sensor or the system refused one read, write or subscription
├── NodUnclearError                a nod did not tell which sensor is on the head
├── ReprocessError                 results cannot be made again as asked
└── SensorError                    the link is fine, the device is not
    ├── UnknownSensorError         no driver knows this device
    ├── WrongSensorError           a sensor of a known kind, but not the one that was asked for
    ├── ProtocolVersionError       firmware and program speak different major versions
    ├── MtuTooSmallError           the connection cannot carry one sample
    ├── CommandTimeoutError        no answer after all repeats
    ├── CommandRefusedError        the sensor answered with a status other than ok
    └── MalformedAnswerError       an answer that its own protocol does not allow
"""

from typing import ClassVar


class IngestError(Exception):
    """Root of all errors raised by `ingest`; the text is a sentence, `remedy` the next step."""

    remedy: str = ""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        if remedy is not None:
            self.remedy = remedy


class NodUnclearError(IngestError):
    """Which of two sensors is on the head could not be told by a nod."""

    remedy = "Say it yourself: `necktrace pair ADDRESS --role head`, and --role trunk."
    _WHY: ClassVar = {
        "still": "Neither sensor saw a nod.",
        "both": "Both sensors moved alike: is one on the head and one on the trunk?",
        "silent": "One of the sensors sent nothing to judge by.",
    }

    def __init__(self, verdict: str) -> None:
        super().__init__(self._WHY[verdict])
        self.verdict = verdict


class ReprocessError(IngestError):
    """Results cannot be made again from the record as asked."""


class BluetoothError(IngestError):
    """The radio, the operating system's Bluetooth service, or the link failed."""

    def __init__(
        self, message: str, *, remedy: str | None = None, raw: str = "", address: str = ""
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.raw = raw
        """The untranslated text of the operating system, for the log."""
        self.address = address
        """Address of the device concerned, empty where there is none."""


class AdapterUnavailableError(BluetoothError):
    """Bluetooth cannot be used on this computer at the moment."""

    remedy = "Switch Bluetooth on; `necktrace doctor` names what is missing."


class ScanFailedError(BluetoothError):
    """The scan could not be started or was ended by the system."""

    remedy = "Close other programs that scan; if it persists, switch Bluetooth off and on."


class ConnectFailedError(BluetoothError):
    """No link came about."""

    remedy = "Bring the sensor closer and check its battery."


class SensorNotFoundError(ConnectFailedError):
    """The sensor was not heard during a whole scan."""

    remedy = "Charge it, press its button, come closer."


class DeviceGoneError(ConnectFailedError):
    """The operating system has forgotten the device since it was seen."""

    remedy = "Scan again."


class LinkLostError(BluetoothError):
    """The link ended while something was asked of the sensor."""

    remedy = "The collector reconnects by itself; keep the sensor near."


class SilentLinkError(BluetoothError):
    """The system calls the sensor connected, but it sends nothing."""

    remedy = "The collector reconnects by itself; keep the sensor near."


class PairingRequiredError(BluetoothError):
    """The sensor wants an encrypted link and no pairing was confirmed."""

    remedy = "Press the sensor's button and run `necktrace pair` within 60 s."


class PairingRefusedError(BluetoothError):
    """The pairing was refused, or the bond is known to one side only."""

    remedy = "Remove the sensor from the system's Bluetooth devices and pair it again."


class GattError(BluetoothError):
    """One read, write or subscription was refused."""

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        raw: str = "",
        address: str = "",
        att_code: int | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy, raw=raw, address=address)
        self.att_code = att_code
        """ATT error code where the sensor gave one."""


class SensorError(IngestError):
    """The device answers, but not as a usable sensor."""


class UnknownSensorError(SensorError):
    """No driver knows this device."""

    remedy = "Use a supported sensor; `necktrace scan` lists what was recognised."


class WrongSensorError(SensorError):
    """The device is not the one this link was asked to use."""

    def __init__(self, message: str, *, device_id: str) -> None:
        super().__init__(message, remedy="Pair it first if it is meant to be used.")
        self.device_id = device_id


class ProtocolVersionError(SensorError):
    """Firmware and program speak different major versions of the protocol."""

    def __init__(self, *, sensor_major: int, program_major: int) -> None:
        older = "sensor's firmware" if sensor_major < program_major else "program"
        super().__init__(
            f"The sensor speaks protocol {sensor_major}, this program protocol {program_major}.",
            remedy=f"Update the {older}.",
        )
        self.sensor_major = sensor_major
        self.program_major = program_major


class MtuTooSmallError(SensorError):
    """The connection's payload cannot carry one sample."""

    remedy = "Use another Bluetooth adapter, best a USB one on an extension lead."

    def __init__(self, message: str, *, mtu: int | None = None) -> None:
        super().__init__(message)
        self.mtu = mtu


class CommandTimeoutError(SensorError):
    """The sensor did not answer a command, repeats included."""

    remedy = "Switch the sensor off and on if this persists."

    def __init__(self, message: str, *, command: str) -> None:
        super().__init__(message)
        self.command = command


class CommandRefusedError(SensorError):
    """The sensor answered a command with a status other than ok."""

    def __init__(
        self, message: str, *, command: str, status: int, remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.command = command
        self.status = status


class MalformedAnswerError(SensorError):
    """The sensor's answer does not follow its own protocol."""

    remedy = "Update the sensor's firmware, or report the model and the log."
