"""The examples of `docs/addons.md`: one for each hook, and the site they are asked for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.addons import api

DOCUMENT = Path(__file__).parents[2] / "docs" / "addons.md"
HOOKS = tuple(name for name in vars(api.Hooks) if not name.startswith("_"))
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Section:
    """What the document says of one hook."""

    hook: str
    text: str

    @property
    def words(self) -> str:
        """Without line breaks and marks of code, to look for sentences in it."""
        return " ".join(self.text.replace("`", "").split())

    @property
    def examples(self) -> list[str]:
        return [code for language, code in _BLOCK.findall(self.text) if language == "python"]


def read_sections() -> dict[str, Section]:
    """By hook: the sections of “The hooks”, whatever they are called."""
    hooks = re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)
    (chapter,) = (part for part in hooks if part.startswith("The hooks\n"))
    parts = re.split(r"^### ", chapter, flags=re.MULTILINE)[1:]
    return {name: Section(name, text) for name, _, text in (part.partition("\n") for part in parts)}


def read_site() -> dict[str, Any]:
    """The site that the examples are asked for, as JSON."""
    (text,) = (
        code for language, code in _BLOCK.findall(DOCUMENT.read_text()) if language == "json"
    )
    found: dict[str, Any] = json.loads(text)
    return found


def example_of(hook: str) -> str:
    (code,) = read_sections()[hook].examples
    return code
