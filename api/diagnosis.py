"""What `necktrace doctor` looks at."""

import asyncio
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Literal

from api.settings import Settings, config_file

PACKAGES = ("firmware_protocol", "processing", "storage", "ingest", "api")
LOW_DISK_BYTES = 2 * 1024**3
"""Below this a warning: about three weeks of two sensors."""
FULL_DISK_BYTES = 200 * 1024**2
"""Below this an error: about two days of two sensors."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    level: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it ready for JSON."""
        return asdict(self)


def check_python(version: tuple[int, int]) -> Finding:
    """Check the interpreter."""
    text = f"Python {version[0]}.{version[1]}"
    if version < (3, 11):
        return Finding("python", "error", f"{text} is too old.", "Install Python 3.11 or newer.")
    return Finding("python", "ok", f"{text}.")


def check_import_names(owners: dict[str, list[str]]) -> Finding:
    """Check that no other distribution owns one of our import names.

    Parameters
    ----------
    owners : dict
        Import name to distributions, as `importlib.metadata.packages_distributions` gives it.
    """
    for package in PACKAGES:
        strangers = sorted(set(owners.get(package, [])) - {"necktrace"})
        if strangers:
            return Finding(
                "packages",
                "error",
                f"'{strangers[0]}' is installed here and replaces our package '{package}'.",
                f"Run `pip uninstall {strangers[0]}`, then install necktrace again in an "
                "environment of its own.",
            )
    return Finding("packages", "ok", "No other program shadows one of our packages.")


def _nearest_existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def check_data_folder(folder: Path) -> Finding:
    """Check that the data folder, or the place where it will be made, can be written."""
    place = _nearest_existing(folder)
    if not place.is_dir():
        return Finding(
            "data folder",
            "error",
            f"{place} is not a folder.",
            "Give another folder with --data-dir or NECKTRACE_DATA_DIR.",
        )
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding(
            "data folder",
            "error",
            f"{place} cannot be written ({error.strerror}).",
            f"Run `chmod u+w '{place}'`, or give another folder with --data-dir.",
        )
    state = "can be written" if folder.exists() else "can be made"
    return Finding("data folder", "ok", f"{folder} {state}.")


def check_disk(folder: Path, free_bytes: int) -> Finding:
    """Check the space left where the data folder is."""
    free = f"{free_bytes / 1024**3:.1f} GB free at {folder}"
    remedy = "Free some space or move the data folder; two sensors need about 100 MB a day."
    if free_bytes < FULL_DISK_BYTES:
        return Finding("disk", "error", f"Only {free}.", remedy)
    if free_bytes < LOW_DISK_BYTES:
        return Finding("disk", "warning", f"Only {free}.", remedy)
    return Finding("disk", "ok", f"{free}.")


def check_kernel_cache() -> Finding:
    """Check that compiled kernels can be kept, so that only the first start compiles."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    package = Path(__file__).resolve().parent.parent / "processing"
    place = _nearest_existing(Path(named)) if named else package
    if os.access(place, os.W_OK):
        return Finding("kernel cache", "ok", f"Compiled kernels are kept under {place}.")
    return Finding(
        "kernel cache",
        "warning",
        f"{place} cannot be written, so every start may compile again.",
        "Set NUMBA_CACHE_DIR to a folder that can be written.",
    )


def check_bluetooth() -> Finding:
    """Ask the system's Bluetooth through the collector's own transport."""
    need = "Only real sensors need it; `necktrace demo` does not."
    try:
        from ingest.sources.ble import BleTransport
    except ImportError as error:
        return Finding("bluetooth", "warning", f"Cannot be used: {error}. {need}", "Reinstall.")
    status = asyncio.run(BleTransport().adapter_state())
    if status.ready:
        return Finding("bluetooth", "ok", status.detail)
    return Finding("bluetooth", "warning", f"{status.detail} {need}", status.remedy)


def check_pages() -> Finding:
    """Check that the files which npm brings were put in place at installation."""
    script = Path(__file__).parent / "web" / "static" / "vendor" / "uplot" / "uPlot.esm.js"
    if script.is_file():
        return Finding("pages", "ok", "The pages' scripts are installed.")
    return Finding(
        "pages",
        "error",
        "The chart library is not installed, so pages show tables only.",
        "Run `make install` again with a network connection.",
    )


def diagnose(settings: Settings) -> list[Finding]:
    """Return the findings of all checks, worst cases included, in a fixed order."""
    place = _nearest_existing(settings.data_dir)
    source = config_file()
    state = "is read" if source.is_file() else "does not exist; defaults apply"
    return [
        check_python(sys.version_info[:2]),
        check_import_names(dict(packages_distributions())),
        Finding("settings", "ok", f"{source} {state}."),
        check_data_folder(settings.data_dir),
        check_disk(place, shutil.disk_usage(place).free),
        check_kernel_cache(),
        check_pages(),
        check_bluetooth(),
    ]
