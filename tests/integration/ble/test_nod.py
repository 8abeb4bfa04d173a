"""Which sensor is on the head: by a nod, through bleak, with the makes people have."""

import time
from typing import Any

import pytest

from ingest.errors import NodUnclearError
from ingest.nod import NodVerdict, assign_by_nod
from ingest.pairing import PairedSensor, pair_sensor
from tests.integration.ble.conftest import FAST, HEAD, REGISTRY, TRUNK, Bluez, Rig

PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"kind": "movesense", "serial": "174030000001"},
        {"kind": "movesense", "serial": "174030000002"},
    ),
    ({"kind": "capture2go"}, {"kind": "polar"}),
    ({"kind": "v1", "device_id": "0000000000000001"}, {"kind": "witmotion"}),
]


async def both(rig: Rig) -> tuple[PairedSensor, PairedSensor]:
    """Pair both, the one on the trunk first: their order must not matter."""
    one, other = [
        await pair_sensor(
            rig.transport, REGISTRY, address, monotonic_ns=time.monotonic_ns, scan_s=1.0
        )
        for address in (TRUNK, HEAD)
    ]
    return one, other


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0]["kind"])
async def test_the_one_that_nods_is_on_the_head_and_a_doubt_is_asked_again(
    bluez: Bluez, rig: Rig, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    daemon = bluez(*(made | {"address": a} for made, a in zip(pair, (HEAD, TRUNK), strict=True)))
    daemon.command("move", address=HEAD, kind="still", gyr_dps=(4.0, -9.0, 2.0))
    daemon.command("move", address=TRUNK, kind="still")
    before: list[NodVerdict | None] = []

    async def ask(_number: int, verdict: NodVerdict | None) -> None:
        before.append(verdict)
        if verdict is not None:
            daemon.command("move", address=HEAD, kind="nod", degrees=8.0)

    found = await assign_by_nod(
        rig.transport, REGISTRY, await both(rig), ask, watch_s=2.5, limits=FAST
    )
    assert (found.head.address, found.trunk.address) == (HEAD, TRUNK)
    # what a Polar holds back of the stillness before may make the first nod one to repeat
    assert before[:2] == [None, NodVerdict.STILL]
    for address in (HEAD, TRUNK):
        assert not daemon.command("connected", address=address)


async def test_two_in_one_hand_are_never_told_apart(bluez: Bluez, rig: Rig) -> None:
    one, other = PAIRS[0]
    daemon = bluez(one | {"address": HEAD}, other | {"address": TRUNK})
    for address in (HEAD, TRUNK):
        daemon.command("move", address=address, kind="nod")
    asked: list[NodVerdict | None] = []

    async def ask(_number: int, verdict: NodVerdict | None) -> None:
        asked.append(verdict)

    with pytest.raises(NodUnclearError, match="moved alike") as caught:
        await assign_by_nod(rig.transport, REGISTRY, await both(rig), ask, watch_s=1.0, limits=FAST)
    assert asked == [None, NodVerdict.BOTH, NodVerdict.BOTH]
    assert "--role head" in caught.value.remedy


async def test_a_sensor_without_gyroscope_is_the_trunks_without_a_nod(
    bluez: Bluez, rig: Rig
) -> None:
    h10 = {"kind": "polar", "name": "Polar H10 12345678", "gyroscope": False}
    bluez({"kind": "movesense", "address": HEAD}, h10 | {"address": TRUNK})

    async def ask(_number: int, _verdict: NodVerdict | None) -> None:
        raise AssertionError("there is nothing to ask")

    found = await assign_by_nod(rig.transport, REGISTRY, await both(rig), ask)
    assert found.trunk.identity.driver == "polar"
