"""A radio in this process: virtual sensors behind the same `Transport` as real ones.

Nothing above knows the difference: advertisements, reads, encrypted commands, indications and
notifications are those of protocol v1, byte for byte, delivered at connection events with jitter.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from firmware_protocol.errors import AttRejectedError
from firmware_protocol.gatt import (
    BATTERY_SERVICE_UUID,
    CHARACTERISTIC_BY_UUID,
    DEVICE_INFORMATION_UUID,
    FIRMWARE_UUID,
    HARDWARE_UUID,
    MANUFACTURER_UUID,
    MODEL_UUID,
    SERIAL_UUID,
    SERVICE_UUID,
    STREAM_UUID,
)
from ingest.errors import ConnectFailedError, GattError, LinkLostError
from ingest.sources.virtual_body import Role, VirtualBody, WornSensor
from ingest.transport import (
    AdapterState,
    AdapterStatus,
    Advertisement,
    DisconnectCallback,
    NotifyCallback,
)

_ATT_MTU = 247
_EMPTY_MV, _FULL_MV = 3300, 4150
_ADDRESS = {"head": "C0:FF:EE:00:00:01", "trunk": "C0:FF:EE:00:00:02"}


@dataclass(frozen=True, slots=True)
class RadioSpec:
    """How good the simulated radio is; the default is a good one."""

    interval_s: float = 0.015
    """Connection interval: notifications leave only at connection events."""
    jitter_s: float = 0.002
    """Standard deviation of the delay from connection event to this program."""
    loss: float = 0.0
    """Share of live notifications that get lost between the radio and this program."""
    drop_every_s: float = 0.0
    """Mean time between link losses; 0: none."""
    rssi_dbm: int = -58
    seed: int = 7


class SimulatedConnection:
    """One link to one virtual sensor."""

    def __init__(
        self,
        body: VirtualBody,
        worn: WornSensor,
        radio: RadioSpec,
        rng: random.Random,
        on_disconnect: DisconnectCallback,
    ) -> None:
        self._body = body
        self._worn = worn
        self.radio = radio
        self._rng = rng
        self._on_disconnect = on_disconnect
        self._callbacks: dict[str, NotifyCallback] = {}
        self._task: asyncio.Task[None] | None = None
        self._drop_at = (
            time.monotonic() + rng.expovariate(1.0 / radio.drop_every_s)
            if radio.drop_every_s > 0.0
            else None
        )
        self.lost = 0
        """Notifications that the simulated radio lost."""
        self.muted = False
        """A zombie: connected, but nothing comes any more."""

    def open(self) -> None:
        """Begin the link and its connection events."""
        self._worn.sensor.connect(
            att_mtu=_ATT_MTU, interval_1250us=round(self.radio.interval_s / 0.00125)
        )
        self._task = asyncio.create_task(self._events())

    @property
    def alive(self) -> bool:
        """Whether the link stands."""
        return self._task is not None

    @property
    def address(self) -> str:
        """Address of the sensor."""
        return _ADDRESS[self._worn.role]

    @property
    def name(self) -> str | None:
        """Advertised name."""
        return self._worn.sensor.model.serial

    @property
    def service_uuids(self) -> frozenset[str]:
        """Services of the sensor."""
        return frozenset({SERVICE_UUID, DEVICE_INFORMATION_UUID, BATTERY_SERVICE_UUID})

    def has_characteristic(self, uuid: str) -> bool:
        """Return whether the sensor has a characteristic."""
        return uuid in CHARACTERISTIC_BY_UUID or uuid in self._information()

    def max_write_size(self, uuid: str) -> int:
        """Return the bytes that fit one write."""
        del uuid
        return _ATT_MTU - 3

    async def read(self, uuid: str) -> bytes:
        """Read a characteristic."""
        await self._turn()
        information = self._information()
        if uuid in information:
            return information[uuid].encode()
        with self._att_errors():
            return self._worn.sensor.read(uuid, self._device_us())

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        """Write a characteristic; what the sensor sends at once follows at the next event."""
        await self._turn()
        self._body.advance(self._worn.role)
        streaming = self._worn.sensor.live is not None
        with self._att_errors():
            answers = self._worn.sensor.write(uuid, data, self._device_us())
        if self._worn.sensor.live is not None and not streaming:
            self._body.started()
        if response:
            await self._turn()
        for answer in answers:
            self._deliver(answer.uuid, answer.data)

    async def subscribe(self, uuid: str, callback: NotifyCallback) -> None:
        """Switch notifications on."""
        await self._turn()
        with self._att_errors():
            self._worn.sensor.set_subscribed(uuid, on=True, now_us=self._device_us())
        self._callbacks[uuid] = callback

    async def unsubscribe(self, uuid: str) -> None:
        """Switch notifications off."""
        await self._turn()
        with self._att_errors():
            self._worn.sensor.set_subscribed(uuid, on=False, now_us=self._device_us())
        self._callbacks.pop(uuid, None)

    async def battery_percent(self) -> int | None:
        """Return the standard battery level."""
        await self._turn()
        share = (self._worn.sensor.battery_mv - _EMPTY_MV) / (_FULL_MV - _EMPTY_MV)
        return round(100 * min(max(share, 0.0), 1.0))

    async def disconnect(self) -> None:
        """End the link."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self._worn.sensor.disconnect()

    def drop(self) -> None:
        """Lose the link, as out of range."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        self._worn.sensor.disconnect()
        self._on_disconnect()

    def _information(self) -> dict[str, str]:
        model = self._worn.sensor.model
        return {
            MANUFACTURER_UUID: model.manufacturer,
            MODEL_UUID: model.name,
            SERIAL_UUID: model.serial,
            FIRMWARE_UUID: model.firmware,
            HARDWARE_UUID: model.hardware,
        }

    def _device_us(self) -> int:
        return self._body.device_us(self._worn.role)

    async def _turn(self) -> None:
        """Wait as an ATT operation does, for the next connection event."""
        await asyncio.sleep(self._rng.uniform(0.0, self.radio.interval_s) / self._body.speed)
        if not self.alive:
            raise LinkLostError("The link was lost.", address=self.address)

    @contextlib.contextmanager
    def _att_errors(self) -> Iterator[None]:
        try:
            yield
        except AttRejectedError as error:
            raise GattError(str(error), address=self.address, att_code=error.code) from error

    async def _events(self) -> None:
        while True:
            late = abs(self._rng.gauss(0.0, self.radio.jitter_s))
            await asyncio.sleep((self.radio.interval_s + late) / self._body.speed)
            if self._drop_at is not None and time.monotonic() > self._drop_at:
                asyncio.get_running_loop().call_soon(self.drop)
                return
            self._body.advance(self._worn.role)
            for sent in self._worn.sensor.due(self._device_us()):
                if sent.uuid == STREAM_UUID and self._rng.random() < self.radio.loss:
                    self.lost += 1
                    continue
                self._deliver(sent.uuid, sent.data)

    def _deliver(self, uuid: str, data: bytes) -> None:
        callback = self._callbacks.get(uuid)
        if callback is not None and not self.muted:
            callback(data)


class SimulatedTransport:
    """A radio that hears the two sensors of a `VirtualBody`.

    Parameters
    ----------
    body : VirtualBody
    radio : RadioSpec
    """

    def __init__(self, body: VirtualBody, radio: RadioSpec | None = None) -> None:
        self.body = body
        self.radio = radio or RadioSpec()
        self.connections: dict[Role, SimulatedConnection] = {}
        # reproducible jitter; it needs no secrecy
        self._rng = random.Random(self.radio.seed)  # noqa: S311

    async def adapter_state(self) -> AdapterStatus:
        """Return that all is well."""
        return AdapterStatus(AdapterState.READY, "Virtual sensors, no Bluetooth.", name="simulated")

    async def scan(
        self,
        service_uuids: Collection[str],
        *,
        duration_s: float,
        until: Callable[[Advertisement], bool] | None = None,
    ) -> list[Advertisement]:
        """Hear every sensor that is not connected."""
        heard = []
        for role, worn in self.body.worn.items():
            await asyncio.sleep(min(0.05, duration_s) / self.body.speed)
            if worn.sensor.connected or (service_uuids and SERVICE_UUID not in service_uuids):
                continue
            advertisement = Advertisement(
                address=_ADDRESS[role],
                name=worn.sensor.model.serial,
                rssi_dbm=self.radio.rssi_dbm + round(self._rng.gauss(0.0, 2.0)),
                service_uuids=frozenset({SERVICE_UUID}),
                handle=role,
            )
            heard.append(advertisement)
            if until is not None and until(advertisement):
                break
        return heard

    async def connect(
        self,
        advertisement: Advertisement,
        *,
        timeout_s: float,
        on_disconnect: DisconnectCallback,
        pair: bool = False,
    ) -> SimulatedConnection:
        """Connect to one of the two sensors."""
        del pair
        worn = next((w for r, w in self.body.worn.items() if r == advertisement.handle), None)
        if worn is None or worn.sensor.connected:
            raise ConnectFailedError(
                "No virtual sensor waits at this address.", address=advertisement.address
            )
        await asyncio.sleep(min(0.1, timeout_s) / self.body.speed)
        connection = SimulatedConnection(self.body, worn, self.radio, self._rng, on_disconnect)
        connection.open()
        self.connections[worn.role] = connection
        return connection

    async def disconnect_stale(self, addresses: Collection[str]) -> list[str]:
        """Return that nobody left a link behind: virtual sensors end with their process."""
        del addresses
        return []

    async def forget(self, address: str) -> None:
        """Do nothing: this radio keeps nothing about its devices."""

    async def reset_adapter(self) -> bool:
        """Return that there is nothing to switch off."""
        return False

    def change_radio(self, radio: RadioSpec) -> None:
        """Make the radio better or worse, for standing links too."""
        self.radio = radio
        for connection in self.connections.values():
            connection.radio = radio

    def drop_link(self, role: Role) -> None:
        """Lose one link; the sensor goes on recording."""
        if role in self.connections:
            self.connections[role].drop()

    def reboot(self, role: Role) -> None:
        """Reset one sensor; that ends its link too."""
        self.body.reboot(role)
        self.drop_link(role)
