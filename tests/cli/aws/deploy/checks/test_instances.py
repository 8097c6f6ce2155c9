"""Checks of instance types in the network's zones."""

from cli.aws.deploy.checks.instances import instances
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.deploy.checks.conftest import runtime, wanted


def test_instances_that_the_region_lacks_are_named(aws: Aws) -> None:
    none = list(instances(aws, of_types("g99.large")))
    some = list(instances(aws, of_types("g99.large", "g5.2xlarge")))

    assert [(one.state, one.text) for one in none] == [("missing", "g99.large")]
    assert [one.state for one in some] == ["note"]
    assert some[0].text == "g5.2xlarge in a, b, c; not: g99.large"


def test_what_only_other_zones_have_is_of_no_use(aws: Aws) -> None:
    """Moto's us-west-2d has fewer types than the others."""
    (found,) = instances(aws, of_types("g5.2xlarge", zones=("d", "e")))

    assert (found.state, found.text) == ("missing", "g5.2xlarge")
    assert found.remedy.startswith("take one of a, b, c into vpc.zones")


def test_a_runtime_without_a_gpu_has_nodes_as_well(aws: Aws) -> None:
    nodes = {"instanceTypes": ["m99.large"]}
    (found,) = instances(aws, wanted(modelsRuntime=[runtime(type="fake", gpus=0, nodes=nodes)]))

    assert (found.state, found.text) == ("missing", "m99.large")


def of_types(*types: str, zones: tuple[str, ...] = ("a", "b", "c")) -> Settings:
    nodes = {"instanceTypes": types}
    return wanted(modelsRuntime=[runtime(nodes=nodes)], vpc={"zones": zones})
