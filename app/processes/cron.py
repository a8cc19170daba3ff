"""Runs cron jobs: begins what the scheduler wrote down as due, and watches it to its end."""

from __future__ import annotations

import fcntl
import logging
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.background import create_background_app
from app.cron.history import forget_old_runs
from app.cron.runner import Runner
from app.errors import PanelError
from app.extensions import db
from app.installation import EXTENSION, Installation
from app.platform_status.operations import Reporter

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
HOUSEKEEPING_SECONDS = 60.0


def main() -> None:
    """Run jobs until SIGTERM. Containers run on then: the next runner goes on watching them."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    app = create_background_app()
    stop = threading.Event()
    runner = Runner(app)

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()
        runner.news.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    here: Installation = app.extensions[EXTENSION]
    lock = _only_one(here.settings.data_dir / "run" / "cron.lock", stop)
    if lock is None:
        return
    arguments = (app, runner, stop)
    threading.Thread(target=_keep_house, args=arguments, daemon=True).start()
    with lock, app.app_context():
        alive = Reporter("cron")
        while not stop.is_set():
            _look(runner, alive)
            if runner.news.wait(LOOK_SECONDS):
                runner.news.clear()


def _look(runner: Runner, alive: Reporter) -> None:
    try:
        runner.look()
        alive({"runs": runner.count})
    except (PanelError, SQLAlchemyError) as error:
        logger.warning("nothing is begun for a moment: %s", error)
        time.sleep(LOOK_SECONDS)
    finally:
        db.session.remove()


def _only_one(path: Path, stop: threading.Event) -> IO[str] | None:
    """Wait for the lock of this machine's engine: whoever holds it knows that the runner before
    it is dead. None when it is time to end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
    while not stop.is_set():
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        stop.wait(LOOK_SECONDS)
    file.close()
    return None


def _keep_house(app: Flask, runner: Runner, stop: threading.Event) -> None:
    """Leftover containers and old runs go, once a minute."""
    while not stop.is_set():
        try:
            with app.app_context():
                runner.sweep()
                forget_old_runs()
        except (PanelError, SQLAlchemyError) as error:
            logger.warning("left for later: %s", error)
        except Exception:
            # The edge of this thread: nobody would notice that it has ended.
            logger.exception("housekeeping is left for later")
        stop.wait(HOUSEKEEPING_SECONDS)


if __name__ == "__main__":
    main()
