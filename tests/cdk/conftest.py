"""Stacks of the platform, each synthesized once for all tests of the infrastructure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Validations
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks

from cdk.stack import Platform
from models.settings import Settings

FULL: Mapping[str, Any] = {
    "stackName": "Studio",
    "modelBucketArn": "arn:aws:s3:::studio-models",
    "aws": {"region": "us-west-2", "account": "111122223333"},
    "modelsRuntime": [
        {"name": "sdruntime", "type": "diffusers", "modelFilename": "sdxl.safetensors"},
        {"name": "comfy", "type": "comfyui", "namespace": "comfy"},
    ],
    "apiKeys": [{"name": "team", "key": "a-key-of-twenty-letters"}],
    "inputs": {"allowBuckets": ["studio-references"]},
    "storage": {"createModelBucket": True, "outputDays": 90, "infrequentDays": 30},
    "alarms": {"emails": ["someone@example.com"]},
    "edge": {"concurrency": 100},
    "front": {
        "enabled": True,
        "waf": True,
        "domain": "studio.example.com",
        "certificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/front",
        "listenerCertificateArn": "arn:aws:acm:us-west-2:111122223333:certificate/listener",
        "signIn": "cognito",
    },
}
"""Configuration in which every part is present that a setting can leave out."""

VOLUME_KEY = "arn:aws-cn:kms:cn-north-1:111122223333:key/3d4e5f60-0a1b-4c2d-8e3f-112233445566"
CHINA: Mapping[str, Any] = {
    "stackName": "studio-cn",
    "modelBucketArn": "arn:aws-cn:s3:::studio-models",
    "aws": {"region": "cn-north-1", "account": "111122223333", "partition": "aws-cn"},
    "modelsRuntime": [{"name": "sdruntime", "type": "diffusers"}],
    "edge": {"enabled": False},
    "vpc": {
        "id": "vpc-0123456789abcdef0",
        "zones": ["a", "b"],
        "privateSubnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    },
    "cluster": {
        "version": "1.35",
        "chartRepository": "oci://registry.example.cn/charts",
        "imageRegistry": "registry.example.cn/mirror",
        "publicAccessCidrs": [],
        "admins": ["arn:aws-cn:iam::111122223333:role/operators"],
        "volumeKeyArn": VOLUME_KEY,
    },
    "clusterComponents": {"instanceType": "m7i.large", "desiredCount": 1},
    "images": {"repository": "registry.example.cn/atelier"},
    "storage": {"modelBucketKeyArn": "arn:aws-cn:kms:cn-north-1:111122223333:key/1b2c"},
    "rayCluster": {"redisAddress": "redis.example.cn:6379"},
}
"""Configuration that leaves out every part it can, in an existing network."""

SECOND: Mapping[str, Any] = {
    **FULL,
    "stackName": "Workshop",
    "modelBucketArn": "arn:aws:s3:::workshop-models",
    "edge": {"setAccountRole": False},
    "front": {"enabled": True},
}
"""Configuration beside the full one in its account and region, without a domain or sign-in."""


@dataclass(frozen=True)
class Synthesized:
    """Output of a synthesis, as `cdk synth` writes it."""

    folder: Path
    failure: str | None
    """Message of the exception that the synthesis raised; `None` if all checks passed."""

    @property
    def json(self) -> dict[str, Any]:
        """Template."""
        (path,) = self.folder.glob("*.template.json")
        template: dict[str, Any] = json.loads(path.read_text())
        return template

    @property
    def report(self) -> Mapping[str, Any]:
        """Report of the checks, with their findings."""
        report: Mapping[str, Any] = json.loads((self.folder / "validation-report.json").read_text())
        return report

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a type, such as ``AWS::SQS::Queue``, by their logical ids."""
        return {n: r for n, r in self.json["Resources"].items() if r["Type"] == kind}


def synthesized(folder: Path, settings: Settings) -> tuple[Synthesized, Platform]:
    """Synthesize the platform of these settings, with cdk-nag's checks."""
    app = App(outdir=str(folder))
    platform = Platform(app, f"{settings.stack_name}Stack", settings=settings)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as exc:  # findings; what was synthesized is there all the same
        return Synthesized(folder, str(exc)), platform
    return Synthesized(folder, None), platform


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Settings with every part that a setting can leave out."""
    return Settings.read(args=FULL)


@pytest.fixture(scope="session")
def _whole(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Any:
    return synthesized(tmp_path_factory.mktemp("cdk.out"), settings)


@pytest.fixture(scope="session")
def whole(_whole: tuple[Synthesized, Platform]) -> Synthesized:
    """Output of the whole platform's synthesis."""
    return _whole[0]


@pytest.fixture(scope="session")
def china(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """Output of the smallest platform's synthesis."""
    made, _ = synthesized(tmp_path_factory.mktemp("cdk.cn"), Settings.read(args=CHINA))
    return made


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """Output of a second installation's synthesis, in the whole one's account and region."""
    made, _ = synthesized(tmp_path_factory.mktemp("cdk.second"), Settings.read(args=SECOND))
    return made


@pytest.fixture(scope="session", params=["whole", "china"])
def either(request: pytest.FixtureRequest) -> Synthesized:
    made: Synthesized = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="session")
def platform(_whole: tuple[Synthesized, Platform]) -> Platform:
    """Constructs of the whole platform, synthesized."""
    return _whole[1]


@pytest.fixture(scope="session")
def template(whole: Synthesized) -> Template:
    return Template.from_json(whole.json)
