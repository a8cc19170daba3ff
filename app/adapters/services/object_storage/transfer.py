"""A bucket into an archive, and an archive into a bucket.

**Restoring** replaces everything (L4994) and changes nothing before the whole archive was read
and found good: it is read twice, unless that is known. Whatever dies on the way is done again from
the beginning: what is there already is written over.
"""

from __future__ import annotations

import email.header
import hashlib
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from boto3.s3.transfer import TransferConfig

from app.adapters.services import Contents
from app.adapters.services.object_storage.archive import (
    HEAD,
    ArchiveReader,
    ArchiveWriter,
    Entry,
    Member,
    Origin,
    Tally,
    origin_of,
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


def write_archive(client: S3Client, bucket: str, sink: BinaryIO, origin: Origin) -> Contents:
    """Write every object of the bucket to `sink`; what was written, counted."""
    with closing(ArchiveWriter(sink, origin)) as writer:
        for found in read_objects(client, bucket):
            entry = Entry(found.key, found.size, found.sha256, found.headers, found.metadata)
            writer.add(entry, found.content, found.modified)
        return writer.finish()


def count_objects(client: S3Client, bucket: str) -> Contents:
    """What is in it now, all of it read."""
    tally = Tally()
    for key, size, sha256 in hash_objects(client, bucket):
        tally.add(Entry(key, size, sha256))
    return tally.contents()


class Restore:
    """One restore into a bucket; `is_keepable` says whether the server can have such an object.
    Archives of `origins` are known to be whole, and to have no other."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        is_keepable: Callable[[Entry], bool],
        origins: Collection[Origin],
    ) -> None:
        self._client, self._bucket = client, bucket
        self._is_keepable, self._origins = is_keepable, origins
        self._keys: set[bytes] = set()

    def run(self, source: BinaryIO) -> None:
        """Replace everything in the bucket. `source` goes back to where it stands. Raises
        `Invalid` with nothing changed."""
        begin = source.tell()
        origin = origin_of(source.read(HEAD))
        source.seek(begin)
        if origin in self._origins:
            self._fill(source)
        else:
            with closing(ArchiveReader(source)) as archive:
                try:
                    self._check(archive)
                    source.seek(begin)
                except Invalid as error:
                    raise Invalid(f"{error.sentence} Nothing was changed.") from error
                self._fill(source, archive.entries())
        kept = delete_objects(self._client, self._bucket, lambda key: _brief(key) not in self._keys)
        if kept != len(self._keys):
            raise Unavailable("Not all objects arrived in the object storage. Try again.")

    def _check(self, archive: ArchiveReader) -> None:
        """Refuse what is damaged, and an object that the server would change or not take."""
        seen = set[bytes]()
        for _ in archive.members():
            pass
        for entry in archive.entries():
            if not self._is_keepable(entry):
                raise Invalid(
                    f"The object “{entry.key[:80]}” has a name that this object storage cannot "
                    "keep."
                )
            if _brief(entry.key) in seen:
                raise Invalid(f"“{entry.key[:80]}” is in the archive twice.")
            seen.add(_brief(entry.key))

    def _fill(self, source: BinaryIO, entries: Iterator[Entry] | None = None) -> None:
        """`entries`: what the manifest says, when it was read; older archives say it there only."""
        with closing(ArchiveReader(source, is_known=True)) as archive, _uploading() as submit:
            for member in archive.members():
                entry = next(entries) if entries else member.entry()
                self._keys.add(_brief(entry.key))
                self._upload(submit, member, entry)

    def _upload(self, submit: Callable[..., None], member: Member, entry: Entry) -> None:
        bucket, key, more = self._bucket, entry.key, _described(entry)
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
