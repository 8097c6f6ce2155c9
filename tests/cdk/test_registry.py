import json

import pytest
from moto import mock_aws

from cli.aws.repositories import Repositories
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cdk.conftest import FULL, Synthesized


def test_each_image_has_a_repository_that_looks_it_through(whole: Synthesized) -> None:
    repositories = [each["Properties"] for each in whole.resources("AWS::ECR::Repository").values()]

    assert {each["RepositoryName"] for each in repositories} == {
        "studio/atelier-head",
        "studio/atelier-diffusers",
        "studio/atelier-comfyui",
    }
    for each in repositories:
        assert each["ImageScanningConfiguration"] == {"ScanOnPush": True}
        assert each["ImageTagMutability"] == "IMMUTABLE"


def test_a_repository_keeps_so_many_images_and_stays_when_the_stack_goes(
    whole: Synthesized,
) -> None:
    repositories = whole.resources("AWS::ECR::Repository").values()

    assert repositories
    for each in repositories:
        policy = each["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"]
        (rule,) = json.loads(policy)["rules"]
        assert (rule["selection"]["countType"], rule["selection"]["countNumber"]) == (
            "imageCountMoreThan",
            10,
        )
        assert each["DeletionPolicy"] == each["UpdateReplacePolicy"] == "Retain"


def test_images_that_are_elsewhere_need_no_repository(china: Synthesized) -> None:
    assert not china.resources("AWS::ECR::Repository")


def test_a_repository_that_deploy_makes_before_the_stack_is_the_stacks(
    whole: Synthesized, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFormation leaves what it takes in as it is: a difference would be there for good."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    settings = Settings.read(args=FULL)
    with mock_aws():
        aws = Aws("us-west-2")
        Repositories(aws, settings).make("head")
        (made,) = aws.client("ecr").describe_repositories()["repositories"]
        tags = aws.client("ecr").list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
        policy = aws.client("ecr").get_lifecycle_policy(repositoryName=made["repositoryName"])
    wanted = {
        each["Properties"]["RepositoryName"]: each["Properties"]
        for each in whole.resources("AWS::ECR::Repository").values()
    }[made["repositoryName"]]

    assert made["imageTagMutability"] == wanted["ImageTagMutability"]
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert tags == wanted["Tags"]
    assert json.loads(policy["lifecyclePolicyText"]) == json.loads(
        wanted["LifecyclePolicy"]["LifecyclePolicyText"]
    )
