"""Variables as `.env` text: read line by line, and written so that they read back the same."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dotenv.parser import Binding, parse_stream

from app.errors import Invalid
from app.variables.limits import check_count, check_value, clean_key

TEXT_BYTES = 1024**2
"""As much as all variables of an environment may have."""
TEXT_LINES = 20_000
"""Read in under half a second; four a variable for the largest environment."""


@dataclass(frozen=True)
class Line:
    """What one line says. `problem` is a sentence when it cannot be used."""

    number: int
    name: str
    value: str = ""
    problem: str = ""


def read_lines(text: str) -> list[Line]:
    """Each assignment in `text`, good or not, in order.

    Values are taken as they stand: `$OTHER` is not replaced. As in every `.env`, an unquoted value
    ends before blanks at its end and before ` #`; quotes keep both, and line breaks. Raises
    `Invalid` when the text is larger than `TEXT_BYTES` or `TEXT_LINES`, or has more assignments
    than an environment may have variables.
    """
    unified = text.replace("\r\n", "\n")
    if len(unified.encode()) > TEXT_BYTES or unified.count("\n") > TEXT_LINES:
        most = f"{TEXT_BYTES // 1024} KiB and {TEXT_LINES:,} lines"
        raise Invalid(f"Paste at most {most} at once.", "text")
    lines = [line for binding in parse_stream(io.StringIO(unified)) for line in _line(binding)]
    check_count(len(lines))
    return list(_without_repeats(lines))


def _line(binding: Binding) -> Iterator[Line]:
    written = binding.original.string
    blank = len(written) - len(written.lstrip())
    number = binding.original.line + written[:blank].count("\n")
    if binding.error:
        sentence = "This is not NAME=value. Perhaps a quotation mark is not closed."
        yield Line(number, "", problem=sentence)
    elif binding.key is not None and binding.value is None:
        yield Line(number, binding.key[:200], problem="There is no “=” after the name.")
    elif binding.key is not None and binding.value is not None:
        yield _checked(number, binding.key, binding.value)


def _checked(number: int, key: str, value: str) -> Line:
    try:
        name = clean_key(key)
        check_value(name, value)
    except Invalid as error:
        return Line(number, key[:200], problem=error.sentence)
    return Line(number, name, value)


def _without_repeats(lines: Iterable[Line]) -> Iterator[Line]:
    """A name twice is a mistake in one of the two lines; nobody can tell in which."""
    first: dict[str, int] = {}
    for line in lines:
        earlier = first.setdefault(line.name, line.number) if not line.problem else line.number
        if earlier != line.number:
            sentence = f"{line.name} is in line {earlier} already. Keep one of the two."
            yield Line(line.number, line.name, problem=sentence)
        else:
            yield line


def write_lines(variables: Iterable[tuple[str, str]]) -> str:
    """`.env` text that `read_lines` reads back the same, line breaks and blanks included."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in variables)


def _quoted(value: str) -> str:
    if "\r" in value:  # would be taken for a line break of the text
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
        return f'"{escaped}"'
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
