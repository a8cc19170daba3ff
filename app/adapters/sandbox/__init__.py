"""Where code of uploaded packages runs: never in a process of the panel.

One question a process, JSON in and JSON out. `bubblewrap.py` is the default, `container.py` the
fallback where user namespaces cannot be made; neither available, questions are refused. `guest/`
is what runs inside: it is handed in read-only, and nothing else of the panel is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from app.errors import PanelError


class Topic(StrEnum):
    """What is asked."""

    INSPECT = "inspect"
    """Unpack the archive and say what is in it. No code of the package runs."""
    RENDER = "render"
    """Make HTML of a README. No code of the package runs."""
    DESCRIBE = "describe"
    """Load the configuration; give its form, and what it asks for."""
    VALIDATE = "validate"
    """Give cleaned settings, or sentences by field."""
    CONTRIBUTE = "contribute"
    """Give what the package adds to a site."""


@dataclass(frozen=True)
class Question:
    """`kind` is `aldryn` or `plugin`, `source` the text of `aldryn_config.py` or `plugin.py`;
    both are empty for `INSPECT`, which alone has an `archive`, and for `RENDER`. `payload` is
    JSON."""

    topic: Topic
    kind: str = ""
    source: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    archive: Path | None = None


@dataclass(frozen=True)
class SandboxLimits:
    """What one question may use. Bytes of memory for all its processes together, and the files
    they write, which lie in memory."""

    memory_bytes: int = 256 * 1024**2
    processes: int = 16
    cpu_seconds: int = 5
    wall_seconds: float = 8
    output_bytes: int = 2 * 1024**2
    disk_bytes: int = 200 * 1024**2
    """Of the file system in memory that it may write to."""


class Reason(StrEnum):
    """Why there is no answer."""

    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASH = "crash"
    """It ended, or was ended, without an answer."""
    NONSENSE = "nonsense"
    """What it answered is not JSON of the shape asked for."""
    RAISED = "raised"
    """The package raised an exception; `detail` is its traceback."""


class SandboxFailed(PanelError):
    """The package could not answer. `sentence` is for anybody, `detail` (a traceback, the end of
    what it printed) for its authors only."""

    status = 400

    def __init__(self, reason: Reason, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.reason = reason
        self.detail = detail


class Sandbox(Protocol):
    """Asks packages. `Unavailable` when no sandbox can be made on this machine."""

    def ask(self, question: Question) -> Mapping[str, Any]:
        """The answer, a JSON object. Raises `SandboxFailed`."""
        ...
