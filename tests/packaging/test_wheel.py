"""What goes into the wheel: five packages with their data, and nothing of the tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = {"firmware_protocol", "ingest", "storage", "processing", "api"}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return wheel.namelist()


@pytest.mark.slow
def test_only_our_packages(names: list[str]) -> None:
    top = {name.split("/")[0] for name in names}
    assert {part for part in top if not part.endswith(".dist-info")} == PACKAGES


@pytest.mark.slow
def test_every_package_is_typed(names: list[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)


@pytest.mark.slow
def test_every_tracked_source_file_is_there(names: list[str]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", *sorted(PACKAGES)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert tracked
    assert set(tracked) <= set(names)


@pytest.mark.slow
def test_the_pages_find_their_charts(names: list[str]) -> None:
    assert "api/web/static/vendor/uplot/uPlot.esm.js" in names
    assert "api/web/static/vendor/uplot/LICENSE" in names
