"""READMEs in any sandbox: HTML comes out, and one that grows without end is stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.adapters.sandbox import Question, Reason, SandboxFailed, Topic
from app.adapters.sandbox.bubblewrap import BubblewrapSandbox
from tests.contracts.sandbox_fixtures import LIMITS, Box, bubblewrap, sandbox

__all__ = ["bubblewrap", "sandbox"]  # fixtures


def rendered(sandbox: Box, text: str, file: str) -> str:
    question = Question(Topic.RENDER, payload={"text": text, "file": file})
    return str(sandbox.ask(question)["html"])


def test_a_readme_becomes_html(sandbox: Box) -> None:
    sandbox.limits = replace(LIMITS, cpu_seconds=4)
    assert "<em>so</em>" in rendered(sandbox, "It is *so*.", "README.rst")
    assert "<em>so</em>" in rendered(sandbox, "It is *so*.", "README.md")
    assert rendered(sandbox, "It is *so*.", "README.txt") == ""


LAUGHTER = "\n".join(
    [f".. |x{n}| replace:: " + f"|x{n + 1}| " * 10 for n in range(8)]
    + [".. |x8| replace:: ha", "", "|x0|"]
)


def test_a_readme_that_grows_without_end_is_stopped(bubblewrap: BubblewrapSandbox) -> None:
    with pytest.raises(SandboxFailed) as failed:
        rendered(bubblewrap, LAUGHTER, "README.rst")
    assert failed.value.reason in {Reason.TIME, Reason.MEMORY}
