"""InfluxDB for real: what set-up errors say, and delivery through every misfortune."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from influxdb_client import BucketRetentionRules, InfluxDBClient, Permission, PermissionResource

from storage.catalog import Catalog, Patient
from storage.embedded import EmbeddedStore
from storage.errors import ServerRefusedError, ServerSetupError, ServerUnreachableError
from storage.influx import LIVE_BUCKET, RESULT_BUCKET, InfluxConnection, InfluxSettings
from storage.influx_store import InfluxStore
from storage.outbox import Entry, dead_letters, enqueue, requeue
from storage.result_rows import SECOND_NS, ResultBatch
from tests.support.fault_proxy import FaultProxy
from tests.support.feeding_store import batch
from tests.support.influx import InfluxServer, drop_buckets
from tests.support.results import ALGO, T0_NS, seconds
from tests.support.served_folder import ServedFolder

pytestmark = pytest.mark.influx

ROOT = Path(__file__).parents[3]
HOUR_NS = 3600 * SECOND_NS


@pytest.fixture
def settings(influx_server: InfluxServer) -> Iterator[InfluxSettings]:
    fresh = influx_server.fresh()
    yield fresh
    drop_buckets(fresh)


def complaint(settings: InfluxSettings) -> str:
    connection = InfluxConnection(settings)
    try:
        with pytest.raises(ServerSetupError) as caught:
            connection.prepare()
    finally:
        connection.close()
    return str(caught.value)


def test_set_up_creates_the_buckets_with_their_retention(settings: InfluxSettings) -> None:
    connection = InfluxConnection(replace(settings, live_retention_days=400))
    assert connection.prepare().lstrip("v").startswith("2.")
    assert connection.retention_s(LIVE_BUCKET) == 400 * 86_400
    assert connection.retention_s(RESULT_BUCKET) == 0
    connection.prepare()  # a second start finds everything
    connection.close()


def test_the_retention_of_angles_is_told(tmp_path: Path, settings: InfluxSettings) -> None:
    store = InfluxStore(tmp_path, replace(settings, live_retention_days=50))
    store.prepare()
    assert store.delivery().angles_expire_s == 50 * 86_400
    store.close()
    # What the server says counts, not our setting.
    store = InfluxStore(tmp_path, settings)
    store.prepare()
    assert store.delivery().angles_expire_s == 50 * 86_400
    store.close()


def test_a_wrong_token_is_said(settings: InfluxSettings) -> None:
    assert "token" in complaint(replace(settings, token="wrong"))


def test_a_wrong_organisation_is_said(settings: InfluxSettings) -> None:
    said = complaint(replace(settings, org="nobody"))
    assert "organisation 'nobody'" in said
    assert "influx org list" in said


def test_a_missing_bucket_that_may_not_be_created_is_said(settings: InfluxSettings) -> None:
    with InfluxDBClient(settings.url, settings.token, org=settings.org) as client:
        org = client.organizations_api().find_organizations(org=settings.org)[0]
        reading = [
            Permission("read", PermissionResource(type="buckets", org_id=org.id)),
            Permission("read", PermissionResource(type="orgs", id=org.id)),
        ]
        limited = client.authorizations_api().create_authorization(
            org_id=org.id, permissions=reading
        )
    said = complaint(replace(settings, token=limited.token))
    assert "may not create it" in said
    assert settings.bucket(LIVE_BUCKET) in said


def test_a_retention_shorter_than_the_longest_offline_time_is_said(
    settings: InfluxSettings,
) -> None:
    with InfluxDBClient(settings.url, settings.token, org=settings.org) as client:
        client.buckets_api().create_bucket(
            bucket_name=settings.bucket(LIVE_BUCKET),
            retention_rules=[BucketRetentionRules(type="expire", every_seconds=7 * 86_400)],
        )
    said = complaint(settings)
    assert "keeps only 7 days" in said
    assert "influx bucket update --retention 400d" in said


def test_a_server_that_is_not_there_is_said() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    connection = InfluxConnection(InfluxSettings(url, "t", "o"))
    with pytest.raises(ServerUnreachableError, match="does not answer"):
        connection.prepare()
    with pytest.raises(ServerUnreachableError):
        connection.select(LIVE_BUCKET, "SELECT 1")
    connection.close()


def test_a_bad_query_is_the_servers_word(settings: InfluxSettings) -> None:
    connection = InfluxConnection(settings)
    connection.prepare()
    with pytest.raises(ServerRefusedError, match="refused a query"):
        connection.select(LIVE_BUCKET, "SELECT FROM nothing at all")
    connection.close()


def test_reading_a_bucket_that_went_missing_says_so(settings: InfluxSettings) -> None:
    connection = InfluxConnection(replace(settings, bucket_prefix="not_made_"))
    with pytest.raises(ServerSetupError, match="missing"):
        connection.select(LIVE_BUCKET, 'SELECT "valid" FROM "head_angle"')
    connection.close()


def test_a_refused_point_is_a_dead_letter_and_can_be_sent_again(
    tmp_path: Path, settings: InfluxSettings
) -> None:
    store = InfluxStore(tmp_path, settings)
    store.prepare()
    store.put(ResultBatch("p1", ALGO, angles=seconds(0, 5)))
    assert store.drain(30.0)
    # A text where the server has a number: a type conflict, in the middle of good lines.
    good, bad = b"head_angle,algo=x,patient=q valid=1 %d\n", b'head_angle,a=b valid="text" %d\n'
    lines = b"".join([*(good % (T0_NS + k) for k in range(10)), bad % T0_NS, good % (T0_NS + 99)])
    enqueue(store.book.connection, [Entry("q", LIVE_BUCKET, "write", lines, 12, T0_NS)])
    assert store.drain(30.0)
    assert store.delivery().dead_points == 1
    (letter,) = dead_letters(store.book.connection)
    assert letter.body == bad % T0_NS
    assert "conflict" in letter.reason
    counted = store.server.select(
        LIVE_BUCKET, "SELECT count(\"valid\") FROM head_angle WHERE patient='q'"
    )
    assert counted.column("count").to_pylist() == [11]
    assert requeue(store.book.connection) == 1
    assert store.drain(30.0)
    assert store.delivery().dead_points == 1  # it is as bad as before
    store.close()


def test_what_waited_for_a_server_that_was_down_arrives(
    tmp_path: Path, influx_server: InfluxServer, settings: InfluxSettings
) -> None:
    if influx_server.process is None:
        pytest.skip("this server was not started by the tests and must not be killed")
    store = InfluxStore(tmp_path, settings)
    store.prepare()
    store.put(ResultBatch("p1", ALGO, angles=seconds(0, 20)))
    assert store.drain(30.0)
    influx_server.kill()
    try:
        store.put(ResultBatch("p1", ALGO, angles=seconds(20, 20)))
        assert not store.drain(1.0)
        waiting = store.delivery()
        assert waiting.backlog_points == 20
        assert waiting.oldest_ns is not None
        assert "does not answer" in waiting.error
        with pytest.raises(ServerUnreachableError):
            store.angles("p1", T0_NS, T0_NS + HOUR_NS)
    finally:
        influx_server.start()
    assert store.drain(90.0)
    assert len(store.angles("p1", T0_NS, T0_NS + HOUR_NS).t_ns) == 40
    assert store.delivery().error == ""
    store.close()


@pytest.mark.parametrize(
    ("batches", "kills"),
    [(60, 2), pytest.param(720, 12, marks=pytest.mark.soak)],
    ids=["short", "long"],
)
def test_half_the_requests_fail_and_everybody_is_killed(
    tmp_path: Path,
    influx_server: InfluxServer,
    settings: InfluxSettings,
    batches: int,
    kills: int,
) -> None:
    """InfluxDB ends equal to the embedded results, point for point.

    Three processes: the producer, the API, which also sends what waits, and the server.
    """
    preparing = InfluxConnection(settings)
    preparing.prepare()
    preparing.close()
    proxy = FaultProxy(settings.url, fraction=0.5, seed=7)
    rng = random.Random(7)
    folder = tmp_path / "hub"
    command = [
        sys.executable,
        str(ROOT / "tests/support/feeding_store.py"),
        str(folder),
        proxy.url,
        settings.token,
        settings.org,
        settings.bucket_prefix,
        str(batches),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = False
    sent = 0
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
    api = ServedFolder(folder, proxy.url, settings)
    try:
        for kill in range(kills):
            api.start()
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            for _ in range(rng.randint(1, batches // kills)):
                done = process.stdout.readline().startswith("done")
            time.sleep(rng.uniform(0.0, 0.3))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            # with the producer dead, the API alone sends until it is killed too
            sent += api.sends()
            time.sleep(rng.uniform(0.0, 0.5))
            api.kill()
            if kill % 2 == 0 and influx_server.process is not None:
                influx_server.kill()
                influx_server.start()
        finished = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        done = "done" in finished.stdout
    finally:
        api.kill()
        proxy.close()
    assert sent > 0 or kills < 4, "the API's sender delivered"
    assert done
    assert all(proxy.counts[fault] > 0 for fault in ("before", "after", "503", "429")), proxy.counts
    expected = EmbeddedStore(tmp_path / "embedded")
    for number in range(batches):
        expected.put(batch(number))
    store = InfluxStore(folder, settings)
    assert store.delivery().backlog_points == 0
    assert store.delivery().dead_points == 0
    t1 = T0_NS + 10 * batches * SECOND_NS
    ours, theirs = store.angles("p1", T0_NS, t1), expected.angles("p1", T0_NS, t1)
    np.testing.assert_array_equal(ours.t_ns, theirs.t_ns)
    np.testing.assert_allclose(ours.values, theirs.values, atol=0.01, rtol=0, equal_nan=True)
    assert store.episodes("p1", T0_NS, t1) == expected.episodes("p1", T0_NS, t1)
    store.close()
    expected.close()
