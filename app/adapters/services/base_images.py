"""Images of embedded servers: made on their first use, from the recipes in `base_images/`."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from app.adapters.engine import Engine
from app.config import Settings
from app.errors import Unavailable

_ROOT = Path(__file__).parents[3]
# Downloading and packing 150 MB on a slow line; it took 10 s here.
_MAKING_SECONDS = 900
# Asking apt takes one to two seconds: what was up to date an hour ago will do.
_FRESH_SECONDS = 3600


class BaseImages:
    """The recipes' images on one engine."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._url = settings.docker_url
        self._cache = settings.data_dir / "cache" / "base_images"
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()

    def ensure(self, recipe: str) -> str:
        """The image's tag, once it is there and as new as its recipe and packages say.

        One that cannot be made anew, as without a network, is used as it is. Raises `Unavailable`
        with the reason when there is none at all.
        """
        from base_images.recipes import RECIPES

        tag = RECIPES[recipe].tag
        with self._lock:
            fresh = time.monotonic() - self._asked.get(recipe, -_FRESH_SECONDS) < _FRESH_SECONDS
            if fresh and self._engine.inspect_image(tag) is not None:
                return tag
            reason = self._make(recipe)
            if reason and self._engine.inspect_image(tag) is None:
                raise Unavailable(f"The image {tag} cannot be made: {reason}")
            self._asked[recipe] = time.monotonic()
        return tag

    def _make(self, recipe: str) -> str:
        """Why it failed; empty when it did not. In a process of its own, as at the start of the
        panel: it runs apt and needs memory for a while. One at a time on this machine."""
        words = ["--engine", self._url, "--cache", str(self._cache)]
        command = [sys.executable, "-m", "base_images", recipe, *words]
        try:
            done = subprocess.run(
                command, cwd=_ROOT, capture_output=True, text=True, timeout=_MAKING_SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"it took longer than {_MAKING_SECONDS // 60} minutes."
        return done.stderr.strip()[-500:] or "no reason given." if done.returncode else ""
