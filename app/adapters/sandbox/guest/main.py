"""Reads one question, lowers its own limits, answers once, and ends.

The answer goes to what was the standard output; from then on everything printed goes to the
standard error, so that nothing printed can be taken for an answer. The line `ready` before it
tells the panel that the sandbox stood before any code of the package ran.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

from app.adapters.sandbox.guest.asking import Asked, Refused

READY = b"ready\n"

TOPICS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("inspect", ""): ("inspect_archive", "inspect"),
    ("render", ""): ("readme", "render"),
    ("describe", "aldryn"): ("aldryn", "describe"),
    ("validate", "aldryn"): ("aldryn", "validate"),
    ("contribute", "aldryn"): ("aldryn", "contribute"),
    ("describe", "plugin"): ("plugin", "describe"),
    ("validate", "plugin"): ("plugin", "validate"),
    ("contribute", "plugin"): ("plugin", "contribute"),
}
"""Topic and kind to module and function, imported when asked for."""


def main() -> NoReturn:
    """Answer the question on the standard input. Ends the process at once, whatever threads or
    exit handlers the package has left."""
    words = json.loads(sys.stdin.buffer.read())
    channel = os.dup(1)
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _hold_to(words["limits"])
    os.write(channel, READY)
    asked = Asked(words["topic"], words["kind"], words["source"], words["payload"])
    own = os.getpid()
    outcome = _outcome(asked, int(words["limits"]["output_bytes"]))
    if os.getpid() == own:  # a child that the package has forked comes here as well
        _write(channel, outcome)
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):  # the package may have put anything there
            stream.flush()
    os._exit(0)


def _hold_to(limits: Mapping[str, Any]) -> None:
    """Hard limits of this process and those it makes; they cannot be raised again. The number of
    processes counts inside of the sandbox's own user namespace; None where there is none."""
    memory, processor = limits["memory_bytes"], limits["cpu_seconds"]
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, processor, processor + 1),
        (resource.RLIMIT_NPROC, limits["processes"], limits["processes"]),
        (resource.RLIMIT_FSIZE, limits["disk_bytes"], limits["disk_bytes"]),
        (resource.RLIMIT_NOFILE, 64, 64),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        if soft is not None:
            resource.setrlimit(kind, (soft, hard))


def _outcome(asked: Asked, output_bytes: int) -> bytes:
    """The answer as JSON, or why there is none."""
    try:
        answered = {"answer": _function(asked)(asked)}
        text = json.dumps(answered, allow_nan=False)
        if len(text) > output_bytes:
            raise Refused("output", f"The package's answer is larger than {output_bytes} bytes.")
    except Refused as refused:
        text = _refusal(refused.reason, refused.sentence, refused.detail)
    except MemoryError:
        text = _refusal("memory", "The package needs more memory than it may use.")
    except (ValueError, TypeError, RecursionError) as error:
        text = _refusal("nonsense", "The package's answer cannot be written down.", repr(error))
    return text.encode()


def _refusal(reason: str, sentence: str, detail: str = "") -> str:
    return json.dumps({"refused": {"reason": reason, "sentence": sentence, "detail": detail}})


def _function(asked: Asked) -> Callable[[Asked], dict[str, Any]]:
    try:
        module, name = TOPICS[asked.topic, asked.kind]
    except KeyError:
        raise Refused(
            "nonsense", f"Packages of kind “{asked.kind}” are not asked to {asked.topic}."
        ) from None
    found: Callable[[Asked], dict[str, Any]] = getattr(
        import_module(f"{__package__}.{module}"), name
    )
    return found


def _write(channel: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(channel, view) :]
