"""How SQL is cut into statements; what each of them does is the server's to judge."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.services.postgresql_text import ScriptReader
from app.errors import Invalid


def cut(text: str) -> list[str]:
    """The statements, and after each COPY its rows."""
    reader = ScriptReader(io.BytesIO(text.encode()))
    found = []
    for statement in reader.statements():
        found.append(statement.text.decode())
        if statement.has_rows:
            found.append(b"".join(reader.rows()).decode())
    return found


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT 1;SELECT 2 ;\n;;\n", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';', 'it''s;', \"a;\"\"b\";", ["SELECT ';', 'it''s;', \"a;\"\"b\""]),
        ("SELECT E'\\';', e'\\\\';SELECT '\\';", ["SELECT E'\\';', e'\\\\'", "SELECT '\\'"]),
        ("SELECT type'x;';", ["SELECT type'x;'"]),
        ("SELECT $$;$$, $a$ ; $b$ ; $$ $a$;", ["SELECT $$;$$, $a$ ; $b$ ; $$ $a$"]),
        ("SELECT a$b$c;SELECT $1;", ["SELECT a$b$c", "SELECT $1"]),
        ("SELECT 1 -- ;'\n;", ["SELECT 1 -- ;'"]),
        ("-- ;\n\nSELECT /* ; /* ' */ ; */ 1;", ["SELECT /* ; /* ' */ ; */ 1"]),
        ("CREATE RULE r AS ON UPDATE TO t DO (a; b);", 1),
        ("BEGIN;SELECT 1;COMMIT;", ["BEGIN", "SELECT 1", "COMMIT"]),
        ("CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE 1 END; SELECT 2; END;SELECT 3;", 2),
        ("/* x */ CREATE OR REPLACE PROCEDURE f() BEGIN ATOMIC SELECT 1; END;", 1),
        ("CREATE TABLE begin_end (a int);", 1),
        (
            "COPY t (a) FROM stdin;\n1\\t;\n\\.\nSELECT 1;",
            ["COPY t (a) FROM stdin", "1\\t;\n", "SELECT 1"],
        ),
        (
            "copy t from STDIN with (format text);\n\\.\n",
            ["copy t from STDIN with (format text)", ""],
        ),
        (
            "COPY t FROM stdin;\n\\.x\n\\restrict\r\n\\.\r\n",
            ["COPY t FROM stdin", "\\.x\n\\restrict\r\n"],
        ),
        ("\\restrict aB1\nSELECT 1;\n\\unrestrict aB1\n", ["SELECT 1"]),
        ("SELECT 1 \\! ls\n;", ["SELECT 1 \\! ls"]),
    ],
)
def test_statements(text: str, statements: list[str] | int) -> None:
    found = cut(text)
    assert (len(found) if isinstance(statements, int) else found) == statements


@pytest.mark.parametrize(
    "line", ["\\! ls", "  \\copy t from x", "\\connect x", "\\.", "\\restrict a; \\! ls", "\\"]
)
def test_commands_for_psql_are_named(line: str) -> None:
    with pytest.raises(Invalid, match=r"Line 2: .* is a command for psql"):
        cut(f"SELECT 1;\n{line}\n")


@pytest.mark.parametrize(
    "text", ["SELECT 1", "SELECT 'x;", "SELECT $$;", "/* ;", "COPY t FROM stdin;\n1\n", "SELECT (;"]
)
def test_what_has_no_end(text: str) -> None:
    with pytest.raises(Invalid, match="cut off"):
        cut(text)


BEGIN, END = "-- PostgreSQL database dump\n", "-- PostgreSQL database dump complete\n"


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        (BEGIN + "SELECT 1;\n" + END + "--\n\\unrestrict x\n", True),
        (BEGIN + "SELECT 1;\n", False),
        ("SELECT 1;\n" + END, False),
        (BEGIN + END + "SELECT 1;\n", False),
        (BEGIN + "SELECT '\n" + END + "';\n", False),
        (BEGIN + "COPY t FROM stdin;\n" + END + "\\.\n", False),
    ],
)
def test_a_dump_has_a_beginning_and_an_end(text: str, is_whole: bool) -> None:
    reader = ScriptReader(io.BytesIO(text.encode()))
    for statement in reader.statements():
        if statement.has_rows:
            list(reader.rows())
    assert reader.is_whole == is_whole


def test_a_statement_is_not_endless() -> None:
    with pytest.raises(Invalid, match="longer than 64 MB"):
        cut("SELECT " + "x" * (64 * 2**20 + 1))
    with pytest.raises(Invalid, match="longer than 64 MB"):
        cut("SELECT\n" + ("x" * 2**20 + "\n") * 65)


@given(st.text(st.sampled_from("ab;'\"$\\-/*()\nE;'"), max_size=40))
def test_whatever_comes_nothing_else_is_raised(text: str) -> None:
    try:
        found = cut(text)
    except Invalid:
        return
    assert all(statement.strip() for statement in found)
