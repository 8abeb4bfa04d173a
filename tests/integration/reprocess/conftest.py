"""A folder with three worn days, made once."""

import shutil
from pathlib import Path

import pytest

from ingest.warm_up import compile_chain
from processing.pipeline import PipelineParams
from tests.support.collecting import plain_setup
from tests.support.worn_record import wear_days


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile the chain once: a running collector must not wait for a compiler."""
    compile_chain(PipelineParams(), plain_setup())


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
