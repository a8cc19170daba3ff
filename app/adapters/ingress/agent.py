"""The agent beside each Traefik: fetches the feed, keeps it on disk, serves it, reports it loaded.

Started by `app.processes.ingress_agent`. Standard library only, so that a node spends little on
it; web and Redis may be down, Traefik or the agent may be killed: the sites stay up.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from app.adapters.ingress import traefik
from app.adapters.ingress.feed import DamagedFeed, Feed, StateFile, parse_feed
from app.adapters.ingress.listeners import ConfigurationServer, PagesServer, ask

log = logging.getLogger("moonbase.ingress")


@dataclass(frozen=True)
class AgentSettings:
    """Where the agent finds and keeps things. Addresses are (host, port), times in seconds.

    `feed_url` is the panel's, `probe_url` Traefik's public entry point as seen from this machine.
    """

    feed_url: str
    token: str
    node: str
    state_file: Path
    listen: tuple[str, int]
    pages_listen: tuple[str, int]
    probe_url: str
    heartbeat: float = 3
    retry: float = 0.5
    poll_timeout: float = 15
    probe_interval: float = 0.03
    probe_timeout: float = 0.5


class IngressAgent:
    """Two loopback listeners and two loops, each in a thread of its own."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._state = StateFile(settings.state_file)
        self._feed: Feed | None = None
        self._asked = False
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._said: dict[str, str] = {}
        self._pages = PagesServer(settings.pages_listen)
        self._configuration = ConfigurationServer(settings.listen)
        host, port = self._pages.server_address[:2]
        self._pages_url = f"http://{host!s}:{port}"

    def run(self) -> bool:
        """Serve until `stop` is called; False when a loop broke instead."""
        self._load()
        loops: tuple[tuple[str, Callable[[], None]], ...] = (
            ("pages", self._pages.serve_forever),
            ("configuration", self._configuration.serve_forever),
            ("feed", self._follow_feed),
            ("reports", self._report),
        )
        for name, loop in loops:
            threading.Thread(target=self._guard, args=(loop,), name=name, daemon=True).start()
        log.info("serving on %s:%s for node %s", *self._settings.listen, self._settings.node)
        while not self._asked and not self._stopping.wait(0.2):
            pass
        asked = self._asked
        self._stopping.set()
        for server in (self._configuration, self._pages):
            server.shutdown()
            server.server_close()
        log.info("stopped" if asked else "a loop broke; ending to be started anew")
        return asked

    def stop(self) -> None:
        """Ask `run` to return; a long poll is not waited for. Takes no lock: signals call it."""
        self._asked = True

    def _guard(self, loop: Callable[[], None]) -> None:
        """An agent with half its loops would look alive and serve stale routes for ever."""
        try:
            loop()
        finally:
            self._stopping.set()

    def _load(self) -> None:
        """Serve the kept feed at once.

        With nothing kept, a first Traefik gets a valid answer without sites. Where a kept feed is
        lost, it gets an error instead, on which a Traefik that runs keeps its sites.
        """
        had_feed = self._state.exists()
        try:
            kept = self._state.load()
        except (DamagedFeed, OSError) as error:
            kept = None
            log.error("the state file is damaged and not served (%s)", error)
            try:
                log.error("set aside as %s", self._state.set_aside())
            except OSError as failure:
                log.error("it could not be set aside: %s", failure)
        if kept is not None:
            self._serve(kept)
            log.info("serving the kept feed, version %s", kept.version)
        elif not had_feed:
            host = f"{os.urandom(16).hex()}.ingress.invalid"
            self._configuration.body = json.dumps(traefik.render((), 0, host)).encode()

    def _serve(self, feed: Feed) -> None:
        traefik.complete(feed.document, self._pages_url, feed.epoch)
        self._configuration.body = json.dumps(feed.document, separators=(",", ":")).encode()
        # Its document and bytes are not kept: a thousand routes are several megabytes of objects.
        self._feed = replace(feed, document={}, raw=b"")
        self._changed.set()

    def _follow_feed(self) -> None:
        while not self._stopping.is_set():
            try:
                pause = self._fetch()
            except (OSError, http.client.HTTPException) as error:
                self._say("feed", f"the panel does not answer ({error}); the last feed stays")
                pause = self._settings.retry
            self._stopping.wait(pause)

    def _fetch(self) -> float:
        """One long poll; returns the seconds to wait before the next."""
        known = self._feed
        query = f"node={quote(self._settings.node)}&after={known.version if known else 0}"
        query += f"&epoch={quote(known.epoch) if known else ''}"
        status, raw = self._ask_panel("GET", f"{self._settings.feed_url}?{query}", None)
        if status == 204:
            self._say("feed", "the panel answers")
            return 0.02
        if status in (401, 403):
            self._say("feed", f"the panel refuses this node's token ({status}); asking again")
            return self._settings.retry
        if status != 200:
            self._say("feed", f"the panel answers {status}; the last feed stays")
            return self._settings.retry
        try:
            feed = parse_feed(raw)
        except DamagedFeed as error:
            self._say("feed", f"the panel's feed is refused ({error}); the last one stays")
            return self._settings.retry
        self._say("feed", "the panel answers")
        if not feed.replaces(known):
            return self._settings.retry
        self._take(feed)
        return 0

    def _take(self, feed: Feed) -> None:
        """Serve first: a full disk must not keep a switch from happening."""
        self._serve(feed)
        try:
            self._state.save(feed)
        except OSError as error:
            log.error("the feed could not be kept on disk: %s", error)
        log.info("version %s of epoch %s taken", feed.version, feed.epoch)

    def _report(self) -> None:
        """Ask the public entry point what it serves and tell the panel; also as a sign of life."""
        reported: tuple[str, int] | None = None
        reported_at = wanted_at = 0.0
        while not self._stopping.is_set():
            if self._changed.is_set():
                self._changed.clear()
                wanted_at = time.monotonic()
            wanted = self._feed
            loaded = self._probe(wanted) if wanted else None
            now = time.monotonic()
            due = loaded != reported or now - reported_at >= self._settings.heartbeat
            if loaded and due and self._tell_panel(loaded):
                reported, reported_at = loaded, now
            if loaded and wanted and loaded == (wanted.epoch, wanted.version):
                told = reported == loaded
                self._changed.wait(min(1, self._settings.heartbeat) if told else 0.1)
            else:
                slow = not wanted or now - wanted_at > 10
                self._stopping.wait(0.25 if slow else self._settings.probe_interval)

    def _probe(self, feed: Feed) -> tuple[str, int] | None:
        """Epoch and version that Traefik's public entry point serves, None while it does not."""
        url = self._settings.probe_url
        try:
            answer = ask("GET", url, {"Host": feed.probe_host}, None, self._settings.probe_timeout)
        except (OSError, http.client.HTTPException) as error:
            self._say("probe", f"the entry point does not answer ({error})")
            return None
        epoch = answer.headers.get(traefik.EPOCH_HEADER)
        version = answer.headers.get(traefik.VERSION_HEADER, "")
        if epoch is None or not version.isdigit():
            self._say("probe", f"the entry point has not loaded a feed ({answer.status})")
            return None
        self._say("probe", "the entry point answers")
        return epoch, int(version)

    def _tell_panel(self, loaded: tuple[str, int]) -> bool:
        epoch, version = loaded
        body = {"node": self._settings.node, "epoch": epoch, "version": version}
        try:
            status, _ = self._ask_panel(
                "POST", f"{self._settings.feed_url}/loaded", json.dumps(body).encode()
            )
        except (OSError, http.client.HTTPException) as error:
            self._say("report", f"the panel takes no report ({error})")
            return False
        self._say("report", "the panel takes reports" if status < 300 else f"refused: {status}")
        return status < 300

    def _ask_panel(self, method: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._settings.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        timeout = self._settings.poll_timeout if body is None else 3
        answer = ask(method, url, headers, body, timeout)
        return answer.status, answer.body

    def _say(self, about: str, sentence: str) -> None:
        """Log when something changes, not at every attempt."""
        if self._said.get(about) != sentence:
            self._said[about] = sentence
            log.info("%s", sentence)


def split_address(text: str) -> tuple[str, int]:
    """`host:port` as a pair; IPv6 in brackets. Raises ValueError for anything else."""
    parts = urlsplit(f"//{text}")
    if parts.port is None:
        raise ValueError(f"{text!r} is not host:port")
    return parts.hostname or "", parts.port
