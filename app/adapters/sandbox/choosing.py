"""Which sandbox this machine can make: tried, not guessed."""

from __future__ import annotations

from collections.abc import Iterator

from app.adapters.sandbox import Question, Sandbox, SandboxFailed, Topic
from app.adapters.sandbox.bubblewrap import BubblewrapSandbox
from app.errors import PanelError, Unavailable

_PROBE = Question(Topic.DESCRIBE, "aldryn", "")


def choose_sandbox(docker_url: str | None = None) -> Sandbox:
    """Bubblewrap where it works, else containers of the engine at `docker_url` (None: no engine).

    `Unavailable` with both reasons when neither does: code of packages then runs nowhere.
    """
    refusals = []
    for candidate in _candidates(docker_url):
        try:
            candidate.ask(_PROBE)
        except SandboxFailed as error:
            refusals.append(f"{error.sentence} {error.detail}".strip())
        except PanelError as error:
            refusals.append(error.sentence)
        else:
            return candidate
    raise Unavailable(f"Addons cannot be asked on this machine: {' '.join(refusals)}")


def _candidates(docker_url: str | None) -> Iterator[Sandbox]:
    """The next one, and its library, is looked at only when those before it do not work."""
    yield BubblewrapSandbox()
    if docker_url is not None:
        from app.adapters.sandbox.container import ContainerSandbox

        yield ContainerSandbox(docker_url)
