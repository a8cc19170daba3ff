"""An empty application becomes a Django site by its addons alone, on our own Python base."""

from __future__ import annotations

import base64
import io
import tarfile
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.accounts.queries import find_user
from app.addons.builtin import find_plugin
from app.addons.installing import carry_out, plan_install, plan_save
from app.addons.models import Addon, AddonVersion, Audience, Channel, PackageKind
from app.addons.queries import find_addon, find_installed
from app.applications.queries import find_application
from app.deployments.models import Deployment, DeploymentStatus
from app.deployments.queries import find_current
from app.environments.queries import find_environment
from app.extensions import db
from app.installation import installation
from app.logs.queries import log_store
from app.organisations.queries import list_organisations
from app.transactions import unit_of_work
from tests.flows.running_panel import OWNER, RunningPanel, wait_for
from tests.flows.steered import share_packages

NAME, VERSION = "greeting-box", "1.2"
PASSWORD = "squeamish ossifrage"
CONFIGURATION = """
from aldryn_client import forms


class Form(forms.BaseForm):
    greeting = forms.CharField("Greeting", initial="Hello")

    def to_settings(self, data, settings):
        settings["GREETING"] = data["greeting"]
        settings["ADDON_URLS"].append("greeting_box.urls")
        ticks = {"task": "greeting_box.tasks.greet", "schedule": 1.0, "args": ["the clock"]}
        settings["CELERY_BEAT_SCHEDULE"] = {"tick": ticks}
        return settings
"""
PACKAGE = {
    "setup.py": f"""
from setuptools import setup

setup(name="{NAME}", version="{VERSION}", packages=["greeting_box"])
""",
    "greeting_box/__init__.py": "",
    "greeting_box/urls.py": """
from django.conf import settings
from django.http import HttpResponse
from django.urls import path


def later(request):
    from greeting_box.tasks import greet

    greet.delay("Ada")
    return HttpResponse("later")


urlpatterns = [
    path("greeting/", lambda request: HttpResponse(settings.GREETING)),
    path("later/", later),
]
""",
    "greeting_box/tasks.py": """
from celery import shared_task


@shared_task
def greet(name):
    print(f"greeting {name} in the background", flush=True)
""",
}
"""A package of the older kind, as people upload it."""


def packed(folder: str, files: Mapping[str, str]) -> bytes:
    """A source distribution with these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{folder}/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()


def publish_sample(panel: RunningPanel) -> None:
    """The package in the marketplace, as an upload leaves it."""
    with panel.app.app_context(), unit_of_work():
        owner = find_user(OWNER)
        assert owner
        addon = Addon(
            organisation_id=list_organisations(owner)[0].id,
            package_name=NAME,
            folded_name=NAME.replace("-", ""),
            name="Greeting box",
            audience=Audience.ORGANISATION,
        )
        row = AddonVersion(
            uuid=str(uuid.uuid4()),
            version=VERSION,
            kind=PackageKind.ALDRYN,
            channel=Channel.STABLE,
            form=[{"name": "greeting", "label": "Greeting", "initial": "Hello"}],
            facts={"inner_name": "greeting_box"},
            texts={
                "addon_json": f'{{"package-name": "{NAME}", "installed-apps": ["greeting_box"]}}',
                "configuration": CONFIGURATION,
            },
        )
        addon.versions.append(row)
        db.session.add(addon)
        folder = panel.settings.data_dir / "addons" / row.uuid
    folder.mkdir(parents=True)
    (folder / "package.tar.gz").write_bytes(packed(f"{NAME}-{VERSION}", PACKAGE))


def install(
    panel: RunningPanel,
    slug: str,
    name: str,
    settings: Mapping[str, object],
    secrets: Mapping[str, str | None] | None = None,
) -> None:
    with panel.app.test_request_context():
        application, addon, owner = find_application(slug), find_addon(name), find_user(OWNER)
        assert application and addon and owner
        store, version = installation().adapters.repositories, addon.versions[-1]
        carry_out(
            lambda: plan_install(application, version, settings, store, secrets), "", owner, store
        )


def save(panel: RunningPanel, slug: str, name: str, settings: Mapping[str, object]) -> None:
    with panel.app.test_request_context():
        application, owner = find_application(slug), find_user(OWNER)
        assert application and owner
        installed = find_installed(application.id, name)
        assert installed
        store = installation().adapters.repositories
        carry_out(lambda: plan_save(installed, settings, {}, store), "", owner, store)


def asked_with_password(panel: RunningPanel, user: str, password: str) -> str:
    """The start page for somebody who knows the password."""
    told = base64.b64encode(f"{user}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{panel.settings.sites_port}/",
        headers={"Host": panel.host("garden", "test"), "Authorization": f"Basic {told}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def deployed(panel: RunningPanel, slug: str) -> Deployment:
    done = panel.deploy(slug, "test", seconds=150)
    assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
    return done


def works_in_the_background(panel: RunningPanel) -> None:
    """What the site asks for and what the clock starts is done by Celery's worker."""
    assert panel.get("garden", "test", "/later/").body == "later"
    with panel.app.app_context():
        application = find_application("garden")
        found = find_environment(application.id, "test") if application else None
        assert found
        uuid = found.uuid

    def printed() -> str:
        with panel.app.app_context():
            return log_store().runtime(uuid).read_all()

    for name in ("Ada", "the clock"):
        words = f"greeting {name} in the background"
        wait_for(lambda words=words: words in printed(), 30, printed())


@pytest.mark.timeout(420)  # two builds with packages, and a broker's image
@pytest.mark.usefixtures("python_base_image")
def test_an_empty_application_becomes_a_django_site(
    panel: RunningPanel, package_cache: Path
) -> None:
    share_packages(panel, package_cache)
    plugin = find_plugin("django")
    assert plugin
    publish_sample(panel)
    panel.create_application("garden")
    initial = {field.name: field.initial for field in plugin.fields}
    install(panel, "garden", "django", {**initial, "site_title": "The garden", "web_workers": 1})
    install(panel, "garden", NAME, {"greeting": "Good morning"})
    log = panel.log(deployed(panel, "garden").uuid)
    assert "django 1.0: variables: WEB_CONCURRENCY" in log
    answer = panel.get("garden", "test")
    assert answer.status == 200 and "<h1>The garden</h1>" in answer.body
    assert panel.get("garden", "test", "/greeting/").body == "Good morning"
    assert panel.get("garden", "test", "/health/").body == '{"status": "ok"}'
    assert panel.get("garden", "test", "/admin/login/").status == 200
    with panel.app.app_context():
        application = find_application("garden")
        assert application
        test = find_environment(application.id, "test")
        current = find_current(test.id) if test else None
        assert current
        release = current.release
        assert release.variables["WEB_CONCURRENCY"] == "1"
        assert release.release_commands[0][1] == "python manage.py migrate --noinput"
        assert release.contributions["addons"] == {"django": "1.0", NAME: VERSION}

    save(panel, "garden", NAME, {"greeting": "Good evening"})
    words = {"user": "gardener", "place": "all", "open_paths": "/greeting/\n/later/\n/health/"}
    install(panel, "garden", "basic-auth", words, {"password": PASSWORD})
    install(panel, "garden", "celery", {"concurrency": 1, "has_beat": True, "task_minutes": 1})
    log = panel.log(deployed(panel, "garden").uuid)
    assert "RabbitMQ" in log
    works_in_the_background(panel)
    assert panel.get("garden", "test", "/greeting/").body == "Good evening"
    assert panel.get("garden", "test").status == 401
    assert "<h1>The garden</h1>" in asked_with_password(panel, "gardener", PASSWORD)
    assert PASSWORD not in log
