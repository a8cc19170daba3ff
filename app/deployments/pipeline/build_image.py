"""Build: an image from the Dockerfile, or the one that Test has built of this commit."""

from __future__ import annotations

import time

from app.adapters.engine import LABEL_INSTALLATION, LABEL_ROLE, Engine, ImageState, NetworkSpec
from app.adapters.image_builder import BuildRequest
from app.deployments import queries
from app.deployments.labels import ROLE_NETWORK
from app.deployments.models import Build
from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.extensions import db
from app.regions.operations import build_slice


class BuildImage(Step):
    """No layer cache, no variables, no services: one image may serve several environments."""

    name = "build_image"
    title = "Build"

    def plan(self, context: Context) -> None:
        """Live takes the image that exists of this commit (C6), if addons added the same to it;
        others build anew."""
        subject = context.subject
        build = queries.find_build(subject.application_id, subject.commit, context.additions)
        if subject.is_live and build:
            context.build_id = build.id
            context.image, context.image_tag = build.image, build.tag
            context.exposed_ports = tuple(build.exposed_ports)

    def run(self, context: Context) -> None:
        context.log.heading("docker build")
        started = time.monotonic()
        engine = context.adapters.engine
        if context.image and engine.inspect_image(context.image):
            context.is_image_reused = True
            context.log.line(f"The image of this commit exists already: {context.image_tag}")
        else:
            context.build_id = None
            image = self._build(context, engine)
            context.image, context.exposed_ports = image.id, image.exposed_ports
        context.build_seconds = time.monotonic() - started
        context.context_file.unlink(missing_ok=True)

    def _build(self, context: Context, engine: Engine) -> ImageState:
        network = _build_network(context)
        engine.ensure_network(network)
        context.image_tag = tag_of(context)
        request = BuildRequest(
            tag=context.image_tag,
            # One label only: each one is a step of the build, a twentieth of a second long.
            labels={LABEL_INSTALLATION: context.subject.installation_id},
            limits=context.configuration.build_limits,
            timeout_seconds=context.installation.settings.times.build,
            network=network.name,
            journal=context.build_journal,
        )
        with context.context_file.open("rb") as tar:
            return context.adapters.image_builder.build(
                request, tar, context.log.line, context.cancelled
            )

    def record(self, context: Context) -> None:
        if context.is_image_reused:
            return
        subject = context.subject
        build = Build(
            application_id=subject.application_id,
            environment_id=subject.environment_id,
            commit=subject.commit,
            additions=context.additions,
            image=context.image,
            tag=context.image_tag,
            exposed_ports=list(context.exposed_ports),
            seconds=context.build_seconds,
        )
        db.session.add(build)
        db.session.flush()
        context.build_id = build.id

    def undo(self, context: Context) -> None:
        """A built image is kept for the next try; one without a row was cut off half-way."""
        if not queries.find_build(context.subject.application_id, context.subject.commit):
            context.adapters.engine.remove_image(tag_of(context))


def tag_of(context: Context) -> str:
    """`moonbase-site/<application>:<commit>-<deployment>`: ours, and never an upstream's name."""
    subject = context.subject
    return f"moonbase-site/{subject.application_slug}:{subject.commit[:12]}-{subject.deployment_id}"


def _build_network(context: Context) -> NetworkSpec:
    """The network builds join: a slice of its own, apart from every site."""
    settings = context.installation.settings
    labels = context.labels(ROLE_NETWORK)
    return NetworkSpec(
        name=f"moonbase-build-{context.subject.installation_id[:8]}",
        subnet=build_slice(context.subject.network_pool, settings.network_prefix),
        labels={key: labels[key] for key in labels if key.endswith("installation")}
        | {LABEL_ROLE: ROLE_NETWORK},
    )
