"""The permission matrix: how many cells are asserted, and how long asking them takes.

A cell is one route and method, asked by one person on one object (own, foreign, in the trash).
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.results import Result, print_table
from tests.matrix import guarded
from tests.panel import make_template
from tests.test_permissions import EVERYBODY, ask_everything, busy_panel

BAR_SECONDS = 60


def run() -> list[Result]:
    """Ask everything once; what is answered wrongly is printed and counted."""
    with tempfile.TemporaryDirectory() as directory:
        template = make_template(Path(directory) / "template")
        panel = busy_panel(template, Path(directory) / "data")
        routes = len(guarded(panel.app))
        began = time.monotonic()
        matrix = ask_everything(panel)
        seconds = time.monotonic() - began
        panel.close()
    for sentence in matrix.wrong:
        print(sentence)
    rows = [[routes, len(EVERYBODY) + 1, matrix.asked, f"{seconds:.1f}"]]
    print_table(
        "Permission matrix", ("routes and methods", "people", "cells asserted", "seconds"), rows
    )
    return [
        Result("matrix.wrong_cells", len(matrix.wrong), 0),
        Result("matrix.seconds", seconds, BAR_SECONDS),
    ]
