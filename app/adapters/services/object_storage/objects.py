"""What is in a bucket: listing it, reading all of it in order, deleting. Plain S3.

Memory stays flat whatever is in there: small objects are fetched ahead by a few threads, within a
window; a large one is read as a stream when its turn comes.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from app.adapters.services.object_storage.archive import HashingReader, Readable
from app.adapters.services.object_storage.connections import READERS, code_of
from app.errors import Unavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

SMALL = 1024 * 1024
"""Bytes up to which an object is fetched ahead as a whole: with the window, 32 MB at most."""
WINDOW = 4 * READERS
GONE = frozenset({"NoSuchKey", "404", "NoSuchBucket", "NoSuchUpload"})
_BATCH = 1000
_ATTEMPTS = 4
_KEPT_HEADERS = (
    "ContentType CacheControl ContentDisposition ContentEncoding ContentLanguage".split()
)
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True)
class Listed:
    """An object as a list has it."""

    key: str
    size: int


@dataclass(frozen=True)
class Found:
    """An object with its content, to be read before the next one is asked for. `sha256` is known of
    one that was fetched ahead: threads hash them while others are on their way."""

    key: str
    size: int
    modified: float
    headers: Mapping[str, str]
    metadata: Mapping[str, str]
    content: Readable
    sha256: str = ""


def list_objects(client: S3Client, bucket: str) -> Iterator[Listed]:
    """All of them, in the server's order."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", ()):
            yield Listed(found["Key"], found["Size"])


def read_objects(client: S3Client, bucket: str) -> Iterator[Found]:
    """All of them with their content, in the order of the list. One that is deleted meanwhile is
    left out; one that is replaced is what it was when its reading began."""
    pool = ThreadPoolExecutor(READERS, "object-storage")
    waiting: deque[tuple[Listed, Future[Found | None] | None]] = deque()

    def first() -> Found | None:
        listed, fetched = waiting.popleft()
        return fetched.result() if fetched else _open(client, bucket, listed.key)

    try:
        for listed in list_objects(client, bucket):
            is_small = listed.size <= SMALL
            fetched = pool.submit(_fetch, client, bucket, listed.key) if is_small else None
            waiting.append((listed, fetched))
            if len(waiting) >= WINDOW and (found := first()):
                yield found
        while waiting:
            if found := first():
                yield found
    finally:
        pool.shutdown(cancel_futures=True)


def _fetch(client: S3Client, bucket: str, key: str) -> Found | None:
    opened = _open(client, bucket, key)
    if opened is None or opened.size > SMALL:
        return opened
    body = opened.content.read()
    sha256 = hashlib.sha256(body).hexdigest()
    return replace(opened, size=len(body), content=io.BytesIO(body), sha256=sha256)


def _open(client: S3Client, bucket: str, key: str) -> Found | None:
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if code_of(error) in GONE:
            return None
        raise
    said: Mapping[str, Any] = answer
    headers = {name: str(said[name]) for name in _KEPT_HEADERS if said.get(name)}
    if isinstance(said.get("Expires"), datetime.datetime):
        headers["Expires"] = said["Expires"].isoformat()
    size = answer["ContentLength"]
    body = _Resuming(client, {"Bucket": bucket, "Key": key, "IfMatch": answer["ETag"]}, size)
    body.begin(answer["Body"])
    modified = answer["LastModified"].timestamp()
    return Found(key, size, modified, headers, dict(answer["Metadata"]), body)


class _Resuming:
    """The content of one object. A connection that breaks is opened again where it broke, of the
    same version of the object or not at all."""

    def __init__(self, client: S3Client, which: Mapping[str, str], size: int) -> None:
        self._client, self._which, self._size = client, which, size
        self._at = 0
        self._body: Any = None

    def begin(self, body: Any) -> None:
        self._body = body

    def read(self, length: int = -1, /) -> bytes:
        """As many bytes as were asked for, unless it ends."""
        left = self._size - self._at
        wanted = left if length < 0 else min(length, left)
        pieces = []
        while wanted:
            pieces.append(self._piece(wanted))
            wanted -= len(pieces[-1])
        if self._at >= self._size:
            self._body.close()
        return b"".join(pieces)

    def _piece(self, wanted: int) -> bytes:
        for _ in range(_ATTEMPTS):
            try:
                piece: bytes = self._body.read(wanted)
            except (BotoCoreError, HTTPClientError, HTTPError, OSError):
                piece = b""
            if piece:
                self._at += len(piece)
                return piece
            self._reopen()
        raise Unavailable("The object storage broke off while an object was read. Try again.")

    def _reopen(self) -> None:
        self._body.close()
        try:
            answer = self._client.get_object(**self._which, Range=f"bytes={self._at}-")  # type: ignore[arg-type]
        except ClientError as error:
            raise Unavailable("An object was changed while it was read. Try again.") from error
        self._body = answer["Body"]


def hash_objects(client: S3Client, bucket: str) -> Iterator[tuple[str, int, str]]:
    """Key, size and SHA-256 of all of them. Large ones are read too."""
    for found in read_objects(client, bucket):
        if found.sha256:
            yield found.key, found.size, found.sha256
            continue
        reader = HashingReader(found.content)
        while reader.read(SMALL):
            pass
        yield found.key, reader.size, reader.sha256()


def delete_objects(
    client: S3Client, bucket: str, is_unwanted: Callable[[str], bool] = lambda key: True
) -> int:
    """Delete those with an unwanted key; how many are left."""
    kept, batch = 0, list[str]()
    for listed in list_objects(client, bucket):
        if not is_unwanted(listed.key):
            kept += 1
            continue
        batch.append(listed.key)
        if len(batch) == _BATCH:
            _delete(client, bucket, batch)
            batch = []
    _delete(client, bucket, batch)
    return kept


def _delete(client: S3Client, bucket: str, keys: list[str]) -> None:
    # A batch is XML, in which some characters of keys cannot stand at all.
    for key in keys:
        if _NOT_IN_XML.search(key):
            client.delete_object(Bucket=bucket, Key=key)
    _delete_batch(client, bucket, [{"Key": key} for key in keys if not _NOT_IN_XML.search(key)])


def _delete_batch(client: S3Client, bucket: str, batch: list[ObjectIdentifierTypeDef]) -> None:
    if not batch:
        return
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
    if errors := answer.get("Errors"):
        code = errors[0].get("Code", "Unknown")
        raise Unavailable(f"The object storage could not delete objects ({code}). Try again.")


def empty_bucket(client: S3Client, bucket: str) -> None:
    """Delete all there is: objects, their older versions, uploads that never ended."""
    end_uploads(client, bucket)
    delete_objects(client, bucket)
    if not client.get_bucket_versioning(Bucket=bucket).get("Status"):
        return
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        _delete_batch(
            client,
            bucket,
            [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions],
        )


def end_uploads(client: S3Client, bucket: str) -> None:
    """Give up uploads in parts that never ended: they occupy room, and no list of objects shows
    them."""
    for uploads in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for one in uploads.get("Uploads", ()):
            client.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])
