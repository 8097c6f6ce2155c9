"""Check what an account or region needs once: Spot's service-linked role, CDK's bootstrap stack."""

from collections.abc import Iterator

from cli.aws.deploy.checks.finding import Finding
from cli.aws.sdk import Aws, suppressed
from models.settings import Settings

# Where the CDK's bootstrap stack leaves its version; hnb659fds is its default qualifier.
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
_SPOT_ROLE = "/aws-service-role/spot.amazonaws.com/"


def spot(aws: Aws, settings: Settings) -> Iterator[Finding]:
    runtimes = settings.models_runtime
    if not any(runtime.gpus and "spot" in runtime.nodes.capacity for runtime in runtimes):
        return
    if has_spot_role(aws):
        yield Finding("Spot's role", "there", "in this account")
    else:
        yield Finding("Spot's role", "note", "not in this account; deploy makes it")


def bootstrap(aws: Aws) -> Iterator[Finding]:
    version = bootstrap_version(aws)
    if version:
        yield Finding("CDK bootstrap", "there", f"version {version}")
    else:
        yield Finding("CDK bootstrap", "note", "not in this region; deploy makes it")


def has_spot_role(aws: Aws) -> bool:
    """Tell whether the account has Spot's service-linked role, which every Spot node needs."""
    return any(aws.paginated("iam", "list_roles", "Roles", PathPrefix=_SPOT_ROLE))


def make_spot_role(aws: Aws) -> None:
    # EC2 would make the role with the first Spot node, but only for a caller who may create
    # service-linked roles, and Karpenter may not.
    if not has_spot_role(aws):
        aws.client("iam").create_service_linked_role(AWSServiceName="spot.amazonaws.com")


def bootstrap_version(aws: Aws) -> str | None:
    """Return the version of the CDK's bootstrap stack in this region; None if there is none."""
    with suppressed("ParameterNotFound"):
        return str(aws.client("ssm").get_parameter(Name=BOOTSTRAP)["Parameter"]["Value"])
    return None
