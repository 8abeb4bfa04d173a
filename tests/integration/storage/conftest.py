"""A real InfluxDB 2.x for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.support.influx import InfluxServer, NoServerError, running_server


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """Yield a real InfluxDB 2.x, or skip with the reason."""
    try:
        with running_server(tmp_path_factory.mktemp("influxd")) as server:
            yield server
    except NoServerError as reason:
        pytest.skip(str(reason))
