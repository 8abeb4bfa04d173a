"""Tell what kind of recording a path is, and open it."""

from pathlib import Path

from storage.importers.bids import open_bids
from storage.importers.columnar import SUFFIXES
from storage.importers.errors import ImportFormatError
from storage.importers.lifeless import without_lifeless
from storage.importers.source import ImportedRecording
from storage.importers.tables import Role, open_table

_MIN_RATE_HZ = 20.0


def open_recording(
    path: Path, *, rate_hz: float | None = None, role: Role | None = None, alone: bool = False
) -> ImportedRecording:
    """Open a Motion-BIDS folder or one CSV, TSV, Parquet or Arrow file.

    Parameters
    ----------
    rate_hz : float or None
        Sample rate of a table without a time column.
    role : {"head", "trunk"} or None
        Where the one sensor of a table was worn, if the table does not say it.
    alone : bool
        A trunk sensor without a head sensor will do.

    Raises
    ------
    ImportFormatError
        The path does not exist or is nothing that can be read, or its rate is too low.
    """
    if not path.exists():
        raise ImportFormatError(f"{path} does not exist")
    if path.is_dir():
        recording = open_bids(path)
    elif path.suffix == ".tsv" and path.name.endswith("_motion.tsv"):
        recording = open_bids(path.parent)
    elif path.suffix in SUFFIXES:
        recording = open_table(path, rate_hz=rate_hz, role=role)
    else:
        raise ImportFormatError(
            f"{path.name}: expected a Motion-BIDS folder, a necktrace data folder, or a file "
            f"ending in {', '.join(SUFFIXES)}"
        )
    if "head" not in recording.points and not alone:
        raise ImportFormatError(
            f"{recording.name}: there is no head sensor, and angles are those of the head. Import "
            "the files of both sensors into a data folder and process that"
        )
    for point, rate in recording.rate_hz.items():
        if rate < _MIN_RATE_HZ:
            raise ImportFormatError(
                f"{recording.name}: {point} has {rate:.3g} samples a second; angles need at least "
                f"{_MIN_RATE_HZ:.0f}, jerks and tremor 50"
            )
    return without_lifeless(recording)
