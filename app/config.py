"""The settings of an installation, read once from the environment; everybody is handed them."""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from app.errors import Invalid

LOOPBACK_NAME = "localhost"


@dataclass(frozen=True)
class Times:
    """Every wait of the platform, in seconds. Documented ones name their source.

    Tests shorten them; `MOONBASE_TIME_<NAME>` changes one for an installation.
    """

    lease: float = 30
    """A running deployment without a heartbeat for this long is taken to be lost."""
    heartbeat: float = 5
    build: float = 30 * 60  # "Docker build stage", Checks, limits and timeouts
    release_command: float = 30 * 60  # "Release commands stage", same place
    connect_attempt: float = 0.4  # "Scaling": each connection test, The deployment process
    connect_total: float = 120  # 300 attempts of 0.4 s
    answer: float = 20  # "the test for a positive response"
    route_effective: float = 30
    """How long every live ingress node may take to load a new route."""
    node_alive: float = 15
    """An ingress node silent for longer than this is not waited for."""
    drain: float = 3
    """Old containers keep serving this long after the switch (measured: still drain >= 3 s)."""
    stop_grace: float = 10
    process_watch: float = 2
    """A process that ends within this time after its start is told of in the deployment."""
    scheduler: float = 5
    reconcile: float = 10
    trash: float = 7 * 24 * 3600  # checklist Part 2, "deletion": 7 days, then irreversible
    copy: float = 30 * 60  # "copying data from another environment", L5945
    stream: float = 10 * 60
    """A live page is asked to connect again after this long, so that no thread is held for ever."""


@dataclass(frozen=True)
class Settings:
    """One installation. Build it with `Settings.read`; every field has a safe default."""

    data_dir: Path
    database_url: str = ""
    redis_url: str = ""
    secret_key: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    sites_port: int = 8080
    ssh_port: int = 2222
    internal_host: str = "127.0.0.1"
    """Where the internal listener is bound; in a container, an address that can be published."""
    internal_port: int = 0
    """Ingress feed and the like, on loopback; 0 means the port after the panel's."""
    agent_port: int = 0
    """The ingress agent's, with its pages on the next one; 0 means two after the panel's."""
    panel_host: str = LOOPBACK_NAME
    platform_domain: str = LOOPBACK_NAME
    operator_keys: str = ""
    """Path of the keys that only workers may read; empty: `secrets/operator.keys`. In containers,
    whose users are all the same, they are a folder that only the worker's has."""
    docker_url: str = "unix:///var/run/docker.sock"
    network_pool: str = ""
    """Where sites' networks come from, e.g. `10.213.0.0/16`; empty: a free one is found once."""
    network_prefix: int = 26
    """61 addresses per environment: 30 for its web containers, Live's twice over during a switch;
    31 for processes beside them, one-off containers and the servers it uses. Environments keep
    the subnet they were given under another setting."""
    push_bytes: int = 2 * 1024**3  # "Push and pull of database and media: 2 GB", L5968
    unpacked_bytes: int = 10 * 1024**3
    """Of what is pushed as database or media: how much it may be once it is unpacked."""
    addon_bytes: int = 50 * 1024**2
    """Of an addon's archive, compressed."""
    deployment_log_bytes: int = 20 * 1024**2
    runtime_log_bytes: int = 50 * 1024**2
    images_kept: int = 3
    cron_runs_at_once: int = 32
    """Of cron jobs, over all sites; what is due beyond these waits for its turn."""
    sign_up_is_open: bool | None = None
    """Whether strangers may make accounts. Not said: only while the panel's host is localhost."""
    streams_per_person: int = 8
    free_bytes_needed: int = 5 * 1024**3
    """Builds refuse to start below this much free disk."""
    is_https: bool = False
    """Whether browsers reach the panel over TLS: cookies are then `__Host-` and secure."""
    trusted_proxies: str = ""
    """Addresses, separated by commas, of the proxies in front of the ingress: what they say in
    X-Forwarded-For and -Proto reaches the sites."""
    front_http_port: int = 80
    front_https_port: int = 443
    sites_addresses: str = ""
    """Public addresses of the ingress, separated by commas, for A records of bare domains."""
    has_domains_beyond_live: bool = False
    """Whether environments other than Live may have domains of their own."""
    dns_resolver: str = ""
    """`address` or `address:port` (IPv6 in brackets) of whom to ask about names; empty: the
    machine's own resolver."""
    outbound_networks: str = ""
    """Private networks that may be connected to, e.g. `10.1.0.0/16, fd00::/8`; others are not."""
    postgresql_extensions: str = "hstore, unaccent, pg_trgm, citext, uuid-ossp, pgcrypto, postgis"
    """What sites may choose from; one that the server does not have is named when it fails."""
    mail_url: str = ""
    """`smtp://…` or `smtps://…`; empty: letters are written to `mail/` in the data directory."""
    backup_url: str = ""
    """Where backups lie: `s3://KEY:SECRET@HOST[:PORT]/BUCKET[/PREFIX]`, with `?region=…` and
    `&tls=no`; empty: `backups/` in the data directory."""
    mail_sender: str = ""
    """Who mails come from; empty: `moonbase@` the panel's host."""
    proxies: int = 0
    """How many reverse proxies of the operator's stand in front of the panel: whom they name in
    X-Forwarded-For is who asks. With 0 that header is anybody's word and not believed."""
    is_testing: bool = False
    times: Times = field(default_factory=Times)

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `MOONBASE_…`, and the short names the README gives (`PORT`, `DATA_DIR`, …).
        With `_FILE` behind the name, the value is what the file of that path holds.

        Raises `Invalid` naming the variable when a value is not a number, or when the panel's
        host lies under the platform domain, where a site's cookies could reach it, or without
        TLS above it.
        """
        named = {name: _find(environ, name.upper()) for name in _SHORT_NAMES}
        short = {name: text for name, text in named.items() if text is not None}
        values: dict[str, object] = {}
        for item in fields(cls):
            text = _find(environ, f"MOONBASE_{item.name.upper()}", short.get(item.name))
            if text is not None and item.name != "times":
                values[item.name] = _convert(item.name, str(item.type), text)
        data_dir = Path(str(values.pop("data_dir", "var"))).absolute()
        settings = cls(data_dir=data_dir, times=_read_times(environ), **values)  # type: ignore[arg-type]
        return settings._completed()

    def _completed(self) -> Settings:
        """Fill what follows from the rest: embedded database, Redis, a kept secret key."""
        chosen = {
            "database_url": self.database_url or f"sqlite:///{self.data_dir}/panel/panel.sqlite3",
            "redis_url": self.redis_url or f"unix://{self.data_dir}/run/redis.sock",
            "internal_port": self.internal_port or self.port + 1,
            "agent_port": self.agent_port or self.port + 2,
            "mail_sender": self.mail_sender or f"moonbase@{self.panel_host}",
            "secret_key": self.secret_key or kept_secret(self.data_dir / "secrets" / "session.key"),
        }
        values = {item.name: getattr(self, item.name) for item in fields(self)} | chosen
        settings = Settings(**values)
        settings._refuse_shared_cookies()
        settings._refuse_unusable_addresses()
        return settings

    def _refuse_shared_cookies(self) -> None:
        is_loopback = self.platform_domain == LOOPBACK_NAME
        is_under = f".{self.panel_host}".casefold().endswith(f".{self.platform_domain}".casefold())
        if is_under and not is_loopback:
            raise Invalid(
                f"The panel's host {self.panel_host} lies under the platform domain "
                f"{self.platform_domain}: a site could set cookies for it. Choose another host."
            )
        is_above = f".{self.platform_domain}".casefold().endswith(f".{self.panel_host}".casefold())
        if is_above and self.panel_host != LOOPBACK_NAME and not self.is_https:
            # Over TLS its cookies are `__Host-`, which a site cannot set for hosts above it.
            raise Invalid(
                f"The platform domain {self.platform_domain} lies under the panel's host "
                f"{self.panel_host}: without HTTPS a site could set cookies for the panel. Choose "
                "another host, or put TLS in front (MOONBASE_IS_HTTPS)."
            )

    def _refuse_unusable_addresses(self) -> None:
        """An address that is none would show only when somebody's domain is looked at."""
        for name in ("sites_addresses", "outbound_networks"):
            kind = ipaddress.ip_address if name == "sites_addresses" else ipaddress.ip_network
            try:
                for part in getattr(self, name).replace(",", " ").split():
                    kind(part)
            except ValueError as error:
                raise Invalid(f"{name.upper()}: {error}.") from error

    @property
    def lets_strangers_sign_up(self) -> bool:
        if self.sign_up_is_open is None:
            return self.panel_host == LOOPBACK_NAME
        return self.sign_up_is_open

    @property
    def panel_url(self) -> str:
        """Where browsers reach the panel; behind TLS the reverse proxy has the usual port."""
        if self.is_https:
            return f"https://{self.panel_host}"
        return f"http://{self.panel_host}" + (f":{self.port}" if self.port != 80 else "")

    @property
    def panel_name(self) -> str:
        """What mails call this panel, to tell it from another one a person may use."""
        return f"Moonbase at {self.panel_host}"

    @property
    def operator_keys_file(self) -> Path:
        return Path(self.operator_keys or self.data_dir / "secrets" / "operator.keys")

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def sites_address(self) -> str:
        """Where this machine reaches its own ingress."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104

    def site_url(self, host: str) -> str:
        """Where a host name is reached from a browser."""
        if self.is_https:
            return f"https://{host}"
        return f"http://{host}" if self.sites_port == 80 else f"http://{host}:{self.sites_port}"

    def ssh_url(self, slug: str) -> str:
        return f"ssh://git@{self.panel_host}:{self.ssh_port}/{slug}.git"


_YES = {"1", "true", "yes", "on"}
_NO = {"0", "false", "no", "off", ""}
_SHORT_NAMES = ("port", "sites_port", "ssh_port", "data_dir", "database_url", "redis_url", "host")


def _find(environ: Mapping[str, str], name: str, otherwise: str | None = None) -> str | None:
    """The value of a variable, or the content of the file that `<name>_FILE` names: a secret in
    the environment shows in `docker inspect` and in every child process."""
    path = environ.get(f"{name}_FILE")
    if path is None or name in environ:
        return environ.get(name, otherwise)
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise Invalid(f"{name}_FILE: {path} cannot be read ({error.strerror}).") from error


def _convert(name: str, kind: str, text: str) -> object:
    if kind == "int":
        if not (text.isascii() and text.isdigit()):
            raise Invalid(f"{name.upper()} must be a whole number, not “{text}”.")
        return int(text)
    if kind.startswith("bool"):
        if text.lower() not in _YES | _NO:
            raise Invalid(f"{name.upper()} is yes or no, not “{text}”.")
        return text.lower() in _YES
    return text


def _read_times(environ: Mapping[str, str]) -> Times:
    values: dict[str, float] = {}
    for item in fields(Times):
        text = environ.get(f"MOONBASE_TIME_{item.name.upper()}")
        if text is not None:
            try:
                values[item.name] = float(text)
            except ValueError:
                raise Invalid(f"MOONBASE_TIME_{item.name.upper()} must be seconds.") from None
    return Times(**values)


def kept_secret(path: Path, first: str | None = None) -> str:
    """The secret in `path`, made on the first call (`first`, or random); its owner alone reads it.

    Safe when several processes start at once: the first one to create the file wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(first or secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
