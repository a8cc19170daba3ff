"""Files of users go to the storage service. Written by the control panel: edits are lost.

`DEFAULT_STORAGE_DSN` is `s3://KEY:SECRET@BUCKET.ENDPOINT/?domain=HOST`; without it, e.g. on a
developer's machine, files stay in `media/`.
"""

import os
from urllib.parse import parse_qs, unquote, urlsplit


def to_settings(data, settings):
    address = urlsplit(os.environ.get("DEFAULT_STORAGE_DSN", ""))
    if address.scheme != "s3" or os.environ.get("DJANGO_MODE") == "build":
        return settings
    bucket, _, endpoint = (address.hostname or "").partition(".")
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    port = f":{address.port}" if address.port else ""
    options = {
        "access_key": unquote(address.username or ""),
        "secret_key": unquote(address.password or ""),
        "bucket_name": bucket,
        "endpoint_url": f"{query.get('scheme', 'https')}://{endpoint}{port}",
        "querystring_auth": not data.get("is_public", True),
        "querystring_expire": int(data.get("link_seconds") or 3600),
        "file_overwrite": False,
    }
    if query.get("region_name"):
        options["region_name"] = query["region_name"]
    if query.get("addressing_style"):
        options["addressing_style"] = query["addressing_style"]
    if query.get("domain") and data.get("is_public", True):
        options["custom_domain"] = query["domain"]
        options["url_protocol"] = f"{urlsplit(query.get('url', '')).scheme or 'https'}:"
    settings["STORAGES"]["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": options,
    }
    return settings
