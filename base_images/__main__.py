"""`python -m base_images static python`: make base images unless they are up to date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import docker
from docker.errors import DockerException
from docker.utils import kwargs_from_env

from base_images.making import default_cache, ensure
from base_images.packages import RecipeFailed
from base_images.recipes import RECIPES


def main() -> int:
    """Parse the command line; 0 when all images are there, 1 with a sentence otherwise."""
    parser = argparse.ArgumentParser(prog="python -m base_images", description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(RECIPES), metavar="NAME")
    parser.add_argument("--engine", metavar="URL", help="unix://… or tcp://…, else DOCKER_HOST")
    parser.add_argument("--cache", type=Path, default=default_cache(), metavar="FOLDER")
    chosen = parser.parse_args()
    settings = {"base_url": chosen.engine} if chosen.engine else dict(kwargs_from_env())
    try:
        # Importing a whole Debian has been seen to take 20 s on a busy disk.
        client = docker.APIClient(version="auto", timeout=300, **settings)
        ensure(chosen.names, client, chosen.cache, say=print)
    except (RecipeFailed, DockerException) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
