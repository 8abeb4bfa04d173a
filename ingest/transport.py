"""What the collector needs of a radio: find sensors, connect, move bytes.

Two things implement it: `ingest.sources.ble` (the real radio, through bleak) and
`ingest.sources.simulated` (virtual sensors in this process). Everything above, from the drivers to
the record, cannot tell them apart. UUIDs are lower-case 128-bit strings everywhere.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

NotifyCallback = Callable[[bytes], None]
"""Called synchronously, in order, once per notification; must not block and must not raise."""

DisconnectCallback = Callable[[], None]
"""A hint that the link ended. It may come late or never, so nothing may rely on it alone."""


class AdapterState(StrEnum):
    """Whether the computer's Bluetooth can be used, and if not, which part is missing."""

    READY = "ready"
    POWERED_OFF = "powered_off"
    NO_ADAPTER = "no_adapter"
    NO_SERVICE = "no_service"
    """The system bus is there, the Bluetooth service is not running."""
    NO_BUS = "no_bus"
    """There is no system message bus (D-Bus) to reach the Bluetooth service by."""
    DENIED = "denied"
    """The system refuses this program the use of Bluetooth."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AdapterStatus:
    """State of the adapter that would be used, with words for a person."""

    state: AdapterState
    detail: str
    """One sentence on what was found."""
    remedy: str = ""
    """What to do; empty when the state is `READY`."""
    name: str = ""
    """System name of the adapter (`hci0`), empty where there is none."""
    address: str = ""

    @property
    def ready(self) -> bool:
        """True when scanning and connecting can be tried."""
        return self.state is AdapterState.READY


@dataclass(frozen=True, slots=True)
class Advertisement:
    """One device as last heard during a scan."""

    address: str
    """Bluetooth address; on macOS an identifier that only this computer knows."""
    name: str | None
    rssi_dbm: int | None
    service_uuids: frozenset[str]
    manufacturer_data: Mapping[int, bytes] = field(default_factory=lambda: MappingProxyType({}))
    """Company identifier to payload."""
    service_data: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    connectable: bool = True
    handle: object = field(default=None, compare=False, repr=False)
    """The transport's own device object; valid only until the next scan."""


class Connection(Protocol):
    """One link to one sensor; used once, then thrown away."""

    @property
    def address(self) -> str:
        """Address of the sensor."""
        ...

    @property
    def name(self) -> str | None:
        """Name of the sensor where known."""
        ...

    @property
    def service_uuids(self) -> frozenset[str]:
        """Services found on the sensor."""
        ...

    def has_characteristic(self, uuid: str) -> bool:
        """Return whether the sensor has a characteristic."""
        ...

    def max_write_size(self, uuid: str) -> int:
        """Return the bytes that fit one write without response: ATT MTU minus 3."""
        ...

    async def read(self, uuid: str) -> bytes:
        """Read a characteristic; never one that notifies at the time."""
        ...

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        """Write a characteristic, waiting for the sensor's acknowledgement when `response`."""
        ...

    async def subscribe(self, uuid: str, callback: NotifyCallback) -> None:
        """Switch notifications or indications on; `callback` runs in the event loop."""
        ...

    async def unsubscribe(self, uuid: str) -> None:
        """Switch notifications or indications off."""
        ...

    async def battery_percent(self) -> int | None:
        """Return the standard battery level; None where the sensor has none.

        Linux hides the battery characteristic behind an interface of its own, so drivers ask here.
        """
        ...

    async def disconnect(self) -> None:
        """End the link; never raises for a link that is already gone."""
        ...


class Transport(Protocol):
    """A radio. Scanning and connecting must not overlap: callers hold one lock around both."""

    async def adapter_state(self) -> AdapterStatus:
        """Return whether the radio can be used; never raises."""
        ...

    async def scan(
        self,
        service_uuids: Collection[str],
        *,
        duration_s: float,
        until: Callable[[Advertisement], bool] | None = None,
    ) -> list[Advertisement]:
        """Listen for devices that advertise one of `service_uuids` (all devices if empty).

        Ends after `duration_s`, or at once when `until` returns True for an advertisement, and
        returns each device once, as last heard.
        """
        ...

    async def connect(
        self,
        advertisement: Advertisement,
        *,
        timeout_s: float,
        on_disconnect: DisconnectCallback,
        pair: bool = False,
    ) -> Connection:
        """Connect to a device of the last scan and find its services.

        Raises
        ------
        ConnectFailedError
            No link within `timeout_s`; `DeviceGoneError` where a new scan is needed first.
        """
        ...

    async def disconnect_stale(self, addresses: Collection[str]) -> list[str]:
        """End links to `addresses` that an earlier process left behind; return those ended."""
        ...

    async def forget(self, address: str) -> None:
        """Drop what the system keeps about an unbonded device, so that it is found afresh."""
        ...

    async def reset_adapter(self) -> bool:
        """Switch the adapter off and on; False where the system does not allow it."""
        ...
