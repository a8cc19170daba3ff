"""Routes as Traefik's own configuration: pure values, nothing is opened or sent.

The panel calls `render` for the feed; each node's agent adds what only it knows with `complete`;
`app/processes` starts Traefik with `static_arguments`. Facts behind it: measurements, Part 1 §1.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from app.adapters.ingress import Media, Redirect, RequestLimits, Route, Upstream
from app.errors import Invalid

ENTRY_POINT = "web"
VERSION_HEADER = "X-Feed-Version"
EPOCH_HEADER = "X-Feed-Epoch"
AGENT_SERVICE = "moonbase-agent"
MARKER = "moonbase-marker"
PLUGIN = "limits"
# Traefik looks for ./plugins-local/src/<module> below the folder it is started in.
PLUGIN_MODULE = "moonbase/limits"
START_FOLDER = Path(__file__).resolve().parent
# Filled in by each node's agent, for only it knows its port; port 9 ("discard") answers nothing.
_UNSET_AGENT = "http://127.0.0.1:9"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# Routers are tried from the highest priority down; the marker must not be shadowed by a site.
_MARKER_PRIORITY, _SITE_PRIORITY = 1000, 100
# An upstream that closes idle connections after 2 s or more (gunicorn 2, uWSGI 4, Node 5) never
# closes one just as Traefik sends a POST on it: such a POST could not be repeated.
_IDLE_UPSTREAM = "1s"
_MEDIA_HEADERS = "media-headers"
# A bucket answers what anybody may know: a key that somebody sends along must not get more. What
# the server says of itself stays inside. Uploaded files are what they were said to be, no page.
_MEDIA = {
    "customRequestHeaders": {"Authorization": "", "X-Amz-Security-Token": ""},
    "customResponseHeaders": {
        "Server": "",
        "Seaweed-X-Amz-Owner": "",
        "Seaweed-X-Amz-Etag": "",
        "X-Amz-Request-Id": "",
        "X-Content-Type-Options": "nosniff",
    },
}
# Queries by which the embedded server lets anybody choose an answer's headers, so that a text
# becomes a page (measured; Amazon's own refuses them without a signature).
_CHOSEN_HEADERS = "type disposition encoding language".split()
_MEDIA_QUERIES = (
    *(f"response-content-{name}" for name in _CHOSEN_HEADERS),
    "response-cache-control",
    "response-expires",
)


def render(
    routes: Sequence[Route], version: int, probe_host: str, media: Sequence[Media] = ()
) -> dict[str, Any]:
    """The dynamic configuration for Traefik's HTTP provider, on entry point `web`.

    `probe_host` is an unguessable host; the answer to it carries `version` in `X-Feed-Version`.
    Raises `Invalid` for a name, host or address that may not stand in a rule. No map is empty:
    Traefik refuses the whole document for one.
    """
    parts = _Parts()
    parts.add_marker(check_host(probe_host), version)
    for route in routes:
        parts.add_route(route)
    for bucket in media:
        parts.add_media(bucket)
    return parts.document()


def check_host(host: str) -> str:
    """`host` itself, or `Invalid` unless it is a lower-case host name of [a-z0-9.-]."""
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise Invalid(f"“{host}” is not a host name.")
    return host


def find_probe_host(document: dict[str, Any]) -> str | None:
    """The probe host of a rendered document, None when it has no marker."""
    try:
        rule = document["http"]["routers"][MARKER]["rule"]
    except (KeyError, TypeError):
        return None
    found = re.fullmatch(r"Host\(`([a-z0-9.-]+)`\)", str(rule))
    return found[1] if found else None


def complete(document: dict[str, Any], pages_url: str, epoch: str) -> None:
    """Add in place what only the node knows: where its pages are, and the feed's epoch.

    The epoch keeps a high version of a lost database from passing for a low one of the new.
    """
    http = document["http"]
    http["services"][AGENT_SERVICE]["loadBalancer"]["servers"][0]["url"] = pages_url
    http["middlewares"][MARKER]["headers"]["customResponseHeaders"][EPOCH_HEADER] = epoch


def static_arguments(
    listen: str,
    configuration_url: str,
    access_log: Path | None = None,
    grace_seconds: int = 10,
    trusted: str = "",
) -> tuple[str, ...]:
    """Traefik's command line without the program: one entry point, the agent as only provider.

    `listen` is host:port. `access_log` names a file for JSON lines; None keeps no log. `trusted`
    are the addresses, separated by commas, of proxies in front whose X-Forwarded-… headers reach
    the sites; those of anybody else are replaced. A request may take an hour to arrive: Traefik's
    own 60 s would cut a 500 MB upload and every SSE stream. To be started in `START_FOLDER`, where
    it finds the limits. Without them it would answer 404 for every site; it ends instead, with the
    reason in its log, and the closed door stays closed.
    """
    entry = f"--entrypoints.{ENTRY_POINT}"
    arguments = (
        f"{entry}.address={listen}",
        f"{entry}.forwardedheaders.insecure=false",
        *([f"{entry}.forwardedheaders.trustedips={trusted}"] if trusted else []),
        # X_Forwarded_Proto and X.Forwarded.Proto become X-Forwarded-Proto in WSGI (CVE-2026-88879).
        f"{entry}.http.aliasheadersstrategy=delete",
        f"{entry}.transport.respondingtimeouts.readtimeout=3600s",
        f"{entry}.transport.respondingtimeouts.writetimeout=0s",
        f"{entry}.transport.respondingtimeouts.idletimeout=180s",
        f"{entry}.transport.lifecycle.gracetimeout={grace_seconds}s",
        f"--providers.http.endpoint={configuration_url}",
        "--providers.http.pollinterval=200ms",
        "--providers.http.polltimeout=2s",
        "--providers.providersthrottleduration=100ms",
        f"--experimental.localplugins.{PLUGIN}.modulename={PLUGIN_MODULE}",
        "--experimental.abortonpluginfailure=true",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=WARN",
        "--api=false",
    )
    if access_log is None:
        return arguments
    return (*arguments, "--accesslog.format=json", f"--accesslog.filepath={access_log}")


class _Parts:
    """The four maps of a document while it grows, with what several routes share kept once."""

    def __init__(self) -> None:
        self._routers: dict[str, Any] = {}
        self._services: dict[str, Any] = {
            AGENT_SERVICE: {"loadBalancer": {"servers": [{"url": _UNSET_AGENT}]}}
        }
        self._middlewares: dict[str, Any] = {}
        self._transports: dict[str, Any] = {}

    def add_marker(self, probe_host: str, version: int) -> None:
        headers = {"customResponseHeaders": {VERSION_HEADER: str(version)}}
        self._middlewares[MARKER] = {"headers": headers}
        rule = _host_rule([probe_host])
        # Behind the limits as well: a feed whose limits do not load must not pass for served.
        limits = self._limits(RequestLimits())
        self._add_router(MARKER, rule, _MARKER_PRIORITY, "noop@internal", MARKER, limits)

    def add_route(self, route: Route) -> None:
        name = f"site-{_check_name(route.name)}"
        if name in self._services or name in self._routers:
            raise Invalid(f"Two routes are named “{route.name}”.")
        if route.hosts:
            rule = _host_rule(route.hosts)
            if route.upstreams:
                self._add_site(name, rule, route)
            else:
                self._add_router(name, rule, _SITE_PRIORITY, AGENT_SERVICE)
        for number, redirect in enumerate(route.redirects):
            self._add_redirect(f"{name}.{number}", redirect)

    def add_media(self, media: Media) -> None:
        """The router of a public bucket: its objects stand below its name on the server."""
        name = f"media-{_check_name(media.bucket)}"
        if name in self._services:
            raise Invalid(f"Two buckets are named “{media.bucket}”.")
        self._services[name] = {
            "loadBalancer": {
                "servers": [{"url": _upstream_url(media.upstream)}],
                "passHostHeader": False,
                "serversTransport": self._transport(media.limits),
            }
        }
        self._middlewares[name] = {"addPrefix": {"prefix": f"/{media.bucket}"}}
        self._middlewares[_MEDIA_HEADERS] = {"headers": _MEDIA}
        rule = f"{_host_rule([media.host])} && (Method(`GET`) || Method(`HEAD`))"
        rule += "".join(f" && !QueryRegexp(`{query}`, `.*`)" for query in _MEDIA_QUERIES)
        used = (self._limits(media.limits), _MEDIA_HEADERS, name)
        self._add_router(name, rule, _SITE_PRIORITY, name, *used)

    def document(self) -> dict[str, Any]:
        http = {
            "routers": self._routers,
            "services": self._services,
            "middlewares": self._middlewares,
            "serversTransports": self._transports,
        }
        return {"http": {key: value for key, value in http.items() if value}}

    def _add_site(self, name: str, rule: str, route: Route) -> None:
        """The router of a site that runs, and its containers.

        The limits stand before the retry, so that they count all attempts together. Traefik tries
        again only what it has not begun to send, which is safe for every method.
        """
        self._services[name] = {
            "loadBalancer": {
                "servers": [{"url": _upstream_url(one)} for one in route.upstreams],
                "passHostHeader": True,
                "serversTransport": self._transport(route.limits),
            }
        }
        middlewares = [self._limits(route.limits)]
        attempts = _count_attempts(route)
        if attempts > 1:
            retry = f"retry-{attempts}"
            self._middlewares[retry] = {"retry": {"attempts": attempts}}
            middlewares.append(retry)
        self._add_router(name, rule, _SITE_PRIORITY, name, *middlewares)

    def _add_redirect(self, name: str, redirect: Redirect) -> None:
        if redirect.status not in (301, 302):
            raise Invalid(f"A redirect is 301 or 302, not {redirect.status}.")
        target, colon, port = redirect.to_host.partition(":")
        if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise Invalid(f"“{redirect.to_host}” is not a host name with a port.")
        self._middlewares[name] = {
            "redirectRegex": {
                "regex": "^(https?)://[^/?#]*",
                "replacement": f"${{1}}://{check_host(target)}{colon}{port}",
                "permanent": redirect.status == 301,
            }
        }
        rule = _host_rule([redirect.host])
        self._add_router(name, rule, _SITE_PRIORITY, "noop@internal", name)

    def _add_router(
        self, name: str, rule: str, priority: int, service: str, *middlewares: str
    ) -> None:
        router: dict[str, Any] = {
            "entryPoints": [ENTRY_POINT],
            "rule": rule,
            "priority": priority,
            "service": service,
        }
        if middlewares:
            router["middlewares"] = list(middlewares)
        self._routers[name] = router

    def _limits(self, limits: RequestLimits) -> str:
        """The name of the middleware for `limits`, kept once for all sites that have the same."""
        values = {
            "send": _milliseconds(limits.send_seconds),
            "connectAndSend": _milliseconds(limits.connect_and_send_seconds),
            "read": _milliseconds(limits.read_seconds),
            "body": limits.body_bytes,
        }
        name = f"limits-{'-'.join(str(value) for value in values.values())}"
        self._middlewares[name] = {"plugin": {PLUGIN: values}}
        return name

    def _transport(self, limits: RequestLimits) -> str:
        connect = _milliseconds(limits.connect_seconds)
        name = f"connect-{connect}"
        self._transports[name] = {
            "forwardingTimeouts": {
                "dialTimeout": f"{connect}ms",
                "idleConnTimeout": _IDLE_UPSTREAM,
            }
        }
        return name


def _count_attempts(route: Route) -> int:
    """Containers to try before giving up, so that all connects together stay within the limit."""
    limits = route.limits
    fitting = int(limits.connect_and_send_seconds // limits.connect_seconds)
    return min(len(route.upstreams), max(1, fitting))


def _host_rule(hosts: Iterable[str]) -> str:
    rules = [f"Host(`{check_host(host)}`)" for host in hosts]
    return rules[0] if len(rules) == 1 else f"({' || '.join(rules)})"


def _upstream_url(upstream: Upstream) -> str:
    try:
        address = ipaddress.ip_address(upstream.address)
    except ValueError as error:
        raise Invalid(f"“{upstream.address}” is not an IP address.") from error
    if not 0 < upstream.port < 65536:
        raise Invalid(f"{upstream.port} is not a port.")
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"http://{host}:{upstream.port}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid(f"“{name}” is not a name for a route.")
    return name
