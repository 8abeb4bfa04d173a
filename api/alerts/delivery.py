"""Ways to tell a person who is not looking at the page: webhook, ntfy, e-mail.

A message says what to do with the equipment and nothing of the person: no name, no id, no angle.
"""

import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import httpx

from api.errors import AlertDeliveryError
from api.settings import Settings
from api.web.texts import iso, text
from ingest.alerts import Alert

TIMEOUT_S = 15.0

Sender = Callable[[Sequence[Alert]], None]
"""Sends alerts together; raises `AlertDeliveryError`."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to a person."""

    name: str
    send: Sender


def channels(settings: Settings) -> tuple[Channel, ...]:
    """Return the ways that are set."""
    found = []
    webhook = settings.alert_webhook_url.get_secret_value()
    if webhook:
        found.append(Channel("webhook", lambda alerts: _webhook(webhook, alerts)))
    ntfy = settings.alert_ntfy_url.get_secret_value()
    if ntfy:
        token = settings.alert_ntfy_token.get_secret_value()
        found.append(Channel("ntfy", lambda alerts: _ntfy(ntfy, token, alerts)))
    if settings.alert_mail_to:
        found.append(Channel("e-mail", lambda alerts: _mail(settings, alerts)))
    return tuple(found)


def sentence(alert: Alert) -> str:
    """Return what to do, in one sentence."""
    role = f".{alert.role}" if alert.role else ""
    return text(f"alert.{alert.kind}{role}")


def _webhook(url: str, alerts: Sequence[Alert]) -> None:
    body = {
        "alerts": [
            {
                "kind": str(alert.kind),
                "role": alert.role or None,
                "since_utc": iso(alert.since_ns),
                "text": sentence(alert),
            }
            for alert in alerts
        ]
    }
    _post("the webhook", url, json=body)


def _ntfy(url: str, token: str, alerts: Sequence[Alert]) -> None:
    headers = {"Title": "necktrace"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    content = "\n".join(sentence(alert) for alert in alerts).encode()
    _post("ntfy", url, content=content, headers=headers)


def _post(
    name: str,
    url: str,
    *,
    json: object = None,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> None:
    try:
        answer = httpx.post(
            url,
            json=json,
            content=content,
            headers=headers,
            timeout=TIMEOUT_S,
            follow_redirects=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # the address may hold a secret: it is not repeated
        raise AlertDeliveryError(f"{name} could not be reached: {type(error).__name__}") from None
    if not answer.is_success:
        raise AlertDeliveryError(f"{name} answered {answer.status_code}")


def _mail(settings: Settings, alerts: Sequence[Alert]) -> None:
    message = EmailMessage()
    message["Subject"] = "necktrace"
    message["From"] = settings.alert_mail_from or settings.alert_mail_to
    message["To"] = settings.alert_mail_to
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain="necktrace.invalid")
    message.set_content("\n".join(sentence(alert) for alert in alerts) + "\n")
    host, port = settings.alert_smtp_host, settings.alert_smtp_port
    try:
        with _connected(settings.alert_smtp_security, host, port) as smtp:
            if settings.alert_smtp_user:
                smtp.login(settings.alert_smtp_user, settings.alert_smtp_secret)
            smtp.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise AlertDeliveryError(
            f"the mail server {host}:{port} did not take the message: {_reason(error)}"
        ) from None


def _connected(security: str, host: str, port: int) -> smtplib.SMTP:
    if security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
    smtp = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    if security == "starttls":
        try:
            smtp.starttls(context=ssl.create_default_context())
        except BaseException:
            smtp.close()
            raise
    return smtp


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {error.smtp_error!r}"
    return str(error) or type(error).__name__
