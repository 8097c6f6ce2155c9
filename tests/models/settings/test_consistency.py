"""Refusal of settings that AWS would refuse in mid-deployment."""

from typing import Any

import pytest

from models.settings import Settings
from tests.models.settings.test_settings import REFERENCE, refusal

DEPLOYED = {"account": "111122223333", "region": "us-west-2"}
LISTENER = "arn:aws:acm:us-west-2:111122223333:certificate/listener"


def runtimes(*names: str) -> dict[str, Any]:
    return {"modelsRuntime": [{"name": name, "type": "fake"} for name in names]}


def test_a_bucket_to_be_made_has_a_name() -> None:
    assert "modelBucketArn must name the bucket" in refusal(
        modelBucketArn=None, checkpoints="models", storage={"createModelBucket": True}
    )


def test_a_bucket_name_that_s3_would_not_take_is_refused() -> None:
    deployed = {"account": "111122223333", "region": "ap-southeast-2"}

    assert "S3 takes no bucket of" in refusal(stackName="a" * 40, aws=deployed)
    assert Settings.read(args=REFERENCE | {"stackName": "a" * 27, "aws": deployed})


def test_a_long_task_is_not_taken_for_a_hung_replica() -> None:
    assert "alarms.starvedMinutes must be longer" in refusal(tasks={"deadlineSeconds": 1_200})


def test_a_front_where_cloudfront_cannot_have_one_is_refused() -> None:
    china = {"partition": "aws-cn", "region": "cn-north-1", "account": "111122223333"}

    assert "front.enabled" in refusal(aws=china, front={"enabled": True})


def test_a_drain_longer_than_spots_notice_is_refused_where_there_is_spot() -> None:
    slowly = {"tasks": {"drainSeconds": 300}}
    steady = REFERENCE["modelsRuntime"][0] | {"nodes": {"capacity": ["on-demand"]}}

    assert "tasks.drainSeconds: at most 75 where a runtime runs on Spot (sdruntime)" in refusal(
        **slowly
    )
    assert Settings.read(args=REFERENCE | slowly | {"modelsRuntime": [steady]})


@pytest.mark.parametrize(
    "name", ["interruptions", "checkpoint-events", "tasks-unrouted", "results-callbacks"]
)
def test_a_runtime_has_no_queue_that_is_the_platforms_own(name: str) -> None:
    assert f"two queues would be named sdoneks-{name}" in refusal(**runtimes(name))


def test_two_runtimes_have_no_queue_in_common() -> None:
    assert "two queues would be named sdoneks-sd-dead-letters" in refusal(
        **runtimes("sd", "sd-dead-letters")
    )


def test_a_queue_name_that_sqs_would_not_take_is_refused() -> None:
    longest = "r" * (80 - len("sdoneks-") - len("-dead-letters"))

    assert Settings.read(args=REFERENCE | runtimes(longest))
    assert "SQS takes no queue named sdoneks-" in refusal(**runtimes(longest + "r"))


def test_the_key_of_the_nodes_volumes_is_of_their_region() -> None:
    key = {"volumeKeyArn": "arn:aws:kms:us-west-2:111122223333:key/1b2c"}

    assert "cluster.volumeKeyArn must be of aws.region, eu-west-1" in refusal(
        cluster=key, aws=DEPLOYED | {"region": "eu-west-1"}
    )
    assert Settings.read(args=REFERENCE | {"cluster": key, "aws": DEPLOYED})


def test_the_key_of_the_nodes_volumes_is_of_their_partition() -> None:
    key = {"volumeKeyArn": "arn:aws-cn:kms:us-west-2:111122223333:key/1b2c"}

    assert "arn:aws:kms:us-west-2:" in refusal(cluster=key, aws=DEPLOYED)


def test_a_kubernetes_that_karpenter_does_not_support_is_refused() -> None:
    assert "cluster.version: at most 1.36" in refusal(cluster={"version": "1.37"})


@pytest.mark.parametrize(
    ("vpc", "said"),
    [
        ({"zones": ["a", "a"]}, "zones: each must be named once"),
        (
            {"id": "vpc-0a", "zones": ["a", "b"], "privateSubnets": ["subnet-0a"] * 2},
            "privateSubnets: each must be named once",
        ),
        ({"cidr": "10.0.0.0/8"}, "cidr: AWS takes /16 to /28"),
        ({"cidr": "10.0.0.0/29"}, "cidr: AWS takes /16 to /28"),
        ({"cidr": "10.0.0.0/26"}, "cidr: too small for 6 subnets"),
    ],
)
def test_a_network_that_aws_would_not_make_is_refused(vpc: dict[str, Any], said: str) -> None:
    assert said in refusal(vpc=vpc)


def test_the_smallest_network_for_its_zones_is_taken() -> None:
    assert Settings.read(args=REFERENCE | {"vpc": {"cidr": "10.0.0.0/25"}})


def test_a_load_balancers_certificate_is_of_its_region() -> None:
    front = {
        "domain": "studio.example.com",
        "certificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/front",
        "listenerCertificateArn": LISTENER,
    }

    assert "must be of aws.region, eu-west-1" in refusal(
        front=front, aws=DEPLOYED | {"region": "eu-west-1"}
    )
    assert Settings.read(args=REFERENCE | {"front": front, "aws": DEPLOYED})
