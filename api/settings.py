"""Settings: environment variables NECKTRACE_* and one TOML file.

Order of precedence: option of the command, environment variable, TOML file, default. The TOML
file is `necktrace.toml` in the user's configuration folder, or the one that NECKTRACE_CONFIG names.
"""

import os
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from api.errors import SettingsError

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
"""The only addresses served without TLS and users."""


def _default_data_dir() -> Path:
    return platformdirs.user_data_path("necktrace", appauthor=False)


def config_file() -> Path:
    """Return the TOML file that is read where it exists."""
    named = os.environ.get("NECKTRACE_CONFIG")
    if named:
        return Path(named)
    return platformdirs.user_config_path("necktrace", appauthor=False) / "necktrace.toml"


class Settings(BaseSettings):
    """Everything that can be set; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix="NECKTRACE_", extra="forbid", frozen=True)

    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Folder that holds the record and the results. Default: `necktrace` in the "
        "user's data folder; the demonstration uses `demo` inside it.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address to serve on. Other than loopback (`127.0.0.1`, `localhost`, `::1`) "
        "only with `trusted_proxy`, `public_name` and at least one user.",
    )
    trusted_proxy: str = Field(
        default="",
        max_length=253,
        description="Host name or address of the proxy that ends TLS in front of this server. "
        "Where it is set everybody logs in, on this computer too.",
    )
    public_name: str = Field(
        default="",
        max_length=260,
        pattern=r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])?(:[0-9]{1,5})?$",
        description="What people type into the browser to reach the proxy, such as "
        "`posture.clinic.example`; with the port where it is not 443.",
    )
    lan_address: str = Field(
        default="",
        max_length=45,
        description="Private address of this computer that `--lan` serves on. Default: the one "
        "that packets leave from.",
    )
    lan_port: int = Field(
        default=8443,
        ge=0,
        le=65535,
        description="TCP port that `--lan` serves on, with TLS; 0 takes any free one.",
    )
    port: int = Field(
        default=8765,
        ge=0,
        le=65535,
        description="TCP port to serve on; 0 takes any free one.",
    )
    zone: str = Field(
        default="",
        description="IANA name of the patient's time zone, such as `Europe/Berlin`. A day is a "
        "day in this zone. Default: the zone of this computer.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="WARNING", description="Least severe log lines that are written."
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="`text` writes key=value lines, `json` one JSON object per line.",
    )
    log_file: Path | None = Field(
        default=None, description="File to write log lines to. Default: standard error."
    )
    max_points: int = Field(
        default=2000,
        ge=10,
        le=200_000,
        description="Most points of a series that one answer carries where the request names no "
        "number.",
    )
    max_raw_rows: int = Field(
        default=50_000,
        ge=100,
        le=5_000_000,
        description="Most raw samples that one JSON answer carries; a cursor leads to the next.",
    )
    paper: Literal["a4", "letter"] = Field(
        default="a4", description="Size of the page of the PDF report: `a4` or `letter`."
    )
    report_font: Path | None = Field(
        default=None,
        description="TrueType or OpenType file for scripts that the report's own font lacks, such "
        "as Chinese, Japanese, Korean, Thai or Devanagari. The font is embedded in the report.",
    )
    live_rate_hz: float = Field(
        default=20.0,
        gt=0.0,
        le=60.0,
        description="Live events per second sent to a browser. Recording is not affected.",
    )
    influx_url: str = Field(
        default="",
        description="Address of an InfluxDB 2.x server, such as `http://127.0.0.1:8086`. Where it "
        "is set, results are written there through an outbox and served from there; default: the "
        "data folder itself.",
    )
    influx_org: str = Field(default="necktrace", description="Organisation in InfluxDB.")
    influx_token: SecretStr = Field(
        default=SecretStr(""),
        description="InfluxDB token that may create buckets, read and write. Better: "
        "`influx_token_file`.",
    )
    influx_token_file: Path | None = Field(
        default=None, description="File that holds the InfluxDB token, such as a secret."
    )
    influx_bucket_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_-]*$",
        description="Put before the names of our buckets, where several systems share an "
        "organisation.",
    )

    alert_quiet_hours: str = Field(
        default="22:00-07:00",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$",
        description="Local time in which alerts are shown on the page but not sent, such as "
        "`22:00-07:00`; empty: none. What is still true afterwards is sent then.",
    )
    alert_battery_percent: float = Field(
        default=15.0,
        gt=0.0,
        le=90.0,
        description="Charge of a sensor below which an alert is raised, percent; it is over 10 "
        "percent higher.",
    )
    alert_link_lost_min: float = Field(
        default=10.0,
        ge=1.0,
        le=1440.0,
        description="Minutes without a sensor after which an alert is raised.",
    )
    alert_disk_gb: float = Field(
        default=1.0,
        gt=0.0,
        le=10_000.0,
        description="Free space in the data folder below which an alert is raised, GB; it is over "
        "at twice that. Two sensors record about 0.2 GB a day.",
    )
    alert_webhook_url: SecretStr = Field(
        default=SecretStr(""),
        description="Address that alerts are posted to as JSON. They hold no name, id or "
        "measurement. HTTPS, or HTTP on this computer.",
    )
    alert_ntfy_url: SecretStr = Field(
        default=SecretStr(""),
        description="Topic of an ntfy server that alerts are published to, such as "
        "`https://ntfy.example/long-random-topic`. HTTPS, or HTTP on this computer.",
    )
    alert_ntfy_token: SecretStr = Field(
        default=SecretStr(""),
        description="Access token of that ntfy server, where it asks for one.",
    )
    alert_mail_to: str = Field(
        default="",
        max_length=254,
        pattern=r"^([^\s@,<>]+@[^\s@,<>]+)?$",
        description="E-mail address that alerts are sent to; needs `alert_smtp_host`.",
    )
    alert_mail_from: str = Field(
        default="",
        max_length=254,
        pattern=r"^([^\s@,<>]+@[^\s@,<>]+)?$",
        description="Sender of these messages. Default: `alert_mail_to`.",
    )
    alert_smtp_host: str = Field(default="", max_length=253, description="Mail server.")
    alert_smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    alert_smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the mail server is spoken to; `none` only on this computer.",
    )
    alert_smtp_user: str = Field(default="", description="Login at the mail server, if any.")
    alert_smtp_password_file: Path | None = Field(
        default=None, description="File that holds the password of that login."
    )

    @field_validator("alert_webhook_url", "alert_ntfy_url")
    @classmethod
    def _is_a_safe_address(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            try:
                url = urlsplit(value.get_secret_value())
                local = url.hostname in LOOPBACK_NAMES
            except ValueError:
                msg = "is no address"
                raise ValueError(msg) from None
            if not url.hostname or url.scheme not in ({"http", "https"} if local else {"https"}):
                msg = "must begin with https:// (http:// only for this computer)"
                raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> Self:
        if self.alert_mail_to and not self.alert_smtp_host:
            msg = "alert_mail_to needs alert_smtp_host, the mail server to send by"
            raise ValueError(msg)
        if self.alert_smtp_security == "none" and self.alert_smtp_host not in (
            "",
            *LOOPBACK_NAMES,
        ):
            msg = "alert_smtp_security is none, which only a mail server on this computer may use"
            raise ValueError(msg)
        return self

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        if value:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                msg = "is no IANA time zone; give a name such as Europe/Berlin"
                raise ValueError(msg) from None
        return value

    @model_validator(mode="after")
    def _is_behind_a_proxy(self) -> Self:
        if bool(self.trusted_proxy) != bool(self.public_name):
            msg = "trusted_proxy and public_name belong together; set both or neither"
            raise ValueError(msg)
        if self.host not in LOOPBACK_NAMES and not self.trusted_proxy:
            msg = (
                f"host is {self.host!r}, which other computers can reach; use 127.0.0.1, or set "
                "trusted_proxy and public_name to a proxy that ends TLS"
            )
            raise ValueError(msg)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  signature of pydantic
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: options, environment, TOML file."""
        toml = TomlConfigSettingsSource(settings_cls, toml_file=config_file())
        return init_settings, env_settings, toml

    @property
    def influx_secret(self) -> str:
        """The InfluxDB token, from its file where one is named.

        Raises
        ------
        SettingsError
            The file cannot be read, or there is no token.
        """
        token = self.influx_token.get_secret_value()
        if self.influx_token_file is not None:
            try:
                token = self.influx_token_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SettingsError(
                    f"the setting influx_token_file names {self.influx_token_file}, which cannot "
                    f"be read: {error.strerror}."
                ) from None
        if not token:
            raise SettingsError(
                "influx_url is set but no token: set NECKTRACE_INFLUX_TOKEN_FILE to a file that "
                "holds one (InfluxDB: Load Data, API Tokens)."
            )
        return token

    @property
    def quiet_hours(self) -> tuple[int, int] | None:
        """First minute of the local day in which nothing is sent, and the minute after the last."""
        if not self.alert_quiet_hours:
            return None
        begin, end = (
            60 * int(clock[:2]) + int(clock[3:]) for clock in self.alert_quiet_hours.split("-")
        )
        return begin, end

    @property
    def alert_smtp_secret(self) -> str:
        """Password of the login at the mail server; empty where no file is named.

        Raises
        ------
        SettingsError
            The file cannot be read.
        """
        if self.alert_smtp_password_file is None:
            return ""
        try:
            return self.alert_smtp_password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(
                f"the setting alert_smtp_password_file names {self.alert_smtp_password_file}, "
                f"which cannot be read: {error.strerror}."
            ) from None

    @property
    def zone_name(self) -> str:
        """The time zone to use: the one set, else this computer's."""
        return self.zone or system_zone()


def system_zone() -> str:
    """Return the IANA name of this computer's time zone, `UTC` where it cannot be told."""
    named = os.environ.get("TZ", "").lstrip(":")
    candidates = [named] if named else []
    timezone_file = Path("/etc/timezone")
    localtime = Path("/etc/localtime")
    if timezone_file.is_file():
        candidates.append(timezone_file.read_text(encoding="utf-8").strip())
    if localtime.is_symlink():
        _, found, name = str(localtime.resolve()).partition("/zoneinfo/")
        if found:
            candidates.append(name)
    for candidate in candidates:
        try:
            ZoneInfo(candidate)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
        return "UTC" if candidate in {"Etc/UTC", "Etc/UCT", "UCT", "Zulu"} else candidate
    return "UTC"


def load_settings(**options: object) -> Settings:
    """Return the settings in force.

    Parameters
    ----------
    **options : object
        Values given on the command line; None means not given.

    Raises
    ------
    SettingsError
        A value is not allowed, a setting is unknown, or the TOML file cannot be read.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # values are checked by pydantic
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        reason = str(first["msg"]).removeprefix("Value error, ")
        if not name:
            raise SettingsError(f"the settings contradict each other: {reason}.") from None
        raise SettingsError(
            f"the setting {name} (NECKTRACE_{name.upper()}, or in {config_file()}) cannot be "
            f"used: {reason}."
        ) from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"the settings file {config_file()} cannot be read: {error}.") from None
