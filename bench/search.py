"""Searching 1,000 applications, as the palette and the search page do it.

Bar: the 95th percentile at 1,000 applications at most twice that at 10, in processor time as for
`pages`. Each size has a site that is found by the words asked for.
"""

from __future__ import annotations

from bench.pages import SITE, SIZES, filled_panels, growth, measure, print_measured
from bench.results import Result
from tests.panel import Panel


def run() -> list[Result]:
    """Ask each question in turns of the three panels, print, and judge the worst."""
    with filled_panels() as panels:
        measured = measure(panels, _questions)
    print_measured(f"Searches, {SIZES[-1]:,} applications at most", measured)
    return [Result("search.p95_growth", growth(measured), 2)]


def _questions(panel: Panel) -> dict[str, str]:
    """What is asked, as the table calls it."""
    return {
        "a name": "/search/?q=zz+measured",
        "a name and a page": "/search/?q=zz+live+logs",
        "a host": f"/search/?q={SITE}.localhost",
        "half a word": "/search/?q=measur",
        "nothing": "/search/?q=there+is+no+such",
        "no words": "/search/",
        "the list, by a name": "/applications/?q=zz+measured",
    }
