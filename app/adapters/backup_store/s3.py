"""Backups as objects of a bucket, in any store that speaks S3.

A draft is uploaded in portions under `drafts/`; publishing copies it inside the store to its own
name and removes the draft, so that nothing leaves the store twice.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.adapters.backup_store import BROKEN_OFF, Draft, Space, Stored
from app.errors import Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

DRAFTS = "drafts/"
SUFFIX = ".age"
PORTION = 16 * 1024**2
"""Bytes of one part of an upload: S3 takes 10,000 of them, so that a backup may have 156 GB."""
PORTIONS = 10_000
COPY_PORTION = 512 * 1024**2
"""S3 copies at most 5 GB in one request; larger ones, and copies that would take long, in parts."""
CONNECT_SECONDS, ANSWER_SECONDS = 5, 60
FORM = (
    "MOONBASE_BACKUP_URL has the form s3://KEY:SECRET@HOST[:PORT]/BUCKET[/PREFIX], with "
    "?region=… where the store wants one and ?tls=no for plain HTTP."
)
GONE = "The file of this backup is not in the store any more."
DOWN = "The store with the backups does not answer. Try again in a moment."
REFUSED = "The store with the backups refuses ({code}). An operator must look at it."
TOO_LARGE = "This backup is too large for the store: at most 156 GB."
_NAME = re.compile(r"[a-z0-9-]{1,64}")
_MISSING = {"NoSuchKey", "404", "NotFound", "NoSuchUpload"}


class S3Store:
    """`url` as `FORM` says. Raises `Invalid` for another one; the bucket must be there."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        bucket, _, prefix = parts.path.strip("/").partition("/")
        if parts.scheme != "s3" or not (parts.hostname and bucket and parts.username):
            raise Invalid(FORM)
        options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        scheme = "http" if options.get("tls") == "no" else "https"
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=f"{scheme}://{parts.netloc.rpartition('@')[2]}",
            aws_access_key_id=unquote(parts.username),
            aws_secret_access_key=unquote(parts.password or ""),
            region_name=options.get("region", "us-east-1"),
            config=Config(
                s3={"addressing_style": "path"},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=ANSWER_SECONDS,
                retries={"max_attempts": 4, "mode": "standard"},
                # Stores other than AWS's own do not know its newer checksums in trailers.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    @contextmanager
    def writing(self, name: str) -> Iterator[Draft]:
        draft = _Draft(self._client, self._bucket, self._key(name, is_draft=True))
        try:
            yield draft
            draft.complete()
        except BaseException:
            draft.abort()
            raise

    def publish(self, name: str) -> None:
        draft, key = self._key(name, is_draft=True), self._key(name, is_draft=False)
        with _translated():
            try:
                self._client.copy(
                    {"Bucket": self._bucket, "Key": draft},
                    self._bucket,
                    key,
                    Config=TransferConfig(
                        multipart_threshold=COPY_PORTION, multipart_chunksize=COPY_PORTION
                    ),
                )
            except ClientError as error:
                if _code(error) not in _MISSING:
                    raise
                if self.size(name) is None:
                    raise NotFound(GONE) from error
                return
            self._client.delete_object(Bucket=self._bucket, Key=draft)

    def open(self, name: str) -> BinaryIO:
        return _open(self._client, self._bucket, self._key(name, is_draft=False))

    def size(self, name: str) -> int | None:
        key = self._key(name, is_draft=False)
        with _translated():
            try:
                return self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise

    def delete(self, name: str) -> None:
        key = self._key(name, is_draft=False)
        with _translated():
            self._client.delete_object(Bucket=self._bucket, Key=key)
        self.delete_draft(name)

    def delete_draft(self, name: str) -> None:
        key = self._key(name, is_draft=True)
        with _translated():
            self._client.delete_object(Bucket=self._bucket, Key=key)
            for upload in list(self._uploads(key)):
                if upload["Key"] == key:
                    _abort(self._client, self._bucket, key, upload["UploadId"])

    def list_stored(self) -> Iterator[Stored]:
        with _translated():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for item in page.get("Contents", []):
                    yield from self._stored(item["Key"], item["Size"], item["LastModified"])
            for upload in self._uploads(f"{self._prefix}{DRAFTS}"):
                yield from self._stored(upload["Key"], 0, upload["Initiated"])

    def space(self) -> Space | None:
        return None

    def _stored(self, key: str, size: int, changed_at: Any) -> Iterator[Stored]:
        """Nothing for an object that is none of ours."""
        rest = key.removeprefix(self._prefix)
        name = rest.removeprefix(DRAFTS).removesuffix(SUFFIX)
        if rest.endswith(SUFFIX) and _NAME.fullmatch(name):
            yield Stored(name, size, rest.startswith(DRAFTS), changed_at)

    def _uploads(self, prefix: str) -> Iterator[Any]:
        """Uploads that have not been completed."""
        pages = self._client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
            yield from page.get("Uploads", [])

    def _key(self, name: str, *, is_draft: bool) -> str:
        if not _NAME.fullmatch(name):
            raise Invalid("This is no name of a backup.")
        return f"{self._prefix}{DRAFTS if is_draft else ''}{name}{SUFFIX}"


class _Draft:
    """Collects one portion, then uploads it: memory holds one, however large the backup is."""

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._parts: list[CompletedPartTypeDef] = []
        self._portion = bytearray()
        self._ended, self._is_complete = threading.Event(), False
        with _translated():
            answer = client.create_multipart_upload(Bucket=bucket, Key=key)
        self._upload = answer["UploadId"]

    def write(self, data: Any, /) -> int:
        self._portion += data
        if len(self._portion) >= PORTION:
            self._send()
        return len(data)

    def complete(self) -> None:
        """The last portion, and the object is there."""
        if self._portion or not self._parts:
            self._send()
        with _translated():
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload,
                MultipartUpload={"Parts": self._parts},
            )
        self._is_complete = True
        self._ended.set()

    def abort(self) -> None:
        """Forget what was uploaded; what the store does not forget now is swept later."""
        self._ended.set()
        try:
            _abort(self._client, self._bucket, self._key, self._upload)
        except (BotoCoreError, ClientError):
            return

    def read_back(self) -> BinaryIO:
        """S3 shows nothing of an upload before it is complete."""
        self._ended.wait()
        if not self._is_complete:
            raise Unavailable(BROKEN_OFF)
        return _open(self._client, self._bucket, self._key)

    def _send(self) -> None:
        number = len(self._parts) + 1
        if number > PORTIONS:
            raise Unavailable(TOO_LARGE, retry=False)
        with _translated():
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload,
                PartNumber=number,
                Body=cast(bytes, self._portion),
            )
        self._parts.append({"ETag": answer["ETag"], "PartNumber": number})
        self._portion = bytearray()


class _Body(io.RawIOBase):
    """What an answer holds, read piece by piece."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with _translated():
            data: bytes = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._body.close()


def _open(client: S3Client, bucket: str, key: str) -> BinaryIO:
    with _translated():
        try:
            answer = client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _code(error) in _MISSING:
                raise NotFound(GONE) from error
            raise
    return cast(BinaryIO, _Body(answer["Body"]))


def _abort(client: S3Client, bucket: str, key: str, upload: str) -> None:
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    except ClientError as error:
        if _code(error) not in _MISSING:
            raise


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise Unavailable(REFUSED.format(code=_code(error))) from error
    except (BotoCoreError, Boto3Error, OSError) as error:
        raise Unavailable(DOWN) from error
