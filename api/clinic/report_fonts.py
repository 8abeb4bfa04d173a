"""The letters of the report: one family, embedded, and a clinic's own font for other scripts.

The fonts built into PDF hold Latin-1 only. DejaVu Sans Condensed comes with the package and knows
Latin, Greek, Cyrillic, Armenian, Georgian, Arabic and Hebrew letters. For scripts that it lacks, a
setting names a font file; a letter that neither has becomes a replacement mark, and the patient's
id stands beside every name.
"""

from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.fonts import TTFFont

from api.errors import ApiError

FAMILY: Final = "text"
_OWN: Final = "own"
FOLDER: Final = Path(__file__).parents[1] / "web" / "static" / "vendor" / "dejavu"
_FILES: Final = {"": "DejaVuSansCondensed.ttf", "B": "DejaVuSansCondensed-Bold.ttf"}
_SIGNATURES: Final = (b"\x00\x01\x00\x00", b"OTTO", b"true", b"ttcf")
_MISSING: Final = "\N{REPLACEMENT CHARACTER}"


def add_fonts(pdf: FPDF, own: Path | None) -> None:
    """Make the fonts known to a document.

    Parameters
    ----------
    own : Path, optional
        A font file for scripts that the package's own lacks.

    Raises
    ------
    ApiError
        A font file is missing or cannot be read.
    """
    for style, name in _FILES.items():
        if not (FOLDER / name).is_file():
            raise ApiError(
                f"{name} is missing, which the report is written with; install necktrace again "
                "(in a checkout: pip install -e .)."
            )
        pdf.add_font(FAMILY, style, FOLDER / name)
    if own is None:
        return
    try:
        with own.open("rb") as file:
            if file.read(4) not in _SIGNATURES:
                raise ValueError("it is no TrueType or OpenType file")
        pdf.add_font(_OWN, "", own)
    except Exception as error:
        close_fonts(pdf)
        # a damaged font fails in many ways inside its reader
        raise ApiError(
            f"the font {own} cannot be used for the report: {error}. Name another file in the "
            "setting report_font, or leave the setting empty."
        ) from error
    pdf.set_fallback_fonts([_OWN], exact_match=False)


def fit(pdf: FPDF, text: str) -> str:
    """Return a text with a mark in place of each letter that no font of the document has."""
    fonts = (pdf.fonts.get(key) for key in (FAMILY, _OWN))
    known = [font.cmap for font in fonts if isinstance(font, TTFFont)]
    return "".join(c if c == "\n" or any(ord(c) in m for m in known) else _MISSING for c in text)


def close_fonts(pdf: FPDF) -> None:
    """Close the files that the document's fonts were read from; it writes nothing more."""
    for font in pdf.fonts.values():
        if isinstance(font, TTFFont):
            font.close()
