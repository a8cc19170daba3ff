"""A bucket into an archive, and an archive into a bucket.

**Restoring** replaces everything (L4994) and changes nothing before the whole archive was read
and found good. A source that can be read twice is read twice. What comes only once, e.g. through
decryption, goes into a bucket beside the real one first, and from there into it inside of the
server. Whatever dies on the way is done again from the beginning: what is there already is
written over, and the bucket beside is emptied first.
"""

from __future__ import annotations

import email.header
import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from boto3.s3.transfer import TransferConfig

from app.adapters.services import Contents
from app.adapters.services.object_storage.archive import (
    ArchiveReader,
    ArchiveWriter,
    Entry,
    Member,
    Tally,
)
from app.adapters.services.object_storage.connections import READERS
from app.adapters.services.object_storage.objects import (
    SMALL,
    WINDOW,
    delete_objects,
    hash_objects,
    read_objects,
)
from app.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_MEGABYTE = 1024 * 1024
_PART = 16 * _MEGABYTE
_PARTS = 9_000
"""S3 takes 10,000 parts of an upload."""
_COPIED_AT_ONCE = 4 * 1024 * _MEGABYTE
"""Bytes up to which the server copies an object by one request: S3 allows 5 GB."""


def write_archive(client: S3Client, bucket: str, sink: BinaryIO) -> Contents:
    """Write every object of the bucket to `sink`; what was written, counted."""
    writer = ArchiveWriter(sink)
    try:
        for found in read_objects(client, bucket):
            entry = Entry(found.key, found.size, "", found.headers, found.metadata)
            writer.add(entry, found.content, found.modified)
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise


def count_objects(client: S3Client, bucket: str) -> Contents:
    """What is in it now, all of it read."""
    tally = Tally()
    for key, size, sha256 in hash_objects(client, bucket):
        tally.add(Entry(key, size, sha256))
    return tally.contents()


class Restore:
    """One restore into a bucket. `beside` makes the bucket for what comes only once and answers
    with its name; `is_keepable` says whether the server can have such an object."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        beside: Callable[[], str],
        is_keepable: Callable[[Entry], bool],
    ) -> None:
        self._client, self._bucket = client, bucket
        self._beside, self._is_keepable = beside, is_keepable
        self._keys: set[bytes] = set()

    def run(self, source: BinaryIO) -> None:
        """Replace everything in the bucket. Raises `Invalid` with nothing changed."""
        if source.seekable():
            self._from_twice(source)
        else:
            self._from_once(source)
        kept = delete_objects(self._client, self._bucket, lambda key: _brief(key) not in self._keys)
        if kept != len(self._keys):
            raise Unavailable("Not all objects arrived in the object storage. Try again.")

    def _from_twice(self, source: BinaryIO) -> None:
        begin = source.tell()
        with closing(ArchiveReader(source)) as archive:
            for _ in archive.members():
                pass
            self._check(archive)
            source.seek(begin)
            with closing(ArchiveReader(source)) as again, _uploading() as submit:
                for member, entry in zip(again.members(), archive.entries(), strict=False):
                    self._upload(submit, member, self._bucket, entry.key, entry)

    def _from_once(self, source: BinaryIO) -> None:
        staging = self._beside()
        with closing(ArchiveReader(source)) as archive:
            with _uploading() as submit:
                for member in archive.members():
                    self._upload(submit, member, staging, str(member.number), None)
            self._check(archive)
            with _uploading() as submit:
                for number, entry in enumerate(archive.entries()):
                    submit(self._copy, staging, str(number), entry)

    def _check(self, archive: ArchiveReader) -> None:
        """Note the keys, and refuse one that the server would change or not take."""
        for entry in archive.entries():
            if not self._is_keepable(entry):
                raise Invalid(
                    f"The object “{entry.key[:80]}” has a name that this object storage cannot "
                    "keep. Nothing was changed."
                )
            if _brief(entry.key) in self._keys:
                raise Invalid(f"“{entry.key[:80]}” is in the archive twice. Nothing was changed.")
            self._keys.add(_brief(entry.key))

    def _upload(
        self,
        submit: Callable[..., None],
        member: Member,
        bucket: str,
        key: str,
        entry: Entry | None,
    ) -> None:
        more = _described(entry) if entry else {}
        if member.size <= SMALL:
            body = member.content.read(SMALL)
            submit(self._client.put_object, Bucket=bucket, Key=key, Body=body, **more)
            return
        part = max(_PART, -(-member.size // _PARTS // _MEGABYTE) * _MEGABYTE)
        config = TransferConfig(
            multipart_threshold=part, multipart_chunksize=part, max_concurrency=3
        )
        config.max_in_memory_upload_chunks = 2
        content = cast(Any, member.content)
        self._client.upload_fileobj(content, bucket, key, ExtraArgs=more, Config=config)

    def _copy(self, staging: str, name: str, entry: Entry) -> None:
        more = {**_described(entry), "MetadataDirective": "REPLACE"}
        source = {"Bucket": staging, "Key": name}
        if entry.size == 0:
            # A copy of one whose name ends in a slash made nothing (SeaweedFS 4.48).
            self._client.put_object(Bucket=self._bucket, Key=entry.key, **_described(entry))
        elif entry.size <= _COPIED_AT_ONCE:
            copy: Any = self._client.copy_object
            copy(Bucket=self._bucket, Key=entry.key, CopySource=source, **more)
        else:
            copy = self._client.copy
            copy(source, self._bucket, entry.key, ExtraArgs=more)


@contextmanager
def _uploading() -> Iterator[Callable[..., None]]:
    """Hands out `submit(function, …)`: done by a few threads, no more than a window ahead. All is
    done, or an error raised, at the end."""
    pool = ThreadPoolExecutor(READERS, "object-storage")
    waiting: deque[Future[Any]] = deque()

    def submit(work: Callable[..., object], *args: object, **more: object) -> None:
        waiting.append(pool.submit(work, *args, **more))
        if len(waiting) >= WINDOW:
            waiting.popleft().result()

    try:
        yield submit
        while waiting:
            waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _described(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = dict(entry.headers)
    if entry.metadata:
        told["Metadata"] = {name: _ascii(value) for name, value in entry.metadata.items()}
    return told


def _ascii(value: str) -> str:
    """Metadata travel as headers; others than ASCII as S3 itself writes them (RFC 2047)."""
    return value if value.isascii() else email.header.Header(value, "utf-8").encode(maxlinelen=0)


def _brief(key: str) -> bytes:
    """Stands for a key where all of them are remembered."""
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=16).digest()
