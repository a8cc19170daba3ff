"""Release commands: run in order in containers that are thrown away (D5)."""

from __future__ import annotations

import shlex

from app.deployments.labels import ROLE_COMMAND
from app.deployments.networks import network_of
from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.errors import Invalid


class RunReleaseCommands(Step):
    """The first command that fails ends the deployment; the old containers serve on."""

    name = "run_release_commands"
    title = "Release commands"

    def plan(self, context: Context) -> None:
        context.network = network_of(context)

    def run(self, context: Context) -> None:
        commands = context.runnable.release_commands
        if not commands:
            return
        context.log.heading("docker release commands")
        if context.network is None:
            raise RuntimeError("the network is planned before commands run in it")
        context.adapters.engine.ensure_network(context.network)
        for number, (label, command) in enumerate(commands, 1):
            self._run_one(context, number, label, command)

    def _run_one(self, context: Context, number: int, label: str, command: str) -> None:
        context.log.line(f"--- {label}: {command}")
        spec = context.runnable.container(
            name=f"moonbase-{context.subject.deployment_uuid[:13]}-command-{number}",
            network=context.network.name if context.network else "",
            labels=context.labels(ROLE_COMMAND),
            command=tuple(shlex.split(command)),
        )
        seconds = context.installation.settings.times.release_command
        result = context.adapters.engine.run_command(
            spec, seconds, context.log.line, context.cancelled
        )
        if result.cancelled:
            return
        if result.timed_out:
            hint = self._entrypoint_hint(context)
            raise Invalid(f"{_named(label)} ran longer than {seconds / 60:g} minutes.{hint}")
        if result.oom_killed:
            raise Invalid(f"{_named(label)} was killed: it used too much memory.")
        if result.exit_code != 0:
            hint = self._entrypoint_hint(context)
            raise Invalid(f"{_named(label)} failed with exit code {result.exit_code}.{hint}")

    def _entrypoint_hint(self, context: Context) -> str:
        """An ENTRYPOINT that starts the server swallows the command (L1965–1972): name it."""
        image = context.adapters.engine.inspect_image(context.runnable.image)
        if image is None or not image.entrypoint:
            return ""
        words = " ".join(image.entrypoint)
        return (
            f" The image has the ENTRYPOINT “{words}”: if that starts the server instead of the "
            "command it is given, start the server with CMD."
        )

    def undo(self, context: Context) -> None:
        engine = context.adapters.engine
        for state in engine.list_containers(context.labels(ROLE_COMMAND)):
            engine.remove_container(state.name)


def _named(label: str) -> str:
    return f"The release command “{label}”"
