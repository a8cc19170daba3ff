"""The story of a deployment, step by step. Adding a step: one file here and one name below."""

from __future__ import annotations

from app.deployments.models import DeploymentKind
from app.deployments.pipeline.build_image import BuildImage
from app.deployments.pipeline.check_out import CheckOut
from app.deployments.pipeline.check_services import CheckServices
from app.deployments.pipeline.collect_contributions import CollectContributions
from app.deployments.pipeline.provision_services import ProvisionServices
from app.deployments.pipeline.release import WriteRelease
from app.deployments.pipeline.replace_processes import ReplaceProcesses
from app.deployments.pipeline.retire import Retire
from app.deployments.pipeline.run_release_commands import RunReleaseCommands
from app.deployments.pipeline.start_containers import StartContainers
from app.deployments.pipeline.step import Step
from app.deployments.pipeline.switch_traffic import SwitchTraffic
from app.deployments.pipeline.wait_until_healthy import WaitUntilHealthy
from app.deployments.pipeline.write_build_context import WriteBuildContext

DEPLOY: tuple[Step, ...] = (
    CheckOut(),
    CollectContributions(),
    CheckServices(),
    WriteBuildContext(),
    BuildImage(),
    ProvisionServices(),
    WriteRelease(),
    RunReleaseCommands(),
    StartContainers(),
    WaitUntilHealthy(),
    SwitchTraffic(),
    ReplaceProcesses(),
    Retire(),
)
ROLL_BACK: tuple[Step, ...] = (
    CheckServices(),
    ProvisionServices(),
    StartContainers(),
    WaitUntilHealthy(),
    SwitchTraffic(),
    ReplaceProcesses(),
    Retire(),
)
STORIES = {DeploymentKind.DEPLOY: DEPLOY, DeploymentKind.ROLL_BACK: ROLL_BACK}
POINT_OF_NO_RETURN = SwitchTraffic.name
"""A deployment interrupted after this step is finished, not undone: its containers serve."""
