"""What went wrong, in plain words, and what to do about it (C11; the debugging checklist)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.adapters.image_builder import BuildFailed, BuildTimedOut
from app.errors import PanelError, Unavailable


@dataclass(frozen=True)
class Finding:
    """A sentence that says what happened, and one that says what to do."""

    sentence: str
    advice: str


@dataclass(frozen=True)
class Symptom:
    """Something in the end of a log that names the cause."""

    pattern: re.Pattern[str]
    advice: str
    sentence: str = ""


def _symptom(pattern: str, advice: str, sentence: str = "") -> Symptom:
    return Symptom(re.compile(pattern, re.IGNORECASE | re.MULTILINE), advice, sentence)


SYMPTOMS = (
    _symptom(
        r"no space left on device",
        "Nothing is wrong with your site. An operator must make room, then deploy again.",
        "The disk of the machine was full.",
    ),
    _symptom(
        r"Could not find a version that (?:matches|satisfies)",
        "Two packages ask for versions that do not go together, or one is misspelt. Look at the "
        "requirements named in the log and pin versions that fit.",
        "A Python package could not be found in the version asked for.",
    ),
    _symptom(
        r"npm ERR!|npm error",
        "Run the same npm command on your machine: it fails there too. The log shows the line.",
        "A Node error has stopped the build.",
    ),
    _symptom(
        r"ReadTimeoutError|Read timed out|Temporary failure in name resolution",
        "This happens when a package index is slow. Deploy again.",
        "A download took too long.",
    ),
    _symptom(
        r"MemoryError|signal: killed|Killed$|exit code 137|code: 137",
        "Choose a plan with more memory, or build with less at a time.",
        "The build was killed because it used too much memory.",
    ),
    _symptom(
        r"address already in use|EADDRINUSE",
        "Only one process can listen on a port. Start one server, in CMD.",
    ),
    _symptom(
        r"exec format error",
        "The program was built for another kind of processor, or its first line is missing.",
    ),
    _symptom(
        r"No module named|ModuleNotFoundError|Cannot find module",
        "A package the site needs is not in the image. Add it to the requirements.",
    ),
)


def diagnose(error: PanelError, log_tail: str) -> Finding:
    """Say what failed. `log_tail` is the end of the deployment's log."""
    tail = "\n".join(log_tail.splitlines()[-60:])
    for symptom in SYMPTOMS:
        if symptom.pattern.search(tail) or symptom.pattern.search(error.sentence):
            # The same words in the output of a command or a site do not speak of a build.
            is_ours = isinstance(error, BuildFailed | Unavailable)
            return Finding((is_ours and symptom.sentence) or error.sentence, symptom.advice)
    return Finding(error.sentence, _advice_for(error))


ADVICE_BY_SENTENCE = (
    ("opens no port", "EXPOSE tells which port the server listens on."),
    ("no Dockerfile", "The page “Repository” shows a first Dockerfile to copy."),
    (
        "Nothing listened on port",
        "The server must listen on 0.0.0.0, not on 127.0.0.1, and on the port of EXPOSE. Set the "
        "variable PORT when the detected one is wrong.",
    ),
    (
        "stopped before it answered",
        "The end of its log is above. Common causes: CMD names a program that ends at once, or a "
        "variable it needs is not set.",
    ),
    (
        "used too much memory",
        "Choose a plan with more memory, or fewer workers per container.",
    ),
    (
        "did not answer within",
        "The first answer takes too long. Move slow work out of the first request.",
    ),
    ("The site answered 5", "The site itself says it is not well. Its log above tells why."),
    (
        "release command",
        "Its output is above. If the command seems to have started the server instead, the image "
        "has an ENTRYPOINT that does so: start it with CMD, and end an entrypoint with exec "
        '"$@".',
    ),
    (
        "The process “",
        "Its command is on the page Workers, or comes from an addon. The program it names must be "
        "in the image.",
    ),
    ("speak HTTP", "The port of EXPOSE or PORT must be the web server's."),
)


def _advice_for(error: PanelError) -> str:
    if isinstance(error, BuildTimedOut):
        return "Make the build shorter: install fewer packages, or start from a fuller base image."
    for words, advice in ADVICE_BY_SENTENCE:
        if words in error.sentence:
            return advice
    if isinstance(error, BuildFailed):
        return "The lines above the error in the log show what the build was doing."
    if isinstance(error, Unavailable):
        return "This is a problem of the platform, not of your site. Try again in a few minutes."
    return "The log shows what led to it."
