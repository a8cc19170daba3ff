"""What one environment has on a server: a bucket, a user with a key, and what each may do.

Everything may be asked twice. The key of the order names bucket and user, so that all that was
made is found again without a note of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from app.adapters.services.object_storage.connections import DEFAULT_REGION, code_of
from app.adapters.services.object_storage.objects import empty_bucket
from app.errors import Invalid

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_s3 import S3Client

POLICY = "own-bucket"
NOTES = "moonbase-keys"
"""A bucket of the panel's on an embedded server."""
_READY = "ready"  # no key of an instance: those have 16 characters
_GONE = frozenset(
    {
        "NoSuchBucket",
        "NoSuchKey",
        "NoSuchEntity",
        "NoSuchEntityException",
        "404",
        "NoSuchUpload",
    }
)
_OWN_ALREADY = frozenset({"BucketAlreadyOwnedByYou"})
_USER_EXISTS = frozenset({"EntityAlreadyExists", "EntityAlreadyExistsException"})
NEW_BUCKET_SECONDS = 20.0
_LOOK_SECONDS = 0.2
# What a bucket of Amazon's needs to be readable by everybody, and has no meaning elsewhere.
_UNKNOWN = frozenset(
    {"NotImplemented", "MethodNotAllowed", "NoSuchPublicAccessBlockConfiguration", "501", "405"}
)


@dataclass(frozen=True)
class Rights:
    """What the user of a bucket may do with it and with what is in it. The site sets CORS on its
    bucket itself (L5019); it may not change the policy, nor delete the bucket."""

    on_bucket: tuple[str, ...]
    on_objects: tuple[str, ...]


_EVERYWHERE = (
    "s3:GetObject s3:PutObject s3:DeleteObject s3:GetObjectAcl s3:PutObjectAcl "
    "s3:GetObjectTagging s3:PutObjectTagging s3:DeleteObjectTagging s3:AbortMultipartUpload"
)
EMBEDDED_RIGHTS = Rights(
    tuple(
        "s3:ListBucket s3:GetBucketLocation s3:GetBucketCors s3:PutBucketCors "
        "s3:DeleteBucketCors".split()
    ),
    tuple(_EVERYWHERE.split()),
)
"""SeaweedFS refuses a policy with actions that it does not know, e.g. to list parts (measured)."""
RIGHTS = Rights(
    tuple(
        "s3:ListBucket s3:GetBucketLocation s3:GetBucketCORS s3:PutBucketCORS "
        "s3:ListBucketMultipartUploads".split()
    ),
    tuple(f"{_EVERYWHERE} s3:ListMultipartUploadParts".split()),
)


@contextmanager
def _passing(codes: frozenset[str]) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code_of(error) not in codes:
            raise


def ensure_bucket(s3: S3Client, bucket: str, region: str) -> None:
    """Make the bucket unless we have it. Raises `Invalid` when somebody else does."""
    more: Any = {}
    if region != DEFAULT_REGION:
        more = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        with _passing(_OWN_ALREADY):
            s3.create_bucket(Bucket=bucket, **more)
    except ClientError as error:
        if code_of(error) != "BucketAlreadyExists":
            raise
        sentence = f"The bucket {bucket} is somebody else's. Remove the service and add it again."
        raise Invalid(sentence) from error


def once_known(ask: Callable[[], None]) -> None:
    """Do `ask` with a bucket that was just made. Not all parts of a server know it at once: Amazon
    says so of its own, and SeaweedFS, just started, was seen to deny one that it had made. So
    `NoSuchBucket` is believed after `NEW_BUCKET_SECONDS` only. Raises the library's errors."""
    deadline = time.monotonic() + NEW_BUCKET_SECONDS
    while True:
        try:
            return ask()
        except ClientError as error:
            if code_of(error) != "NoSuchBucket" or time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_SECONDS)


def publish_bucket(s3: S3Client, bucket: str) -> None:
    """Let everybody read objects by name, and nobody list them. By policy: ACLs are taken and
    mean nothing, for clients send `public-read` with every upload (L5003)."""
    with _passing(_UNKNOWN):
        s3.delete_public_access_block(Bucket=bucket)
    with _passing(_UNKNOWN):
        rules: Any = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
    statement = {
        "Sid": "PublicMedia",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/*"],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=_policy(statement))


def ensure_user(iam: IAMClient, bucket: str, rights: Rights) -> tuple[str, str]:
    """The user of the bucket with a new key, as (access key, secret key). Older keys end: one
    whose secret was never noted is of no use to anybody."""
    with _passing(_USER_EXISTS):
        iam.create_user(UserName=bucket)
    own = {"Effect": "Allow", "Action": rights.on_bucket, "Resource": [f"arn:aws:s3:::{bucket}"]}
    objects = {
        "Effect": "Allow",
        "Action": rights.on_objects,
        "Resource": [f"arn:aws:s3:::{bucket}/*"],
    }
    iam.put_user_policy(UserName=bucket, PolicyName=POLICY, PolicyDocument=_policy(own, objects))
    _delete_keys(iam, bucket)
    made = iam.create_access_key(UserName=bucket)["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def noted_key(s3: S3Client, iam: IAMClient, bucket: str) -> tuple[str, str] | None:
    """The key that was noted on the server and still holds."""
    try:
        noted = json.loads(s3.get_object(Bucket=NOTES, Key=bucket)["Body"].read())
        keys = iam.list_access_keys(UserName=bucket)["AccessKeyMetadata"]
    except ClientError as error:
        if code_of(error) not in _GONE:
            raise
        return None
    holds = any(key["AccessKeyId"] == noted["access_key"] for key in keys)
    return (noted["access_key"], noted["secret_key"]) if holds else None


def note_key(s3: S3Client, bucket: str, key: tuple[str, str]) -> None:
    """Keep a key on the server, where only the panel reads: IAM tells a secret once, and the
    worker that hears it may die. The server itself keeps secrets in plain text all the same."""
    ensure_bucket(s3, NOTES, DEFAULT_REGION)
    noted = json.dumps({"access_key": key[0], "secret_key": key[1]}).encode()
    once_known(lambda: _put(s3, bucket, noted))


def touch_notes(s3: S3Client) -> None:
    """Read an object of the panel's; the first time it is made. Raises the library's errors."""
    try:
        s3.get_object(Bucket=NOTES, Key=_READY)["Body"].read()
    except ClientError as error:
        if code_of(error) not in _GONE:
            raise
        ensure_bucket(s3, NOTES, DEFAULT_REGION)
        _put(s3, _READY, b"ready")


def forget_key(s3: S3Client, bucket: str) -> None:
    """Remove what `note_key` kept."""
    with _passing(_GONE):
        s3.delete_object(Bucket=NOTES, Key=bucket)


def remove_bucket(s3: S3Client, bucket: str) -> None:
    """Empty and delete it; silent when it is gone."""
    with _passing(_GONE):
        empty_bucket(s3, bucket)
        s3.delete_bucket(Bucket=bucket)


def remove_user(iam: IAMClient, bucket: str) -> None:
    """Delete the user with all keys; silent when it is gone."""
    steps: tuple[Callable[[], object], ...] = (
        lambda: _delete_keys(iam, bucket),
        lambda: iam.delete_user_policy(UserName=bucket, PolicyName=POLICY),
        lambda: iam.delete_user(UserName=bucket),
    )
    for step in steps:
        with _passing(_GONE):
            step()


def _delete_keys(iam: IAMClient, user: str) -> None:
    for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        with _passing(_GONE):
            iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])


def _put(s3: S3Client, key: str, note: bytes) -> None:
    s3.put_object(Bucket=NOTES, Key=key, Body=note)


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
