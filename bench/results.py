"""Tables of measured numbers, and the verdict on a bar. Every benchmark prints through here."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One bar: `value` may be at most `bar`. Both in the unit the name says, or a plain ratio."""

    name: str
    value: float
    bar: float

    @property
    def is_ok(self) -> bool:
        return self.value <= self.bar

    def __str__(self) -> str:
        verdict = "ok" if self.is_ok else "short"
        return f"result {self.name} {self.value:.4g} bar {self.bar:.4g} {verdict}"


def print_results(results: Iterable[Result]) -> None:
    """One line a bar, for people and scripts."""
    for result in results:
        print(result, flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; the nearest one above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def summary(values: Sequence[float]) -> list[str]:
    """Cells for median, least, most and count of some seconds."""
    if not values:
        return ["–", "–", "–", "0"]
    numbers = (statistics.median(values), min(values), max(values))
    return [*(f"{number:.3f}" for number in numbers), str(len(values))]


SUMMARY = ("median", "min", "max", "n")
"""Headings for `summary`."""


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table in plain text: the first column to the left, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    print(f"\n{title}")
    for row in cells:
        first, *others = (
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "  ".join([first, *others]).rstrip())
    print(flush=True)
