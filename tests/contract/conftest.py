"""Every test here runs on every store of results."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.embedded import EmbeddedStore
from storage.influx_store import InfluxStore
from storage.results import ResultStore
from tests.support.influx import InfluxServer, NoServerError, drop_buckets, running_server


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """Yield a real InfluxDB 2.x, or skip with the reason."""
    try:
        with running_server(tmp_path_factory.mktemp("influxd")) as server:
            yield server
    except NoServerError as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["embedded", pytest.param("influx", marks=pytest.mark.influx)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ResultStore]:
    """Yield an empty store."""
    if request.param == "embedded":
        embedded = EmbeddedStore(tmp_path)
        yield embedded
        embedded.close()
        return
    server: InfluxServer = request.getfixturevalue("influx_server")
    settings = server.fresh()
    influx = InfluxStore(tmp_path, settings)
    influx.prepare()
    try:
        yield influx
    finally:
        influx.close()
        drop_buckets(settings)
