"""Storage: bytes of a day, speed of the record and of line protocol."""

import functools
import importlib
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from influxdb_client.client.write.point import Point
from numpy.typing import NDArray

from processing import synthesis
from storage.line_protocol import columns_to_bodies, prefix
from storage.record import Anchors, Channel, DirectWriter, RecordReader, StreamInfo, verify
from storage.result_rows import ANGLE_FIELDS, SECOND_NS

SIMULATED_S = 1800.0
DAY_S = 86_400.0
PER_PACKET = 10
JITTER_NS = 4_000_000
T0_NS = 1_700_000_000 // 60 * 60 * SECOND_NS
MB = 1e6


def measure(echo: Callable[[str], None]) -> None:
    """Print everything."""
    _record(echo)
    _line_protocol(echo)


def _record(echo: Callable[[str], None]) -> None:
    made = synthesis.simulate(
        synthesis.PatientSpec(head_sensor=synthesis.SENSOR_A, trunk_sensor=synthesis.SENSOR_A),
        seed=1,
        duration_s=SIMULATED_S,
        truth=False,
    )
    days = SIMULATED_S / DAY_S
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with DirectWriter(folder) as writer:
            for role, counts in (("head", made.head_counts), ("trunk", made.trunk_counts)):
                info = StreamInfo(
                    patient="bench",
                    device_id=role,
                    boot=1,
                    role="head" if role == "head" else "trunk",
                    kind="imu",
                    channels=tuple(
                        Channel(f"{kind}_{axis}", "1") for kind in ("acc", "gyr") for axis in "xyz"
                    ),
                    rate_hz=made.rate_hz,
                    device_clock_hz=1e6,
                )
                at = np.arange(0, len(counts), PER_PACKET, dtype=np.int64)
                ticks = np.floor(at * (1e6 / made.rate_hz * 1.00002)).astype(np.int64)
                late = np.abs(rng.normal(0.0, JITTER_NS, len(at))).astype(np.int64)
                host = T0_NS + np.rint(at * (1e9 / made.rate_hz)).astype(np.int64) + late
                writer.seal_direct(
                    writer.open_stream(info),
                    counts,
                    first_index=0,
                    anchors=Anchors(at, ticks, host),
                )
        wrote_s = time.perf_counter() - started
        size = sum(f.stat().st_size for f in Path(folder).glob("raw/**/*.parquet"))
        started = time.perf_counter()
        with RecordReader(folder) as reader:
            samples = sum(
                len(chunk.index) for s in reader.streams() for chunk in reader.samples(s.id)
            )
        read_s = time.perf_counter() - started
        started = time.perf_counter()
        ok = verify(folder)["ok"]
        verify_s = time.perf_counter() - started
    counts = np.concatenate([made.head_counts, made.trunk_counts])
    plain = io.BytesIO()
    names = [f"c{k}" for k in range(6)]
    pq.write_table(pa.table({n: counts[:, k] for k, n in enumerate(names)}), plain)
    echo(f"a worn day, two sensors of kind A, {made.rate_hz:g} Hz (from {SIMULATED_S:g} s), MB")
    echo(f"  sealed segments       {size / days / MB:8.1f}   target at most 100")
    echo(f"  default Parquet       {plain.tell() / days / MB:8.1f}   samples only")
    echo(f"  raw int16             {counts.nbytes / days / MB:8.1f}   samples only")
    echo(
        f"  sealing {samples / wrote_s / 1e6:.1f} M samples/s, reading with checksums "
        f"{samples / read_s / 1e6:.1f}, verify {samples / verify_s / 1e6:.1f} (ok: {ok})"
    )


def _line_protocol(echo: Callable[[str], None]) -> None:
    n = 100_000
    rng = np.random.default_rng(0)
    values = rng.normal(0.0, 30.0, (n, len(ANGLE_FIELDS)))
    t = T0_NS + np.arange(n) * SECOND_NS
    head = prefix("head_angle", {"patient": "p1", "algo": "1-0123abcd"})
    echo("line protocol, M points/s of processor time (best of 5)")
    for width, target in ((3, 5.0), (len(ANGLE_FIELDS), 1.5)):
        columns = np.ascontiguousarray(values[:, :width])
        list(columns_to_bodies(head, ANGLE_FIELDS[:width], columns[:10], t[:10]))
        rate = n / _best(functools.partial(_consume, head, columns, t, width)) / 1e6
        echo(f"  kernel, {width:2d} fields       {rate:8.2f}   target at least {target:g}")
    few = 5000
    rate = few / _best(lambda: _points(values[:few], t[:few])) / 1e6
    echo(f"  Point, 3 fields         {rate:8.2f}")
    try:
        pd = importlib.import_module("pandas")
        frames = importlib.import_module("influxdb_client.client.write.dataframe_serializer")
        clients = importlib.import_module("influxdb_client.client.write_api")
    except ImportError:
        echo("  DataFrame, 3 fields        -      (pandas is not installed)")
        return
    frame = pd.DataFrame(values[:, :3], columns=list(ANGLE_FIELDS[:3]), index=pd.to_datetime(t))
    rate = n / _best(
        lambda: frames.data_frame_to_list_of_points(
            frame, clients.PointSettings(), data_frame_measurement_name="head_angle"
        )
    )
    echo(f"  DataFrame, 3 fields     {rate / 1e6:8.2f}")


def _consume(head: bytes, values: NDArray[np.float64], t: NDArray[np.int64], width: int) -> int:
    return sum(len(body) for body, _ in columns_to_bodies(head, ANGLE_FIELDS[:width], values, t))


def _points(values: NDArray[np.float64], t: NDArray[np.int64]) -> list[str]:
    return [
        Point("head_angle")
        .tag("patient", "p1")
        .tag("algo", "a")
        .field("flexion_deg", row[0])
        .field("lateral_right_deg", row[1])
        .field("rotation_right_deg", row[2])
        .time(at)
        .to_line_protocol()
        for row, at in zip(values[:, :3].tolist(), t.tolist(), strict=True)
    ]


def _best(work: Callable[[], object], rounds: int = 5) -> float:
    times = []
    for _ in range(rounds):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return min(times)


if __name__ == "__main__":
    measure(print)
