"""The health check of a new container, as the platform documents it (The deployment process)."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.config import Times

INTERNAL_ERROR = 500


@dataclass(frozen=True)
class Health:
    """What the check found. `status` is the HTTP status of the answer, None without one."""

    is_healthy: bool
    sentence: str
    status: int | None = None


def is_positive(status: int) -> bool:
    """1xx to 4xx and 500: the server lives. Other 5xx: it says itself that it does not."""
    return status <= INTERNAL_ERROR


def check_health(
    address: str,
    port: int,
    host: str,
    times: Times,
    has_ended: Callable[[], bool],
    cancelled: threading.Event,
) -> Health:
    """Connect for up to `times.connect_total` seconds, then want one answer within `times.answer`.

    `has_ended` says whether the container has stopped: then there is nothing to wait for.
    """
    until = time.monotonic() + times.connect_total
    while time.monotonic() < until and not cancelled.is_set():
        try:
            socket.create_connection((address, port), times.connect_attempt).close()
        except OSError:
            if has_ended():
                return Health(False, "The container stopped before it answered.")
            cancelled.wait(min(0.1, times.connect_attempt))
        else:
            return _ask(address, port, host, times.answer)
    seconds = f"{times.connect_total:g}"
    return Health(False, f"Nothing listened on port {port} for {seconds} s.")


def _ask(address: str, port: int, host: str, seconds: float) -> Health:
    """One request for `/`. The limit is on the whole answer's head, not on each byte of it."""
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    is_late = threading.Event()
    timer = threading.Timer(seconds, _hang_up, [connection, is_late])
    timer.start()
    try:
        connection.request("GET", "/", headers={"Host": host, "User-Agent": "Moonbase-health"})
        status = connection.getresponse().status
        if is_late.is_set():  # the end we made looks like the end of the headers
            raise TimeoutError
    except TimeoutError:
        return Health(False, f"It accepted a request but did not answer within {seconds:g} s.")
    except (OSError, http.client.HTTPException) as error:
        if is_late.is_set():
            return Health(False, f"It accepted a request but did not answer within {seconds:g} s.")
        return Health(False, f"Port {port} does not speak HTTP ({type(error).__name__}).")
    finally:
        timer.cancel()
        connection.close()
    if is_positive(status):
        return Health(True, f"answered {status}", status)
    return Health(False, f"The site answered {status}.", status)


def _hang_up(connection: http.client.HTTPConnection, is_late: threading.Event) -> None:
    is_late.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):  # the other side was faster
            connection.sock.shutdown(socket.SHUT_RDWR)
