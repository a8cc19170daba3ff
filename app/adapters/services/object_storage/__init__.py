"""Object storage: a bucket for each instance, with a user of its own. Media anybody may read.

The embedded server is SeaweedFS (`seaweed`). An administrator's is anything that speaks S3 and
IAM, Amazon's own first: the same requests go to both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from app.adapters.engine import Engine
from app.adapters.services import Content, Contents, Facts, Order, Server, ServiceKind, Usage
from app.adapters.services.embedded import Embedded, Program
from app.adapters.services.hosted import Hosted
from app.adapters.services.object_storage import folders, seaweed, tenants, transfer
from app.adapters.services.object_storage.archive import Entry, Origin
from app.adapters.services.object_storage.certificate import certificate_of
from app.adapters.services.object_storage.connections import (
    AWS,
    Clients,
    Connection,
    parse_url,
    storage_errors,
)
from app.adapters.services.object_storage.objects import end_uploads, list_objects
from app.adapters.services.storage_dsn import aws_host
from app.config import Settings


class ObjectStorage(Hosted):
    """All servers of this kind. Clients are kept: threads may share one."""

    kind = ServiceKind.OBJECT_STORAGE
    content: Content | None = Content.MEDIA
    versions = (seaweed.VERSION,)

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(Embedded(engine, settings))
        self._clients = Clients()

    def start(self, server: Server) -> None:
        """Bring an embedded one up, or see that both S3 and IAM of another one take its key."""
        if server.is_embedded:
            program, alias = seaweed.program_of(server), seaweed.host_of(server)
            self._embedded.start(server, program, self._answers(server), alias=alias)
            return
        there = self._connect(server)
        with storage_errors():
            self._clients.s3(there).list_buckets()
            self._clients.iam(there).list_users(MaxItems=1)

    def _program(self, server: Server) -> Program:
        return seaweed.program_of(server)

    def provision(self, server: Server, order: Order) -> Facts:
        """Make bucket, policy, user and key. Asked again, an embedded server gives the same key.
        Another one gives a new key, and the older one ends: IAM tells a secret only once."""
        there = self._connect(server)
        s3, iam = self._clients.s3(there), self._clients.iam(there)
        with storage_errors():
            tenants.ensure_bucket(s3, order.key, there.region)
            tenants.once_known(lambda: tenants.publish_bucket(s3, order.key))
            key = tenants.noted_key(s3, iam, order.key) if server.is_embedded else None
            if key is None:
                rights = tenants.EMBEDDED_RIGHTS if server.is_embedded else tenants.RIGHTS
                key = tenants.ensure_user(iam, order.key, rights)
                if server.is_embedded:
                    tenants.note_key(s3, order.key, key)
        facts = {
            "key": order.key,
            "bucket": order.key,
            "access_key": key[0],
            "secret_key": key[1],
            "region": there.region,
            "media_url": there.media.replace("{bucket}", order.key),
        }
        return {**facts, **self._where(server, there)}

    def usage(self, server: Server, facts: Facts) -> Usage:
        """Counted from the list of the bucket: a request for each thousand objects."""
        there = self._connect(server)
        with storage_errors():
            sizes = [one.size for one in list_objects(self._clients.s3(there), facts["bucket"])]
        return Usage(bytes=sum(sizes), objects=len(sizes))

    def contents(self, server: Server, facts: Facts) -> Contents:
        """Every object is read, for the digest: this is for proving a restore, not for pages."""
        there = self._connect(server)
        with storage_errors():
            return transfer.count_objects(self._clients.s3(there), facts["bucket"])

    def backup(self, server: Server, facts: Facts, sink: BinaryIO) -> Contents:
        """A tar with a manifest: see `archive`."""
        there = self._connect(server)
        with storage_errors():
            s3, bucket = self._clients.s3(there), facts["bucket"]
            return transfer.write_archive(s3, bucket, sink, _origin_of(server))

    def restore(
        self, server: Server, facts: Facts, source: BinaryIO, *, is_whole: bool = False
    ) -> None:
        """Replace everything; nothing is changed before the whole archive was seen to be good,
        unless that is known."""
        there, bucket = self._connect(server), facts["bucket"]
        s3 = self._clients.s3(there)
        can_keep = seaweed.can_keep if server.is_embedded else _can_keep_any
        origins = {_origin_of(server), Origin.EMBEDDED} if is_whole else set[Origin]()
        with storage_errors():
            transfer.Restore(s3, bucket, can_keep, origins).run(source)

    def tidy(self, server: Server, key: str, facts: Facts) -> None:
        """End uploads in parts: while data are replaced nobody else's are of use."""
        if facts:
            s3 = self._clients.s3(self._connect(server))
            with storage_errors():
                end_uploads(s3, facts["bucket"])

    def take_in(self, source: BinaryIO, sink: BinaryIO, most: int) -> Contents:
        """A tar of files, gzipped or not; objects get the type that their name says."""
        return folders.take_folder(source, sink, most)

    def hand_out(self, source: BinaryIO, sink: BinaryIO) -> None:
        """A tar of files."""
        folders.hand_out_folder(source, sink)

    def deprovision(self, server: Server, key: str, facts: Facts) -> None:
        there = self._connect(server)
        s3 = self._clients.s3(there)
        with storage_errors():
            tenants.remove_user(self._clients.iam(there), key)
            if server.is_embedded:
                tenants.forget_key(s3, key)
            tenants.remove_bucket(s3, key)

    def _connect(self, server: Server) -> Connection:
        if server.is_embedded:
            return seaweed.administration(server, self._embedded.address(server))
        return parse_url(server.secret)

    def _where(self, server: Server, there: Connection) -> dict[str, str]:
        """Where sites find it, and for an embedded one where the ingress does."""
        if server.is_embedded:
            address = self._embedded.address(server)
            host = seaweed.host_of(server)
            made = certificate_of(server.secret, host)
            return {
                "host": host,
                "endpoint": f"http://{host}",
                "address": address,
                "port": str(seaweed.PORT),
                "certificate": made.certificate,
            }
        found = urlsplit(there.endpoint)
        host = found.hostname or ""
        if host.endswith(AWS):
            host = aws_host(there.region)
        port = found.port or (443 if found.scheme == "https" else 80)
        shown = f":{found.port}" if found.port else ""
        return {
            "host": host,
            "port": str(port),
            "endpoint": f"{found.scheme}://{host}{shown}",
        }

    def _answers(self, server: Server) -> Callable[[str], bool]:
        def answers(address: str) -> bool:
            """Whether it gives out what it has. It takes requests before its parts have found
            each other, and fails them (measured after a crash)."""
            try:
                tenants.touch_notes(self._clients.s3(seaweed.administration(server, address)))
            except (ClientError, BotoCoreError, HTTPClientError):
                return False
            return True

        return answers


def _origin_of(server: Server) -> Origin:
    return Origin.EMBEDDED if server.is_embedded else Origin.S3


def _can_keep_any(entry: Entry) -> bool:
    """What S3 itself asks of a name."""
    return 0 < len(entry.key.encode(errors="surrogatepass")) <= 1024
