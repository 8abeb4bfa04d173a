"""The report's paper: fonts, colours, paragraphs, headings and tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from fpdf import FPDF

from api.clinic.report_fonts import FAMILY, add_fonts, fit
from api.web import texts

Paper = Literal["a4", "letter"]
Colour = tuple[int, int, int]

MARGIN_MM: Final = 14.0
INK: Final[Colour] = (31, 42, 46)
SOFT: Final[Colour] = (85, 99, 106)
LINE: Final[Colour] = (214, 210, 200)
ACCENT: Final[Colour] = (11, 107, 99)


class Page(FPDF):
    """A document that says on every page whom it is about: loose pages must not be mixed up."""

    def __init__(self, whom: str, paper: Paper, own_font: Path | None) -> None:
        super().__init__(format=paper)
        add_fonts(self, own_font)
        self._whom = whom
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=15)
        self.set_creator("necktrace")
        self.set_title(texts.text("clinic.report.title"))
        self.set_lang(texts.LANGUAGE)

    def footer(self) -> None:
        """Write who this is about and which page it is."""
        self.set_y(-11)
        self.ink(7.5, SOFT)
        page = texts.text("clinic.report.page", n=self.page_no(), total="{nb}")
        self.cell(self.epw * 0.7, 4, fit(self, self._whom))
        self.cell(self.epw * 0.3, 4, fit(self, page), align="R")

    def ink(self, size: float, colour: Colour = INK, *, bold: bool = False) -> None:
        """Choose size and colour of what is written next."""
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)

    def put(self, text: str, wide: float = 0.0, high: float = 4.0, align: str = "L") -> None:
        """Write a line from here; the pen goes below its beginning."""
        self.cell(wide, high, fit(self, text), new_x="LEFT", new_y="NEXT", align=align)

    def say(
        self, text: str, size: float = 8.5, *, soft: bool = False, bold: bool = False,
        wide: float = 0.0,
    ) -> None:  # fmt: skip
        """Write a paragraph from here; the pen goes below its beginning."""
        self.ink(size, SOFT if soft else INK, bold=bold)
        said = fit(self, text)
        self.multi_cell(wide, size * 0.45, said, new_x="LEFT", new_y="NEXT", align="L")

    def heading(self, text: str) -> None:
        """Write a section's name with a rule below."""
        self.ln(2.2)
        self.ink(10.5, ACCENT, bold=True)
        self.put(text, high=5.2)
        self.set_draw_color(*LINE)
        self.set_line_width(0.25)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())
        self.ln(1.2)

    def rows(
        self, head: Sequence[str], body: Sequence[Sequence[str]], widths: Sequence[float],
        align: Sequence[str],
    ) -> None:  # fmt: skip
        """Write a table, its head repeated where it breaks."""
        self.ink(7.8)
        self.set_fill_color(255, 255, 255)
        self.set_draw_color(*LINE)
        self.set_line_width(0.15)
        options: Any = {
            "col_widths": tuple(widths),
            "line_height": 3.7,
            "borders_layout": "HORIZONTAL_LINES",
            "text_align": tuple(align),
            "padding": (0.45, 1.1),
        }
        with self.table(**options) as table:
            for row in (head, *body):
                line = table.row()
                for cell in row:
                    line.cell(fit(self, cell))
