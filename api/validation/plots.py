"""Plots as inline SVG: enough for a printed report, readable without colour."""

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 46, 46
COLOURS = ("#0b5cad", "#b45309", "#15803d", "#7e22ce")
_DASHES = ("", "7 4", "2 3", "9 3 2 3")

Points = Sequence[tuple[float, float]]


class Frame:
    """Axes of one plot: turns values into places and draws the ticks."""

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], x_label: str, y_label: str, title: str
    ) -> None:
        self._x, self._y = x, y
        self._parts = [
            f'<text x="{_LEFT}" y="16" font-weight="bold">{escape(title)}</text>',
            f'<text x="{(WIDTH + _LEFT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{escape(x_label)}</text>",
            f'<text transform="translate(14,{HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(y_label)}</text>",
        ]
        for value in ticks(*x):
            place = self.place_x(value)
            self._parts.append(
                f'<line x1="{place:.1f}" y1="{_TOP}" x2="{place:.1f}" y2="{HEIGHT - _BOTTOM}" '
                'stroke="#e2e8f0"/>'
                f'<text x="{place:.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">'
                f"{value:g}</text>"
            )
        for value in ticks(*y):
            place = self.place_y(value)
            self._parts.append(
                f'<line x1="{_LEFT}" y1="{place:.1f}" x2="{WIDTH - _RIGHT}" y2="{place:.1f}" '
                'stroke="#e2e8f0"/>'
                f'<text x="{_LEFT - 6}" y="{place + 4:.1f}" text-anchor="end">{value:g}</text>'
            )

    def place_x(self, value: float) -> float:
        """Return the horizontal place of a value."""
        low, high = self._x
        return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def place_y(self, value: float) -> float:
        """Return the vertical place of a value, kept inside the plot."""
        low, high = self._y
        inside = min(max(value, low), high)
        return HEIGHT - _BOTTOM - (inside - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    def line(self, points: Points, number: int, name: str = "") -> None:
        """Draw a polyline in the style of a number, with an entry in the legend above the plot."""
        path = " ".join(f"{self.place_x(x):.1f},{self.place_y(y):.1f}" for x, y in points)
        style = f'stroke="{COLOURS[number % 4]}" stroke-dasharray="{_DASHES[number % 4]}"'
        self._parts.append(f'<polyline points="{path}" fill="none" stroke-width="1.4" {style}/>')
        if name:
            x = _LEFT + 160 * number
            self._parts.append(
                f'<line x1="{x}" y1="32" x2="{x + 26}" y2="32" stroke-width="2" '
                f'{style}/><text x="{x + 32}" y="36">{escape(name)}</text>'
            )

    def dots(self, points: Points) -> None:
        """Draw points."""
        self._parts.extend(
            f'<circle cx="{self.place_x(x):.1f}" cy="{self.place_y(y):.1f}" r="1.6" '
            f'fill="{COLOURS[0]}" fill-opacity="0.45"/>'
            for x, y in points
        )

    def level(self, value: float, name: str) -> None:
        """Draw a horizontal reference line with its name."""
        y = self.place_y(value)
        self._parts.append(
            f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}" '
            'stroke="#0f172a" stroke-dasharray="5 4"/>'
            f'<text x="{WIDTH - _RIGHT - 4}" y="{y - 5:.1f}" text-anchor="end">'
            f"{escape(name)}</text>"
        )

    def svg(self) -> str:
        """Return the plot."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="12" role="img">' + "".join(self._parts) + "</svg>"
        )


def ticks(low: float, high: float) -> list[float]:
    """Return about six round values from low to high."""
    raw = (high - low) / 6.0
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def bars(names: Sequence[str], values: Sequence[float], title: str, reference: float) -> str:
    """Return horizontal bars with their numbers and a vertical reference line."""
    row, left = 20, 330
    high = max(*values, reference) * 1.15
    height = 48 + row * len(names)

    def place(value: float) -> float:
        return left + value / high * (WIDTH - left - 60)

    parts = [f'<text x="8" y="16" font-weight="bold">{escape(title)}</text>']
    numbers = []
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        y = 30 + row * i
        parts.append(
            f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{left}" y="{y + 2}" width="{place(value) - left:.1f}" height="13" '
            f'fill="{COLOURS[0]}"/>'
        )
        # the reference line must not strike a number through
        numbers.append(
            f'<text x="{place(value) + 5:.1f}" y="{y + 12}" stroke="#fff" stroke-width="4" '
            f'paint-order="stroke">{value:.2f}</text>'
        )
    parts.append(
        f'<line x1="{place(reference):.1f}" y1="24" x2="{place(reference):.1f}" y2="{height - 12}" '
        'stroke="#0f172a" stroke-dasharray="5 4"/>'
    )
    parts.extend(numbers)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img">' + "".join(parts) + "</svg>"
    )
