"""The address of a bucket as sites read it: `<PREFIX>_STORAGE_DSN`.

`s3://KEY:SECRET@BUCKET.s3-REGION.DOMAIN/?domain=…&url=…` is what django-storage-url, and so
aldryn-django, takes apart: bucket, region and endpoint all come from the host name (L4904–4930).
"""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

from app.adapters.services import Facts

_WITH_DASH = frozenset(
    "us-west-1 us-west-2 eu-west-1 eu-central-1 ap-southeast-1 ap-southeast-2 ap-northeast-1 "
    "sa-east-1".split()
)
"""Regions that Amazon also answers for at `s3-REGION.amazonaws.com`: clients older than the other
form know this one only."""


def storage_dsn(facts: Facts) -> str:
    """The address with its secret. `domain` is the public host of media; `url` the same with its
    scheme, which is not HTTPS on a machine for trying things out; `scheme` and a port are there
    when the endpoint itself does not speak HTTPS on its usual port."""
    endpoint, media = urlsplit(facts["endpoint"]), urlsplit(facts["media_url"])
    host = facts["host"]
    said = {}
    if media.netloc:
        said = {"domain": media.netloc, "url": f"{facts['media_url'].rstrip('/')}/"}
    if endpoint.scheme != "https":
        said["scheme"] = endpoint.scheme
    if facts["region"] and not host.endswith("amazonaws.com"):
        said["region_name"] = facts["region"]
    if not host.endswith("amazonaws.com"):
        said["addressing_style"] = "path"
    port = f":{endpoint.port}" if endpoint.port else ""
    user = f"{quote(facts['access_key'], safe='')}:{quote(facts['secret_key'], safe='')}"
    return f"s3://{user}@{facts['bucket']}.{host}{port}/?{urlencode(said)}"


def aws_host(region: str) -> str:
    """Amazon's host of a region, as most clients understand it."""
    if region == "us-east-1":
        return "s3.amazonaws.com"
    dash = "-" if region in _WITH_DASH else "."
    return f"s3{dash}{region}.amazonaws.com"
