"""A site with Flavours addons: one with a form, one whose file is missing."""

from __future__ import annotations

from app.adapters.git import Author, RepositoryStore
from app.environments.models import Environment
from app.repositories.operations import refresh_branch
from app.repositories.queries import load_repository
from tests.addons.flavours.laravel import ADDON, KEY, listing, sha256_of

FLAVOURS_SITE = "velo-workshop"
FLAVOUR = KEY


def seed_flavours(environments: list[Environment], store: RepositoryStore) -> None:
    """Commit them to the branch of `environments`."""
    key = load_repository(environments[0].application_id).uuid
    sums = {KEY: sha256_of(ADDON), "composer/example/laravel-thumbnails:2.0.4": "0" * 64}
    files = {
        "app.flavour": listing(sums).encode(),
        f".flavour/addons/{sha256_of(ADDON)}": ADDON.encode(),
    }
    author = Author("Jonas Weber", "jonas@northlight.example")
    tip = store.resolve(key, "main")
    store.commit(key, "main", files, "Keep answers for a week", author, expected=tip)
    for environment in environments:
        refresh_branch(environment, store)
