"""A pairing agent for the pairing window on Linux.

Without an agent BlueZ cannot pair: encrypted reads hang, time out or fail. Ours is registered only
while somebody pairs, and says yes only to the sensor that is being paired.
"""

import contextlib
import logging
from collections.abc import AsyncIterator

from dbus_fast import Message, MessageType

from ingest.sources.bluez import DEVICE, call, objects, system_bus
from ingest.transport import Advertisement

_log = logging.getLogger(__name__)
_PATH = "/org/necktrace/agent"
_AGENT = "org.bluez.Agent1"
_MANAGER = "org.bluez.AgentManager1"
_CONSENTS = {"RequestAuthorization", "RequestConfirmation", "AuthorizeService"}
"""Questions that a sensor without display and keyboard leads to; the answer is yes or no."""


@contextlib.asynccontextmanager
async def pairing_window(
    address: str, *, capability: str = "NoInputNoOutput"
) -> AsyncIterator[None]:
    """Answer BlueZ's questions about one sensor for the length of a block.

    Parameters
    ----------
    address
        The only sensor whose pairing is confirmed.
    capability
        What this side can do; without input and output the pairing is "Just Works", which the
        sensor allows only inside its own window (button).

    Raises
    ------
    BluetoothError
        BlueZ does not accept the agent.
    """
    async with system_bus() as bus:
        bus.add_message_handler(lambda message: _answer(message, address))
        await call(bus, "/org/bluez", _MANAGER, "RegisterAgent", "os", [_PATH, capability])
        try:
            await call(bus, "/org/bluez", _MANAGER, "RequestDefaultAgent", "o", [_PATH])
            yield
        finally:
            with contextlib.suppress(Exception):
                # the window closes with the connection anyway
                await call(bus, "/org/bluez", _MANAGER, "UnregisterAgent", "o", [_PATH])


async def is_bonded(advertisement: Advertisement) -> bool:
    """Return whether the system has stored keys for a sensor."""
    async with system_bus() as bus:
        tree = await objects(bus)
    return any(
        bool(each.get(DEVICE, {}).get("Bonded"))
        for each in tree.values()
        if each.get(DEVICE, {}).get("Address") == advertisement.address
    )


def _answer(message: Message, address: str) -> Message | None:
    """Reply to a call of `org.bluez.Agent1`; None for messages of others."""
    if message.message_type is not MessageType.METHOD_CALL or message.interface != _AGENT:
        return None
    if message.member in {"Release", "Cancel", "DisplayPasskey", "DisplayPinCode"}:
        return Message.new_method_return(message)
    asked = str(message.body[0]) if message.body else ""
    ours = asked.endswith(address.replace(":", "_"))
    _log.info(
        "pairing: BlueZ asks %s for %s",
        message.member,
        asked,
        extra={"event": "pairing", "ours": ours},
    )
    if ours and message.member in _CONSENTS:
        return Message.new_method_return(message)
    return Message.new_error(message, "org.bluez.Error.Rejected", "Not the sensor being paired")
