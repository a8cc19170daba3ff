"""Makes panels of tests quicker to make: the addresses are the same in each.

Werkzeug compiles a builder of addresses for every rule of every app, twice: 65 of the 80 ms that a
panel takes. A builder knows nothing of its app, so all panels of a process share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


def share_builders() -> None:
    """From now on, compile each builder once in this process."""
    compile_builder = Rule._compile_builder
    known: dict[Any, Builder] = {}

    def shared(rule: Rule, append_unknown: bool = True) -> Builder:
        key = (rule.rule, tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in known:
            known[key] = compile_builder(rule, append_unknown)
        return known[key]

    Rule._compile_builder = shared  # type: ignore[method-assign]
