"""Audit lines as a file: CSV for a spreadsheet, JSON lines for a machine."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator

from app.audit.models import AuditLine
from app.audit.words import sentence

COLUMNS = (
    "position",
    "time",
    "actor",
    "action",
    "subject",
    "sentence",
    "via",
    "address",
    "before",
    "after",
    "details",
    "hash",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula (OWASP, “CSV injection”)."""
SHOWN = {"via", "before", "after"}


def as_csv(lines: Iterable[AuditLine]) -> Iterator[str]:
    """One row a line, headings first."""
    yield _row(COLUMNS)
    for line in lines:
        rest = {name: value for name, value in line.details.items() if name not in SHOWN}
        yield _row(
            (
                str(line.position or ""),
                line.created_at.isoformat(),
                line.actor_name,
                line.action,
                line.subject,
                sentence(line),
                _text(line.details.get("via")),
                line.address,
                _text(line.details.get("before")),
                _text(line.details.get("after")),
                json.dumps(rest, ensure_ascii=False) if rest else "",
                line.hash,
            )
        )


def _row(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow([harmless(cell) for cell in cells])
    return buffer.getvalue()


def harmless(cell: str) -> str:
    """The text with a quotation mark in front if a spreadsheet would calculate it."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_json_lines(lines: Iterable[AuditLine]) -> Iterator[str]:
    """One JSON object a line, with everything that the hash is over."""
    for line in lines:
        row = {
            "position": line.position,
            "time": line.created_at.isoformat(),
            "actor_id": line.actor_id,
            "actor": line.actor_name,
            "action": line.action,
            "organisation_id": line.organisation_id,
            "subject": line.subject,
            "details": line.details,
            "address": line.address,
            "hash": line.hash,
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"
