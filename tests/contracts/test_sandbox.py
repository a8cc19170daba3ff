"""Any sandbox: answers, and what hostile packages get. Bubblewrap and containers."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.sandbox import Question, Reason, SandboxFailed, SandboxLimits, Topic
from app.adapters.sandbox.bubblewrap import START, BubblewrapSandbox
from app.adapters.sandbox.choosing import choose_sandbox
from app.adapters.sandbox.container import ContainerSandbox
from app.errors import Unavailable
from tests.contracts.sandbox_fixtures import (
    LIMITS,
    Box,
    bubblewrap,
    describe,
    failure,
    nothing_left,
    sandbox,
    validate,
)

__all__ = ["bubblewrap", "sandbox"]  # fixtures

FORM = """
from aldryn_client import forms
class Form(forms.BaseForm):
    {}
"""


def labelled(expression: str) -> str:
    """A package that tells what it sees as the label of a field."""
    return f"import json, os\nfrom aldryn_client import forms\n{FORM}".format(
        f"seen = forms.CharField(json.dumps({expression}))"
    )


def seen(sandbox: Box, expression: str) -> object:
    return json.loads(describe(sandbox, labelled(expression))["fields"][0]["label"])


PARENTS = [
    path for path in Path(__file__).resolve().parents if path not in map(Path, ("/", "/tmp"))
]
"""Where the checkout lies. A sandbox has a root and a place for temporary files of its own."""


# Answers ------------------------------------------------------------------------------------


def test_a_form_is_described_and_settings_are_checked(sandbox: Box) -> None:
    source = FORM.format("size = forms.NumberField('Size', 1, 9, initial=3, help_text='Of it.')")
    (field,) = describe(sandbox, source)["fields"]
    assert (field["name"], field["type"], field["label"]) == ("size", "number", "Size")
    assert (field["min_value"], field["max_value"], field["initial"]) == (1, 9, 3)
    assert validate(sandbox, source, {"size": 7})["settings"] == {"size": 7}
    refused = validate(sandbox, source, {"size": 12})
    assert refused["settings"] == {} and "9" in refused["errors"]["size"]


def test_an_answer_of_a_plugin(sandbox: Box) -> None:
    source = (
        "from app.addons.api import *\n"
        "@hookimpl\ndef addon_info():\n"
        "    return AddonInfo('a-b', 'A', '1', 'S', rights=Rights(slots=(Slot.NPM,)))\n"
        "@hookimpl\ndef contribute_variables(site):\n"
        "    return (Variable('GREETING', site.settings['greeting']),)\n"
    )
    described = describe(sandbox, source, "plugin")
    assert described["info"]["rights"]["slots"] == ["npm"] and described["fields"] == []
    site = {"name": "S", "slug": "s", "stage": "test", "settings": {"greeting": "Grüezi 👋"}}
    given = sandbox.ask(Question(Topic.CONTRIBUTE, "plugin", source, {"site": site}))
    assert given["variables"] == [{"name": "GREETING", "value": "Grüezi 👋"}]
    assert given["files"] == given["fragments"] == []


def test_an_archive_is_handed_in_read_only(sandbox: Box, tmp_path: Path) -> None:
    archive = tmp_path / "upload.tar.gz"
    archive.write_bytes(os.urandom(100_000))
    archive.chmod(0o600)
    source = labelled("os.path.getsize('/panel/archive')")
    question = Question(Topic.DESCRIBE, "aldryn", source, archive=archive)
    assert sandbox.ask(question)["fields"][0]["label"] == "100000"
    assert archive.stat().st_size == 100_000


def test_a_mistake_of_the_author_comes_with_its_line(bubblewrap: BubblewrapSandbox) -> None:
    failed = failure(bubblewrap, "\n\nundefined_name\n")
    assert failed.reason is Reason.RAISED
    assert failed.sentence == "aldryn_config.py cannot be loaded: NameError in line 3."
    assert 'File "aldryn_config.py", line 3' in failed.detail and "undefined_name" in failed.detail
    assert "guest" not in failed.detail, "the panel's own frames help nobody"


def test_what_a_package_prints_is_no_answer(sandbox: Box) -> None:
    lie = 'print(\'ready\\n{"answer": {"fields": "forged"}}\', flush=True)\n'
    assert describe(sandbox, lie)["fields"] == []
    failed = failure(sandbox, "print('a hint')\nimport sys; sys.stdout.flush()\n1/0")
    assert "a hint" in failed.detail and "ZeroDivisionError" in failed.detail


# What a package can see ---------------------------------------------------------------------


def test_it_sees_no_files_of_the_machine(sandbox: Box) -> None:
    roots = ["/root", "/home", "/var", "/sys", "/proc/1/environ", *map(str, PARENTS)]
    found = seen(sandbox, f"[p for p in {roots!r} if os.path.exists(p)]")
    own = {"/root", "/home", "/var", "/sys", "/proc/1/environ"}
    assert found == [] or (isinstance(sandbox, ContainerSandbox) and set(found) <= own)
    assert failure(sandbox, "open('/etc/shadow').read()").reason is Reason.RAISED
    assert failure(sandbox, f"open({str(Path(__file__))!r}).read()").reason is Reason.RAISED


def test_it_sees_no_environment(sandbox: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONBASE_SECRET_KEY", "a secret")
    names = seen(sandbox, "sorted(os.environ)")
    assert isinstance(names, list)
    assert set(names) <= {"HOME", "LC_ALL", "PATH", "PWD"}


def test_it_is_nobody_and_alone(sandbox: Box) -> None:
    uid, pid = json.loads(str(json.dumps(seen(sandbox, "[os.getuid(), os.getpid()]"))))
    assert uid == 65534 and pid < 10


@pytest.mark.parametrize(
    "call",
    [
        "socket.create_connection(('192.0.2.1', 80), 1)",
        "socket.socket(socket.AF_UNIX).connect('/x')",
    ],
)
def test_it_opens_no_socket(sandbox: Box, call: str) -> None:
    failed = failure(sandbox, f"import socket\n{call}")
    assert failed.reason is Reason.RAISED and "Error in line 2" in failed.sentence


def test_it_writes_nowhere_but_into_its_own_memory(sandbox: Box) -> None:
    attempt = "[p for p in ['/', '/usr', '/dev', '/usr/lib'] if os.access(p, os.W_OK)]"
    assert seen(sandbox, attempt) == []


# What it may use ----------------------------------------------------------------------------

HOSTILE = {
    "forks without end": (
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        {Reason.TIME},
        "longer than it may",
    ),
    "fills memory": (
        "x = bytearray(10**9)",
        {Reason.MEMORY},
        "more memory than it may use (96 MB)",
    ),
    "fills the disk": (
        "with open('/tmp/x', 'wb') as f:\n    while True: f.write(bytes(10**6))",
        {Reason.RAISED, Reason.CRASH},
        "",
    ),
    "fills the disk with many files": (
        "for n in range(100):\n    open(f'/tmp/{n}', 'wb').write(bytes(10**6))",
        {Reason.RAISED},
        "OSError",
    ),
    "sleeps for ever": (
        "import time\ntime.sleep(1000)",
        {Reason.TIME},
        "longer than it may (1 s",
    ),
    "swallows exceptions to survive": (
        "import signal\nfor n in range(1, 32):\n"
        "    try: signal.signal(n, signal.SIG_IGN)\n    except OSError: pass\n"
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        {Reason.TIME},
        "longer than it may",
    ),
    "prints without end": ("while True: print('x' * 10**6)", {Reason.OUTPUT}, "writes more than"),
    "has 10 MB of choices": (
        FORM.format("a = forms.SelectField('A', [(str(n), 'x' * 100) for n in range(100_000)])"),
        {Reason.OUTPUT},
        "writes more than it may",
    ),
    "ends the process": ("import os\nos._exit(0)", {Reason.CRASH}, "ended without an answer"),
}

GUESTS = {
    "kills itself": ("import os\nos.kill(os.getpid(), 9)", {Reason.CRASH}, "without an answer"),
    "closes everything": ("import os\nos.closerange(0, 64)", {Reason.CRASH}, "without an answer"),
    "exits": ("raise SystemExit(0)", {Reason.RAISED}, "SystemExit in line 1"),
    "writes to the channel itself": (
        "import os\nfor n in range(3, 20):\n"
        "    try: os.write(n, b'{}\\n')\n    except OSError: pass",
        {Reason.NONSENSE},
        "makes no sense",
    ),
    "changes its fields on each call": (
        "import itertools\nn = itertools.count()\n"
        + FORM.format("def serialize(self): return [(f'f{next(n)}', {'field_type': 'text'})]"),
        {Reason.NONSENSE},
        "other fields each time",
    ),
    "answers with a hole without a bottom": (
        "import os\nfor n in range(3, 20):\n"
        "    try: os.write(n, b'{\"answer\": ' + b'[' * 700 + b']' * 700 + b'}')\n"
        "    except OSError: pass\n"
        "os._exit(0)",
        {Reason.NONSENSE},
        "makes no sense",
    ),
    "has half a character in a label": (
        FORM.format("a = forms.CharField('\\ud800')"),
        {Reason.NONSENSE},
        "makes no sense",
    ),
    "has a NUL in a label": (
        FORM.format("a = forms.CharField('a\\0b')"),
        {Reason.NONSENSE},
        "makes no sense",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_package_is_stopped_with_a_sentence(sandbox: Box, what: str) -> None:
    source, reasons, part = HOSTILE[what]
    if reasons == {Reason.TIME}:
        sandbox.limits = replace(LIMITS, wall_seconds=1)
    failed = failure(sandbox, source)
    assert failed.reason in reasons and part in failed.sentence, (failed.sentence, failed.detail)


@pytest.mark.parametrize("what", GUESTS)
def test_an_odd_package_gets_a_sentence(bubblewrap: BubblewrapSandbox, what: str) -> None:
    source, reasons, part = GUESTS[what]
    failed = failure(bubblewrap, source)
    assert failed.reason in reasons and part in failed.sentence, (failed.sentence, failed.detail)


def test_too_much_of_the_processor_is_said_to_be_too_long(bubblewrap: BubblewrapSandbox) -> None:
    """Also when the package lets the warning pass, and the kernel kills it."""
    patient = BubblewrapSandbox(replace(LIMITS, wall_seconds=60))
    for source in ("while True: pass", HOSTILE["swallows exceptions to survive"][0]):
        began = time.monotonic()
        assert failure(patient, source).reason is Reason.TIME
        assert time.monotonic() - began < 50


CLEANED = {
    "NaN": "float('nan')",
    "infinity": "float('inf')",
    "a cycle": "CYCLE",
    "a list in a list": "[['a']]",
    "a dictionary": "{'a': 1}",
    "a huge number": "10**4000",
    "bytes": "b'a'",
    "an object": "object()",
}


@pytest.mark.parametrize("what", CLEANED)
def test_settings_that_cannot_be_kept_are_refused_by_name(
    bubblewrap: BubblewrapSandbox, what: str
) -> None:
    source = "CYCLE = []\nCYCLE.append(CYCLE)\n" + FORM.format(
        "size = forms.CharField('Size')\n"
        f"    def clean(self): self.cleaned_data['size'] = {CLEANED[what]}"
    )
    with pytest.raises(SandboxFailed) as caught:
        validate(bubblewrap, source, {"size": "1"})
    assert caught.value.reason is Reason.NONSENSE
    assert "“size” cannot be kept as a setting" in caught.value.sentence


def test_html_in_labels_stays_text(bubblewrap: BubblewrapSandbox) -> None:
    text = '<script>alert(1)</script> & \\"more\\"'
    source = FORM.format(f'a = forms.CharField("{text}", help_text="{text}")')
    (field,) = describe(bubblewrap, source)["fields"]
    assert field["label"] == field["help_text"] == '<script>alert(1)</script> & "more"'


def test_children_and_threads_do_not_outlive_the_answer(sandbox: Box) -> None:
    source = (
        "import os, threading, time\n"
        "threading.Thread(target=time.sleep, args=(1000,)).start()\n"
        "if os.fork() == 0:\n    os.setsid()\n"
        "    if os.fork() == 0: time.sleep(1000)\n    os._exit(0)\n"
    )
    began = time.monotonic()
    assert describe(sandbox, source)["fields"] == []
    assert time.monotonic() - began < LIMITS.wall_seconds


def test_memory_is_counted_for_all_its_processes_together(sandbox: Box) -> None:
    """Two children of 60 MB each are within the limit one by one, and beyond it together."""
    if isinstance(sandbox, BubblewrapSandbox) and not sandbox.limits_held():
        pytest.skip("no cgroups here: limits hold for each process by itself")
    source = (
        "import os, time\nchildren = []\n"
        "for n in range(2):\n    pid = os.fork()\n"
        "    if pid == 0:\n        x = b'x' * (60 * 2**20)\n"
        "        time.sleep(0.5)\n        os._exit(0)\n"
        "    children.append(pid)\n"
        "ends = [os.waitpid(pid, 0)[1] for pid in children]\n"
        "if any(ends): raise RuntimeError('a child was killed')\n"
    )
    failed = failure(sandbox, source)
    assert failed.reason in {Reason.RAISED, Reason.MEMORY}, failed.sentence


# Bubblewrap alone ---------------------------------------------------------------------------


def test_no_other_namespaces_and_no_tracing() -> None:
    """The filter of system calls: each is answered with “not permitted”."""
    source = (
        "import ctypes, json, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def tried(*a):\n    ctypes.set_errno(0); return [libc.syscall(*a), ctypes.get_errno()]\n"
        "said = [tried(272, 0x10000000), tried(101, 0, 0, 0, 0), \n"
        "        tried(56, 0x10000000, 0, 0, 0, 0), tried(165, 0, 0, 0, 0, 0), tried(425, 1, 0),\n"
        "        tried(319, b'x', 0), tried(29, 0, 4096, 0o1600)]\n"
    ) + FORM.format("a = forms.CharField(json.dumps(said))")
    if os.uname().machine != "x86_64":
        pytest.skip("numbers of x86_64")
    (field,) = describe(BubblewrapSandbox(LIMITS), source)["fields"]
    assert json.loads(field["label"]) == [[-1, 1]] * 7


def test_many_at_once() -> None:
    failures: list[Exception] = []
    box = BubblewrapSandbox(LIMITS)

    def ask() -> None:
        try:
            assert describe(box, FORM.format("a = forms.CharField('A')"))["fields"]
            assert failure(box, "import os; os._exit(1)").reason is Reason.CRASH
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    with nothing_left():
        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_what_a_killed_panel_has_left_is_ended() -> None:
    """A first process of a PID namespace that has lost the bubblewrap which made it."""
    sleeper = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)", START]
    words = ["unshare", "--user", "--pid", "--fork", *sleeper]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as maker:
        assert maker.stdout and maker.stdout.readline() == b"up\n"
        children = Path(f"/proc/{maker.pid}/task/{maker.pid}/children").read_text()
        handle = os.pidfd_open(int(children))
        try:
            describe(BubblewrapSandbox(LIMITS), "")
            assert select.select([handle], [], [], 0)[0] == [], "its parent lives"
            maker.kill()
            maker.wait()
            describe(BubblewrapSandbox(LIMITS), "")
            assert select.select([handle], [], [], 5)[0] == [handle]
        finally:
            os.close(handle)


def test_without_bubblewrap_and_engine_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="bubblewrap is not installed"):
        choose_sandbox(f"unix://{tmp_path}/no.sock")


def test_a_bubblewrap_that_cannot_make_namespaces_is_no_sandbox(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: No permissions' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with nothing_left(), pytest.raises(Unavailable, match="No permissions"):
        BubblewrapSandbox(LIMITS).ask(Question(Topic.DESCRIBE, "aldryn", ""))


def test_the_one_that_works_is_chosen() -> None:
    chosen = choose_sandbox(None)
    assert isinstance(chosen, BubblewrapSandbox) and chosen.limits == SandboxLimits()
