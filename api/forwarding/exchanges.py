"""`necktrace forward`: exchanges of all patients of a folder, once or for ever."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from api.errors import ForwardError
from api.forwarding.link import Link
from api.forwarding.sender import Exchange, exchange
from storage.catalog import Catalog

BACKOFF_S: Final = (5.0, 600.0)
"""First and longest pause after a failure. Short: a link that comes back is used at once; long:
many homes do not storm a clinic that comes back."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for."""

    folder: Path
    url: str
    token_file: Path
    patients: tuple[str, ...] = ()
    """Empty: everybody in the folder."""
    ca_file: Path | None = None
    clinic_id: str | None = None
    """What the one patient is called in the clinic, where that differs."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one exchange."""

    patients: tuple[Exchange, ...] = ()
    error: str = ""
    """Why it ended early; empty where it did not."""
    retry_after_s: float | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Whether everything that could be sent was sent."""
        return not self.error and not any(p.refused or p.skipped for p in self.patients)

    @property
    def did_something(self) -> bool:
        """Whether anything crossed."""
        return any(p.segments or p.entries or p.fetched for p in self.patients)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "ok": self.ok,
            "error": self.error,
            "patients": [asdict(patient) for patient in self.patients],
        }

    def text(self) -> str:
        """Return it for a person."""
        lines = []
        for p in self.patients:
            if p.refused:
                lines.append(f"{p.patient}: {p.refused}")
                continue
            lines.append(
                f"{p.patient}: sent {p.segments} segments ({p.bytes / 1e6:.1f} MB, "
                f"{p.samples_new:,} samples new to the clinic) and {p.entries} entries, "
                f"fetched {p.fetched}."
            )
            lines += [f"  not sent: {reason}" for reason in p.skipped]
        if self.error:
            lines.append(f"Stopped early: {self.error}.")
        return "\n".join(lines)


def forward_once(
    wish: Wish, on_progress: Callable[[float | None, str], None] | None = None
) -> Report:
    """Have one exchange for each patient.

    A clinic that cannot be reached is told in the report.

    Raises
    ------
    ForwardError
        Address, token or certificates cannot be used.
    StorageError
        The folder cannot be read, or there is no such patient.
    """
    try:
        token = wish.token_file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ForwardError(f"{wish.token_file} holds no token") from None
    done: list[Exchange] = []

    def tell(sent: int, known: int) -> None:
        if on_progress is not None:
            on_progress(None, f"{sent} segments sent, at least {known - sent} wait")

    with Link(wish.url, token, wish.ca_file) as link, Catalog(wish.folder) as catalog:
        names = wish.patients or tuple(patient.id for patient in catalog.patients())
        for name in names:
            catalog.patient(name)
        if not names:
            raise ForwardError(f"{wish.folder} holds nobody whose data could be sent")
        if wish.clinic_id is not None and len(names) != 1:
            raise ForwardError("--as names one patient; say which one with --patient")
        for name in names:
            try:
                done.append(
                    exchange(link, catalog, name, clinic_id=wish.clinic_id, on_progress=tell)
                )
            except ForwardError as error:
                return Report(tuple(done), str(error), error.retry_after_s)
    return Report(tuple(done))


def forward_forever(
    wish: Wish,
    every_s: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    rng: random.Random | None = None,
) -> Iterator[Report]:
    """Yield the report of one exchange after another; after a failure sooner, then ever later."""
    chance = rng or random.Random()  # noqa: S311  jitter needs no cryptography
    backoff_s = BACKOFF_S[0]
    while True:
        report = forward_once(wish)
        yield report
        if report.error:
            pause_s = report.retry_after_s or backoff_s * chance.uniform(0.5, 1.0)
            backoff_s = min(2.0 * backoff_s, BACKOFF_S[1])
        else:
            pause_s, backoff_s = every_s, BACKOFF_S[0]
        sleep(pause_s)
