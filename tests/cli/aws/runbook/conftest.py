from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdk.manifests import objects
from models.names import kube
from models.names.queues import queues_of_services
from models.settings import Settings
from serve_app.local.emulator import EmbeddedAws
from tests.cli.aws.platform import (
    KEY,
    RUNTIMES,
    client,
    file_of,
    make_stack,
    settings_of,
    unique,
    working,
    write,
)
from tests.cli.aws.runbook.aws_proxy import proxied
from tests.cli.aws.runbook.cluster import Cluster, served, started
from tests.cli.aws.runbook.operator_shell import (
    AwsCommand,
    OperatorShell,
    aws_command,
    operator_shell,
)
from tests.cli.aws.runbook.section import Section

MORE: Any = {
    "aws": {"region": "us-east-1", "account": "000000000000"},
    "apiKeys": [{"name": "us", "key": KEY, "role": "operator"}],
    "modelsRuntime": [{**RUNTIMES[0], "gpus": 1}, *RUNTIMES[1:]],
}
PLAN: Any = {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"UsagePlanName": "plan"}}


@pytest.fixture(scope="module")
def environment(aws_here: EmbeddedAws) -> Iterator[pytest.MonkeyPatch]:
    """Environment that leads to the embedded AWS, where an installation works."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_here.environment.items():
            patch.setenv(name, value)
        yield patch


@pytest.fixture(scope="module")
def studio(environment: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Installation with capitals in its name, whose HTTP API, ingest and replicas work."""
    settings = settings_of(unique("Studio"), **MORE)
    with working(settings) as url:
        for plan in queues_of_services(settings.names, settings.model_bucket):
            client("sqs").create_queue(QueueName=plan.name)
        make_stack(settings, front=url, more={"Plan": PLAN})
        environment.setenv("ATELIER_URL", url)
        environment.setenv("ATELIER_API_KEY", KEY)
        yield settings


@pytest.fixture
def cluster(studio: Settings) -> Iterator[Cluster]:
    """Cluster with the installation's objects, pods and nodes.

    Each question must find something.
    """
    with served(Cluster(started(objects(studio, instance_profile="nodes")))) as cluster:
        yield cluster
    assert cluster.empty == [], "kubectl was asked for what there is none of"


@pytest.fixture(scope="module")
def aws(aws_here: EmbeddedAws, environment: pytest.MonkeyPatch) -> Iterator[AwsCommand]:
    """Amazon's own command line, started once, for the embedded AWS."""
    del environment
    with aws_command() as command, proxied(aws_here.endpoint) as there:
        command.endpoints |= {"eks": there}
        yield command


@pytest.fixture
def shell(
    signed_in: EmbeddedAws, studio: Settings, cluster: Cluster, aws: AwsCommand, tmp_path: Path
) -> Iterator[OperatorShell]:
    """Shell that knows the placeholders; the installation's file has the usual name, too."""
    del signed_in
    for name in ("atelier", studio.names.stack):
        write(tmp_path / f"config.{name}.yaml", file_of(studio.stack_name, **MORE))
    with operator_shell(tmp_path, _kubeconfig(cluster, tmp_path), aws) as shell:
        shell.words |= words(studio, cluster)
        yield shell


@pytest.fixture
def section(request: pytest.FixtureRequest, shell: OperatorShell) -> Iterator[Section]:
    """Section that the test names; all of its commands must be run."""
    section = Section.of(request.param, shell)
    yield section
    assert section.left == [], "commands that nobody ran"


def words(settings: Settings, cluster: Cluster) -> dict[str, str]:
    """Values of the documents' placeholders, of what exists for all tests."""
    checkpoints = kube.checkpoints(settings)
    return {
        "NAME": settings.stack_name,
        "name": settings.names.stack,
        "STACK": settings.names.stack,
        "RUNTIME": "painter",
        "REGION": settings.aws.region,
        "ACCOUNT": "000000000000",
        "KIND": "head",
        "POD": f"{kube.redis(settings.names)}-0",
        "NODE": cluster.named("Node")[0],
        "CLAIM": cluster.named("NodeClaim")[0],
        "RAYCLUSTER": cluster.named("RayCluster")[0],
        "name-checkpoints-…": checkpoints,
        "atelier-name-checkpoints-…": f"{settings.ray_cluster.namespace}-{checkpoints}",
    }


def _kubeconfig(cluster: Cluster, folder: Path) -> Path:
    context = {"cluster": "here", "user": "here", "namespace": "atelier"}
    known = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": cluster.url}}],
        "users": [{"name": "here", "user": {}}],
        "contexts": [{"name": "here", "context": context}],
        "current-context": "here",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(known))
    return path
