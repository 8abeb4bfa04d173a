"""The real radio, through bleak: the only module that imports it.

Rules that are built in here, each paid for by somebody's lost data: StartNotify only (AcquireNotify
drops when the event loop stalls), synchronous callbacks, a new client per connection, one scanner
at a time, and no answer of "is connected" taken for evidence.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Collection
from types import MappingProxyType

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from ingest.errors import (
    AdapterUnavailableError,
    BluetoothError,
    ConnectFailedError,
    DeviceGoneError,
    GattError,
    LinkLostError,
    ScanFailedError,
)
from ingest.sources.bluez_errors import explain, from_att_code
from ingest.transport import (
    AdapterState,
    AdapterStatus,
    Advertisement,
    DisconnectCallback,
    NotifyCallback,
)

_log = logging.getLogger(__name__)
_ON_LINUX = sys.platform == "linux"
_OFF_S = 2.0
"""How long a power-cycled adapter stays off."""


async def adapter_state(adapter: str = "") -> AdapterStatus:
    """Return whether Bluetooth can be used on this computer, and if not, why; never raises."""
    if not _ON_LINUX:
        return await _state_by_scanning()
    from ingest.sources import bluez

    try:
        return await bluez.adapter_status(adapter)
    except Exception as error:
        # `doctor` must be able to go on to its next check, whatever the system answers
        _log.exception("the state of the adapter could not be read")
        return AdapterStatus(
            AdapterState.UNKNOWN, f"The state of Bluetooth is unknown: {error}", "See the log."
        )


async def _state_by_scanning() -> AdapterStatus:
    """Find out by starting a scan, where there is no other way."""
    try:
        async with BleakScanner():
            pass
    except BleakBluetoothNotAvailableError as error:
        return AdapterStatus(
            AdapterState.POWERED_OFF, str(error.args[0]), "Switch Bluetooth on and allow its use."
        )
    except (BleakError, OSError) as error:
        return AdapterStatus(AdapterState.UNKNOWN, str(error), "Switch Bluetooth off and on.")
    return AdapterStatus(AdapterState.READY, "Bluetooth is ready.")


@contextlib.asynccontextmanager
async def pairing_window(address: str) -> AsyncIterator[None]:
    """Accept the pairing of one sensor for the length of a block, where this is ours to do.

    Windows and macOS ask the person by a dialog of their own.

    Raises
    ------
    BluetoothError
        The system does not accept a pairing agent.
    """
    if not _ON_LINUX:
        yield
        return
    from ingest.sources import bluez_agent

    async with bluez_agent.pairing_window(address):
        yield


class BleTransport:
    """`ingest.transport.Transport` on the computer's Bluetooth adapter.

    Parameters
    ----------
    adapter
        System name of the adapter on Linux (`hci1`); empty for the first that is powered.
    """

    def __init__(self, adapter: str = "") -> None:
        self._adapter = adapter

    async def adapter_state(self) -> AdapterStatus:
        """Return whether the radio can be used; never raises."""
        return await adapter_state(self._adapter)

    async def scan(
        self,
        service_uuids: Collection[str],
        *,
        duration_s: float,
        until: Callable[[Advertisement], bool] | None = None,
    ) -> list[Advertisement]:
        """Listen for advertisements; see `Transport.scan`."""
        heard: dict[str, Advertisement] = {}
        found = asyncio.Event()

        def on_advertisement(device: BLEDevice, data: AdvertisementData) -> None:
            advertisement = _advertisement(device, data)
            heard[device.address] = advertisement
            if until is not None and until(advertisement):
                found.set()

        scanner = BleakScanner(
            on_advertisement,
            service_uuids=sorted(service_uuids) or None,
            bluez={"adapter": self._adapter} if self._adapter else {},
        )
        try:
            await scanner.start()
        except Exception as error:
            raise _translated(error, doing="StartDiscovery") from error
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(duration_s):
                    await found.wait()
        finally:
            try:
                await scanner.stop()
            except (BleakError, OSError, EOFError) as error:
                # what was heard is worth more than an orderly end of the scan
                _log.warning("the scan did not end properly: %s", error)
        return list(heard.values())

    async def connect(
        self,
        advertisement: Advertisement,
        *,
        timeout_s: float,
        on_disconnect: DisconnectCallback,
        pair: bool = False,
    ) -> "BleConnection":
        """Connect to a device of the last scan; see `Transport.connect`."""
        device = advertisement.handle
        if not isinstance(device, BLEDevice):
            raise DeviceGoneError("The sensor must be scanned for first.")
        established = False

        def on_disconnected(_: BleakClient) -> None:
            # bleak retries an aborted attempt by itself, which ends a link that never was one
            if established:
                on_disconnect()

        client = BleakClient(device, on_disconnected, timeout=timeout_s, pair=pair)
        try:
            await client.connect()
        except TimeoutError as error:
            raise ConnectFailedError(
                f"The sensor did not connect within {timeout_s:.0f} s.",
                address=advertisement.address,
            ) from error
        except Exception as error:
            raise _translated(error, doing="Connect", address=advertisement.address) from error
        established = True
        if not client.is_connected:
            await client.disconnect()
            raise ConnectFailedError(
                "The link was lost while the services were read.", address=advertisement.address
            )
        return BleConnection(client, name=advertisement.name)

    async def disconnect_stale(self, addresses: Collection[str]) -> list[str]:
        """End links that an earlier process left; on Linux only, elsewhere the system does."""
        if not _ON_LINUX or not addresses:
            return []
        from ingest.sources import bluez

        try:
            return await bluez.disconnect_devices(frozenset(addresses))
        except (BluetoothError, OSError) as error:
            _log.warning("stale links could not be ended: %s", error)
            return []

    async def forget(self, address: str) -> None:
        """Let BlueZ drop an unbonded device."""
        if not _ON_LINUX:
            return
        from ingest.sources import bluez

        try:
            await bluez.remove_unbonded(address)
        except (BluetoothError, OSError) as error:
            _log.warning("the system did not forget %s: %s", address, error)

    async def reset_adapter(self) -> bool:
        """Switch the adapter off and on."""
        if not _ON_LINUX:
            return False
        from ingest.sources import bluez

        name = self._adapter or (await self.adapter_state()).name
        if not name:
            return False
        try:
            await bluez.power_cycle(name, off_s=_OFF_S)
        except (BluetoothError, OSError) as error:
            _log.warning("adapter %s could not be switched off and on: %s", name, error)
            return False
        return True


class BleConnection:
    """`ingest.transport.Connection` on one bleak client."""

    def __init__(self, client: BleakClient, *, name: str | None) -> None:
        self._client = client
        self._name = name

    @property
    def address(self) -> str:
        """Address of the sensor."""
        return self._client.address

    @property
    def name(self) -> str | None:
        """Advertised name."""
        return self._name

    @property
    def service_uuids(self) -> frozenset[str]:
        """Services found on the sensor."""
        with contextlib.suppress(BleakError):
            return frozenset(service.uuid for service in self._client.services)
        return frozenset()

    def has_characteristic(self, uuid: str) -> bool:
        """Return whether the sensor has a characteristic."""
        with contextlib.suppress(BleakError):
            return self._client.services.get_characteristic(uuid) is not None
        return False

    def max_write_size(self, uuid: str) -> int:
        """Return ATT MTU minus 3, as the characteristic reports it."""
        return self._characteristic(uuid).max_write_without_response_size

    async def read(self, uuid: str) -> bytes:
        """Read a characteristic."""
        try:
            return bytes(await self._client.read_gatt_char(uuid))
        except Exception as error:
            raise _translated(error, doing=f"reading {uuid[4:8]}", address=self.address) from error

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        """Write a characteristic."""
        try:
            await self._client.write_gatt_char(uuid, data, response=response)
        except Exception as error:
            raise _translated(error, doing=f"writing {uuid[4:8]}", address=self.address) from error

    async def subscribe(self, uuid: str, callback: NotifyCallback) -> None:
        """Switch notifications on with a synchronous callback, by StartNotify."""
        try:
            await self._client.start_notify(uuid, lambda _, data: callback(bytes(data)))
        except Exception as error:
            doing = f"subscribing to {uuid[4:8]}"
            raise _translated(error, doing=doing, address=self.address) from error

    async def unsubscribe(self, uuid: str) -> None:
        """Switch notifications off."""
        try:
            await self._client.stop_notify(uuid)
        except Exception as error:
            doing = f"unsubscribing from {uuid[4:8]}"
            raise _translated(error, doing=doing, address=self.address) from error

    async def battery_percent(self) -> int | None:
        """Return the standard battery level; BlueZ keeps it in an interface of its own."""
        level_uuid = "00002a19-0000-1000-8000-00805f9b34fb"
        if self.has_characteristic(level_uuid):
            level = await self.read(level_uuid)
            return level[0] if level else None
        if not _ON_LINUX:
            return None
        from ingest.sources import bluez

        try:
            return await bluez.battery_percent(self.address)
        except (BluetoothError, OSError):
            return None

    async def disconnect(self) -> None:
        """End the link; a daemon that is gone cannot object."""
        try:
            await self._client.disconnect()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            _log.info("disconnecting from %s: %s", self.address, error)

    def _characteristic(self, uuid: str) -> BleakGATTCharacteristic:
        try:
            found = self._client.services.get_characteristic(uuid)
        except BleakError as error:
            raise LinkLostError("The link was lost.", address=self.address) from error
        if found is None:
            raise GattError(f"The sensor has no characteristic {uuid}.", address=self.address)
        return found


def _advertisement(device: BLEDevice, data: AdvertisementData) -> Advertisement:
    return Advertisement(
        address=device.address,
        name=data.local_name or device.name,
        rssi_dbm=data.rssi if data.rssi > -127 else None,
        service_uuids=frozenset(data.service_uuids),
        manufacturer_data=MappingProxyType(dict(data.manufacturer_data)),
        service_data=MappingProxyType(dict(data.service_data)),
        handle=device,
    )


def _translated(error: Exception, *, doing: str, address: str = "") -> Exception:
    """Return our error for one of bleak's; what is neither bleak's nor the bus's stays as it is."""
    if isinstance(error, BleakDeviceNotFoundError):
        return DeviceGoneError(
            "The system has forgotten the sensor since it was seen.",
            raw=str(error),
            address=address,
        )
    if isinstance(error, BleakBluetoothNotAvailableError):
        return AdapterUnavailableError(str(error.args[0]), raw=str(error))
    if isinstance(error, BleakGATTProtocolError):
        return from_att_code(int(error.code), doing=doing, address=address, raw=str(error))
    if isinstance(error, BleakCharacteristicNotFoundError):
        return GattError(
            f"The sensor lacks a characteristic: {error}", raw=str(error), address=address
        )
    if isinstance(error, BleakDBusError):
        return explain(
            error.dbus_error, error.dbus_error_details or "", doing=doing, address=address
        )
    if isinstance(error, BleakError):
        if "ot connected" in str(error) or "Service Discovery" in str(error):
            return LinkLostError("The link was lost.", raw=str(error), address=address)
        if doing == "StartDiscovery":
            return ScanFailedError(f"The scan failed: {error}.", raw=str(error))
        return ConnectFailedError(f"{doing} failed: {error}.", raw=str(error), address=address)
    if isinstance(error, (OSError, EOFError)):
        return AdapterUnavailableError(
            "The system's message bus (D-Bus) is gone.", raw=repr(error), address=address
        )
    return error
