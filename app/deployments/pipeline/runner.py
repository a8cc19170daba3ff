"""Runs the steps of a deployment, and tidies up after one that failed or was cut off."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from app.deployments import operations
from app.deployments.diagnosis import diagnose
from app.deployments.lease import holding_lease
from app.deployments.models import Deployment, DeploymentStatus, DeploymentStep, StepStatus
from app.deployments.operations import Outcome
from app.deployments.pipeline import POINT_OF_NO_RETURN, STORIES
from app.deployments.pipeline.context import Context, load_context
from app.deployments.pipeline.step import Step
from app.deployments.queries import find_current
from app.environments.models import Environment
from app.environments.operations import take_turns
from app.errors import PanelError
from app.extensions import db, now
from app.installation import installation
from app.jobs.heartbeats import let_heartbeats_through
from app.logs.queries import log_store
from app.repositories.operations import mark_deployed
from app.signals import step_started
from app.transactions import unit_of_work

logger = logging.getLogger(__name__)

CANCELLED = "It was cancelled before visitors were sent to it. The site runs on as it was."
LOST = "The process that ran this deployment ended unexpectedly. The site runs on as it was."
FINISHED = "The process that ran this deployment ended after the switch; the rest was done since."
UNTIDY = "The new containers serve; the old ones could not be stopped and are removed later."
BROKEN = "Something broke on our side. The site runs on as it was."


class LeaseLost(Exception):
    """Another process has taken this deployment over: stop, and touch nothing any more."""


class Cancelled(Exception):
    """A person asked to stop."""


def run(deployment_id: int) -> None:
    """Run a waiting deployment to its end. Does nothing when it is not its turn."""
    with unit_of_work():
        deployment = db.session.get(Deployment, deployment_id)
        token = operations.take_lease(deployment) if deployment else None
    context = _load_context(deployment) if deployment and token else None
    if context is None or token is None:
        return
    with _leased(context, token):
        _finish(context, _run_steps(context, STORIES[context.subject.kind], token), token)


def _load_context(deployment: Deployment) -> Context | None:
    """The context; None after closing a deployment whose configuration cannot be read, e.g.
    because the key of a secret is missing."""
    try:
        return load_context(deployment, installation(), log_store())
    except PanelError as error:
        finding = diagnose(error, "")
        outcome = Outcome(DeploymentStatus.FAILED, finding.sentence, finding.advice)
    except Exception:
        # An edge of the pipeline, like `_run_steps`: the environment must not stay taken.
        logger.exception("deployment %s cannot be read", deployment.uuid)
        outcome = Outcome(DeploymentStatus.FAILED, BROKEN, "Deploy again; tell an operator.")
    with unit_of_work():
        operations.close(deployment, outcome)
    return None


@contextmanager
def _leased(context: Context, token: str) -> Iterator[None]:
    """Hold the lease; when it is lost, stop quietly: whoever took it writes the end."""
    try:
        with holding_lease(context.subject.deployment_id, token, context.cancelled, context.lost):
            yield
    except LeaseLost:
        logger.warning("deployment %s was taken over", context.subject.deployment_uuid)


def recover(deployment_id: int) -> None:
    """Bring a deployment whose worker was lost to an end: finish it when visitors were switched
    already, undo it otherwise. Does nothing when its worker lives after all."""
    let_heartbeats_through()  # for which `lost_deployments` was asked one earlier
    with unit_of_work():
        deployment = db.session.get(Deployment, deployment_id)
        lease = installation().settings.times.lease
        token = operations.take_over(deployment, lease) if deployment else None
    context = _load_context(deployment) if deployment and token else None
    if deployment is None or context is None or token is None:
        return
    steps = STORIES[context.subject.kind]
    done = {row.name for row in deployment.steps if row.status == StepStatus.SUCCEEDED}
    begun = [step for step in steps if any(row.name == step.name for row in deployment.steps)]
    with _leased(context, token):
        context.log.line(LOST)
        if POINT_OF_NO_RETURN in done:
            outcome = _run_steps(context, _after(steps, done), token)
            if outcome.status == DeploymentStatus.SUCCEEDED:
                outcome = Outcome(DeploymentStatus.SUCCEEDED, FINISHED)
        else:
            _undo(context, begun, token)
            outcome = Outcome(DeploymentStatus.FAILED, LOST, "Deploy again.")
        _finish(context, outcome, token)


def _after(steps: tuple[Step, ...], done: Collection[str]) -> tuple[Step, ...]:
    """What follows the last step that is done. An older Moonbase may have begun the story, without
    the steps that came to it since."""
    last = max(number for number, step in enumerate(steps) if step.name in done)
    return steps[last + 1 :]


def _run_steps(context: Context, steps: tuple[Step, ...], token: str) -> Outcome:
    begun: list[Step] = []
    try:
        for step in steps:
            begun.append(step)
            _run_step(context, step, token)
    except LeaseLost:
        raise
    except Cancelled:
        _undo(context, begun, token)
        return Outcome(DeploymentStatus.CANCELLED, CANCELLED)
    except PanelError as error:
        context.log.line(f"!!! {error.sentence}")
        finding = diagnose(error, context.log.tail())
        outcome = Outcome(DeploymentStatus.FAILED, finding.sentence, finding.advice)
        return _give_up(context, begun, token, outcome)
    except Exception:
        # The edge of the pipeline: whatever broke, the old containers must serve on.
        logger.exception("deployment %s broke", context.subject.deployment_uuid)
        outcome = Outcome(DeploymentStatus.FAILED, BROKEN, "Deploy again; tell an operator.")
        return _give_up(context, begun, token, outcome)
    return Outcome(DeploymentStatus.SUCCEEDED)


def _give_up(context: Context, begun: list[Step], token: str, outcome: Outcome) -> Outcome:
    """Undo what was begun, unless the new containers serve visitors already: then they stay, and
    the reconciler removes the old ones."""
    current = find_current(context.subject.environment_id)
    is_switched = current is not None and current.deployment_id == context.subject.deployment_id
    db.session.rollback()
    if not is_switched:
        _undo(context, begun, token)
        return outcome
    if context.prober:
        context.prober.stop()
    return Outcome(DeploymentStatus.SUCCEEDED, UNTIDY)


def _run_step(context: Context, step: Step, token: str) -> None:
    """Plan, run, record: the only place that commits while a deployment runs."""
    with unit_of_work():
        deployment = _require_lease(context, token)
        if step.name == POINT_OF_NO_RETURN and deployment.cancel_requested_at:
            raise Cancelled  # asked for after the last look of the heartbeat
        row = DeploymentStep(
            deployment_id=context.subject.deployment_id, name=step.name, started_at=now()
        )
        db.session.add(row)
        step.plan(context)
    context.log.flush()  # one that is halted from here on has nothing more to write
    step_started.send(deployment=context.subject.deployment_uuid, step=step.name)
    _require_lease(context, token)  # a process that was halted must not begin the work now
    db.session.rollback()
    try:
        step.run(context)
        if step.is_cancellable and context.cancelled.is_set():
            raise Cancelled
        with unit_of_work():
            _require_lease(context, token)
            step.record(context)
            row.status, row.ended_at = StepStatus.SUCCEEDED, now()
    except BaseException as error:
        is_cancelled = isinstance(error, Cancelled) or context.cancelled.is_set()
        with unit_of_work():
            _require_lease(context, token)
            row.status = StepStatus.CANCELLED if is_cancelled else StepStatus.FAILED
            row.ended_at = now()
        if is_cancelled and step.is_cancellable:
            raise Cancelled from error
        raise


def _require_lease(context: Context, token: str) -> Deployment:
    """The deployment; raise `LeaseLost` unless this process still holds it. Nobody takes it over
    before the present transaction ends: PostgreSQL locks the row, SQLite has locked everything.
    The environment first, as whoever changes its settings or cancels does."""
    take_turns(context.subject.environment_id)
    deployment = db.session.get_one(
        Deployment,
        context.subject.deployment_id,
        populate_existing=True,
        with_for_update={"key_share": True},
    )
    if context.lost.is_set() or deployment.lease_token != token:
        raise LeaseLost(context.subject.deployment_uuid)
    return deployment


def _undo(context: Context, begun: list[Step], token: str) -> None:
    """Backwards, each step that had begun. One that cannot be undone does not stop the others:
    the reconciler removes what is left."""
    for step in reversed(begun):
        try:
            with unit_of_work():
                _require_lease(context, token)
                step.undo_rows(context)
            step.undo(context)
        except LeaseLost:
            raise
        except Exception:
            # The edge of the pipeline, like `_run_steps`: the other steps are undone all the same.
            context.log.line(f"!!! {step.title} could not be undone.")
            logger.exception("undo of %s failed", step.name)
    db.session.rollback()


def _note_deployed(context: Context) -> None:
    """A repository that does not answer must not keep the deployment open: its count of waiting
    commits is right again after the next push."""
    environment = db.session.get_one(Environment, context.subject.environment_id)
    try:
        mark_deployed(environment, context.subject.commit, context.adapters.repositories)
    except PanelError as error:
        logger.warning("waiting commits were not counted: %s", error.sentence)


def _finish(context: Context, outcome: Outcome, token: str) -> None:
    subject = context.subject
    with unit_of_work():
        _require_lease(context, token)
        deployment = db.session.get_one(Deployment, subject.deployment_id)
        for row in deployment.steps:
            if row.status == StepStatus.RUNNING:
                row.status, row.ended_at = StepStatus.FAILED, now()
        sentence = context.log.masked(outcome.sentence)
        operations.close(deployment, Outcome(outcome.status, sentence, outcome.advice))
        if outcome.status == DeploymentStatus.SUCCEEDED:
            _note_deployed(context)
    context.log.heading(f"Deployment {outcome.status}")
    if outcome.sentence:
        context.log.line(outcome.sentence)
    context.log.flush()
