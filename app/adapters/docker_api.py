"""The connection to Docker's API and its errors in our words; shared by the Docker adapters."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
import requests
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import APIError, DockerException, create_api_error_from_http_exception
from docker.utils import kwargs_from_env
from requests import Response
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from app.errors import Invalid, PanelError, Unavailable

# Seconds for one answer of the engine; creating and starting take under one (measured), but a
# machine short of disk or memory has been seen to need tens.
ANSWER_SECONDS = 60
# Connections kept per client: more threads than that only open short-lived ones.
_POOL = 64


class DockerConnection:
    """One engine's API client, made at first use so that an engine may come up later.

    Safe for threads: the requests session underneath keeps its own pool of connections.
    `base_url` None means what `DOCKER_HOST` says, or the machine's default socket.
    """

    def __init__(self, base_url: str | None) -> None:
        self._base_url = base_url
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None

    def api(self) -> docker.APIClient:
        """The client; `Unavailable` when the engine does not answer the first question."""
        with self._lock:
            if self._client is None:
                settings = (
                    {"base_url": self._base_url} if self._base_url else dict(kwargs_from_env())
                )
                with engine_errors():
                    self._client = _client(settings)
            return self._client

    def is_local(self) -> bool:
        """Whether the engine is reached by a socket file, so runs on this machine's kernel."""
        return self.api().base_url.startswith("http+docker://")

    def ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None = None,
        body: Iterator[bytes] | Mapping[str, Any] | None = None,
        read_timeout: float | None = None,
    ) -> Response:
        """One question to the API; `.raw` of the answer is its undecoded body, not yet read.

        For what the SDK's own calls hide: which stream a log frame belongs to, a build's parent
        cgroup, how to break off. `body` is a tar in chunks or JSON. Raises `APIError` like the SDK.
        """
        api = self.api()
        response = api.request(
            method,
            f"{api.base_url}/v{api.api_version}{path}",
            params=params,
            data=None if isinstance(body, Mapping) else body,
            json=body if isinstance(body, Mapping) else None,
            stream=True,
            timeout=(ANSWER_SECONDS, read_timeout),
            headers=None if isinstance(body, Mapping) else {"Content-Type": "application/x-tar"},
        )
        try:
            response.raise_for_status()
        except requests.HTTPError as error:
            raise create_api_error_from_http_exception(error) from error
        return response


def _client(settings: Mapping[str, Any]) -> docker.APIClient:
    """A client that speaks the API's version of this engine, which `/_ping` tells.

    The SDK would ask `/version`, for which the engine starts two programs (`runc --version`,
    `docker-init --version`); every job is a process that connects anew.
    """
    with docker.APIClient(version=DEFAULT_DOCKER_API_VERSION, **settings) as asker:
        answer = asker.get(f"{asker.base_url}/_ping", timeout=ANSWER_SECONDS)
    spoken = answer.headers.get("Api-Version", "auto")
    return docker.APIClient(version=spoken, timeout=ANSWER_SECONDS, num_pools=_POOL, **settings)


def reader(response: Response) -> Callable[[int], bytes]:
    """A read function on the raw body whose errors are ours; empty at the end."""

    def read(count: int) -> bytes:
        with engine_errors():
            return bytes(response.raw.read(count))

    return read


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turn the SDK's errors into `Invalid` (refused) or `Unavailable` (no answer)."""
    try:
        yield
    except APIError as error:
        raise refusal(error) from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise Unavailable("The container engine does not answer.") from error


# What the engine says, and the plain sentence for it. First match wins; `{0}` is group 1.
_REFUSALS: tuple[tuple[str, str], ...] = (
    (r'exec: "docker-init"', "The engine lacks its init program (docker-init)."),
    (r'exec: "?([^":]+)"?: executable file not found', "The command “{0}” is not in the image."),
    (
        r'exec: "?([^":]+)"?:(?: stat [^:]*:)? no such file or directory',
        "The command “{0}” is not in the image.",
    ),
    (r'exec: "?([^":]+)"?: permission denied', "The command “{0}” may not be executed."),
    (r"exec user process caused: exec format error", "The command is not a program it can run."),
    (r"[Nn]o such image: (\S+)", "The image “{0}” is not on this engine."),
    (r"No command specified", "The image names no command and none was given."),
    (r"[Nn]o such container: (\S+)", "The container “{0}” is gone."),
    (r"network (\S+) not found", "The network “{0}” does not exist."),
    (r"Address already in use", "The container's address is taken."),
    (r"Pool overlaps with other one", "The network's addresses overlap another network's."),
    (r"has active endpoints", "The network still has containers."),
    (r"volume is in use", "The volume is still in use."),
    (r"Minimum memory limit allowed is (\w+)", "A container needs at least {0} of memory."),
    (r"unable to find user (\S+?):", "The image's user “{0}” does not exist in it."),
)


def refusal(error: APIError) -> PanelError:
    """The sentence for what the engine refused; `Unavailable` when the fault is its own."""
    said = str(error.explanation or error)
    for pattern, sentence in _REFUSALS:
        if match := re.search(pattern, said):
            return Invalid(sentence.format(*match.groups()))
    if error.is_server_error():
        return Unavailable(f"The container engine failed: {said.strip()[:500]}")
    return Invalid(f"The container engine refused: {said.strip()[:500]}")
