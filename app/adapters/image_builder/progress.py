"""Reading what the classic builder says: its steps, what it makes, and why it fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.adapters.engine import Limits
from app.adapters.image_builder import BuildFailed
from app.adapters.lines import LineCutter

_STEP = re.compile(r"^Step (\d+)/(\d+) : (.*)$", re.DOTALL)
_MADE = re.compile(r"^ ---> ([0-9a-f]{12,64})$")
_RUNNING = re.compile(r"^ ---> Running in ([0-9a-f]{12,64})$")
_NO_REGISTRY = re.compile(
    r"dial tcp|no such host|connection refused|timeout|TLS handshake|EOF|x509"
)
_KILLED = 137


class Progress:
    """What has happened in one build so far.

    The output of the site's own commands comes in the same stream and may imitate the builder.
    So ids read here are only candidates, at most one per step: who removes by them looks at the
    object first.
    """

    def __init__(self, limits: Limits) -> None:
        self.step = ""
        self.stages = 0
        self._containers: dict[int, str] = {}
        self._images: dict[int, str] = {}
        self._bases: dict[int, str] = {}
        self._number = 0
        self._total: int | None = None
        self.result: str | None = None
        self.failure: BuildFailed | None = None
        self._limits = limits
        self._cutter = LineCutter()

    @property
    def containers(self) -> list[str]:
        """Ids of the containers that ran instructions, the latest last."""
        return list(self._containers.values())

    @property
    def images(self) -> list[str]:
        """Ids of the images that instructions made, the latest last."""
        return list(self._images.values())

    @property
    def has_ended(self) -> bool:
        """Whether the engine has said how it ended: it makes nothing more."""
        return self.failure is not None or self.result is not None

    @property
    def bases(self) -> list[str]:
        """Ids of the images that stages begin with: somebody else's."""
        return list(self._bases.values())

    @property
    def makes_nothing(self) -> bool:
        """Whether no image of ours can come of the current step: it only fetches a base."""
        return self.step.upper().startswith("FROM")

    def read(self, message: Mapping[str, Any]) -> list[str]:
        """Take in one message; the lines of it that people should see."""
        if "error" in message:
            detail = message.get("errorDetail") or {}
            self.failure = step_failure(
                message["error"], detail.get("code"), self.step, self._limits
            )
            return []
        if "aux" in message:
            self.result = message["aux"].get("ID", self.result)
            return []
        if "stream" in message:
            text: str = message["stream"]
            self._note(text.strip("\n"))
            # Docker paints what went to stderr red.
            plain = text.removeprefix("\x1b[91m").removesuffix("\x1b[0m")
            return self._cutter.feed(plain.encode("utf-8", "replace"))
        if "status" in message and not message.get("progressDetail"):
            words = (message.get("id"), message["status"])
            return [": ".join(word for word in words if word)]
        return []

    def finish(self) -> list[str]:
        """The last line, when it had no newline."""
        return self._cutter.finish()

    def _note(self, text: str) -> None:
        if step := _STEP.match(text):
            self._total = self._total or int(step[2])  # the first is surely the builder's own
            self._number = min(int(step[1]), self._total)
            self.step = step[3].strip()
            self.stages += self.makes_nothing
        elif container := _RUNNING.match(text):
            # It comes before any output of the container itself.
            self._containers.setdefault(self._number, container[1])
        elif made := _MADE.match(text):
            # It comes after all output.
            made_or_named = self._bases if self.makes_nothing else self._images
            made_or_named[self._number] = made[1]


def step_failure(said: str, code: int | None, step: str, limits: Limits) -> BuildFailed:
    """The sentence for an instruction that failed; `said` is the builder's own message."""
    short = step if len(step) <= 200 else f"{step[:199]}…"
    if step.upper().startswith("FROM") and not code:
        image = ([*step.split(), "", ""])[1]
        if "invalid reference format" in said:
            return BuildFailed(f"“{image}” is not the name of an image.", step)
        if _NO_REGISTRY.search(said):
            why = "it is not on this engine, and no registry answers."
        else:
            why = "neither this engine nor the registry has it."
        return BuildFailed(f"The base image “{image}” was not found: {why}", step)
    if code == _KILLED:
        memory = limits.memory_bytes // (1024 * 1024)
        return BuildFailed(
            f"“{short}” was killed (code 137), as happens when a build needs more than its "
            f"{memory} MB of memory.",
            step,
        )
    if code:
        return BuildFailed(f"“{short}” ended with code {code}.", step)
    if match := re.search(r"executable file not found|no such file or directory: unknown", said):
        return BuildFailed(f"“{short}” failed: the base image lacks that program.", match[0])
    if match := re.search(r"(?:stat|lstat) (\S+?): (?:file does not|no such)", said):
        path = match[1].rpartition("/")[2] if match[1].startswith("/var/") else match[1]
        return BuildFailed(f"“{short}” failed: “{path}” is not in the repository.", step)
    return BuildFailed(
        f"“{short}” failed: {said.strip()[:500]}" if step else said[:500], step or None
    )


def refused_build(said: str, dockerfile: str, context_is_empty: bool) -> BuildFailed | None:
    """The sentence for a build that was refused before its first step; None for other errors."""
    if context_is_empty:
        return BuildFailed("There is nothing to build: the repository is empty.")
    if "Cannot locate specified Dockerfile" in said:
        return BuildFailed(f"The repository has no {dockerfile}.")
    if "cannot be empty" in said or "no instructions" in said or "no build stage" in said:
        return BuildFailed(f"The {dockerfile} is empty: it needs at least a FROM instruction.")
    if match := re.search(r"parse error (?:on )?line (\d+): (.*)", said, re.DOTALL):
        reason = match[2].strip().splitlines()[0]
        return BuildFailed(f"Line {match[1]} of the {dockerfile}: {reason}.", f"line {match[1]}")
    if "Dockerfile" in said or "dockerfile" in said or "unknown instruction" in said:
        return BuildFailed(f"The {dockerfile} cannot be used: {said.strip()[:500]}")
    return None
