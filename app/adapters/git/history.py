"""What the newest commits say, read without starting git: whoever saves a form waits for it."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from gitdb.exc import ODBError  # type: ignore[import-untyped]

from app.adapters.git import CommitInfo
from app.adapters.git.entries import commit_of
from app.adapters.git.objects import opened

LONGEST = 100
"""Commits that are walked here; git is faster over more."""
_PERSON = re.compile(rb"(author|committer) ([^<>\n]*)<([^<>\n]*)> ([0-9]{1,11}) [+-][0-9]{4}")
_LAST = 253402300799
"""The end of our calendar."""


def read_commit(repository: Path, sha: str) -> CommitInfo | None:
    """One commit, a full sha; None when there is none, and when it is not written as they usually
    are: git itself is to be asked then."""
    try:
        with opened(repository) as objects:
            commit = commit_of(objects, bytes.fromhex(sha))
    except (ODBError, ValueError):
        return None
    if commit is None or b"\0" in commit.about:
        return None
    head, _, message = commit.about.partition(b"\n\n")
    people = {found[1]: found for line in head.split(b"\n") if (found := _PERSON.fullmatch(line))}
    if b"\nencoding " in head or len(people) != 2:
        return None
    author, seconds = people[b"author"], int(people[b"committer"][4])
    return CommitInfo(
        sha,
        _subject(message),
        author[2].strip().decode(errors="replace"),
        author[3].strip().decode(errors="replace"),
        moment_of(seconds),
    )


def moment_of(seconds: int) -> datetime.datetime:
    """Times before 1970 or far ahead are possible in a hand-made commit, not in our calendar."""
    return datetime.datetime.fromtimestamp(min(max(seconds, 0), _LAST), datetime.UTC)


def count_straight(repository: Path, until: str, since: str | None) -> int | None:
    """How many commits lead from `since` (None: from the first) to `until`, both full shas.

    None where that is not a short and straight way: git itself is to be asked then.
    """
    here, end = bytes.fromhex(until), bytes.fromhex(since) if since else None
    try:
        with opened(repository) as objects:
            for count in range(LONGEST):
                if here == end:
                    return count
                commit = commit_of(objects, here)
                if commit is None or len(commit.parents) > 1:
                    return None
                if not commit.parents:
                    return count + 1 if end is None else None
                here = commit.parents[0]
    except (ODBError, ValueError):
        return None
    return None


def _subject(message: bytes) -> str:
    """The first paragraph on one line, as `git log` gives it."""
    lines: list[bytes] = []
    for line in message.split(b"\n"):
        if line.strip():
            lines.append(line.rstrip())
        elif lines:
            break
    return b" ".join(lines).decode(errors="replace")
