"""Pairs of two makes at two rates: worn, lost for a while, found again, through real bleak.

Looked at inside this process; the owner's whole way by the command line is in `test_cli`.
"""

from functools import partial
from typing import Any

import pytest

from ingest.candidates import SensorWish
from ingest.drivers import StreamStarted
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez, Rig

PAIRS = [
    ({"kind": "capture2go"}, {"kind": "polar"}),
    ({"kind": "movesense"}, {"kind": "movella_dot"}),
    ({"kind": "v1", "device_id": "0000000000000001"}, {"kind": "witmotion"}),
]


@pytest.mark.parametrize(("head", "trunk"), PAIRS, ids=lambda made: made["kind"])
async def test_both_are_lost_and_found_again(
    bluez: Bluez, rig: Rig, head: dict[str, Any], trunk: dict[str, Any]
) -> None:
    daemon = bluez(head | {"address": HEAD}, trunk | {"address": TRUNK})
    for role, address in (("head", HEAD), ("trunk", TRUNK)):
        rig.link(role, SensorWish(rate_hz=100.0, address=address))
    for role, address in (("head", HEAD), ("trunk", TRUNK)):
        await rig.streaming(role, packets=2)
        link, _ = rig.tasks[role]
        begun = len(_starts(rig, link.wish.device_id))
        daemon.faults(address, hidden=True)
        daemon.command("lose_link", address=address)
        await rig.listener.until(partial(_was_lost, rig, role))
        daemon.faults(address, hidden=False)
        await rig.listener.until(partial(_delivers_again, rig, link.wish.device_id, begun))
        # both quantities in one stream, so that there are angles
        names = {c.name for c in _starts(rig, link.wish.device_id)[-1].streams[0].channels}
        assert {"acc_x", "gyr_z"} <= names


def _was_lost(rig: Rig, role: str) -> bool:
    return ("backoff", "link_lost") in rig.listener.states(role)


def _delivers_again(rig: Rig, unit: str, begun: int) -> bool:
    """Whether the same unit has started again and sent samples since."""
    starts = _starts(rig, unit)
    if len(starts) <= begun:
        return False
    again = starts[-1]
    packets = rig.listener.packets(unit)
    return any(p.boot == again.boot and p.host_mono_ns > again.host_mono_ns for p in packets)


def _starts(rig: Rig, unit: str) -> list[StreamStarted]:
    return [s for s in rig.listener.of(StreamStarted) if s.device_id == unit]
