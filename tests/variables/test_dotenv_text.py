"""`.env` text: read line by line with reasons, values verbatim, and written to be read back."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.variables.dotenv_text import TEXT_BYTES, TEXT_LINES, read_lines, write_lines

TEXT = r"""
# a comment
PLAIN=value   # told apart by the blank
export SHELL_STYLE=yes
DOLLAR=${PLAIN} $PLAIN
SINGLE='  kept  '
DOUBLE="two\nlines"
LONG='first
second # no comment
third'
EMPTY=
HASH=a#b
URL=postgres://u:p%40@host/db?x=1&y=2
"""


def test_values_are_taken_as_they_stand() -> None:
    values = {line.name: line.value for line in read_lines(TEXT)}
    assert values == {
        "PLAIN": "value",
        "SHELL_STYLE": "yes",
        "DOLLAR": "${PLAIN} $PLAIN",
        "SINGLE": "  kept  ",
        "DOUBLE": "two\nlines",
        "LONG": "first\nsecond # no comment\nthird",
        "EMPTY": "",
        "HASH": "a#b",
        "URL": "postgres://u:p%40@host/db?x=1&y=2",
    }


def test_each_refusal_says_line_and_reason() -> None:
    text = (
        "GOOD=1\n\n\n1BAD=x\nNO_EQUALS\nGOOD=2\nPORT=http\nMOONBASE_X=1\n"
        f"BIG={'x' * 140_000}\nOPEN='never closed\n"
    )
    refused = {line.number: line.problem for line in read_lines(text) if line.problem}
    assert set(refused) == {4, 5, 6, 7, 8, 9, 10}
    assert "not a digit first" in refused[4]
    assert "no “=”" in refused[5]
    assert refused[6] == "GOOD is in line 1 already. Keep one of the two."
    assert "PORT is a number" in refused[7]
    assert "platform's own" in refused[8]
    assert "128 KiB" in refused[9]
    assert "quotation mark" in refused[10]


def test_lines_of_windows_and_a_byte_order_mark_are_no_part_of_values() -> None:
    lines = read_lines("\ufeffA=1\r\nB='x\r\ny'\r\n")
    assert [(line.name, line.value) for line in lines] == [("A", "1"), ("B", "x\ny")]


def test_text_has_a_limit() -> None:
    read_lines("#" * TEXT_BYTES)
    for text in ("#" * (TEXT_BYTES + 1), "\n" * (TEXT_LINES + 1)):
        with pytest.raises(Invalid, match="at most 1024 KiB and 20,000 lines"):
            read_lines(text)
    with pytest.raises(Invalid, match="at most 5,000 variables"):
        read_lines("".join(f"N{number}=x\n" for number in range(5001)))


@pytest.mark.parametrize(
    "line", ["A='\n", 'A="\\"\n', "'\n", "=\n", "A\n", "A='x' y\n", "\\'\"\n", " " * 50 + "\n"]
)
def test_hostile_text_takes_no_long_time(line: str) -> None:
    began = time.process_time()
    with contextlib.suppress(Invalid):
        read_lines(line * min(TEXT_LINES, TEXT_BYTES // len(line)))
    assert time.process_time() - began < 5


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
            lambda name: name != "PORT" and not name.startswith("MOONBASE_")
        ),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
        max_size=5,
    )
)
def test_what_is_written_reads_back_the_same(variables: dict[str, str]) -> None:
    lines = read_lines(write_lines(variables.items()))
    assert {line.name: line.value for line in lines} == variables
    assert not any(line.problem for line in lines)
