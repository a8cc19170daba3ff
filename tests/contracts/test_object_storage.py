"""The embedded object storage, as sites and visitors have it: what each may do, and where."""

from __future__ import annotations

import io
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from app.adapters.ingress import Media, Upstream
from app.adapters.services import Facts, Usage
from app.errors import Invalid, Unavailable
from tests.contracts.ingress_fixtures import FeedServer, IngressStack
from tests.contracts.object_storage_fixtures import Storage, moved

CORS = {
    "AllowedHeaders": ["*"],
    "AllowedMethods": ["GET", "HEAD"],
    "AllowedOrigins": ["*"],
    "MaxAgeSeconds": 3000,
}
"""The documentation's own example (L5030)."""
KEY = "ü/a b+%41.txt"


def refused(ask: Callable[[], object]) -> str:
    """The server's word for its refusal; fails when it did as it was asked."""
    try:
        answer = ask()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert 400 <= status < 500
        return str(error.response.get("Error", {}).get("Code", status))
    errors = answer.get("Errors") if isinstance(answer, dict) else None
    assert errors, f"allowed: {answer}"
    return str(errors[0]["Code"])


@pytest.fixture(scope="module")
def mine(storage: Storage) -> Facts:
    facts = storage.new()
    site = storage.client(facts)
    site.put_object(
        Bucket=facts["bucket"],
        Key=KEY,
        Body=b"hello",
        ACL="public-read",
        ContentType="text/plain",
        CacheControl="max-age=5",
    )
    return facts


@pytest.fixture(scope="module")
def theirs(storage: Storage) -> Facts:
    facts = storage.new()
    storage.client(facts).put_object(Bucket=facts["bucket"], Key="secret", Body=b"theirs")
    return facts


def test_a_tenant_can_do_nothing_with_anothers_bucket(
    storage: Storage, mine: Facts, theirs: Facts
) -> None:
    site, own, other = storage.client(mine), mine["bucket"], theirs["bucket"]
    everything = {"Version": "2012-10-17", "Statement": []}
    asked: list[Callable[[], object]] = [
        lambda: site.list_objects_v2(Bucket=other),
        lambda: site.list_multipart_uploads(Bucket=other),
        lambda: site.put_object(Bucket=other, Key="x", Body=b"x"),
        lambda: site.put_object(Bucket=own, Key=f"../{other}/x", Body=b"x"),
        lambda: site.get_object(Bucket=own, Key=f"../{other}/secret"),
        lambda: site.create_multipart_upload(Bucket=other, Key="x"),
        lambda: site.delete_object(Bucket=other, Key="secret"),
        lambda: site.delete_objects(Bucket=other, Delete={"Objects": [{"Key": "secret"}]}),
        lambda: site.get_bucket_policy(Bucket=other),
        lambda: site.put_bucket_policy(Bucket=other, Policy=json.dumps(everything)),
        lambda: site.put_bucket_cors(Bucket=other, CORSConfiguration={"CORSRules": []}),
        lambda: site.put_bucket_acl(Bucket=other, ACL="public-read-write"),
        lambda: site.get_object_acl(Bucket=other, Key="secret"),
        lambda: site.delete_bucket(Bucket=other),
        # What would give it more on its own: buckets, policies, versions; the panel keeps those.
        lambda: site.delete_bucket(Bucket=own),
        lambda: site.create_bucket(Bucket="m000000000000000"),
        lambda: site.put_bucket_policy(Bucket=own, Policy=json.dumps(everything)),
        lambda: site.put_bucket_versioning(
            Bucket=own, VersioningConfiguration={"Status": "Enabled"}
        ),
    ]
    for number, ask in enumerate(asked):
        assert refused(ask) in ("AccessDenied", "InvalidRequest"), number
    assert [one["Name"] for one in site.list_buckets()["Buckets"]] == [own]
    assert storage.backend.usage(storage.server, theirs) == Usage(bytes=6, objects=1)

    # Public media are everybody's to read; without that policy nobody's but the owner's.
    administrator = storage.client(
        {**mine, "access_key": "moonbase", "secret_key": storage.server.secret}
    )
    administrator.delete_bucket_policy(Bucket=other)
    source = {"Bucket": other, "Key": "secret"}
    private: list[Callable[[], object]] = [
        lambda: site.get_object(Bucket=other, Key="secret"),
        lambda: site.head_object(Bucket=other, Key="secret"),
        lambda: site.copy_object(Bucket=own, Key="x", CopySource=source),  # type: ignore[arg-type]
    ]
    for ask in private:
        assert refused(ask) in ("AccessDenied", "403")
    assert storage.client(theirs).get_object(**source)["Body"].read() == b"theirs"


def test_a_tenant_cannot_raise_itself(storage: Storage, mine: Facts, theirs: Facts) -> None:
    iam = storage.iam(mine)
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    asked: list[Callable[[], object]] = [
        lambda: iam.list_users(),
        lambda: iam.create_user(UserName="evil"),
        lambda: iam.create_access_key(UserName=theirs["bucket"]),
        lambda: iam.list_access_keys(UserName=theirs["bucket"]),
        lambda: iam.delete_user(UserName=theirs["bucket"]),
        lambda: iam.put_user_policy(UserName=mine["bucket"], PolicyName="x", PolicyDocument=policy),
        lambda: iam.create_access_key(UserName="moonbase"),
    ]
    for number, ask in enumerate(asked):
        assert refused(ask) in ("403", "AccessDenied"), number


def open_ports(storage: Storage) -> set[int]:
    """Where the server listens beyond loopback, as its kernel says: `address:port` in hex."""
    assert storage.tenants
    said = io.BytesIO()
    asked = ("cat", "/proc/net/tcp", "/proc/net/tcp6")
    storage.tenants.engine.execute(storage.container(), asked, {}, 10, sink=said)
    rows = [line.split() for line in said.getvalue().decode().splitlines()]
    listening = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {int(port, 16) for address, port in listening if not address.endswith("7F")}


def test_only_s3_is_open_to_sites(storage: Storage, mine: Facts) -> None:
    assert storage.tenants
    network = storage.tenants.new_network()
    for _ in range(2):
        storage.backend.attach(storage.server, mine, network)
    address = storage.tenants.address_of(storage.container(), network)
    tried = "80 443 8080 8333 8888 9333 18080 18888 19333"
    script = f"for port in {tried}; do nc -w 2 $0 $port < /dev/null && echo $port; done 2>&-; "
    script += f"nc -w 2 {mine['host']} 443 < /dev/null && echo named"
    said = storage.tenants.run_inside(network, "sh", "-c", script, address)
    assert said.split() == ["80", "443", "named", "exit", "0"]
    # 18333 is the S3 server's own port for commands, which wants a certificate.
    assert open_ports(storage) == {80, 443, 18333}
    storage.backend.detach(storage.server, mine, network)
    storage.backend.detach(storage.server, mine, network)
    asked = ("sh", "-c", f"nc -w 2 {address} 80 < /dev/null || echo gone")
    assert "gone" in storage.tenants.run_inside(network, *asked)


def test_the_port_for_commands_wants_a_certificate(storage: Storage, mine: Facts) -> None:
    """It would tell all policies to anybody, and take new ones."""
    context = ssl.create_default_context(cadata=mine["certificate"])
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((mine["address"], 18333), 5) as plain:
        plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        assert b"http" not in plain.recv(100).lower()
    with (
        socket.create_connection((mine["address"], 18333), 5) as connection,
        context.wrap_socket(connection, server_hostname=mine["host"]) as wrapped,
        pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
    ):
        wrapped.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        wrapped.recv(100)


def test_media_are_public_and_nothing_else_is(storage: Storage, mine: Facts) -> None:
    base = f"{storage.endpoint(mine)}/{mine['bucket']}"
    found = requests.get(f"{base}/{quote(KEY)}", timeout=5)
    assert (found.status_code, found.content) == (200, b"hello")
    for method, path, body in (
        ("GET", "", b""),
        ("GET", "?list-type=2", b""),
        ("GET", "?policy", b""),
        ("PUT", "/new", b"x"),
        ("PUT", f"/{quote(KEY)}", b"x"),
        ("DELETE", f"/{quote(KEY)}", b""),
        ("POST", "?delete", b"<Delete><Object><Key>x</Key></Object></Delete>"),
        ("POST", "/new?uploads", b""),
    ):
        answer = requests.request(method, base + path, data=body, timeout=5)
        assert answer.status_code == 403, (method, path)


def test_media_through_the_ingress(
    storage: Storage, mine: Facts, theirs: Facts, tmp_path: Path
) -> None:
    site, bucket = storage.client(mine), mine["bucket"]
    site.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [CORS]})  # type: ignore[list-item]
    assert site.get_bucket_cors(Bucket=bucket)["CORSRules"] == [CORS]
    feed = FeedServer()
    node = IngressStack(feed.url, tmp_path).start()
    host = f"{bucket}--media.localhost"
    try:
        upstream = Upstream(mine["address"], int(mine["port"]))
        feed.wait_loaded(feed.publish([], media=[Media(host, bucket, upstream)]), 20)
        path = f"/{quote(KEY)}"
        status, headers, body = node.ask(host, path, headers={"Origin": "https://a.example"})
        assert (status, body) == (200, b"hello")
        assert headers["cache-control"] == "max-age=5"
        assert headers["access-control-allow-origin"] in ("*", "https://a.example")
        assert "server" not in headers and "seaweed-x-amz-owner" not in headers
        assert node.ask(host, path, headers={"Range": "bytes=1-2"})[::2] == (206, b"el")
        assert node.ask(host, path, headers={"If-None-Match": headers["etag"]})[0] == 304
        assert node.ask(host, path, "HEAD")[1]["content-length"] == "5"
        for method in ("PUT", "POST", "DELETE", "PATCH", "OPTIONS"):
            assert node.ask(host, path, method, b"x")[0] == 404, method
        other = theirs["bucket"]
        for hidden in ("/", "/?list-type=2", f"/../{other}/secret", f"/..%2f{other}/secret"):
            assert node.ask(host, hidden)[0] in (400, 403, 404), hidden
        # Nobody makes a page of a text by the way it is asked for.
        assert node.ask(host, f"{path}?response-content-type=text/html")[0] == 404
        assert node.ask(host, f"{path}?v=2")[1]["content-type"] == "text/plain"
        wrong = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=h, Signature=z"}
        assert node.ask(host, path, headers=wrong)[0] == 200
    finally:
        node.stop()
        feed.stop()


def test_a_key_that_was_never_noted_is_replaced(storage: Storage) -> None:
    """A worker died between making the key and noting it: the next one has a key that works."""
    order = storage.order()
    lost = storage.backend.provision(storage.server, order)
    administrator = storage.client(
        {**lost, "access_key": "moonbase", "secret_key": storage.server.secret}
    )
    administrator.delete_object(Bucket="moonbase-keys", Key=order.key)
    second = storage.backend.provision(storage.server, order)
    assert {name for name in lost if lost[name] != second[name]} == {"access_key", "secret_key"}
    storage.client(second).put_object(Bucket=order.key, Key="a", Body=b"1")
    storage.client(second).create_multipart_upload(Bucket=order.key, Key="never-ended")
    # A tenant can make keys of its own: they end with it.
    own = storage.iam(second).create_access_key(UserName=order.key)["AccessKey"]
    kept = {**second, "access_key": own["AccessKeyId"], "secret_key": own["SecretAccessKey"]}
    storage.backend.deprovision(storage.server, order.key, {})
    for gone in (lost, second, kept):
        site = storage.client(gone)
        assert refused(lambda: site.list_objects_v2(Bucket=order.key)) == "InvalidAccessKeyId"  # noqa: B023
    url = f"{storage.endpoint(second)}/{order.key}/a"
    assert requests.get(url, timeout=5).status_code in (403, 404)
    # The name is free again, and what was there is not.
    again = storage.backend.provision(storage.server, order)
    assert storage.backend.usage(storage.server, again) == Usage(bytes=0, objects=0)


def test_the_address_is_what_clients_take_apart(storage: Storage, mine: Facts) -> None:
    """Over HTTPS on the usual port, for that is all they try; with the server's certificate."""
    found = storage.backend.variables("ALT", mine)
    assert list(found) == ["ALT_STORAGE_DSN"]
    assert storage.server.secret not in f"{found} {mine}"
    trusted = ssl.create_default_context(cadata=mine["certificate"])
    with (
        socket.create_connection((mine["address"], 443), 5) as plain,
        trusted.wrap_socket(plain, server_hostname=mine["host"]) as connection,
    ):
        connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: {mine['host']}\r\n\r\n".encode())
        assert b"200" in connection.recv(100)
    assert storage.tenants
    assert storage.server.secret not in storage.tenants.recorded(storage.container())


def test_no_secret_stands_in_a_refusal(storage: Storage, mine: Facts) -> None:
    bad = {**mine, "bucket": "m-none"}
    with pytest.raises(Unavailable, match="NoSuchBucket") as told:
        storage.backend.usage(storage.server, bad)
    assert storage.server.secret not in str(told.value)
    url = f"http://KEY:hidden@{mine['address']}:9/?region=x"
    with pytest.raises(Unavailable, match="does not answer") as silent:
        storage.backend.start(moved(storage, is_embedded=False, secret=url))
    assert "hidden" not in str(silent.value)
    wrong = f"http://KEY:hidden@{mine['address']}/"
    with pytest.raises(Invalid, match="InvalidAccessKeyId"):
        storage.backend.start(moved(storage, is_embedded=False, secret=wrong))


@pytest.mark.parametrize(
    "url",
    ["", "https://s3.example.com", "ftp://a:b@c", "https://a:b@c:x/", "https://a:b@c?media=x"],
)
def test_an_address_that_is_none_is_refused(storage: Storage, url: str) -> None:
    with pytest.raises(Invalid, match="KEY:SECRET"):
        storage.backend.start(moved(storage, is_embedded=False, secret=url))


def test_clients_are_plain_s3(storage: Storage, mine: Facts) -> None:
    """Uploads in parts, and addresses signed for a while, as sites use them."""
    site = boto3.client(
        "s3",
        endpoint_url=storage.endpoint(mine),
        aws_access_key_id=mine["access_key"],
        aws_secret_access_key=mine["secret_key"],
        region_name=mine["region"],
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    where = {"Bucket": mine["bucket"], "Key": "parts"}
    upload = site.create_multipart_upload(**where)["UploadId"]
    part = site.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x" * 5_300_000)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    site.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)  # type: ignore[arg-type]
    url = site.generate_presigned_url("get_object", Params=where, ExpiresIn=60)
    assert len(requests.get(url, timeout=10).content) == 5_300_000
    assert requests.get(url.replace("Signature=", "Signature=0"), timeout=5).status_code == 403
    site.delete_object(**where)
