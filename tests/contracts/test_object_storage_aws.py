"""An administrator's server with S3 and IAM, and the addresses sites are given."""

from __future__ import annotations

import io
import json
from itertools import chain, repeat
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from urllib3 import HTTPResponse

from app.adapters.services import Usage
from app.adapters.services.object_storage import ObjectStorage, tenants
from app.adapters.services.object_storage.archive import ArchiveReader
from app.adapters.services.object_storage.connections import parse_url
from app.adapters.services.storage_dsn import aws_host, storage_dsn
from app.errors import Invalid, Unavailable
from tests.contracts.object_storage_fixtures import Storage
from tests.contracts.test_object_storage_archives import HOSTILE, fill, written


def test_an_instance_lives_and_ends(amazon: Storage) -> None:
    backend, server = amazon.backend, amazon.server
    backend.start(server)
    mine, theirs = amazon.new(), amazon.new()
    site, other = amazon.client(mine), theirs["bucket"]
    site.put_object(Bucket=mine["bucket"], Key="a", Body=b"1", ACL="public-read")
    assert backend.usage(server, mine) == Usage(bytes=1, objects=1)
    for ask in (
        lambda: site.list_objects_v2(Bucket=other),
        lambda: site.put_object(Bucket=other, Key="x", Body=b"x"),
        lambda: site.get_object(Bucket=other, Key="x"),
        lambda: site.put_bucket_policy(Bucket=mine["bucket"], Policy="{}"),
        lambda: site.delete_bucket(Bucket=other),
        lambda: amazon.iam(mine).create_user(UserName="evil"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            ask()
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    site.put_bucket_cors(Bucket=mine["bucket"], CORSConfiguration={"CORSRules": [rule]})  # type: ignore[list-item]
    administrator = parse_url(server.secret)
    all_rights = {
        **mine,
        "access_key": administrator.access_key,
        "secret_key": administrator.secret_key,
    }
    policy = amazon.client(all_rights).get_bucket_policy(Bucket=mine["bucket"])["Policy"]
    assert json.loads(policy)["Statement"][0]["Action"] == ["s3:GetObject"]

    again = backend.provision(server, amazon.order().__class__(key=mine["key"], password="x"))
    assert again["access_key"] != mine["access_key"]
    with pytest.raises(ClientError):
        site.list_objects_v2(Bucket=mine["bucket"])
    assert amazon.client(again).list_objects_v2(Bucket=mine["bucket"])["KeyCount"] == 1
    for _ in range(2):
        backend.deprovision(server, mine["key"], {})
    assert mine["bucket"] not in str(amazon.client(all_rights).list_buckets()["Buckets"])
    users = amazon.iam(all_rights).list_users()["Users"]
    assert mine["bucket"] not in [user["UserName"] for user in users]


@pytest.mark.parametrize(("denials", "is_known"), [(2, True), (None, False)])
def test_a_new_bucket_may_be_denied_for_a_while(
    amazon: Storage, monkeypatch: pytest.MonkeyPatch, denials: int | None, is_known: bool
) -> None:
    """Not all parts of a server know at once what it has made."""
    monkeypatch.setattr(tenants, "NEW_BUCKET_SECONDS", 1.0)
    assert isinstance(amazon.backend, ObjectStorage)
    answers = repeat(True) if denials is None else chain(repeat(True, denials), repeat(False))

    def deny(**_: object) -> AWSResponse | None:
        said = io.BytesIO(b"<Error><Code>NoSuchBucket</Code></Error>")
        denial = AWSResponse("", 404, {}, HTTPResponse(said, preload_content=False))
        return denial if next(answers) else None

    events = amazon.backend._clients.s3(parse_url(amazon.server.secret)).meta.events
    events.register("before-send.s3.PutBucketPolicy", deny)
    try:
        if is_known:
            facts = amazon.new()
            assert amazon.client(facts).list_objects_v2(Bucket=facts["bucket"])["KeyCount"] == 0
        else:
            with pytest.raises(Unavailable, match="NoSuchBucket"):
                amazon.new()
    finally:
        events.unregister("before-send.s3.PutBucketPolicy", deny)


def test_hostile_names_come_back(amazon: Storage) -> None:
    """Here a name may be anything; the archive is safe to unpack and complete all the same."""
    backend, server, mine, other = amazon.backend, amazon.server, amazon.new(), amazon.new()
    names = [name for name in HOSTILE if name not in ("a/..", "..", ".", "\x01", "new\nline")]
    fill(amazon, mine, {name: name.encode() for name in names})
    sink = io.BytesIO()
    contents = backend.backup(server, mine, sink)
    assert contents.counts["objects"] == len(backend_keys(amazon, mine["bucket"]))
    amazon.client(other).put_object(Bucket=other["bucket"], Key="older", Body=b"")
    backend.restore(server, other, io.BytesIO(sink.getvalue()))
    assert backend.contents(server, other) == contents
    reader = ArchiveReader(io.BytesIO(sink.getvalue()))
    assert all(member.size >= 0 for member in reader.members())
    with pytest.raises(Invalid):
        backend.restore(server, other, io.BytesIO(written({"a": b"1"})[0][:-11_000]))
    assert backend.contents(server, other) == contents


def backend_keys(amazon: Storage, bucket: str) -> list[str]:
    facts = next(one for one in amazon.made if one["bucket"] == bucket)
    listed = amazon.client(facts).list_objects_v2(Bucket=bucket)
    return [found["Key"] for found in listed["Contents"]]


@pytest.mark.parametrize(
    ("url", "region", "iam"),
    [
        ("s3://K:S%2F@s3.amazonaws.com", "us-east-1", ""),
        ("https://K:S%2F@s3.eu-west-2.amazonaws.com", "eu-west-2", ""),
        ("https://K:S%2F@s3-eu-west-2.amazonaws.com/", "eu-west-2", ""),
        ("https://K:S%2F@s3.example.com:9000?region=here", "here", "https://s3.example.com:9000"),
        (
            "https://K:S%2F@s3.example.com?iam=https://iam.example",
            "us-east-1",
            "https://iam.example",
        ),
    ],
)
def test_what_an_administrators_address_says(url: str, region: str, iam: str) -> None:
    found = parse_url(url)
    assert (found.region, found.iam, found.secret_key) == (region, iam, "S/")
    assert "S/" not in repr(found)


def facts(host: str, region: str, endpoint: str, media: str) -> dict[str, str]:
    return {
        "bucket": "m0123456789abcde",
        "access_key": "AK+/",
        "secret_key": "s+/=:@",
        "region": region,
        "host": host,
        "endpoint": endpoint,
        "media_url": media,
    }


def taken_apart(dsn: str) -> tuple[str, str, str]:
    """Bucket, host and region, as django-storage-url 0.5 did it, which asks for three parts."""
    host = str(urlsplit(dsn).hostname)
    parts = host.rsplit(".", 3)
    named = parse_qs(urlsplit(dsn).query).get("region_name", [parts[1].partition("-")[2]])
    return parts[0], ".".join(parts[1:]), named[0]


@pytest.mark.parametrize(
    ("host", "region", "endpoint"),
    [
        ("s3-us-east-1.m01.internal", "us-east-1", "http://s3-us-east-1.m01.internal"),
        (aws_host("us-east-1"), "", "https://s3.amazonaws.com"),
        (aws_host("eu-central-1"), "eu-central-1", "https://s3-eu-central-1.amazonaws.com"),
    ],
)
def test_old_clients_take_the_address_apart(host: str, region: str, endpoint: str) -> None:
    media = "http://m0123456789abcde--media.localhost:8080"
    dsn = storage_dsn(facts(host, region, endpoint, media))
    assert taken_apart(dsn) == ("m0123456789abcde", host, region)
    parts = urlsplit(dsn)
    assert (parts.username, parts.password) == ("AK%2B%2F", "s%2B%2F%3D%3A%40")
    said = parse_qs(parts.query)
    assert said["domain"] == ["m0123456789abcde--media.localhost:8080"]
    assert said["url"] == [f"{media}/"]
    assert ("scheme" in said) == endpoint.startswith("http:")


def test_regions_of_amazon() -> None:
    assert aws_host("us-east-1") == "s3.amazonaws.com"
    assert aws_host("eu-central-1") == "s3-eu-central-1.amazonaws.com"
    assert aws_host("eu-south-1") == "s3.eu-south-1.amazonaws.com"
