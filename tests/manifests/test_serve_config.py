"""Serve config: what the settings say, and nothing that is secret."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ray.serve.schema import ServeDeploySchema

from cdk.manifests import objects
from models.errors import SettingsError
from models.settings import Settings
from models.settings.api_keys import digest_of
from tests.manifests.autoscaler import plan
from tests.manifests.world import (
    BACKEND,
    PROFILE,
    demands,
    ray_service,
    runtime,
    served,
    settings,
)
from tests.models.settings.test_settings import REFERENCE

FRONT: Mapping[str, Any] = {
    "enabled": True,
    "domain": "studio.example.com",
    "certificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/front",
    "listenerCertificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/listener",
}
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


def args(service: Mapping[str, Any]) -> Mapping[str, Any]:
    (application,) = served(dict(service))["applications"]
    found: Mapping[str, Any] = application["args"]
    return found


def test_serve_takes_it() -> None:
    config = ServeDeploySchema.model_validate(served(ray_service()))

    assert config.proxy_location == "HeadOnly"
    assert config.http_options.host == "0.0.0.0"
    assert config.applications[0].import_path == "serve_app.app:build"


def test_serve_catches_what_no_definition_does() -> None:
    config = dict(served(ray_service()))
    config["proxy_location"] = "HeadsOnly"

    with pytest.raises(ValueError, match="proxy_location"):
        ServeDeploySchema.model_validate(config)


def test_the_settings_come_back_as_they_were() -> None:
    given = settings(
        runtime(admit=7), tasks={"maxAttempts": 5}, APIGW={"throttle": {"rateLimit": 9}}
    )
    back = Settings.read(args=args(ray_service(runtime(admit=7), tasks={"maxAttempts": 5},
                                               APIGW={"throttle": {"rateLimit": 9}})))  # fmt: skip

    assert back.tasks == given.tasks
    assert back.gateway == given.gateway
    assert back.aws == given.aws
    assert back.names.output_bucket == given.names.output_bucket
    assert back.models_runtime[0].admit == 7
    assert back.models_runtime[0].options == given.models_runtime[0].options


@pytest.mark.parametrize(
    "given",
    [
        {"tasks": {"maxPayloadBytes": 5 * 2**20}, "edge": {"enabled": False}},
        {
            "rayCluster": {"startMinutes": 6},
            "tasks": {"deadlineSeconds": 300},
            "alarms": {"starvedMinutes": 8},
        },
        {"storage": {"createModelBucket": True}, "outputBucketName": "pictures"},
        {"front": FRONT, "edge": {"enabled": False}},
    ],
    ids=["large tasks", "impatient", "buckets", "front"],
)
def test_no_default_of_what_is_not_served_is_in_the_applications_way(
    given: Mapping[str, Any],
) -> None:
    assert Settings.read(args=args(ray_service(**given))).tasks == settings(**given).tasks


def test_what_the_settings_allow_together_the_application_allows_too() -> None:
    steady = runtime(nodes={"capacity": ["on-demand"]})
    tasks = {"drainSeconds": 300, "deadlineSeconds": 3_000}
    service = ray_service(steady, tasks=tasks, alarms={"starvedMinutes": 60, "failedRatio": 0.5})
    back = Settings.read(args=args(service))

    assert back.tasks.drain_seconds == 300
    assert args(service)["alarms"] == {"starvedMinutes": 60}


def test_the_environment_still_brings_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_APIKEYS", json.dumps([{"name": "me", "key": "sesame"}]))
    monkeypatch.setenv("ATELIER_CALLBACKS__SECRET", SECRET)
    back = Settings.read(args=args(ray_service(callbacks={"timeoutSeconds": 3})))

    assert [key.digest for key in back.api_keys[0].all_secrets] == [digest_of("sesame")]
    assert back.callbacks.timeout_seconds == 3
    assert back.callbacks.secret is not None


def test_no_key_is_in_any_manifest() -> None:
    secrets = {
        "apiKeys": [{"name": "me", "key": "sesame", "callbackSecret": SECRET}],
        "callbacks": {"secret": SECRET},
    }
    text = json.dumps(ray_service(**secrets))

    assert "sesame" not in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"auth": "user:sesame"}, "options.auth"),
        (
            {"backend": {"environment": {"HF_TOKEN": "sesame"}}},
            "options.backend.environment.HF_TOKEN",
        ),
    ],
)
def test_a_credential_among_the_options_is_refused_by_its_path(
    options: Mapping[str, Any], path: str
) -> None:
    with pytest.raises(SettingsError, match=rf"modelsRuntime\[0\].{path}: a credential") as refused:
        ray_service(runtime(options=options))

    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "folder"), [("sdwebui", "/stable-diffusion-webui"), ("comfyui", "/comfyui")]
)
def test_a_server_is_where_the_images_have_it_if_nobody_says(kind: str, folder: str) -> None:
    service = ray_service({"name": "a", "type": kind})
    elsewhere = ray_service({"name": "a", "type": kind, "options": BACKEND})

    assert args(service)["modelsRuntime"][0]["options"]["backend"]["folder"] == folder
    assert args(elsewhere)["modelsRuntime"][0]["options"] == BACKEND
    assert demands(service)["a"]


def test_a_configuration_of_the_reference_becomes_a_cluster_and_an_application() -> None:
    """The reference's file is taken unchanged: smaller instances, scaling, limits, volumes."""
    extra = {
        "karpenter": {
            "provisioner": {
                "instanceType": ["g5.xlarge", "g5.2xlarge"],
                "resourceLimits": {"nvidia.com/gpu": 100},
            },
            "nodeTemplate": {"osVolume": {"size": "10Gi"}, "amiFamily": "Bottlerocket"},
        },
        "runtime": {
            "inferenceApi": {"image": "public.ecr.aws/bingjiao/sd-on-eks/sdwebui:latest"},
            "scaling": {"cooldownPeriod": 300, "minReplicaCount": 0, "maxReplicaCount": 5},
        },
    }
    given = REFERENCE | {"modelsRuntime": [REFERENCE["modelsRuntime"][0] | {"extraValues": extra}]}
    service = objects(Settings.read(args=given), instance_profile=PROFILE)[-1]

    group = service["spec"]["rayClusterConfig"]["workerGroupSpecs"][1]
    assert (group["groupName"], group["maxReplicas"]) == ("sdruntime-spot", 5)
    assert group["template"]["spec"]["containers"][0]["resources"]["limits"] == {
        "cpu": "3",
        "memory": "12Gi",
        "nvidia.com/gpu": "1",
    }
    assert plan(service, demands(service)["sdruntime"]).started["sdruntime-spot"] == 1


def test_a_change_of_machines_alone_starts_no_replica_anew() -> None:
    before = ray_service()
    after = ray_service(
        runtime(nodes={"idleSeconds": 9, "instanceTypes": ["g6.4xlarge"]}, pod={"cpu": 3}),
        rayCluster={"headCpu": 2},
        cluster={"bottlerocket": "v1.70.0"},
        alarms={"emails": ["a@example.org"]},
    )

    assert args(before) == args(after)
    assert before["spec"]["rayClusterConfig"] != after["spec"]["rayClusterConfig"]


def test_several_of_ingest_ask_for_a_core_each_and_one_alone_for_none() -> None:
    several = {"maxReplicas": 3, "resources": {"fast": 2}}

    assert "ingest" not in args(ray_service())
    assert args(ray_service(ingest={"replicas": 1}))["ingest"] == {"replicas": 1}
    assert args(ray_service(ingest=several))["ingest"] == {
        "maxReplicas": 3,
        "resources": {"fast": 2, "ingest-core": 1},
    }


def test_the_application_builds_and_keeps_each_deployment_to_its_pods() -> None:
    asked = demands(ray_service(runtime(), runtime("other", "sdwebui", replicas=2)))

    assert {name: [set(one) - {"CPU", "GPU"} for one in all_] for name, all_ in asked.items()} == {
        "Ingress": [{"ingest-place"}],
        "Ingest": [{"ingest-place"}],
        "pictures": [{"pictures-place-of-runtime"}],
        "other": [{"other-place-of-runtime"}] * 2,
    }


@pytest.mark.parametrize(
    ("given", "trusted"),
    [
        ({}, ["10.0.0.0/16"]),
        ({"vpc": {"cidr": "10.9.0.0/16"}}, ["10.9.0.0/16"]),
        ({"ingress": {"trustedProxies": ["10.0.7.0/24"]}}, ["10.0.7.0/24"]),
        ({"ingress": {"trustedProxies": []}}, []),
    ],
)
def test_the_load_balancers_network_is_trusted(
    given: Mapping[str, Any], trusted: list[str]
) -> None:
    """Tasks' links would else not be https, and all clients be one address."""
    told = args(ray_service(**given))

    assert told["ingress"]["trustedProxies"] == trusted
    assert [str(one) for one in Settings.read(args=told).ingress.trusted_proxies or ()] == trusted
