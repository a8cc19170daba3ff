"""Makes panels of tests quicker to make and to use: what one has compiled serves all others.

Each test has a panel of its own, and all panels of a process have the same addresses and ask their
databases the same questions. Werkzeug parses every rule of every app and compiles two builders of
addresses for it: 75 of the 90 ms that a panel takes. SQLAlchemy compiles every statement once an
engine: half of the processor time of a test that deploys. Jinja compiles every template once an
app: an eighth of a second for a page.
"""

from __future__ import annotations

from pathlib import Path
from types import CodeType, MethodType
from typing import Any

from flask import Flask
from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule
from werkzeug.routing.matcher import State, StateMachineMatcher

from app.extensions import db

STATEMENTS: LRUCache[Any, Any] = LRUCache(4000)
"""What SQLite's statements were compiled to; a whole test run knows fewer."""


TEMPLATES = Path(__file__).parents[1] / "test-artifacts" / "templates"
"""Compiled templates, for the processes after this one too."""


class _SharedTemplates(FileSystemBytecodeCache):
    """Reads what a template was compiled to once in this process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._known: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._known.get((bucket.key, bucket.checksum))
        if bucket.code is None:
            super().load_bytecode(bucket)
            self._keep(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        super().dump_bytecode(bucket)
        self._keep(bucket)

    def _keep(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._known[bucket.key, bucket.checksum] = bucket.code


TEMPLATES.mkdir(parents=True, exist_ok=True)
_TEMPLATES = _SharedTemplates(TEMPLATES)


def share_templates(app: Flask) -> None:
    """Let `app` use what apps before it have compiled."""
    app.jinja_env.bytecode_cache = _TEMPLATES


def share_rules() -> None:
    """From now on, parse each rule of addresses and compile its builders once in this process."""
    compile_rule = Rule.compile
    known: dict[Any, Rule] = {}

    def shared(rule: Rule) -> None:
        key = (rule.rule, rule.subdomain, rule.host, repr(rule.defaults), rule.merge_slashes)
        first = known.get(key)
        if first is None:
            compile_rule(rule)
            known[key] = rule
            return
        rule._parts, rule._trace = first._parts, first._trace
        rule._converters = first._converters
        rule.arguments |= first.arguments
        rule._build = MethodType(first._build.__func__, rule)  # type: ignore[attr-defined]
        rule._build_unknown = MethodType(first._build_unknown.__func__, rule)  # type: ignore[attr-defined]

    Rule.compile = shared  # type: ignore[method-assign]


def share_matchers() -> None:
    """From now on, put the rules of equal panels in order once in this process, when the first of
    them is asked for something: a third of what a panel took."""
    add, update = StateMachineMatcher.add, StateMachineMatcher.update
    known: dict[Any, State] = {}

    def remember(matcher: StateMachineMatcher, rule: Rule) -> None:
        vars(matcher).setdefault("rules", []).append(rule)

    def put_in_order(matcher: StateMachineMatcher) -> None:
        rules: list[Rule] = vars(matcher).get("rules", [])
        key = tuple((rule.rule, rule.endpoint, frozenset(rule.methods or ())) for rule in rules)
        if key not in known:
            matcher._root = known[key] = State()
            for rule in rules:
                add(matcher, rule)
            update(matcher)
        matcher._root = known[key]

    StateMachineMatcher.add = remember  # type: ignore[method-assign]
    StateMachineMatcher.update = put_in_order  # type: ignore[method-assign]


def share_dialects() -> None:
    """From now on, what is kept by dialect is found by every engine of SQLite."""
    kind = SQLiteDialect_pysqlite
    kind.__hash__ = lambda dialect: hash(type(dialect))  # type: ignore[method-assign]
    kind.__eq__ = lambda dialect, other: type(dialect) is type(other)  # type: ignore[method-assign]


def share_statements(app: Flask) -> None:
    """Let the engines of `app` use what engines before them have compiled."""
    with app.app_context():
        for engine in db.engines.values():
            if engine.dialect.name == "sqlite":
                engine.update_execution_options(compiled_cache=STATEMENTS)
