"""Building an image from a tar stream. `docker.py` asks Docker; `fake.py` plays one in memory.

Called by the pipeline's BuildImage step. Builds get no environment variables, no services and no
site data: the platform's rule, so that one image can serve several environments.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from app.adapters.engine import ImageState, Limits
from app.errors import Invalid


class BuildFailed(Invalid):
    """The Dockerfile could not be built. `line` is the instruction or output line at fault."""

    def __init__(self, sentence: str, line: str | None = None) -> None:
        super().__init__(sentence)
        self.line = line


class BuildTimedOut(BuildFailed):
    """The build ran longer than the limit and was stopped."""


class BuildCancelled(BuildFailed):
    """A person stopped the build."""


@dataclass(frozen=True)
class BuildRequest:
    """What to build. `network` is the network build containers join. No layer cache is used.

    `journal` is a file in which the builder notes what it makes until it has succeeded.
    """

    tag: str
    labels: Mapping[str, str]
    limits: Limits
    timeout_seconds: float
    network: str
    dockerfile: str = "Dockerfile"
    journal: Path | None = None


class ImageBuilder(Protocol):
    """Builds images. Nothing half-built is left behind when a build fails or is stopped."""

    def build(
        self,
        request: BuildRequest,
        context: BinaryIO,
        on_line: Callable[[str], None],
        cancelled: threading.Event,
    ) -> ImageState:
        """Build the tar stream `context`, give each output line to `on_line` as it comes.

        Raises `BuildFailed` and its kinds, or `Unavailable` when no engine answers.
        """
        ...

    def sweep(self, journal: Path, others: Sequence[Path]) -> None:
        """Remove what a build that was cut off left, and later its journal; silent without one.
        `others` are the journals of builds that run: what may be theirs stays.
        The engine may go on for a moment: a minute after the first sweep nothing more can come.

        Raises `Unavailable` when no engine answers; the journal then stays.
        """
        ...
