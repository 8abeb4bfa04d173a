"""The researcher's page, run as it stands: a week into pandas and polars, from a real server."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processing.summary.types import DaySummary
from storage.catalog import Catalog, Device, Patient
from storage.embedded import EmbeddedStore
from storage.record.direct import DirectWriter
from storage.record.types import Anchors, Channel, StreamInfo
from storage.result_rows import ANGLE_FIELDS, AngleSeries, ResultBatch
from tests.unit.api.conftest import ALGO, T0_NS, filled

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "research.md"
NECKTRACE = (sys.executable, "-c", "from api.cli import main; main()")
DAY_NS = 86_400 * 10**9
DAYS = 8
ROWS = 2000
RATE_HZ = 100.0


def fill(folder: Path) -> None:
    """Eight days, each with twenty seconds of samples and angles, and a summary."""
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "Europe/Berlin"))
        catalog.save_device(Device("NT-1", "p1", "head"))
        catalog.start_wear("p1", T0_NS - DAYS * DAY_NS, alignment_id="a1")
    channels = tuple(
        Channel(f"{kind}_{axis}", unit, scale=scale)
        for kind, unit, scale in (("acc", "m/s^2", 0.01), ("gyr", "rad/s", 0.001))
        for axis in "xyz"
    )
    at = np.arange(0, ROWS, 20, dtype=np.int64)
    with DirectWriter(folder) as writer:
        for day in range(DAYS):
            info = StreamInfo(
                patient="p1", device_id="NT-1", boot=day + 1, role="head", kind="imu",
                rate_hz=RATE_HZ, channels=channels, device_clock_hz=1e6,
            )  # fmt: skip
            data = np.tile(np.array([0, 0, 981, 1, 2, 3], np.int16), (ROWS, 1))
            start_ns = T0_NS + (day - DAYS + 1) * DAY_NS
            writer.seal_direct(
                writer.open_stream(info),
                data,
                first_index=0,
                anchors=Anchors(at, at * 10_000, start_ns + at * 10_000_000),
            )
    store = EmbeddedStore(folder)
    store.book.register("p1", ALGO, version="1", params_hash="00000000", params={})
    for day in range(DAYS):
        t_ns = T0_NS + (day - DAYS + 1) * DAY_NS + np.arange(20, dtype=np.int64) * 10**9
        values = np.full((20, len(ANGLE_FIELDS)), 1.0)
        values[:, ANGLE_FIELDS.index("rotation_right_deg")] = 10.0 + day
        midnight_ns = int(t_ns[0]) - 9 * 3600 * 10**9
        summary = filled(
            DaySummary, date=(date(2026, 11, 20) + timedelta(days=day - DAYS + 1)).isoformat(),
            t_ns=midnight_ns, end_ns=midnight_ns + DAY_NS, worn_s=7 * 3600.0, reasons=(),
        )  # fmt: skip
        store.put(ResultBatch("p1", ALGO, angles=AngleSeries(t_ns, 1, values), days=[summary]))
    store.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A real server, and a token made by the line that the page shows."""
    folder = tmp_path_factory.mktemp("research") / "record"
    fill(folder)
    environment = {**os.environ, "NECKTRACE_DATA_DIR": str(folder), "NECKTRACE_PORT": "0"}
    (line,) = re.findall(r"^necktrace (token add .*)$", PAGE.read_text(encoding="utf-8"), re.M)
    made = subprocess.run(
        [*NECKTRACE, *line.split(), "--json"], env=environment, check=True, capture_output=True
    )
    token = str(json.loads(made.stdout)["token"])
    with subprocess.Popen(
        [*NECKTRACE, "serve"], env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1].rstrip("/")
        try:
            yield url, token
        finally:
            server.terminate()


def test_the_page_pulls_a_week(
    served: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    monkeypatch.setenv("NECKTRACE_URL", served[0])
    monkeypatch.setenv("NECKTRACE_TOKEN", served[1])
    seen: dict[str, Any] = {}
    exec(compile(code, PAGE.name, "exec"), seen)
    raw, angles, days = seen["raw"], seen["angles"], seen["days"]
    assert len(raw) == 7 * ROWS
    np.testing.assert_allclose(raw["acc_z_ms2"], 9.81)
    np.testing.assert_allclose(raw["gyr_y_rads"], 0.002)
    assert (np.diff(raw["t_ns"]) > 0).all()
    assert angles.height == 7 * 20
    assert seen["by_hour"]["rotation_right_deg"].to_list() == [11, 12, 13, 14, 15, 16, 17]
    assert len(days) == DAYS
    assert set(days["algo"]) == {ALGO}
    assert seen["provenance"]["alignment_ids"] == "a1"
    assert seen["units"]["gyr_x_rads"] == "radian/second"
    # the token is pseudonymous: neither name nor date is the true one
    assert seen["person"]["patient_id"].startswith("s-")
    assert raw["t_ns"].max() < T0_NS - 6 * DAY_NS
    assert "2026-11-20" not in capsys.readouterr().out


@pytest.mark.parametrize("secret", ["", "Bearer ntk_guessed", "Bearer ", "Basic b3duZXI6"])
def test_a_wrong_token_gets_nothing(served: tuple[str, str], secret: str) -> None:
    url, token = served
    tries = [secret] if secret else [f"Bearer {token}x", f"Bearer {token[:-1]}", token]
    for path in ("/cohort", "/patients", "/patients/p1/raw/head", "/patients/p1/exports/angles"):
        for value in tries:
            request = urllib.request.Request(
                f"{url}/api/v1{path}", headers={"Authorization": value}
            )
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            with refused.value as answer:
                assert answer.code == 401
                said = json.loads(answer.read())
            assert set(said) == {"type", "title", "status", "detail", "instance"}
