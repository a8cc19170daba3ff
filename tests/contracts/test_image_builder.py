"""What every `ImageBuilder` does, asked of the one in memory and of Docker alike."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.adapters.engine import ImageState
from app.adapters.image_builder import BuildCancelled, BuildFailed, BuildRequest, BuildTimedOut
from tests.contracts.engine_fixtures import LIMITS, BuilderCase


def context(**files: str) -> io.BytesIO:
    """A tar of these files; `Dockerfile=…` is one of them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    packed.seek(0)
    return packed


def build(
    case: BuilderCase,
    packed: io.BytesIO,
    on_line: Callable[[str], None] = lambda line: None,
    cancelled: threading.Event | None = None,
    seconds: float = 60,
    dockerfile: str = "Dockerfile",
    journal: Path | None = None,
) -> ImageState:
    """Build under the case's own tag and labels."""
    request = BuildRequest(
        tag=f"{case.installation}:1",
        labels=case.labels,
        limits=LIMITS,
        timeout_seconds=seconds,
        network=case.network,
        dockerfile=dockerfile,
        journal=journal,
    )
    return case.builder.build(request, packed, on_line, cancelled or threading.Event())


def test_the_image_has_tag_labels_and_ports(builder_case: BuilderCase) -> None:
    lines: list[str] = []
    text = f'FROM {builder_case.base}\nRUN echo installing\nEXPOSE 8000\nCMD ["/bin/serve"]\n'
    image = build(builder_case, context(Dockerfile=text), lines.append)
    assert image.tags == (f"{builder_case.installation}:1",)
    assert image.exposed_ports == (80, 8000)
    assert image.command == ("/bin/serve",)
    assert image.labels.items() >= builder_case.labels.items()
    assert "installing" in lines
    assert not any("\n" in line for line in lines)
    assert builder_case.engine.inspect_image(image.tags[0]) == image


def test_another_dockerfile_can_be_named(builder_case: BuilderCase) -> None:
    packed = context(**{"Other.file": f"FROM {builder_case.base}\nEXPOSE 81\n"})
    assert build(builder_case, packed, dockerfile="Other.file").exposed_ports == (80, 81)


def test_a_new_build_takes_the_tag_over(builder_case: BuilderCase) -> None:
    first = build(builder_case, context(Dockerfile=f"FROM {builder_case.base}\nEXPOSE 81\n"))
    second = build(builder_case, context(Dockerfile=f"FROM {builder_case.base}\nEXPOSE 82\n"))
    found = builder_case.engine.inspect_image(f"{builder_case.installation}:1")
    assert found is not None
    assert found.id == second.id != first.id


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"Dockerfile": "FROM {base}\nRUN exit 3\n"}, "“RUN exit 3” ended with code 3."),
        (
            {"Dockerfile": "FROM {base}\n\nRUNN true\n"},
            "Line 3 of the Dockerfile: unknown instruction: RUNN.",
        ),
        ({"Dockerfile": "# nothing\n"}, "The Dockerfile is empty"),
        ({"index.html": "hello"}, "The repository has no Dockerfile."),
        ({}, "There is nothing to build: the repository is empty."),
        (
            {"Dockerfile": "FROM moonbase/none:1\nRUN true\n"},
            "The base image “moonbase/none:1” was not found: it is not on this engine",
        ),
    ],
)
def test_a_failure_is_a_plain_sentence(
    builder_case: BuilderCase, files: dict[str, str], sentence: str
) -> None:
    filled = {name: text.replace("{base}", builder_case.base) for name, text in files.items()}
    with pytest.raises(BuildFailed) as failure:
        build(builder_case, context(**filled))
    assert failure.value.sentence.startswith(sentence)
    assert builder_case.engine.list_images(builder_case.labels) == []


def test_the_failing_instruction_is_named(builder_case: BuilderCase) -> None:
    text = f"FROM {builder_case.base}\nRUN echo fine\nRUN exit 4\n"
    with pytest.raises(BuildFailed) as failure:
        build(builder_case, context(Dockerfile=text))
    assert failure.value.line == "RUN exit 4"


def test_a_context_of_no_bytes_is_empty_too(builder_case: BuilderCase) -> None:
    with pytest.raises(BuildFailed, match="repository is empty"):
        build(builder_case, io.BytesIO())


def test_a_build_ends_at_its_time_limit(builder_case: BuilderCase) -> None:
    began = time.monotonic()
    text = f"FROM {builder_case.base}\nRUN sleep 300\n"
    with pytest.raises(BuildTimedOut, match=r"longer than 1\.5 seconds"):
        build(builder_case, context(Dockerfile=text), seconds=1.5)
    assert time.monotonic() - began < 5
    assert builder_case.engine.inspect_image(f"{builder_case.installation}:1") is None
    assert builder_case.engine.list_images(builder_case.labels) == []


def test_a_build_can_be_cancelled(builder_case: BuilderCase) -> None:
    cancelled = threading.Event()
    asked_at: list[float] = []

    def cancel(line: str) -> None:
        if "RUN sleep 300" in line:
            asked_at.append(time.monotonic())
            cancelled.set()

    text = f"FROM {builder_case.base}\nRUN sleep 300\n"
    with pytest.raises(BuildCancelled):
        build(builder_case, context(Dockerfile=text), cancel, cancelled)
    assert time.monotonic() - asked_at[0] < 3
    assert builder_case.engine.inspect_image(f"{builder_case.installation}:1") is None


def test_a_build_cancelled_before_it_began_does_nothing(builder_case: BuilderCase) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(BuildCancelled):
        build(
            builder_case,
            context(Dockerfile=f"FROM {builder_case.base}\nRUN true\n"),
            cancelled=cancelled,
        )
    assert builder_case.engine.list_images(builder_case.labels) == []
