"""How a server is reached: its address for the panel, and clients that sign with a key."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from app.errors import Invalid, PanelError, Unavailable

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_s3 import S3Client

READERS = 8
"""Small objects that are on their way at once. More gained nothing on two cores (measured)."""
DEFAULT_REGION = "us-east-1"
AWS = "amazonaws.com"
_URL = re.compile(
    r"(?P<scheme>https?|s3)://(?P<key>[^:/@]+):(?P<secret>.+)@"
    r"(?P<host>[A-Za-z0-9.-]+)(:(?P<port>[0-9]{1,5}))?/?(\?(?P<query>.*))?"
)
_USAGE = (
    "The address of an object storage is like https://KEY:SECRET@s3.example.com/?region=REGION, "
    "with “iam=URL” when its IAM answers elsewhere, and “media=URL with {bucket} in it” when "
    "media are served elsewhere."
)


@dataclass(frozen=True)
class Connection:
    """A server as one key reaches it. `iam` is empty for Amazon's own, which is one for all."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = DEFAULT_REGION
    iam: str = ""
    media: str = ""
    """Where browsers find public media, with `{bucket}` in it."""

    @property
    def is_aws(self) -> bool:
        return (urlsplit(self.endpoint).hostname or "").endswith(AWS)


def parse_url(url: str) -> Connection:
    """An administrator's server from its URL. A secret may stand in it as Amazon shows it, with
    its slashes. Raises `Invalid` with what one looks like, and without what was given."""
    found = _URL.fullmatch(url.strip())
    port = found["port"] if found else None
    if found is None or (port and int(port) > 65535):
        raise Invalid(_USAGE)
    said = {name: values[0] for name, values in parse_qs(found["query"] or "").items()}
    if "media" in said and "{bucket}" not in said["media"]:
        raise Invalid(_USAGE)
    scheme = "https" if found["scheme"] == "s3" else found["scheme"]
    host = found["host"].lower()
    place = host + (f":{port}" if port else "")
    is_aws = host.endswith(AWS)
    region = said.get("region") or (_aws_region(host) if is_aws else DEFAULT_REGION)
    if is_aws:
        place = f"s3.{region}.{AWS}"
    return Connection(
        f"{scheme}://{place}",
        unquote(found["key"]),
        unquote(found["secret"]),
        region,
        said.get("iam", "" if is_aws else f"{scheme}://{place}"),
        said.get("media", f"{scheme}://{{bucket}}.{place}"),
    )


def _aws_region(host: str) -> str:
    """`s3.eu-west-2.amazonaws.com` and `s3-eu-west-2.amazonaws.com` name it; else it is the
    first one (L4920)."""
    name = host.removesuffix(f".{AWS}").removeprefix("s3").lstrip(".-")
    return name or DEFAULT_REGION


class Clients:
    """Clients of servers, each made once, all of one session: what that has read of the library's
    description of S3 is 12 MB, and takes 0.1 s (measured). Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session = boto3.Session()
        self._s3: dict[Connection, S3Client] = {}
        self._iam: dict[Connection, IAMClient] = {}

    def s3(self, connection: Connection) -> S3Client:
        with self._lock:
            if connection not in self._s3:
                self._s3[connection] = self._session.client(
                    "s3", endpoint_url=connection.endpoint, **_identity(connection)
                )
            return self._s3[connection]

    def iam(self, connection: Connection) -> IAMClient:
        with self._lock:
            if connection not in self._iam:
                self._iam[connection] = self._session.client(
                    "iam", endpoint_url=connection.iam or None, **_identity(connection)
                )
            return self._iam[connection]


def _identity(connection: Connection) -> dict[str, Any]:
    """Whose key signs, and how; a session that makes many clients has none of its own."""
    return {
        "aws_access_key_id": connection.access_key,
        "aws_secret_access_key": connection.secret_key,
        "region_name": connection.region,
        "config": _config(connection),
    }


def _config(connection: Connection) -> Config:
    return Config(
        s3={"addressing_style": "virtual" if connection.is_aws else "path"},
        signature_version=None,
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 3},
        max_pool_connections=2 * READERS,
        # A range has no checksum of the whole, and what is read is hashed here anyway.
        response_checksum_validation="when_required",
        # Embedded servers are in a network of the machine: no proxy of the panel's leads there.
        proxies=None if connection.is_aws else {},
    )


def code_of(error: ClientError) -> str:
    """The server's word for what went wrong, e.g. `NoSuchBucket`."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn the library's errors into sentences. None holds a key or an address."""
    try:
        yield
    except PanelError:
        raise
    except ClientError as error:
        raise _told(error) from error
    except (BotoCoreError, HTTPClientError, HTTPError) as error:
        raise Unavailable("The object storage does not answer. Try again.") from error


def _told(error: ClientError) -> PanelError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    said = f"The object storage refused to {_words(error.operation_name)} ({code_of(error)})."
    if code_of(error) == "NoSuchBucket":
        return Unavailable("The bucket is not there (NoSuchBucket).", retry=False)
    if status >= 500 or code_of(error) in ("SlowDown", "Throttling", "RequestTimeout"):
        return Unavailable(f"{said} Perhaps it is full or starting; try again.")
    return Invalid(said)


def _words(operation: str) -> str:
    """`PutBucketPolicy` → `put bucket policy`."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in operation).strip()
