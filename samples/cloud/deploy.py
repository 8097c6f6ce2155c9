"""Stack in an emulator of its own, made as `cdk bootstrap` and `cdk deploy` make it."""

import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, cast

import boto3
from aws_cdk import App
from aws_cdk.aws_iam import CfnRole
from botocore.exceptions import WaiterError

from cdk.stack import Platform
from models.settings import Settings
from samples.cloud.gaps import fill
from samples.cloud.template import Template, serverless
from samples.environment import environment_variables
from serve_app.local.emulator import EmbeddedAws

# macOS says arm64 and Linux aarch64 of the same.
HERE: Final = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
"""Architecture of this machine, since the emulator runs the function on it."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Serverless half, running in the emulator."""

    aws: EmbeddedAws
    stack: str
    outputs: Mapping[str, str]
    """Outputs of the stack by name."""
    roles: Mapping[str, str]
    """Logical ids of the roles of ``ingest`` and of the ``runtimes``."""

    def client(self, service: str, access_key: str = "test") -> Any:
        """Return a client with all rights; an account's number as key makes it that account's."""
        return _client(self.aws, service, access_key)

    def own_client(self, service: str) -> Any:
        """Return a client with the rights of the environment's credentials."""
        # By hand: boto3's default session would keep the credentials that it has found first.
        return boto3.Session().client(service)

    @property
    def api_key(self) -> str:
        """Return the API key's value, as `GetAPIKeyCommand` would print it."""
        words = self.outputs["GetAPIKeyCommand"].split()
        key_id = words[words.index("--api-key") + 1]
        value: str = self.client("apigateway").get_api_key(apiKey=key_id, includeValue=True)[
            "value"
        ]
        return value

    @property
    def url(self) -> str:
        """Address of the API in the emulator; ends with a slash, as `FrontApiEndpoint` does."""
        host, stage = self.outputs["FrontApiEndpoint"].removeprefix("https://").split("/")[:2]
        return f"{self.aws.endpoint}/restapis/{host.partition('.')[0]}/{stage}/_user_request_/"

    @cached_property
    def made(self) -> Mapping[str, str]:
        """Map the stack's logical ids to physical ids."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.stack)
            for each in page["StackResourceSummaries"]
        }

    @contextmanager
    def acting_as(self, role: str) -> Iterator[None]:
        """Point the environment at this AWS for a while, with the rights of one of the roles."""
        arn = f"arn:aws:iam::{self.aws.account}:role/{self.made[self.roles[role]]}"
        got = self.client("sts").assume_role(RoleArn=arn, RoleSessionName=role)["Credentials"]
        credentials = {
            "AWS_ACCESS_KEY_ID": got["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": got["SecretAccessKey"],
            "AWS_SESSION_TOKEN": got["SessionToken"],
        }
        with environment_variables({**self.aws.environment, **credentials}):
            yield


@contextmanager
def deployed(settings: Settings, folder: Path) -> Iterator[Cloud]:
    """Make the stack of these settings in an emulator of its own, for a while."""
    made = _synthesized(settings, folder)
    stack = made.stack_name
    template = serverless(json.loads((folder / made.template_file).read_text()))
    where = settings.aws
    with EmbeddedAws(region=where.region, account=where.account, strict=True) as aws:
        bucket = _bootstrap(aws, settings)
        _publish_assets(aws, folder, stack, template, bucket)
        outputs = _create(aws, stack, template, bucket)
        fill(template["Resources"], partial(_client, aws))
        yield Cloud(aws=aws, stack=stack, outputs=outputs, roles=_roles(made))


def _synthesized(settings: Settings, folder: Path) -> Platform:
    app = App(outdir=str(folder))
    made = Platform(app, f"{settings.stack_name}Stack", settings=settings)
    app.synth()
    return made


def _roles(stack: Platform) -> Mapping[str, str]:
    roles = {"ingest": stack.ray.ingest.role, "runtimes": stack.ray.runtimes.role}
    made = {name: cast("CfnRole", role.node.default_child) for name, role in roles.items()}
    return {name: stack.resolve(role.logical_id) for name, role in made.items()}


def _bootstrap(aws: EmbeddedAws, settings: Settings) -> str:
    """Make what `cdk bootstrap` leaves and a template refers to, and the bucket of assets."""
    _client(aws, "ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String"
    )
    bucket = f"cdk-hnb659fds-assets-{settings.aws.account}-{settings.aws.region}"
    where = {"LocationConstraint": settings.aws.region}  # as S3 asks, but in us-east-1
    more = {} if settings.aws.region == "us-east-1" else {"CreateBucketConfiguration": where}
    _client(aws, "s3").create_bucket(Bucket=bucket, **more)
    return bucket


def _publish_assets(
    aws: EmbeddedAws, folder: Path, stack: str, template: Template, bucket: str
) -> None:
    """Upload the assets that the template refers to, as `cdk deploy` does: the function's zip."""
    s3, asked = _client(aws, "s3"), json.dumps(template)
    for asset in json.loads((folder / f"{stack}.assets.json").read_text())["files"].values():
        for destination in asset["destinations"].values():
            if (key := destination["objectKey"]) in asked:
                s3.upload_file(str(folder / asset["source"]["path"]), bucket, key)


def _create(aws: EmbeddedAws, stack: str, template: Template, bucket: str) -> Mapping[str, str]:
    """Create the stack, and return its outputs."""
    _client(aws, "s3").put_object(Bucket=bucket, Key=stack, Body=json.dumps(template))
    cloudformation = _client(aws, "cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        # By URL, as the CDK does it: in the call itself a template may have 51,200 bytes.
        TemplateURL=f"{aws.endpoint}/{bucket}/{stack}",
        Capabilities=["CAPABILITY_IAM"],
    )
    try:
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    except WaiterError as exc:
        # The waiter's own error names no resource.
        raise RuntimeError(_why(cloudformation, stack)) from exc
    [made] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in made["Outputs"]}


def _why(cloudformation: Any, stack: str) -> str:
    """Say which resources of a stack failed, and why."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"]]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    return "\n".join(
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}" for event in failed
    )


def _client(aws: EmbeddedAws, service: str, access_key: str = "test") -> Any:
    return boto3.client(
        service,
        endpoint_url=aws.endpoint,
        region_name=aws.region,
        aws_access_key_id=access_key,
        aws_secret_access_key="test",
    )
