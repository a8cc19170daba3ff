"""What people push that cannot work: a clear sentence, and the site serves on as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from app.accounts.queries import find_user
from app.applications.queries import find_application
from app.deployments.models import DeploymentStatus
from app.errors import Invalid
from app.runtime.operations import add_release_command, remove_release_command
from app.runtime.queries import list_release_commands
from app.transactions import unit_of_work
from tests.contracts.git_client import GitClient
from tests.engine.private_engine import PrivateEngine
from tests.flows.running_panel import OWNER, SELDOM, SHORT_TIMES, RunningPanel

SITE = "bad"
PAGE = {"public/index.html": "fine"}
GOOD = "FROM moonbase/static:1\nCOPY public /site\nEXPOSE 80\n"
SERVER = "FROM moonbase/python:3.11\nCOPY server.py /\nEXPOSE 80\nCMD {cmd}\n"
STATUS_503 = """
import http.server
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503); self.end_headers()
http.server.HTTPServer(("", 80), H).serve_forever()
"""
HUNGRY = "data = []\nwhile True: data.append(bytearray(8 * 1024**2))\n"
SLOW_START = "import time; time.sleep(2.5)\n" + STATUS_503.replace("503", "200")
SLOW_ANSWER = STATUS_503.replace("self.send", "__import__('time').sleep(9); self.send")
LOCALHOST = STATUS_503.replace('("", 80)', '("127.0.0.1", 80)')
NOT_HTTP = """
import socket
s = socket.create_server(("", 80))
while True:
    c, _ = s.accept()
    c.sendall(b"hello, this is no web server\\n"); c.close()
"""


@pytest.fixture(scope="module")
def bad(
    private_engine: PrivateEngine,
    static_base_image: str,
    python_base_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningPanel]:
    """An installation whose builds may take 10 s, with a site that serves."""
    # Memory that nobody has had yet comes slowly: to use up all of it takes some seconds.
    slow = {"BUILD": "10", "RELEASE_COMMAND": "3", "CONNECT_TOTAL": "10"}
    times = {**SHORT_TIMES, **SELDOM, **slow}
    folder = tmp_path_factory.mktemp("bad")
    running = RunningPanel(folder, private_engine.socket, private_engine.pool, times=times)
    try:
        running.start()
        running.create_application(SITE)
        running.push(SITE, {"Dockerfile": GOOD, **PAGE})
        assert running.deploy(SITE).status == DeploymentStatus.SUCCEEDED
        yield running
    finally:
        running.stop()


def _python(cmd: str = '["python3", "/server.py"]') -> str:
    return SERVER.format(cmd=cmd)


CASES = {
    "broken Dockerfile": ({"Dockerfile": "FROM moonbase/static:1\nCOPYY . /\n"}, "Dockerfile"),
    "empty Dockerfile": ({"Dockerfile": ""}, "Dockerfile"),
    "command of the build fails": (
        {"Dockerfile": "FROM moonbase/static:1\nRUN echo no && exit 3\nEXPOSE 80\n"},
        "code 3",
    ),
    "endless build": ({"Dockerfile": "FROM moonbase/static:1\nRUN sleep 999\n"}, "longer than"),
    "forks without end": (
        {"Dockerfile": "FROM moonbase/static:1\nRUN f() { f | f & f; }; f\n"},
        "",
    ),
    "base image that nobody has": ({"Dockerfile": "FROM nobody/has-this:9\n"}, "nobody/has-this"),
    "no port": ({"Dockerfile": "FROM scratch\nCOPY public /\n"}, "opens no port"),
    "exits at once": (
        {"Dockerfile": 'FROM moonbase/static:1\nEXPOSE 80\nCMD ["true"]\n'},
        "stopped before it answered",
    ),
    "no such program": (
        {"Dockerfile": 'FROM moonbase/static:1\nEXPOSE 80\nCMD ["gunicornn"]\n'},
        "gunicornn",
    ),
    "answers 503": ({"Dockerfile": _python(), "server.py": STATUS_503}, "answered 503"),
    "killed for memory": ({"Dockerfile": _python(), "server.py": HUNGRY}, "memory"),
    "listens on 127.0.0.1": (
        {"Dockerfile": _python(), "server.py": LOCALHOST},
        "Nothing listened on port 80",
    ),
    "answers too slowly": (
        {"Dockerfile": _python(), "server.py": SLOW_ANSWER},
        "did not answer within 3 s",
    ),
    "not a web server": ({"Dockerfile": _python(), "server.py": NOT_HTTP}, "speak HTTP"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_deployment_that_cannot_work_says_why_and_changes_nothing(
    bad: RunningPanel, case: str
) -> None:
    files, sentence = CASES[case]
    bad.push(SITE, {**PAGE, **files})
    before = bad.containers()
    done = bad.deploy(SITE, seconds=90)
    assert done.status == DeploymentStatus.FAILED, bad.log(done.uuid)
    assert sentence in done.sentence, f"{done.sentence}\n{bad.log(done.uuid)}"
    assert done.advice
    assert bad.get(SITE).body == "fine"
    assert bad.containers() == before
    assert not list((bad.settings.data_dir / "tmp").glob("context-*"))


def test_no_dockerfile_at_all(bad: RunningPanel) -> None:
    bad.create_application("bare")
    bad.push("bare", {"index.html": "no Dockerfile here"})
    done = bad.deploy("bare")
    assert done.status == DeploymentStatus.FAILED
    assert "no Dockerfile" in done.sentence


def test_a_slow_start_within_the_limit_is_fine(bad: RunningPanel) -> None:
    bad.create_application("slow")
    bad.push("slow", {"Dockerfile": _python(), "server.py": SLOW_START})
    done = bad.deploy("slow")
    assert done.status == DeploymentStatus.SUCCEEDED, bad.log(done.uuid)


def test_200_mb_of_build_output_leave_a_log_of_20_mb(bad: RunningPanel) -> None:
    bad.create_application("noisy")
    line = "noise " * 150
    noise = f"FROM moonbase/static:1\nRUN yes '{line}' | head -c 200000000\nEXPOSE 80\n"
    bad.push("noisy", {"Dockerfile": noise})
    done = bad.deploy("noisy", seconds=120)
    log = bad.log(done.uuid)
    assert len(log) < 21 * 1024**2
    assert "bytes were cut here" in log
    assert log.startswith("===== git check out =====")
    assert log.rstrip().splitlines()[-1]


def _set_release_command(panel: RunningPanel, slug: str, command: str | None) -> None:
    """Make `command` the only release command of the application; None: no command."""
    with panel.app.app_context(), unit_of_work():
        application, owner = find_application(slug), find_user(OWNER)
        assert application and owner
        for row in list_release_commands(application.id):
            remove_release_command(application, row, owner)
        if command:
            add_release_command(application, "Check", command, owner)


def test_a_release_command_that_fails_or_hangs_ends_the_deployment(bad: RunningPanel) -> None:
    bad.create_application("commands")
    bad.push("commands", {"Dockerfile": GOOD, **PAGE})
    for command, sentence in (
        ("sh -c 'echo checking; exit 7'", "“Check” failed with exit code 7"),
        ("sleep 60", "“Check” ran longer than"),
    ):
        _set_release_command(bad, "commands", command)
        done = bad.deploy("commands")
        assert done.status == DeploymentStatus.FAILED
        assert sentence in done.sentence
        assert "===== docker release commands =====" in bad.log(done.uuid)
    _set_release_command(bad, "commands", "true")
    entrypoint = GOOD + 'ENTRYPOINT ["/bin/serve"]\n'
    bad.push("commands", {"Dockerfile": entrypoint})
    done = bad.deploy("commands")
    assert done.status == DeploymentStatus.FAILED
    assert "ENTRYPOINT “/bin/serve”" in done.sentence
    _set_release_command(bad, "commands", None)
    bad.push("commands", {"Dockerfile": GOOD})
    assert bad.deploy("commands").status == DeploymentStatus.SUCCEEDED


def test_links_out_of_the_tree_and_submodules_are_refused(bad: RunningPanel) -> None:
    bad.create_application("links")
    work = bad.folder / "work" / "links"
    client = GitClient(work, key=bad.ssh_key(), port=bad.settings.ssh_port)
    work.mkdir(parents=True)
    client.start("main")
    (work / "passwords").symlink_to("/etc/passwd")
    client.commit("a link", {"Dockerfile": GOOD, **PAGE})
    client.push(bad.ssh_url("links"))
    done = bad.deploy("links")
    assert done.status == DeploymentStatus.FAILED
    assert "passwords" in done.sentence
    (work / "passwords").unlink()
    sha = client.head()
    (work / "theme").mkdir()
    client.run("update-index", "--add", "--cacheinfo", f"160000,{sha},theme")
    client.commit("a submodule", {"public/index.html": "fine too"})
    client.push(bad.ssh_url("links"))
    done = bad.deploy("links")
    assert done.status == DeploymentStatus.FAILED
    assert "submodule" in done.sentence


def test_an_empty_repository_and_a_missing_branch_are_refused_before_anything_starts(
    bad: RunningPanel,
) -> None:
    bad.create_application("nothing")
    with pytest.raises(Invalid, match="empty"):
        bad.request("nothing")
    bad.push("nothing", {"Dockerfile": GOOD}, branch="other")
    with pytest.raises(Invalid, match="no branch “main”"):
        bad.request("nothing")


def test_a_site_that_ignores_sigterm_is_replaced_all_the_same(bad: RunningPanel) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    server = stubborn + STATUS_503.replace("503", "200")
    bad.create_application("stubborn")
    for number in range(2):
        bad.push("stubborn", {"Dockerfile": _python(), "server.py": server + f"# {number}\n"})
        done = bad.deploy("stubborn")
        assert done.status == DeploymentStatus.SUCCEEDED, bad.log(done.uuid)
    assert done.receipt is not None
    assert done.receipt.failed == 0
    assert len([name for name in bad.containers() if done.uuid[:13] in name]) == 1


def test_the_same_commit_asked_a_hundred_times_is_one_deployment(bad: RunningPanel) -> None:
    bad.create_application("often")
    bad.push("often", {"Dockerfile": GOOD, **PAGE, "salt": os.urandom(8).hex()})
    uuids = {bad.request("often") for _ in range(100)}
    assert len(uuids) == 1
    assert bad.wait(*uuids).status == DeploymentStatus.SUCCEEDED
