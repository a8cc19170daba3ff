"""Pages of lists: any `?page=` leads to a page that exists."""

from __future__ import annotations

import pytest

from app.accounts.models import User
from app.extensions import db
from app.web.paging import Page, paged
from tests.panel import ALICE, PEOPLE, Panel

SIX = PEOPLE[:6]


def page_at(panel: Panel, query: str, size: int = 2) -> Page[User]:
    """A page of six people."""
    names = [person.name for person in SIX]
    with panel.app.test_request_context(f"/{query}"):
        return paged(db.select(User).where(User.name.in_(names)).order_by(User.id), size)


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 1),
        ("?page=1", 1),
        ("?page=2", 2),
        ("?page=3", 3),
        ("?page=4", 3),
        ("?page=0", 1),
        ("?page=-1", 1),
        ("?page=99999999", 3),
        (f"?page={'9' * 5000}", 1),
        ("?page=two", 1),
        ("?page=1.5", 1),
        ("?page=%C2%B2", 1),
        ("?page=", 1),
        ("?page=2&page=1", 2),
        ("?page=1%27%20OR%201=1", 1),
    ],
)
def test_a_number_beyond_the_ends_means_the_nearest_page(
    panel: Panel, query: str, number: int
) -> None:
    page = page_at(panel, query)
    assert (page.number, page.pages, page.total, len(page.rows)) == (number, 3, len(SIX), 2)
    assert (page.first, page.last) == (number * 2 - 1, number * 2)


def test_the_last_page_may_be_short_and_no_row_is_shown_twice(panel: Panel) -> None:
    pages = [page_at(panel, f"?page={number}", size=4) for number in (1, 2)]
    names = [row.name for page in pages for row in page.rows]
    assert len(pages[1].rows) == 2 and sorted(names) == sorted(map(str, SIX))
    assert (pages[1].first, pages[1].last) == (5, 6)


def test_an_empty_list_has_one_page(panel: Panel) -> None:
    with panel.app.test_request_context("/?page=7"):
        page = paged(db.select(User).where(User.name == "nobody"))
    assert (page.number, page.pages, page.total, page.first, page.last) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("number", ["0", "-1", "9" * 400, "abc", "%00"])
def test_pages_answer_whatever_is_asked(panel: Panel, number: str) -> None:
    alice = panel.client_of(ALICE)
    for path in ("/applications/", "/applications/demo/deployments/", "/organisations/moon/audit/"):
        assert alice.get(f"{path}?page={number}").status_code == 200
