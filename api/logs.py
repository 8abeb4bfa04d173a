"""Structured logging over the standard library: key=value lines or JSON lines."""

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
"""Control characters, so that no input can forge a log line."""


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a log call added with `extra=`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")


class KeyValueFormatter(logging.Formatter):
    """`time level logger message key=value ...`; control characters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        message = record.getMessage().translate(_ESCAPED)
        parts = [_time(record), record.levelname, record.name, message]
        parts += [f"{name}={json.dumps(v, default=str)}" for name, v in _fields(record).items()]
        line = " ".join(parts)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def configure_logging(level: str, style: Literal["text", "json"], file: Path | None) -> None:
    """Send all log lines of the process to one place, replacing earlier handlers."""
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(JsonFormatter() if style == "json" else KeyValueFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    # it repeats, with the whole traceback, what `api.http.problems` has written
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
