"""Traefik's public port, opened deaf: the kernel drops what is not the doorkeeper's own probe.

Called by `app.processes.ingress_proxy`. Traefik accepts 0.15 to 0.5 s before it has loaded a route
and answers 404 to all meanwhile (measured, 1 and 1,000 routes); a browser whose packets are dropped
knocks again after a second instead.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import logging
import os
import select
import socket
import struct
import time
from contextlib import suppress

from app.adapters.ingress import traefik
from app.adapters.ingress.listeners import ask

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27  # linux/socket.h
_ATTEMPT_SECONDS = 0.02


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def reserve_port(host: str) -> socket.socket:
    """A socket bound to a free loopback port: the one source the filter lets through."""
    probe = socket.socket(_family(host))
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("::1" if ":" in host else "127.0.0.1", 0))
    return probe


def open_closed_door(address: tuple[str, int], allowed: int) -> socket.socket:
    """The public port, listening, deaf to all but source port `allowed`.

    Waits up to 3 s for the port: the doorkeeper of a killed Traefik may hold it a moment longer.
    """
    public = socket.socket(_family(address[0]))
    public.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Load the TCP source port; equal: keep the packet, else drop it (classic BPF).
    steps = ((0x28, 0, 0, 0), (0x15, 0, 1, allowed), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HP", len(steps), ctypes.addressof(code))
    try:
        public.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except PermissionError:
        # Some kernels keep filters to root: better open at once, with 404s for a moment, than not.
        logging.warning("the door cannot be closed without root; early visitors may see a 404")
    until = time.monotonic() + 3
    while True:
        try:
            public.bind(address)
            break
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(_ATTEMPT_SECONDS)
    public.listen(4096)
    return public


def leave_doorkeeper(public: socket.socket, probe: socket.socket, configuration: str) -> None:
    """Start the child that opens the door; forked twice, so that Traefik has nothing to reap."""
    proxy = os.pidfd_open(os.getpid())
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        os.close(proxy)
        probe.close()
        return
    if os.fork():
        os._exit(0)
    try:
        _keep_door(public, probe, configuration, proxy)
    except Exception:
        logging.exception("the doorkeeper broke; the door is opened, with or without routes")
        _open(public)
    finally:
        os._exit(0)


def _keep_door(public: socket.socket, probe: socket.socket, configuration: str, proxy: int) -> None:
    """Open the door once the public port serves a feed; leave when Traefik has gone."""
    source, target = probe.getsockname(), public.getsockname()
    probe.close()
    if target[0] in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        target = (source[0], target[1])
    started = said = time.monotonic()
    gone = select.poll()
    gone.register(proxy, select.POLLIN)
    while not gone.poll(_ATTEMPT_SECONDS * 1000):
        if _serves_feed(source, target, configuration):
            _open(public)
            logging.info("open to all after %.2f s", time.monotonic() - started)
            return
        if time.monotonic() - said > 10:
            said = time.monotonic()
            logging.warning("still closed: the agent has no feed, or Traefik has not loaded it")


def _open(public: socket.socket) -> None:
    with suppress(FileNotFoundError):  # where it could not be closed, there is nothing to take off
        public.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _serves_feed(source: tuple[str, int], target: tuple[str, int], configuration: str) -> bool:
    """Whether the public port answers for a feed's marker (version 1 or above)."""
    try:
        document = json.loads(ask("GET", configuration, {}, None, 1).body)
        host = traefik.find_probe_host(document)
        with socket.socket(_family(target[0])) as knock:
            knock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Closed by a reset: the one source port must be free again at once.
            knock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            knock.settimeout(0.5)
            knock.bind(source[:2])
            knock.connect(target[:2])
            knock.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = knock.recv(4096).decode("latin-1").lower()
    except (OSError, ValueError, http.client.HTTPException):
        return False
    _, found, rest = head.partition(f"\n{traefik.VERSION_HEADER.lower()}: ")
    return bool(found) and rest.partition("\r")[0] not in ("", "0")
