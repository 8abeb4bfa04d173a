"""A folder with three worn days, made once."""

import shutil
from pathlib import Path

import pytest

from tests.support.worn_record import wear_days


@pytest.fixture(scope="session")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that tests copy and never touch."""
    folder = tmp_path_factory.mktemp("worn") / "data"
    wear_days(folder, (130.0, 150.0, 110.0))
    return folder


@pytest.fixture
def data(three_days: Path, tmp_path: Path) -> Path:
    """Return a copy of three worn days."""
    return Path(shutil.copytree(three_days, tmp_path / "data"))
