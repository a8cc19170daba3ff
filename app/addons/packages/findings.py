"""What is wrong with a package, in plain words: all of it in one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import Invalid


@dataclass(frozen=True)
class Finding:
    """One thing to put right. `line` begins at 1; 0 says nothing. A warning refuses nothing.
    `detail` is for the author: the traceback of their code."""

    sentence: str
    file: str = ""
    line: int = 0
    is_warning: bool = False
    detail: str = ""

    @property
    def place(self) -> str:
        """`addon.json, line 3`; empty when it is about the whole."""
        return f"{self.file}, line {self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}" if self.place else self.sentence


class Refused(Invalid):
    """A package that cannot be taken. `findings` are all that was found, warnings too."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        errors = [finding for finding in findings if not finding.is_warning]
        super().__init__(" ".join(str(finding) for finding in errors), "app")
        self.findings = tuple(findings)
