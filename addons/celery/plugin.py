"""Work in the background: Celery's worker and clock beside the site, and the broker between."""

from __future__ import annotations

from pathlib import Path

from app.addons.api import (
    AddonInfo,
    Field,
    FieldType,
    File,
    Process,
    Requirement,
    Rights,
    Service,
    ServiceKind,
    Site,
    Visibility,
    hookimpl,
)

FILES = Path(__file__).parent / "site-files"
MANAGED = ("apps.py", "site_settings.py", "worker.py")
COMMAND = "celery --app addons.celery.worker"


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="celery",
        name="Celery",
        version="1.0",
        summary="Lets the site work in the background and at set times.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Background work",),
        rights=Rights(
            reads_variables=("DEFAULT_AMQP_BROKER_URL",),
            writes_variables=("CELERYD_CONCURRENCY",),
            services=(ServiceKind.RABBITMQ,),
            processes=("worker", "beat"),
            has_requirements=True,
        ),
        needs=("django",),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return (
        Field(
            "concurrency",
            "Tasks at the same time",
            FieldType.NUMBER,
            initial=2,
            min_value=1,
            max_value=32,
            variable="CELERYD_CONCURRENCY",
            help_text="Each takes as much memory as a web worker.",
        ),
        Field(
            "has_beat",
            "Start tasks at set times",
            FieldType.CHECKBOX,
            required=False,
            initial=True,
            help_text="Runs one clock (Celery beat) beside the worker.",
        ),
        Field(
            "task_minutes",
            "Longest time of a task, in minutes",
            FieldType.NUMBER,
            initial=30,
            min_value=1,
            max_value=1440,
            visibility=Visibility.ADVANCED,
        ),
    )


@hookimpl
def contribute_requirements(site: Site) -> tuple[Requirement, ...]:
    return (Requirement("celery~=5.4"),)


@hookimpl
def contribute_services(site: Site) -> tuple[Service, ...]:
    return (Service(ServiceKind.RABBITMQ),)


@hookimpl
def contribute_processes(site: Site) -> tuple[Process, ...]:
    tasks = site.settings.get("concurrency") or 2
    worker = Process("worker", f"{COMMAND} worker --loglevel=INFO --concurrency={tasks}")
    # Two clocks would start each task twice, so there is one however many workers there are.
    beat = Process("beat", f"{COMMAND} beat --loglevel=INFO --schedule=/tmp/beat")
    return (worker, beat) if site.settings.get("has_beat", True) else (worker,)


@hookimpl
def contribute_files(site: Site) -> tuple[File, ...]:
    return tuple(
        File(f"addons/celery/{name}", (FILES / name).read_text(), is_managed=True)
        for name in MANAGED
    )
