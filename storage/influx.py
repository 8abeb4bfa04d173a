"""The door to InfluxDB 2.x: set-up, checks, writing, and reading by InfluxQL.

The only importer of influxdb_client. What is stored and how it is read stands in
`storage.influx_store`.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import httpx
import pyarrow as pa
import pyarrow.csv as pcsv
import urllib3
from influxdb_client import BucketRetentionRules, InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from storage.errors import ServerRefusedError, ServerSetupError, ServerUnreachableError
from storage.outbox import Action, RefusedError, RetryLaterError

LIVE_BUCKET: Final = "posture_live"
RESULT_BUCKET: Final = "posture"
OPS_BUCKET: Final = "ops"
DAY_S: Final = 86_400
RETENTION_S: Final[Mapping[str, int]] = {
    LIVE_BUCKET: 400 * DAY_S,
    RESULT_BUCKET: 0,
    OPS_BUCKET: 90 * DAY_S,
}
"""Retention of a bucket that we create, seconds; 0 keeps for ever."""
LONGEST_OFFLINE_S: Final = 35 * DAY_S
"""A shorter retention would refuse what waited in the outbox of a hub that was offline."""

_FINAL = (400, 413, 422)
_DENIED = (401, 403)
_NO_BUCKET = ("database not found", "retention policy not set")
"""What InfluxQL says of a missing bucket, with status 200."""


@dataclass(frozen=True, slots=True)
class InfluxSettings:
    """How to reach the server."""

    url: str
    """Such as ``http://127.0.0.1:8086``."""
    token: str
    org: str
    bucket_prefix: str = ""
    """Put before every bucket name, for several systems in one organisation."""
    read_token: str = ""
    """Token for reading; the writing one where empty."""
    timeout_s: float = 10.0
    live_retention_days: int = 400
    """Retention of the 1 Hz bucket where we create it; 0 keeps for ever."""

    def bucket(self, name: str) -> str:
        """Return the server's name of one of our buckets."""
        return self.bucket_prefix + name


class InfluxConnection:
    """Talks to one server; opening it sends nothing."""

    def __init__(self, settings: InfluxSettings) -> None:
        """Prepare the clients."""
        self.settings = settings
        self._client = InfluxDBClient(
            url=settings.url,
            token=settings.token,
            org=settings.org,
            timeout=round(settings.timeout_s * 1000),
            retries=False,
        )
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)
        self._http = httpx.Client(
            base_url=settings.url,
            headers={
                "Authorization": f"Token {settings.read_token or settings.token}",
                "Accept": "application/csv",
                # compressing an answer costs the server more time than a network does
                "Accept-Encoding": "identity",
            },
            timeout=settings.timeout_s,
        )
        self._admin = httpx.Client(
            base_url=settings.url,
            headers={"Authorization": f"Token {settings.token}"},
            timeout=settings.timeout_s,
        )

    def close(self) -> None:
        """Close all connections."""
        self._writer.close()
        self._client.close()
        self._http.close()
        self._admin.close()

    def server_version(self) -> str:
        """Return the version that the server reports.

        Raises
        ------
        ServerUnreachableError
        ServerSetupError
            It is no InfluxDB 2.x.
        """
        try:
            answer = self._http.get("/ping")
        except httpx.HTTPError as error:
            self._unreachable(error)
        version = str(answer.headers.get("X-Influxdb-Version", ""))
        if not version:
            raise ServerSetupError(
                f"{self.settings.url} answers, but is no InfluxDB; check the address and port"
            )
        number = version.removeprefix("v")
        if number.startswith(("0.", "1.", "3.")):
            raise ServerSetupError(
                f"{self.settings.url} runs InfluxDB {version}; necktrace needs 2.7 or newer 2.x"
            )
        return version

    def prepare(self) -> str:
        """Check version, token and organisation, create missing buckets, check retention.

        Returns
        -------
        str
            The server's version.

        Raises
        ------
        ServerUnreachableError
        ServerSetupError
            Says what is wrong and what to do.
        """
        version = self.server_version()
        try:
            found = self._client.organizations_api().find_organizations(org=self.settings.org)
        except ApiException as error:
            if error.status in _DENIED:
                raise ServerSetupError(
                    f"{self.settings.url} refuses the token; make an all-access token for "
                    f"organisation {self.settings.org!r} (`influx auth create --all-access`) and "
                    "put it into the settings"
                ) from error
            if error.status != 404:
                self._failed(error)
            found = []
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._unreachable(error)
        if not found:
            raise ServerSetupError(
                f"{self.settings.url} has no organisation {self.settings.org!r} that this "
                "token may see; check the name (`influx org list`) or create it"
            )
        for name in RETENTION_S:
            self._prepare_bucket(name, found[0].id)
        return version

    def retention_s(self, name: str) -> int:
        """Return a bucket's retention, seconds; 0 where it keeps for ever.

        Raises
        ------
        ServerSetupError
            The bucket is missing.
        """
        bucket = self._find_bucket(name)
        if bucket is None:
            raise ServerSetupError(
                f"bucket {self.settings.bucket(name)!r} is missing on {self.settings.url}; "
                "restart necktrace with a token that may create buckets, or create it"
            )
        rules = bucket.retention_rules or []
        return int(rules[0].every_seconds or 0) if rules else 0

    def send(self, target: str, action: Action, body: bytes) -> None:
        """Deliver one request of the outbox.

        Parameters
        ----------
        target : str
            One of our bucket names.
        action : "write" or "delete"
        body : bytes
            Line protocol with nanoseconds, or an InfluxQL DELETE.

        Raises
        ------
        RetryLaterError, RefusedError
        """
        bucket = self.settings.bucket(target)
        if action == "delete":
            self._delete(bucket, body.decode("ascii"))
            return
        try:
            self._writer.write(bucket=bucket, org=self.settings.org, record=body)
        except ApiException as error:
            if error.status in _FINAL:
                raise RefusedError(error.status, _reason(error.body)) from error
            raise RetryLaterError(
                self._explain(error.status, _reason(error.body), bucket),
                _retry_after_s(error.headers),
            ) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise RetryLaterError(f"{self.settings.url} does not answer: {error}") from error

    def select(self, target: str, query: str) -> pa.Table:
        """Run an InfluxQL SELECT and return its rows; empty where there are none.

        Returns
        -------
        pa.Table
            Columns as the server names them; ``time`` is int64 nanoseconds.

        Raises
        ------
        ServerUnreachableError, ServerSetupError, ServerRefusedError
        """
        try:
            answer = self._http.get(
                "/query",
                params={"db": self.settings.bucket(target), "epoch": "ns", "q": query},
            )
        except httpx.HTTPError as error:
            self._unreachable(error)
        self._check_query(answer, target)
        if not answer.content.strip():
            # No rows; or an error, which only the JSON form of the answer would say.
            try:
                answer = self._http.get(
                    "/query",
                    params={"db": self.settings.bucket(target), "epoch": "ns", "q": query},
                    headers={"Accept": "application/json"},
                )
            except httpx.HTTPError as error:
                self._unreachable(error)
            self._check_query(answer, target)
            return pa.table({})
        return pcsv.read_csv(
            io.BytesIO(answer.content),
            convert_options=pcsv.ConvertOptions(
                column_types={"time": pa.int64()}, strings_can_be_null=False
            ),
        )

    def _check_query(self, answer: httpx.Response, target: str) -> None:
        status, text = answer.status_code, answer.text[:500] if answer.is_error else ""
        if not answer.is_error and answer.headers.get("content-type", "").startswith(
            "application/json"
        ):
            results = answer.json().get("results", [])
            text = "; ".join(str(r["error"]) for r in results if "error" in r)
            status = 400 if text else 200
        if status in _DENIED:
            raise ServerSetupError(self._explain(status, text, target))
        if status == 404 or any(words in text for words in _NO_BUCKET):
            raise ServerSetupError(self._explain(404, text, self.settings.bucket(target)))
        if status >= 500:
            raise ServerUnreachableError(
                f"InfluxDB at {self.settings.url} cannot answer now ({status}: {text}); try again"
            )
        if status != 200:
            raise ServerRefusedError(f"InfluxDB refused a query ({status}): {text}", status)

    def _delete(self, bucket: str, statement: str) -> None:
        try:
            answer = self._admin.post("/query", params={"db": bucket}, data={"q": statement})
        except httpx.HTTPError as error:
            raise RetryLaterError(f"{self.settings.url} does not answer: {error}") from error
        if answer.status_code == 200 and '"error"' not in answer.text:
            return
        if any(words in answer.text for words in _NO_BUCKET):
            raise RetryLaterError(self._explain(404, answer.text, bucket))
        if answer.status_code in _FINAL or answer.status_code == 200:
            raise RefusedError(answer.status_code, answer.text[:300])
        raise RetryLaterError(
            self._explain(answer.status_code, answer.text, bucket),
            _retry_after_s(answer.headers),
        )

    def _prepare_bucket(self, name: str, org_id: str) -> None:
        try:
            if self._find_bucket(name) is None:
                every_s = RETENTION_S[name]
                if name == LIVE_BUCKET:
                    every_s = self.settings.live_retention_days * DAY_S
                rules = [BucketRetentionRules(type="expire", every_seconds=every_s)]
                self._client.buckets_api().create_bucket(
                    bucket_name=self.settings.bucket(name),
                    org=org_id,
                    retention_rules=rules if every_s else [],
                )
        except ApiException as error:
            if error.status in (*_DENIED, 404):
                raise ServerSetupError(
                    f"bucket {self.settings.bucket(name)!r} is missing and this token may not "
                    "create it; create it (`influx bucket create`) or use an all-access token"
                ) from error
            self._failed(error)
        retention_s = self.retention_s(name)
        if name != OPS_BUCKET and 0 < retention_s < LONGEST_OFFLINE_S:
            raise ServerSetupError(
                f"bucket {self.settings.bucket(name)!r} keeps only {retention_s / DAY_S:.3g} days, "
                f"less than the {LONGEST_OFFLINE_S // DAY_S} days a hub may be offline: late "
                "results would be refused; run `influx bucket update --retention "
                f"{max(RETENTION_S[name] // DAY_S, 0)}d`"
            )

    def _find_bucket(self, name: str) -> Any:
        try:
            return self._client.buckets_api().find_bucket_by_name(self.settings.bucket(name))
        except ApiException as error:
            self._failed(error)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._unreachable(error)

    def _explain(self, status: int, reason: str, bucket: str) -> str:
        if status in _DENIED:
            return (
                f"{self.settings.url} refuses the token for bucket {bucket!r}; put a token that "
                "may read and write it into the settings"
            )
        if status == 404:
            return (
                f"bucket {bucket!r} is missing on {self.settings.url} (or invisible to this "
                "token); restart necktrace with an all-access token, or create it"
            )
        return f"{self.settings.url} answered {status}: {reason[:200]}"

    def _unreachable(self, error: Exception) -> NoReturn:
        raise ServerUnreachableError(
            f"InfluxDB at {self.settings.url} does not answer ({error}); start it, or check the "
            "address: results wait in the outbox meanwhile"
        ) from error

    def _failed(self, error: ApiException) -> NoReturn:
        if error.status in _DENIED:
            raise ServerSetupError(
                f"{self.settings.url} refuses the token; put a valid one into the settings"
            ) from error
        if error.status is None or error.status >= 500 or error.status == 429:
            self._unreachable(error)
        raise ServerRefusedError(
            f"InfluxDB refused ({error.status}): {_reason(error.body)}", int(error.status)
        ) from error


def _reason(body: Any) -> str:
    if isinstance(body, bytes):
        return body.decode("utf-8", errors="replace")[:500]
    return str(body or "")[:500]


def _retry_after_s(headers: Any) -> float | None:
    try:
        value = float(headers.get("Retry-After"))
    except (AttributeError, TypeError, ValueError):
        return None
    return min(max(value, 0.0), 3600.0)
