"""Alerts reach real receivers, say what to do, and nothing of the person."""

import json
from pathlib import Path

import pytest

from api.alerts.delivery import channels, sentence
from api.errors import AlertDeliveryError, SettingsError
from api.settings import Settings, load_settings
from ingest.alerts import Alert, AlertKind
from tests.support.receivers import http_receiver, mail_receiver

ALERTS = [
    Alert(AlertKind.BATTERY, "head", 1_700_000_000_000_000_000),
    Alert(AlertKind.DISK, "", 1_700_000_000_000_000_000),
]


def test_every_alert_has_words() -> None:
    for kind in AlertKind:
        for role in ("head", "trunk") if kind in {"battery", "link_lost"} else ("",):
            assert sentence(Alert(kind, role, 0)).endswith(".")


def test_a_webhook_gets_json() -> None:
    with http_receiver() as receiver:
        (way,) = channels(load_settings(alert_webhook_url=receiver.url, zone="UTC"))
        way.send(ALERTS)
    (posted,) = receiver.posted
    battery, disk = json.loads(posted.body)["alerts"]
    assert battery["kind"] == "battery"
    assert battery["role"] == "head"
    assert battery["since_utc"].startswith("2023-11-14T22:13:20")
    assert disk["role"] is None
    assert set(battery) == {"kind", "role", "since_utc", "text"}


def test_ntfy_gets_text_and_its_token() -> None:
    with http_receiver() as receiver:
        settings = load_settings(alert_ntfy_url=receiver.url, alert_ntfy_token="tk_1", zone="UTC")
        (way,) = channels(settings)
        way.send(ALERTS)
    (posted,) = receiver.posted
    assert posted.body.decode().splitlines() == [sentence(alert) for alert in ALERTS]
    assert posted.headers["Authorization"] == "Bearer tk_1"
    assert posted.headers["Title"] == "necktrace"


def test_mail_reaches_a_mailbox() -> None:
    with mail_receiver() as receiver:
        (way,) = channels(mail_settings(receiver.port))
        way.send(ALERTS)
    (message,) = receiver.messages
    assert message["To"] == "sam@example.org"
    assert message["From"] == "hub@example.org"
    assert message["Subject"] == "necktrace"
    assert str(message.get_payload()).splitlines()[0] == sentence(ALERTS[0])
    assert receiver.recipients == ["rcpt TO:<sam@example.org>"]


def mail_settings(port: int, **more: object) -> Settings:
    return load_settings(
        alert_mail_to="sam@example.org",
        alert_mail_from="hub@example.org",
        alert_smtp_host="127.0.0.1",
        alert_smtp_port=port,
        alert_smtp_security="none",
        zone="UTC",
        **more,
    )


def test_failures_are_sentences_without_secrets() -> None:
    with http_receiver() as receiver:
        receiver.status = 403
        (way,) = channels(load_settings(alert_webhook_url=receiver.url, zone="UTC"))
        with pytest.raises(AlertDeliveryError, match="answered 403"):
            way.send(ALERTS)
    with pytest.raises(AlertDeliveryError, match="could not be reached") as caught:
        way.send(ALERTS)
    assert "/hook" not in str(caught.value)
    with mail_receiver() as mail:
        mail.answer = "554 no"
        (way,) = channels(mail_settings(mail.port))
        with pytest.raises(AlertDeliveryError, match="did not take the message: 554"):
            way.send(ALERTS)
    with pytest.raises(AlertDeliveryError, match="did not take the message"):
        way.send(ALERTS)


def test_a_server_without_tls_is_not_spoken_to_in_the_open() -> None:
    with mail_receiver() as mail:
        settings = mail_settings(mail.port).model_copy(update={"alert_smtp_security": "starttls"})
        (way,) = channels(settings)
        with pytest.raises(AlertDeliveryError, match="STARTTLS"):
            way.send(ALERTS)
    assert mail.messages == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"alert_webhook_url": "http://example.org/x"}, "https://"),
        ({"alert_ntfy_url": "file:///etc/passwd"}, "https://"),
        ({"alert_ntfy_url": "https://[::bad"}, "address"),
        ({"alert_mail_to": "a@b.example"}, "alert_smtp_host"),
        ({"alert_mail_to": "a@b.example\nBcc: c@d.example"}, "alert_mail_to"),
        ({"alert_smtp_host": "mail.example", "alert_smtp_security": "none"}, "this computer"),
        ({"alert_quiet_hours": "25:00-07:00"}, "alert_quiet_hours"),
    ],
)
def test_settings_that_would_leak_are_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load_settings(zone="UTC", **given)


def test_without_settings_nothing_is_sent() -> None:
    assert channels(Settings(zone="UTC")) == ()
    assert Settings(zone="UTC").quiet_hours == (22 * 60, 7 * 60)
    assert Settings(zone="UTC", alert_quiet_hours="").quiet_hours is None


def test_a_password_comes_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("pw\n")
    assert Settings(zone="UTC", alert_smtp_password_file=secret).alert_smtp_secret == "pw"
    with pytest.raises(SettingsError, match="alert_smtp_password_file"):
        _ = Settings(zone="UTC", alert_smtp_password_file=tmp_path / "no").alert_smtp_secret
