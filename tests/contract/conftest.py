"""Every test here runs on every store of results."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.embedded import EmbeddedStore
from storage.results import ResultStore


@pytest.fixture(params=["embedded"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ResultStore]:
    """Yield an empty store."""
    del request
    opened = EmbeddedStore(tmp_path)
    try:
        yield opened
    finally:
        opened.close()
