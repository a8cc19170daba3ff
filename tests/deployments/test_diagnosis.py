"""From the end of a log to a sentence a person can act on."""

from __future__ import annotations

import pytest

from app.adapters.image_builder import BuildFailed, BuildTimedOut
from app.deployments.diagnosis import diagnose
from app.errors import Invalid, PanelError, Unavailable

BUILD = BuildFailed("“RUN make” ended with code 1.", "RUN make")
LOGS = [
    ("write /x: no space left on device", "The disk of the machine was full.", "make room"),
    (
        "ERROR: Could not find a version that satisfies the requirement djagno",
        "A Python package could not be found",
        "requirements",
    ),
    ("Could not find a version that matches a<1,>2", "A Python package could not", "pin versions"),
    ("npm ERR! code ELIFECYCLE", "A Node error has stopped the build.", "same npm command"),
    ("npm error code E404", "A Node error has stopped the build.", "same npm command"),
    ("pip._vendor.urllib3.exceptions.ReadTimeoutError: x", "A download took too long.", "again"),
    ("requests: Read timed out.", "A download took too long.", "Deploy again"),
    ("Temporary failure in name resolution", "A download took too long.", "Deploy again"),
    ("MemoryError", "too much memory", "plan with more memory"),
    ("Killed\nmake: *** [all] Error 1", "too much memory", "plan with more memory"),
    ("returned a non-zero code: 137", "too much memory", "plan with more memory"),
    ("ModuleNotFoundError: No module named 'x'", BUILD.sentence, "Add it to the requirements"),
]


@pytest.mark.parametrize(("line", "sentence", "advice"), LOGS)
def test_what_a_build_printed_names_the_cause(line: str, sentence: str, advice: str) -> None:
    log = f"===== docker build =====\nStep 1/2 : FROM x\n{line}\nsome line\n!!! {BUILD.sentence}\n"
    finding = diagnose(BUILD, log)
    assert sentence in finding.sentence and advice in finding.advice


SITES = [
    ("Address already in use", "Only one process can listen"),
    ("Error: listen EADDRINUSE: 0.0.0.0:80", "Only one process can listen"),
    ("exec /app: exec format error", "another kind of processor"),
    ("ImportError: No module named django", "Add it to the requirements"),
    ("Error: Cannot find module 'express'", "Add it to the requirements"),
]


@pytest.mark.parametrize(("line", "advice"), SITES)
def test_what_a_container_printed_names_the_cause(line: str, advice: str) -> None:
    error = Invalid("The container stopped before it answered.")
    finding = diagnose(error, f"{line}\n!!! {error.sentence}\n")
    assert finding.sentence == error.sentence and advice in finding.advice


ERRORS: list[tuple[PanelError, str]] = [
    (Invalid("The image opens no port: its Dockerfile has no EXPOSE line."), "EXPOSE tells"),
    (Invalid("There is no Dockerfile at the top of the repository."), "first Dockerfile"),
    (Invalid("Nothing listened on port 80 for 120 s."), "0.0.0.0"),
    (Invalid("The container stopped before it answered."), "CMD names a program"),
    (Invalid("It accepted a request but did not answer within 20 s."), "slow work"),
    (Invalid("The site answered 503."), "not well"),
    (Invalid("Port 25 does not speak HTTP (BadStatusLine)."), "web server's"),
    (Invalid("The release command “migrate” failed with exit code 1."), "ENTRYPOINT"),
    (BuildTimedOut("The build took longer than 1800 seconds and was stopped."), "shorter"),
    (BuildFailed("“RUN x” ended with code 2."), "lines above the error"),
    (Unavailable("Docker does not answer."), "problem of the platform"),
    (Invalid("Something else."), "log shows"),
]


@pytest.mark.parametrize(("error", "advice"), ERRORS)
def test_every_error_of_the_pipeline_has_advice(error: PanelError, advice: str) -> None:
    finding = diagnose(error, f"!!! {error.sentence}\n")
    assert finding.sentence == error.sentence and advice in finding.advice


@pytest.mark.parametrize("line", ["Killed", "npm error x", "Read timed out", "exit code 137"])
def test_a_command_is_not_taken_for_a_build(line: str) -> None:
    error = Invalid("The release command “migrate” failed with exit code 137.")
    assert diagnose(error, line).sentence == error.sentence


def test_old_lines_of_a_long_log_do_not_count() -> None:
    log = "MemoryError\n" + "fine\n" * 100
    assert diagnose(BUILD, log).sentence == BUILD.sentence
