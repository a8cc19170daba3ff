"""YAML that came from outside, read as Flavours' own tools read it: all values are text.

A number, a version or a `no` stays as it was written (`1.10` is no number), and anchors, aliases
and tags are refused. So nothing can be multiplied, and no object is made of what a file says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from app.errors import Invalid

LARGEST = 128 * 1024
"""Bytes of one file. The largest description in Flavours' public repositories has 2 KB."""
DEEPEST = 12
"""Lists and maps in one another; the schema itself needs five."""
# The reader in C is an optional part of the package.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Node = str | list[Any] | dict[str, Any]


def read_yaml(content: bytes, name: str) -> Node:
    """The one document of `content`: text, lists and maps. `Invalid` says what is wrong in `name`,
    and in which line."""
    if len(content) > LARGEST:
        raise Invalid(f"“{name}” is too large: it may have {LARGEST // 1024} KiB.")
    try:
        events = yaml.parse(content.decode(), Loader=_LOADER)
        return _Builder(name).build(events)
    except UnicodeDecodeError as error:
        raise Invalid(f"“{name}” is not UTF-8 text.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise Invalid(f"“{name}” is no valid YAML{line}: {problem}.") from error


class _Builder:
    """Puts the events of the reader together, without recursion: a file cannot be too deep."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: list[Node] = []
        self.keys: list[str | None] = []
        """The key that waits for its value, for each of `open`."""
        self.documents = 0
        self.root: Node = ""

    def build(self, events: Iterator[Any]) -> Node:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                self._check(self.documents == 1, event, "has a second document")
            elif isinstance(event, yaml.NodeEvent):
                self._take(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.open.pop()
                self.keys.pop()
        return self.root

    def _take(self, event: yaml.NodeEvent) -> None:
        is_plain = event.anchor is None and not isinstance(event, yaml.AliasEvent)
        self._check(is_plain, event, "uses an anchor or alias")
        self._check(event.tag is None, event, "uses a tag")  # type: ignore[attr-defined]
        if isinstance(event, yaml.ScalarEvent):
            self._put(event.value, event)
            return
        node: Node = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._put(node, event)
        self.open.append(node)
        self.keys.append(None)
        self._check(len(self.open) <= DEEPEST, event, "is nested too deeply")

    def _put(self, node: Node, event: yaml.Event) -> None:
        if not self.open:
            self.root = node
            return
        place = self.open[-1]
        if isinstance(place, list):
            place.append(node)
            return
        if not isinstance(place, dict):
            raise TypeError("only lists and maps are ever open")
        key = self.keys[-1]
        if key is not None:
            place[key] = node
            self.keys[-1] = None
            return
        if not isinstance(node, str):
            raise Invalid(self._sentence(event, "has a list or a map as a key"))
        self._check(node not in place, event, f"says “{node[:60]}” twice")
        self.keys[-1] = node

    def _check(self, is_right: bool, event: yaml.Event, problem: str) -> None:
        if not is_right:
            raise Invalid(self._sentence(event, problem))

    def _sentence(self, event: yaml.Event, problem: str) -> str:
        line = event.start_mark.line + 1 if event.start_mark else 1
        return f"“{self.name}” {problem}, in line {line}."
