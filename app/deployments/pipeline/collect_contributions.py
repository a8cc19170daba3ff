"""Addons: those of the commit are asked what they bring to this environment."""

from __future__ import annotations

from dataclasses import replace

from app.addons.collecting import Place, ask_addons
from app.addons.contributions import Contribution
from app.addons.in_commit import read_files
from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.extensions import db
from app.runtime.processes import Process, check_processes, merge_processes, variables_for


class CollectContributions(Step):
    """Variables and release commands of addons join those of people, who come first in both: a
    variable of theirs wins, and their commands run on a site that addons have prepared."""

    name = "collect_contributions"
    title = "Addons"

    def run(self, context: Context) -> None:
        subject, configuration = context.subject, context.configuration
        context.files = read_files(context.context_file)
        place = Place(
            subject.application_id,
            configuration.variables["SITE_NAME"],
            subject.application_slug,
            subject.environment_slug,
            configuration.own_names,
        )
        try:
            context.asked = ask_addons(context.files, place)
        finally:
            db.session.rollback()  # it has read rows: the work that follows holds no transaction
        collected = context.asked.collected
        if not context.asked.parts:
            check_processes(configuration.processes, configuration.worker_containers)
            return
        context.log.heading("addons")
        for part in context.asked.parts:
            brings = words_of(part.contribution) or "nothing but its files"
            context.log.line(f"{part.package_name} {part.version}: {brings}")
        processes = _processes(context)
        own = {name: configuration.variables[name] for name in configuration.own_names}
        commands = tuple((row.label, row.command) for row in collected.release_commands)
        context.configuration = replace(
            configuration,
            variables={
                **configuration.variables,
                **variables_for(processes),
                **collected.variables,
                **own,
            },
            release_commands=(*commands, *configuration.release_commands),
            processes=processes,
        )


def _processes(context: Context) -> tuple[Process, ...]:
    """Those of addons with those of people, who come first here too. Raises `Invalid` for what
    cannot run, before a build is made for nothing."""
    own = context.configuration.processes
    brought = [
        Process(row.name, row.command, row.count, part.package_name)
        for part in context.asked.parts
        for row in part.contribution.processes
    ]
    for row in brought:
        if any(row.name == other.name for other in own):
            context.log.line(
                f"The process {row.name} is the one written down on the page Workers, not that of "
                f"the addon {row.addon}"
            )
    processes = merge_processes(own, brought)
    check_processes(processes, context.configuration.worker_containers)
    return processes


def words_of(contribution: Contribution) -> str:
    """What it brings by names: no value of a variable is among them."""
    named: dict[str, list[str]] = {
        "variables": [row.name for row in contribution.variables],
        "sections of the Dockerfile": [row.slot for row in contribution.fragments],
        "release commands": [row.label for row in contribution.release_commands],
        "services": [row.kind for row in contribution.services],
        "processes": [row.name for row in contribution.processes],
    }
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in named.items() if names)
