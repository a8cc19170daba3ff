"""A folder into a bucket and back, as boto3's users do it: what backups of media are held against.

As a process of its own, which a worker's job is too: `python -m bench.raw_copy upload|download
FOLDER` reads the facts of a bucket from its input as JSON and prints the seconds it took, with the
making of a client, which takes 0.1 s in a new process. Libraries are loaded before.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from app.adapters.services import Facts

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

THREADS = 10
"""As many requests at once as the usual client of S3 makes for a folder."""


def upload(facts: Facts, folder: Path) -> None:
    """Every file of the folder into the bucket; what else is there goes."""
    client, bucket = _client(facts), facts["bucket"]
    paths = sorted(folder.iterdir())

    def put(path: Path) -> None:
        client.upload_file(str(path), bucket, path.name)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, paths))
    for key in sorted(set(_keys(client, bucket)) - {path.name for path in paths}):
        client.delete_object(Bucket=bucket, Key=key)


def download(facts: Facts, folder: Path) -> None:
    """Every object of the bucket into a new folder."""
    client, bucket = _client(facts), facts["bucket"]
    folder.mkdir()

    def get(key: str) -> None:
        client.download_file(bucket, key, str(folder / key))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(get, _keys(client, bucket)))


def _keys(client: S3Client, bucket: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def _client(facts: Facts) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=f"http://{facts['host']}:{facts['port']}",
        aws_access_key_id=facts["access_key"],
        aws_secret_access_key=facts["secret_key"],
        region_name=facts["region"],
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=THREADS),
    )


ACTIONS = {"upload": upload, "download": download}

if __name__ == "__main__":
    found = json.load(sys.stdin)
    began = time.perf_counter()
    ACTIONS[sys.argv[1]](found, Path(sys.argv[2]))
    print(time.perf_counter() - began)
