"""Health: every new container must answer before any visitor is sent to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from app.adapters.engine import ContainerSpec
from app.deployments.health import Health, check_health
from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.errors import Invalid

LOG_LINES = 50
KILLED_FOR_MEMORY = "A process of the container was killed: it used too much memory."


class Unhealthy(Invalid):
    """A container did not pass. `container` is its name."""

    def __init__(self, sentence: str, container: str) -> None:
        super().__init__(sentence)
        self.container = container


class WaitUntilHealthy(Step):
    """Checks all containers at once; the first that fails decides."""

    name = "wait_until_healthy"
    title = "Health checks"

    def run(self, context: Context) -> None:
        context.log.heading("health checks")
        with ThreadPoolExecutor(max_workers=len(context.containers)) as pool:
            results = list(pool.map(lambda spec: _check(context, spec), context.containers))
        for spec, health in zip(context.containers, results, strict=True):
            context.log.line(f"{spec.name}: {health.sentence}")
        if context.cancelled.is_set():
            return
        for spec, health in zip(context.containers, results, strict=True):
            if not health.is_healthy:
                self._explain(context, spec, health)

    def _explain(self, context: Context, spec: ContainerSpec, health: Health) -> None:
        """Put the end of the container's own log under the failure: it says most."""
        lines = context.adapters.engine.tail_logs(spec.name, LOG_LINES)
        context.log.heading(f"end of the log of {spec.name}")
        for line in lines:
            context.log.line(line.text)
        if not lines:
            context.log.line("(it printed nothing)")
        if context.adapters.engine.was_killed_for_memory(spec.name, context.began_at):
            raise Unhealthy(KILLED_FOR_MEMORY, spec.name)
        raise Unhealthy(health.sentence, spec.name)


def _check(context: Context, spec: ContainerSpec) -> Health:
    release, times = context.runnable, context.installation.settings.times
    engine = context.adapters.engine

    def has_ended() -> bool:
        state = engine.inspect_container(spec.name)
        return state is None or not state.running or state.restart_count > 0

    host = release.hosts[0] if release.hosts else spec.address or ""
    return check_health(spec.address or "", release.port, host, times, has_ended, context.cancelled)
