"""Pages of long lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import request
from sqlalchemy import Select, func, select

from app.extensions import db

Row = TypeVar("Row")
PAGE_SIZE = 50


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list: its rows, its number from 1, and how many rows and pages there are."""

    rows: Sequence[Row]
    number: int
    total: int
    size: int = PAGE_SIZE

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """The place of the first row in the whole list, from 1."""
        return (self.number - 1) * self.size + 1 if self.total else 0

    @property
    def last(self) -> int:
        return min(self.total, self.number * self.size)


def paged(query: Select[Any], size: int = PAGE_SIZE) -> Page[Any]:
    """The page that `?page=` asks for; a number beyond either end means the nearest page."""
    wanted = request.args.get("page", "1")
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    total = db.session.scalar(counted) or 0
    last = max(1, -(-total // size))
    number = min(max(int(wanted) if wanted.isdecimal() and len(wanted) < 9 else 1, 1), last)
    rows = db.session.scalars(query.limit(size).offset((number - 1) * size)).all()
    return Page(rows=rows, number=number, total=total, size=size)
