"""Our own sensor with the C library as its firmware: the same peripheral around a process."""

import subprocess
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.definition import RateCode
from firmware_protocol.device import Outgoing, SensorSettings, VirtualSensor
from firmware_protocol.device.flash import PAGE_SAMPLES
from firmware_protocol.errors import AttRejectedError
from firmware_protocol.gatt import CHARACTERISTIC_BY_UUID
from tests.support.bluez.sensors.v1 import V1Peripheral

_UUID_OF = {c.short: uuid for uuid, c in CHARACTERISTIC_BY_UUID.items()}


@dataclass(frozen=True)
class _State:
    rate: RateCode
    recording: bool
    streaming: bool
    next_index: int
    boot_counter: int


class CSensor:
    """The part of `VirtualSensor` that a peripheral uses, answered by a running `nt_host`."""

    def __init__(self, program: str, like: VirtualSensor) -> None:
        model = like.model
        pages = model.flash_samples // PAGE_SAMPLES
        numbers = (
            pages,
            int(model.features),
            like.boot_counter,
            int(like.settings.rate),
            model.backfill_frames_per_s,
        )
        arguments = [program, *map(str, numbers), model.device_id.hex(), model.name]
        self._host = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._model = model
        self.connected = False

    def close(self) -> None:
        """End the process; it ends by itself at the end of its input."""
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        self._host.stdin.close()
        self._host.stdout.close()
        self._host.wait(timeout=5)

    def __del__(self) -> None:
        self.close()

    def _call(self, line: str) -> tuple[list[Outgoing], list[str], str]:
        """Return what was sent, other lines, and the value read; an ATT error is raised."""
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        self._host.stdin.write(line + "\n")
        sent: list[Outgoing] = []
        others: list[str] = []
        for answer in self._host.stdout:
            words = answer.split()
            if words[0] == ">":
                sent.append(Outgoing(_UUID_OF[int(words[1])], bytes.fromhex(words[2])))
            elif words[0] == "=":
                if words[1] != "0":
                    raise AttRejectedError(int(words[1]), line[:40])
                return sent, others, words[2] if len(words) > 2 else ""
            else:
                others.append(answer)
        raise RuntimeError(f"the C sensor ended at {line[:80]!r}")

    def _state(self) -> _State:
        (line,) = self._call("state")[1]
        rate, recording, streaming, index, boot = map(int, line.split()[1:])
        return _State(RateCode(rate), bool(recording), bool(streaming), index, boot)

    @property
    def settings(self) -> SensorSettings:
        return SensorSettings(rate=self._state().rate)

    @property
    def boot_counter(self) -> int:
        return self._state().boot_counter

    @property
    def next_index(self) -> int:
        return self._state().next_index

    @property
    def recording(self) -> bool:
        return self._state().recording

    @property
    def live(self) -> object:
        return True if self._state().streaming else None

    @property
    def flash(self) -> Any:
        raise NotImplementedError("the C process does not tell which boots it stores")

    def connect(self, *, att_mtu: int) -> None:
        self._call(f"connect {att_mtu} 12")
        self.connected = True

    def disconnect(self) -> None:
        self._call("disconnect")
        self.connected = False

    def reboot(self) -> None:
        self._call(f"boot {self.boot_counter + 1}")
        self.connected = False

    def set_subscribed(self, uuid: str, *, on: bool, now_us: int) -> list[Outgoing]:
        return self._call(f"sub {CHARACTERISTIC_BY_UUID[uuid].short} {int(on)} {now_us}")[0]

    def read(self, uuid: str, now_us: int) -> bytes:
        del now_us
        return bytes.fromhex(self._call(f"read {CHARACTERISTIC_BY_UUID[uuid].short}")[2])

    def write(self, uuid: str, data: bytes, now_us: int) -> list[Outgoing]:
        short = CHARACTERISTIC_BY_UUID[uuid].short
        return self._call(f"write {short} {now_us} {data.hex() or '-'}")[0]

    def push_samples(
        self, counts: NDArray[np.int16], device_us: NDArray[np.uint64], *, flags: int = 0
    ) -> None:
        for at in range(0, counts.shape[0], 4096):
            times = device_us[at : at + 4096]
            words = " ".join(map(str, times.tolist()))
            data = counts[at : at + 4096].tobytes().hex()
            self._call(f"push {flags if at == 0 else 0} {times.size} {words} {data}")

    def due(self, now_us: int) -> list[Outgoing]:
        return self._call(f"due {now_us}")[0]


def make(device_id: str, *, program: str, **arguments: Any) -> V1Peripheral:
    peripheral = V1Peripheral(device_id, **arguments)
    peripheral.sensor = cast(VirtualSensor, CSensor(program, peripheral.sensor))
    return peripheral
