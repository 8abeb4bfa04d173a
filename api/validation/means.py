"""Scores of many patients as one table of means, in the terminal and in the report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class MeansTable:
    """How the scores of one kind of validation are read."""

    title: str
    note: str
    """Whom it was measured on, for a reader who has only the table."""
    keys: dict[str, str]
    """Fields that tell one row from another, and their headings."""
    values: dict[str, str]
    """Fields that are averaged over what is left (patients), and their headings."""

    @property
    def sentence(self) -> str:
        """Return the note as a sentence by itself."""
        return f"{self.note[:1].upper()}{self.note[1:]}."

    @property
    def head(self) -> list[str]:
        """Return the headings."""
        return [*self.keys.values(), *self.values.values()]

    def rows(self, found: Sequence[dict[str, Any]]) -> list[list[str]]:
        """Return the cells of every row, in the order in which the scores came.

        Degrees have two decimals; `within_...`, fractions, are percent.
        """
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for score in found:
            groups.setdefault(tuple(str(score[key]) for key in self.keys), []).append(score)
        return [
            [*key, *(_mean(group, value) for value in self.values)] for key, group in groups.items()
        ]


def print_means(
    table: MeansTable, found: Sequence[dict[str, Any]], echo: Callable[[str], None]
) -> None:
    """Print title, headings and rows, a line each."""
    lines = [table.head, *table.rows(found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    echo(f"\n{table.title}: {table.note}")
    for line in lines:
        cells = (
            cell.ljust(width) if column < len(table.keys) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        echo("  ".join(cells).rstrip())


def _mean(group: Sequence[dict[str, Any]], field: str) -> str:
    mean = float(np.mean([score[field] for score in group]))
    return f"{mean:.0%}" if field.startswith("within") else f"{mean:.2f}"
