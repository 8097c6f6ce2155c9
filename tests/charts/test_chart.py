"""Chart as its users meet it: what it refuses, what can be switched, what its notes say."""

import json
from typing import Any

import kubernetes_validate
import pytest

from tests.charts import generated
from tests.charts.helm import LEAST, PROFILE, Refused, Values, helm, rendered, values
from tests.charts.test_equal import CASES
from tests.manifests import crds

KUBERNETES = "1.36"
_GROUPS = ("Vpc", "Cluster", "Nodes", "Pod", "Images", "Storage", "RayCluster", "Tasks")


@pytest.mark.parametrize("config", CASES.values(), ids=CASES)
def test_helm_finds_nothing_wrong(config: Values) -> None:
    assert "0 chart(s) failed" in helm("lint", values(config), "--strict")


def test_the_shipped_values_alone_are_right_but_name_no_weights() -> None:
    assert "0 chart(s) failed" in helm("lint", {}, "--strict")
    with pytest.raises(Refused, match="must say where weights are"):
        rendered({"nodePools": {"instanceProfile": PROFILE}})


def test_the_schema_and_the_defaults_are_the_settings_own() -> None:
    """`python -m tests.charts.generated` was forgotten where this fails."""
    assert generated.schema() == generated.SCHEMA.read_text()
    assert generated.defaults() == generated.DEFAULTS.read_text()


def test_the_schema_says_what_a_key_is_for() -> None:
    kinds = json.loads(generated.SCHEMA.read_text())["$defs"]

    assert kinds["Nodes"]["properties"]["maxGpus"]["description"].startswith("Most GPUs at once")
    assert all("description" in kind for name, kind in kinds.items() if name in _GROUPS)


def with_config(**changed: Any) -> Values:
    return values({**LEAST, **changed})


REFUSED = {
    "an unknown key": (with_config(modelRuntimes=[]), "modelRuntimes"),
    "an unknown key of a runtime": (
        with_config(modelsRuntime=[{"name": "a", "type": "fake", "gpu": 1}]),
        "'gpu' not allowed",
    ),
    "a number as text": (with_config(tasks={"maxAttempts": "3"}), "/config/tasks/maxAttempts"),
    "what the settings forbid": (with_config(tasks={"queueDays": 15}), "/config/tasks/queueDays"),
    "an API key": (with_config(apiKeys=[{"name": "me", "key": "k"}]), "'apiKeys' not allowed"),
    "a secret": (with_config(callbacks={"secret": "whsec_a"}), "'secret' not allowed"),
    "no runtime": (values({"stackName": "a", "modelsRuntime": None}), "modelsRuntime"),
    "an unknown switch": ({**values(), "nodepools": {}}, "'nodepools' not allowed"),
    "nodes without a profile": (
        {**values(), "nodePools": {"create": True, "instanceProfile": ""}},
        "nodePools.instanceProfile: that of the GPU nodes is needed",
    ),
    "another namespace": (
        with_config(rayCluster={"namespace": "pictures"}),
        "config.rayCluster.namespace is pictures, and the release goes to atelier",
    ),
    "weights from nowhere": (
        values({**LEAST, "modelBucketArn": None}),
        "config.modelsRuntime[0].pod.existingClaim, must say where weights are",
    ),
}


@pytest.mark.parametrize(("given", "why"), REFUSED.values(), ids=REFUSED)
def test_wrong_values_are_refused_by_name(given: Values, why: str) -> None:
    with pytest.raises(Refused) as refused:
        rendered(given)

    assert why in str(refused.value)


def workers(objects: Any) -> list[Any]:
    ((_, service),) = [(k, made) for k, made in objects.items() if k[0] == "RayService"]
    groups = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    return [group["template"]["spec"] for group in groups if group["groupName"] != "ingest"]


def test_without_karpenter_replicas_go_where_the_values_say() -> None:
    pools = {"create": False, "nodeSelector": {"spot": {"eks.amazonaws.com/capacityType": "SPOT"}}}
    objects = rendered({"config": LEAST, "nodePools": pools})
    on_spot, on_demand = workers(objects)

    assert not {"NodePool", "EC2NodeClass"} & {kind for kind, _ in objects}
    assert on_spot["nodeSelector"] == {"eks.amazonaws.com/capacityType": "SPOT"}
    assert "nodeSelector" not in on_demand


def test_network_policies_can_be_left_to_others() -> None:
    kinds = {kind for kind, _ in rendered(values(LEAST, networkPolicies={"create": False}))}

    assert "NetworkPolicy" not in kinds
    assert "NetworkPolicy" in {kind for kind, _ in rendered(values())}


def test_a_role_can_be_named_for_each_service_account() -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/ingest"}
    objects = rendered(values(LEAST, serviceAccounts={"annotations": {"ingest": role}}))

    assert objects["ServiceAccount", "atelier-ingest"]["metadata"]["annotations"] == role
    assert "annotations" not in objects["ServiceAccount", "atelier-head"]["metadata"]


def test_a_changed_bucket_leaves_the_former_claim_to_the_pods_that_have_it() -> None:
    annotated = {
        kind: made["metadata"].get("annotations", {}).get("helm.sh/resource-policy")
        for (kind, _), made in rendered(values()).items()
    }
    kept = {kind for kind, policy in annotated.items() if policy == "keep"}

    assert kept == {"PersistentVolume", "PersistentVolumeClaim"}


def test_objects_go_to_the_releases_namespace() -> None:
    objects = rendered(values(), namespace="pictures")
    (volume,) = (one for (kind, _), one in objects.items() if kind == "PersistentVolume")

    assert objects["RayService", "atelier"]["metadata"]["namespace"] == "pictures"
    assert volume["metadata"]["name"].startswith("pictures-atelier-checkpoints-")
    assert volume["spec"]["claimRef"]["namespace"] == "pictures"


def test_the_notes_name_the_secrets_that_are_needed() -> None:
    args = ("--dry-run=client", "--namespace", "atelier")
    own = helm("install pictures", values(), *args)
    elsewhere = {"redisAddress": "redis.example.org:6379"}
    other = helm("install pictures", with_config(rayCluster=elsewhere), *args)

    assert "create secret generic atelier-redis" in own
    assert "create secret generic atelier-keys" in own
    assert "a Secret with the password of redis.example.org:6379" in other


@pytest.mark.parametrize("config", CASES.values(), ids=CASES)
def test_no_secret_is_rendered(config: Values) -> None:
    assert "Secret" not in {kind for kind, _ in rendered(values(config))}


def test_native_objects_are_right() -> None:
    natives = [o for o in rendered(values()).values() if not crds.is_custom(o)]
    for made in natives:
        kubernetes_validate.validate(dict(made), KUBERNETES, strict=True)

    assert {made["kind"] for made in natives} > {"StatefulSet", "PodDisruptionBudget"}


@crds.needed
@pytest.mark.parametrize("create", [True, False])
def test_custom_objects_are_right(create: bool) -> None:
    pools = {"create": create, "instanceProfile": PROFILE}
    objects = rendered({"config": LEAST, "nodePools": pools}).values()
    customs = [made for made in objects if crds.is_custom(made)]

    assert "RayService" in {made["kind"] for made in customs}
    assert [crds.mistakes(made) for made in customs] == [[]] * len(customs)
