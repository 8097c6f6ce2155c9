"""Arguments without which a controller does not start, or does nothing, where ours run.

No pod of ours reaches the node's metadata, which most controllers ask for what they are not told.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdk import versions
from cli.aws.tools import unpacked_program
from models.names import kube
from models.settings import Settings
from tests.cdk import graph
from tests.cdk.conftest import CHINA, FULL, Synthesized
from tests.cdk.upstream import given
from tests.cdk.upstream.checkouts import CHARTS

KARPENTER = versions.KARPENTER.name
KUBERAY = versions.KUBERAY.name
BALANCERS = versions.LOAD_BALANCERS.name


@dataclass(frozen=True, kw_only=True)
class Argument:
    """Value of a chart, and the argument that it becomes."""

    chart: str
    value: str
    """Path of the value; of a list of names and values, the name is a key."""
    rendered: str
    """Pattern of the argument in the rendered chart."""
    known: tuple[str, str]
    """File of upstream's sources, and the name by which it takes the argument there."""
    why: str


ARGUMENTS = (
    Argument(
        chart=KARPENTER,
        value="settings.clusterName",
        rendered=r"name: CLUSTER_NAME\s+value: .?[\w<]",
        known=("pkg/operator/options/options.go", '"CLUSTER_NAME"'),
        why="It stops without.",
    ),
    Argument(
        chart=KARPENTER,
        value="settings.interruptionQueue",
        rendered=r"name: INTERRUPTION_QUEUE\s+value: .?[\w<]",
        known=("pkg/operator/options/options.go", '"INTERRUPTION_QUEUE"'),
        why="Without it hears of no Spot node that AWS takes back, and drains none.",
    ),
    Argument(
        chart=KARPENTER,
        value="controller.env.AWS_REGION",
        rendered=r"name: AWS_REGION\s+value: .?[\w<]",
        known=("pkg/operator/operator.go", "retrieving region from IMDS"),
        why="It asks the node's metadata for the region that it is not told, and stops.",
    ),
    Argument(
        chart=BALANCERS,
        value="clusterName",
        rendered=r"--cluster-name=\w",
        known=("pkg/config/controller_config.go", '"cluster-name"'),
        why="The chart renders nothing without.",
    ),
    Argument(
        chart=BALANCERS,
        value="region",
        rendered=r"--aws-region=\w",
        known=("pkg/aws/cloud_config.go", '"aws-region"'),
        why="It asks the node's metadata for the region that it is not told, and stops.",
    ),
    Argument(
        chart=BALANCERS,
        value="vpcId",
        rendered=r"--aws-vpc-id=\S",
        known=("pkg/aws/cloud_config.go", '"aws-vpc-id"'),
        why="It asks the node's metadata for the network that it is not told, and stops.",
    ),
    Argument(
        chart=BALANCERS,
        value="watchNamespace",
        rendered=r"--watch-namespace=\w",
        known=("pkg/config/runtime_config.go", '"watch-namespace"'),
        why="It would act on objects of all namespaces.",
    ),
    *(
        Argument(
            chart=BALANCERS,
            value=f"controllerConfig.featureGates.{gate}",
            rendered=rf"--feature-gates=\S*{gate}=false",
            known=("pkg/config/feature_gates.go", f'"{gate}"'),
            why="It stops where the Gateway API is not installed.",
        )
        for gate in ("ALBGatewayAPI", "NLBGatewayAPI")
    ),
    Argument(
        chart=KUBERAY,
        value="watchNamespace",
        rendered=r"--watch-namespace\s+- \w",
        known=("ray-operator/main.go", '"watch-namespace"'),
        why="With roles in one namespace it may not list those of the cluster, and does nothing.",
    ),
    Argument(
        chart=KUBERAY,
        value="singleNamespaceInstall",
        rendered=r"kind: Role\s",
        known=("helm-chart/kuberay-operator/templates/role.yaml", "singleNamespaceInstall"),
        why="Its roles are those of the whole cluster without.",
    ),
)


@pytest.fixture(scope="module")
def rendered(whole: Synthesized, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Render a chart by Helm with our values, once each."""

    @cache
    def render(chart: str) -> str:
        return _rendered(chart, given.values(whole)[chart], tmp_path_factory.mktemp(chart))

    return render


NAMED = [pytest.param(each, id=f"{each.chart}: {each.value}") for each in ARGUMENTS]


@pytest.mark.parametrize("argument", NAMED)
def test_a_controller_gets_the_argument_that_it_cannot_do_without(
    whole: Synthesized, argument: Argument
) -> None:
    values = given.values(whole)[argument.chart]

    assert _value(values, argument.value) not in (None, "", [], {}), argument.why


@pytest.mark.parametrize("argument", NAMED)
def test_upstream_knows_the_argument_by_this_name(argument: Argument) -> None:
    path, name = argument.known

    assert name in CHARTS[argument.chart].text(path)


@pytest.mark.parametrize("argument", NAMED)
def test_upstreams_chart_hands_it_to_the_controller(
    rendered: Callable[[str], str], argument: Argument
) -> None:
    """Helm itself renders the pinned chart, with our values."""
    assert re.search(argument.rendered, rendered(argument.chart)), argument.why


@pytest.mark.parametrize(("which", "args"), [("whole", FULL), ("china", CHINA)])
def test_arguments_say_what_the_stack_is(
    request: pytest.FixtureRequest, which: str, args: Mapping[str, Any]
) -> None:
    settings = Settings.read(args=args)
    values = given.values(request.getfixturevalue(which))
    region = settings.aws.region

    assert _value(values[KARPENTER], "settings.clusterName") == settings.stack_name
    assert _value(values[KARPENTER], "controller.env.AWS_REGION") == region
    assert values[KUBERAY]["watchNamespace"] == [settings.ray_cluster.namespace]
    if balancers := values.get(BALANCERS):
        assert balancers["clusterName"] == settings.stack_name
        assert balancers["region"] == region
        assert balancers["watchNamespace"] == settings.ray_cluster.namespace


def test_the_driver_of_the_weights_is_told_the_buckets_region(
    whole: Synthesized, settings: Settings
) -> None:
    """The driver would else ask the node's metadata at each mount, which no pod reaches."""
    (volume,) = (each for _, each in graph.kind(whole, "PersistentVolume"))

    assert f"region {settings.aws.region}" in volume["spec"]["mountOptions"]


def test_the_binding_names_its_network_as_the_controller_does(
    whole: Synthesized, settings: Settings
) -> None:
    (binding,) = (each for _, each in graph.kind(whole, "TargetGroupBinding"))

    assert binding["spec"]["vpcID"] == given.values(whole)[BALANCERS]["vpcId"]
    assert binding["spec"]["serviceRef"]["name"] == kube.serve_service(settings.names)


def _value(values: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(values, list):
            values = {each["name"]: each["value"] for each in values}
        values = values.get(key)
        if values is None:
            return None
    return values


def _rendered(chart: str, values: Mapping[str, Any], folder: Path) -> str:
    checkout = CHARTS[chart]
    checkout.text(f"{checkout.chart}/Chart.yaml")
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    command = [
        str(unpacked_program("helm")),
        "template",
        "x",
        str(checkout.folder / checkout.chart),
    ]
    done = subprocess.run(
        [*command, "--values", str(file), "--namespace", "ns"],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(folder)},
    )
    return done.stdout
