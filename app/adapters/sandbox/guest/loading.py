"""Running the one source file of a package, and telling its authors where it failed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import TypeVar

from app.adapters.sandbox.guest.asking import DETAIL_LENGTH, Refused

Result = TypeVar("Result")


def load(source: str, file_name: str) -> ModuleType:
    """The module that `source` makes. Raises `Refused` with the traceback."""
    module = ModuleType(file_name.removesuffix(".py"))
    module.__file__ = file_name
    sys.modules[module.__name__] = module

    def run() -> None:
        exec(compile(source, file_name, "exec"), module.__dict__)  # noqa: S102 - what we are for

    ask(run, f"{file_name} cannot be loaded", source, file_name)
    return module


def ask(act: Callable[[], Result], sentence: str, source: str, file_name: str) -> Result:
    """What code of the package gives. Whatever it raises becomes `Refused`, but for too little
    memory, which is no flaw of its own."""
    try:
        return act()
    except (MemoryError, Refused):
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit and all else people may raise
        detail = traceback_of(error, source, file_name)
        where = _where(error, file_name)
        raise Refused("raised", f"{sentence}: {where}.", detail) from None


def traceback_of(error: BaseException, source: str, file_name: str) -> str:
    """The traceback from the first line of the package on, with its lines of source."""
    import linecache
    import traceback

    linecache.cache[file_name] = (len(source), None, source.splitlines(True), file_name)
    trace = error.__traceback__
    first = trace
    while first is not None and first.tb_frame.f_code.co_filename != file_name:
        first = first.tb_next
    lines = traceback.format_exception(type(error), error, first or trace)
    return "".join(lines)[-DETAIL_LENGTH:]


def _where(error: BaseException, file_name: str) -> str:
    name = type(error).__name__[:80]
    if isinstance(error, SyntaxError) and error.filename == file_name and error.lineno:
        return f"{name} in line {error.lineno}"
    line = _last_line(error.__traceback__, file_name)
    return f"{name} in line {line}" if line else name


def _last_line(trace: TracebackType | None, file_name: str) -> int | None:
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file_name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
