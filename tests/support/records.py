"""Small streams and packets whose every sample says which index it belongs to."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.record import Channel, Packet, RecordReader, StreamInfo

T0_NS = 1_700_000_000_000_000_000
RATE_HZ = 104.0


def imu(
    device: str = "AA:BB:CC:DD:EE:01",
    boot: int = 1,
    *,
    patient: str = "p1",
    channels: int = 6,
    rate_hz: float = RATE_HZ,
    host_index: bool = False,
) -> StreamInfo:
    """Return a stream of int16 channels at 104 Hz with a microsecond clock."""
    names = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")[:channels]
    return StreamInfo(
        patient=patient,
        device_id=device,
        boot=boot,
        role="head",
        kind="imu",
        channels=tuple(Channel(name, "1", "int16", 0.5) for name in names),
        rate_hz=rate_hz,
        index_source="host" if host_index else "device",
        device_clock_hz=1e6,
    )


def values(index: NDArray[np.int64], channels: int = 6) -> NDArray[np.int16]:
    """Return (n, c) samples that follow from their index alone."""
    column = np.arange(channels, dtype=np.int64)
    return ((index[:, None] * 7 + column * 1000) % 30011).astype(np.int16)


def packet(
    index: int, n: int, *, channels: int = 6, host_ns: int | None = None, ticks: bool = True
) -> Packet:
    """Return a packet whose content, device time and arrival follow from its index."""
    rows = np.arange(index, index + n, dtype=np.int64)
    return Packet(
        index=index,
        device_ticks=round(index * 1e6 / RATE_HZ) if ticks else None,
        host_ns=T0_NS + round((index + n) * 1e9 / RATE_HZ) if host_ns is None else host_ns,
        data=values(rows, channels),
    )


def held(folder: Path, stream_id: int) -> dict[int, tuple[int, ...]]:
    """Return everything a reader serves, by index; an index served twice fails."""
    found: dict[int, tuple[int, ...]] = {}
    with RecordReader(folder) as reader:
        for chunk in reader.samples(stream_id):
            for index, row in zip(chunk.index.tolist(), chunk.data.tolist(), strict=True):
                assert index not in found, f"sample {index} is served twice"
                found[index] = tuple(row)
    return found


def expected(indices: set[int], channels: int = 6) -> dict[int, tuple[int, ...]]:
    """Return what a reader must serve for these indices."""
    rows = np.array(sorted(indices), dtype=np.int64)
    data = values(rows, channels).tolist()
    return {index: tuple(row) for index, row in zip(rows.tolist(), data, strict=True)}
