"""What sites do with the buckets they were given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from app.adapters.services import Facts

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


MOST = 50
"""Objects put in at once, whatever number of rows a test asks for: a request each."""


@cache
def _client(endpoint: str, access_key: str, secret_key: str) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


class ObjectStorageGuest:
    """A site with boto3. A row is an object with a number for a name."""

    def client(self, facts: Facts) -> S3Client:
        endpoint = f"http://{facts['host']}:{facts['port']}"
        return _client(endpoint, facts["access_key"], facts["secret_key"])

    def keys(self, facts: Facts) -> list[str]:
        client = self.client(facts)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=facts["bucket"])
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def fill(self, facts: Facts, rows: int) -> None:
        client, first = self.client(facts), len(self.keys(facts))
        for number in range(first, first + min(rows, MOST)):
            body = f"naïve ☃ {number} ".encode() * 200
            client.put_object(Bucket=facts["bucket"], Key=f"ü/{number:06}", Body=body)

    def read(self, facts: Facts) -> object:
        client, bucket = self.client(facts), facts["bucket"]
        return [
            (key, client.get_object(Bucket=bucket, Key=key)["Body"].read())
            for key in sorted(self.keys(facts))
        ]

    def may_enter(self, mine: Facts, others: Facts) -> bool:
        try:
            self.client(mine).list_objects_v2(Bucket=others["bucket"])
        except ClientError:
            return False
        return True

    def facts_of(self, variables: Mapping[str, str], prefix: str) -> Facts:
        parts = urlsplit(variables[f"{prefix}_STORAGE_DSN"])
        bucket, _, host = str(parts.hostname).partition(".")
        return {
            "bucket": bucket,
            "host": host,
            "access_key": unquote(str(parts.username)),
            "secret_key": unquote(str(parts.password)),
        }
