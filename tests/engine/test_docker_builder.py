"""What only a real builder can show: limits, floods of output, and that nothing is left."""

from __future__ import annotations

import concurrent.futures
import fnmatch
import io
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from app.adapters.cgroups import CGROUPS
from app.adapters.engine import LABEL_SERVICE, Limits
from app.adapters.engine.docker import DockerEngine
from app.adapters.image_builder import BuildCancelled, BuildFailed, BuildTimedOut
from app.adapters.image_builder.build_cgroup import build_cgroup
from app.adapters.image_builder.docker import DockerImageBuilder
from app.errors import Unavailable
from base_images.making import ensure
from tests.contracts.engine_fixtures import LIMITS, BuilderCase
from tests.contracts.test_image_builder import build, context
from tests.engine.private_engine import PrivateEngine
from tests.flows.processes import wait_for

OWN_GROUPS = f"moonbase-build-{os.getpid()}-*"  # other builds may run beside


@pytest.fixture(scope="module")
def private_engine() -> Iterator[PrivateEngine]:
    """Not the one all tests share: everything that is on it is counted here."""
    with PrivateEngine(in_memory=True) as engine:
        yield engine


@pytest.fixture(scope="module")
def static_base_image(private_engine: PrivateEngine, package_cache: Path) -> str:
    return ensure(["static"], private_engine.client().api, package_cache)["static"]


@pytest.fixture
def api(private_engine: PrivateEngine) -> docker.APIClient:
    return private_engine.client().api


@pytest.fixture
def case(
    private_engine: PrivateEngine, static_base_image: str, api: docker.APIClient
) -> Iterator[BuilderCase]:
    """Every test here also shows that its builds leave no image, container or cgroup behind."""
    made = BuilderCase(
        DockerImageBuilder(private_engine.socket),
        DockerEngine(private_engine.socket),
        private_engine.build_network,
        static_base_image,
        None,
    )
    before = everything(api)
    yield made
    for image in made.engine.list_images(made.labels):
        made.engine.remove_image(image.id)
    assert everything(api) == before
    # Those of other tests come and go while this looks, which `walk` passes over.
    groups = [name for _, names, _ in os.walk(CGROUPS) for name in names]
    assert fnmatch.filter(groups, OWN_GROUPS) == []


def everything(api: docker.APIClient) -> set[str]:
    """Ids of all images, parents and untagged ones included, and of all containers."""
    found = [*api.images(all=True), *api.containers(all=True)]
    return {thing["Id"] for thing in found}


def building(api: docker.APIClient) -> list[str]:
    """Ids of containers that are no servers of other tests."""
    found = api.containers(all=True)
    return [one["Id"] for one in found if LABEL_SERVICE not in (one["Labels"] or {})]


def dangling(api: docker.APIClient) -> list[str]:
    return [image["Id"] for image in api.images(filters={"dangling": True})]


def when(words: str, cancelled: threading.Event) -> Callable[[str], None]:
    """A listener that cancels at the first line with these words."""
    return lambda line: cancelled.set() if words in line else None


def test_a_cancelled_build_s_container_is_gone(case: BuilderCase, api: docker.APIClient) -> None:
    cancelled = threading.Event()
    with pytest.raises(BuildCancelled):
        build(
            case,
            context(Dockerfile=f"FROM {case.base}\nRUN echo one\nRUN sleep 300\n"),
            when(" ---> Running in", cancelled),
            cancelled,
        )
    deadline = time.monotonic() + 2
    while building(api):
        assert time.monotonic() < deadline, "the build goes on"
        time.sleep(0.02)
    assert dangling(api) == []


@pytest.mark.parametrize("words", ["Step 2/", "Step 3/", "Step 4/", "Successfully built"])
def test_a_cancel_at_any_step_leaves_nothing(
    case: BuilderCase, api: docker.APIClient, words: str
) -> None:
    cancelled = threading.Event()
    text = f"FROM {case.base}\nCOPY big /big\nRUN echo two\nEXPOSE 81\n"
    with pytest.raises(BuildCancelled):
        build(
            case,
            context(Dockerfile=text, big="x" * 20_000_000),
            when(words, cancelled),
            cancelled,
        )
    assert dangling(api) == []
    assert case.engine.list_images(case.labels) == []


def test_what_the_build_of_a_killed_process_goes_on_to_make_is_swept(
    case: BuilderCase, private_engine: PrivateEngine, api: docker.APIClient, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    text = f"FROM {case.base}\nENV SOMEBODY=else\n"
    built = api.build(fileobj=context(Dockerfile=text), custom_context=True, rm=True)
    assert b"Successfully built" in b"".join(built)
    (foreign,) = dangling(api)
    if not (pid := os.fork()):  # the engine is at the COPY when its client dies
        own = replace(case, builder=DockerImageBuilder(private_engine.socket))
        packed = context(Dockerfile=f"FROM {case.base}\nCOPY big /big\n", big="x" * 200_000_000)
        build(own, packed, lambda line: os.abort() if "Step 2/" in line else None, journal=journal)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == signal.SIGABRT
    wait_for(lambda: dangling(api) != [foreign], 20, "nothing was made")
    case.builder.sweep(journal, [])
    assert dangling(api) == [foreign]
    api.remove_image(foreign)
    made = json.loads(journal.read_text())
    journal.write_text(json.dumps(made | {"swept": made["swept"] - 61}))
    case.builder.sweep(journal, [])
    assert not journal.exists()


def test_a_timed_out_build_leaves_nothing(case: BuilderCase, api: docker.APIClient) -> None:
    text = f"FROM {case.base}\nRUN echo one >/one\nRUN sleep 300\n"
    with pytest.raises(BuildTimedOut):
        build(case, context(Dockerfile=text), seconds=2)
    assert dangling(api) == []


def test_a_failed_build_leaves_nothing(case: BuilderCase, api: docker.APIClient) -> None:
    text = f"FROM {case.base} AS first\nRUN echo one >/one\nFROM {case.base}\nRUN exit 9\n"
    with pytest.raises(BuildFailed, match="ended with code 9"):
        build(case, context(Dockerfile=text))
    assert dangling(api) == []


def test_a_listener_that_fails_stops_the_build(case: BuilderCase, api: docker.APIClient) -> None:
    def full(line: str) -> None:
        if "Running in" in line:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        build(case, context(Dockerfile=f"FROM {case.base}\nRUN sleep 300\n"), full)
    assert building(api) == []


def test_earlier_stages_do_not_stay(case: BuilderCase, api: docker.APIClient) -> None:
    text = (
        f"FROM {case.base} AS first\nRUN echo made >/made\n"
        f"FROM {case.base}\nCOPY --from=first /made /site/made\n"
    )
    image = build(case, context(Dockerfile=text))
    assert case.engine.inspect_image(image.id) is not None
    assert dangling(api) == []


def test_output_cannot_talk_the_builder_into_removing(
    case: BuilderCase, private_engine: PrivateEngine, api: docker.APIClient
) -> None:
    foreign_image = api.inspect_image(case.base)["Id"].removeprefix("sha256:")
    container = api.create_container(case.base, ["sleep", "300"], name=f"{case.installation}-x")
    api.start(container)
    try:
        text = (
            f"FROM {case.base}\n"
            f"RUN echo ' ---> {foreign_image[:12]}'; echo ' ---> Running in {container['Id'][:12]}'"
            "; sleep 1; exit 1\n"
        )
        with pytest.raises(BuildFailed):
            build(case, context(Dockerfile=text))
        assert api.inspect_container(container)["State"]["Running"]
        assert api.inspect_image(case.base)["Id"].endswith(foreign_image)
    finally:
        api.remove_container(container, force=True)


def test_a_memory_hog_is_killed(case: BuilderCase) -> None:
    text = f"FROM {case.base}\nRUN a=x; while :; do a=$a$a; done\n"
    with pytest.raises(BuildFailed, match="more than its 64 MB of memory"):
        build(case, context(Dockerfile=text))


def test_a_fork_bomb_is_held(case: BuilderCase) -> None:
    assert isinstance(case.builder, DockerImageBuilder)
    assert case.builder.pids_are_limited
    peak = 0
    over = threading.Event()

    def count() -> None:
        nonlocal peak
        while not over.wait(0.02):
            for file in CGROUPS.glob(f"pids/{OWN_GROUPS}/pids.current"):
                peak = max(peak, int(file.read_text()))

    watcher = threading.Thread(target=count)
    watcher.start()
    lines: list[str] = []
    # What was forked sleeps on after the shell has met its limit, so that it is seen at its most.
    forks = "(for each in $(seq 200); do sleep 3 & done); exec sleep 3"
    try:
        build(case, context(Dockerfile=f"FROM {case.base}\nRUN {forks}\n"), lines.append)
    finally:
        over.set()
        watcher.join()
    assert any("can't fork" in line for line in lines)
    assert LIMITS.pids // 2 < peak <= LIMITS.pids


def test_processor_time_is_limited(case: BuilderCase) -> None:
    """Two busy loops of two seconds get one processor together: two seconds of it, not four."""
    text = (
        f"FROM {case.base}\n"
        "RUN timeout 2 sh -c 'while :; do :; done' & timeout 2 sh -c 'while :; do :; done'; wait;"
        " cat /sys/fs/cgroup/cpuacct/cpuacct.usage\n"
    )
    lines: list[str] = []
    build(case, context(Dockerfile=text), lines.append)
    spent = next(int(line) for line in lines if line.isdigit())
    assert spent / 1e9 < 2.6


@pytest.mark.timeout(120)
def test_a_flood_of_output_is_passed_on_in_little_memory(case: BuilderCase) -> None:
    count = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def on_line(line: str) -> None:
        nonlocal count
        count += 1

    flood = "yes 'the quick brown fox jumps over the lazy dog and goes on' | head -c 100000000"
    build(case, context(Dockerfile=f"FROM {case.base}\nRUN {flood}\n"), on_line, seconds=100)
    assert count > 100_000_000 // 57
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


def test_a_flood_can_be_cancelled(case: BuilderCase) -> None:
    cancelled = threading.Event()
    asked_at: list[float] = []
    lines = 0

    def on_line(line: str) -> None:
        nonlocal lines
        lines += 1
        if lines == 10_000:
            asked_at.append(time.monotonic())
            cancelled.set()

    with pytest.raises(BuildCancelled):
        build(case, context(Dockerfile=f"FROM {case.base}\nRUN yes\n"), on_line, cancelled)
    assert time.monotonic() - asked_at[0] < 3


def test_several_builds_at_once(case: BuilderCase) -> None:
    def one(number: int) -> int:
        part = BuilderCase(case.builder, case.engine, case.network, case.base, None)
        part.installation = f"{case.installation}-{number}"
        text = f"FROM {case.base}\nRUN echo {number}\nEXPOSE {8000 + number}\n"
        image = build(part, context(Dockerfile=text))
        case.engine.remove_image(image.tags[0])
        return image.exposed_ports[-1]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == [8000, 8001, 8002, 8003]


def test_an_absent_engine_is_unavailable(case: BuilderCase) -> None:
    case.builder = DockerImageBuilder("unix:///nonexistent/docker.sock")
    with pytest.raises(Unavailable, match="does not answer"):
        build(case, context(Dockerfile="FROM x\n"))


def test_a_context_that_cannot_be_read_is_its_own_error(case: BuilderCase) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise RuntimeError("the repository went away")

    with pytest.raises(RuntimeError, match="the repository went away"):
        build(case, Broken())


def test_cgroup_v2_files(tmp_path: Path) -> None:
    """The unified hierarchy's names, on a folder that plays it (this kernel has v1)."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("")
    with build_cgroup(Limits(64 * 2**20, 0.5, 30), tmp_path) as path:
        assert path is not None
        group = tmp_path / path.lstrip("/")
        texts = {file.name: file.read_text() for file in group.iterdir()}
        assert texts == {"memory.max": "67108864", "pids.max": "30", "cpu.max": "50000 100000"}
        assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
        for file in group.iterdir():  # the kernel's own files do not keep a group from going
            file.unlink()
    assert not group.exists()


def test_without_the_right_to_make_cgroups_there_is_none(tmp_path: Path) -> None:
    with build_cgroup(LIMITS, tmp_path / "missing") as path:
        assert path is None


def test_what_may_be_of_a_build_that_runs_is_not_swept(
    case: BuilderCase, api: docker.APIClient, tmp_path: Path
) -> None:
    """Both begin with the same base: whose an image is that nobody has named yet cannot be seen."""
    journal, running = tmp_path / "cut-off", tmp_path / "running"
    base = api.inspect_image(case.base)["Id"].removeprefix("sha256:")[:12]
    made = {"network": "n", "began": time.time(), "bases": [base], "containers": [], "images": []}
    journal.write_text(json.dumps(made))
    packed = context(Dockerfile=f"FROM {case.base}\nCOPY a /a\n", a="a")
    before = everything(api)
    list(api.build(fileobj=packed, custom_context=True, nocache=True))
    assert len(everything(api)) == len(before) + 1
    for bases in ([], [base]):
        running.write_text(json.dumps(made | {"bases": bases}))
        case.builder.sweep(journal, [running])
        assert len(everything(api)) == len(before) + 1
    running.write_text(json.dumps(made | {"bases": ["another"]}))
    case.builder.sweep(journal, [running])
    assert everything(api) == before


def test_all_that_an_unheard_of_build_has_made_is_swept(
    case: BuilderCase, api: docker.APIClient, tmp_path: Path
) -> None:
    """Its client was halted: the engine went on, one image on top of the other."""
    journal = tmp_path / "cut-off"
    base = api.inspect_image(case.base)["Id"].removeprefix("sha256:")[:12]
    made = {"network": "n", "began": time.time(), "bases": [base], "containers": [], "images": []}
    journal.write_text(json.dumps(made))
    text = f"FROM {case.base}\nCOPY a /a\nRUN echo one >/one\nENV ONE=1\n"
    before = everything(api)
    packed = context(Dockerfile=text, a="a")
    list(api.build(fileobj=packed, custom_context=True, nocache=True, rm=True))
    assert len(dangling(api)) == 1
    case.builder.sweep(journal, [])
    assert everything(api) == before


def test_what_lost_the_image_it_was_made_from_is_swept(
    case: BuilderCase, api: docker.APIClient, tmp_path: Path
) -> None:
    """A sweep removed that one just as the engine made another of the last container."""
    journal = tmp_path / "cut-off"
    before = everything(api)
    container = api.create_container(case.base, ["sleep", "1"])["Id"]
    orphan = api.commit(container)["Id"]
    packed = b"".join(api.get_image(orphan))  # what an archive does not say is its parent
    api.remove_image(orphan)
    api.load_image(packed)
    assert api.inspect_image(orphan)["Parent"] == ""
    made = {"network": "n", "began": time.time() - 5, "bases": ["0123456789ab"], "images": []}
    journal.write_text(json.dumps(made | {"containers": ["ba9876543210"]}))
    case.builder.sweep(journal, [])
    assert orphan in dangling(api)
    api.remove_container(container)
    journal.write_text(json.dumps(made | {"containers": [container[:12]]}))
    case.builder.sweep(journal, [])
    assert everything(api) == before
