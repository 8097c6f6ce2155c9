"""Rules: each finds the mistake that it is there for, and says its name."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import yaml

from cdk.manifests import Manifest
from cdk.manifests.rules import RULES, broken
from models.errors import SettingsError
from models.quantities import quantity
from tests.manifests.world import made, runtime


@cache
def _built() -> list[Manifest]:
    return made()


class Spoilt:
    """Objects of an installation with Spot and on demand, to be changed in place."""

    def __init__(self) -> None:
        self.objects = deepcopy(_built())
        self.service: Any = self.objects[-1]
        self.cluster: Any = self.service["spec"]["rayClusterConfig"]
        self.head: Any = self.cluster["headGroupSpec"]
        self.ingest, self.spot, self.on_demand = self.cluster["workerGroupSpecs"]
        self.pod: Any = self.spot["template"]["spec"]
        self.ray: Any = self.pod["containers"][0]

    def one(self, kind: str) -> Any:
        """Return the first object of a kind."""
        return next(one for one in self.objects if one["kind"] == kind)

    def without(self, kind: str) -> None:
        self.objects = [one for one in self.objects if one["kind"] != kind]

    def serve(self, **changed: Any) -> None:
        config = yaml.safe_load(self.service["spec"]["serveConfigV2"])
        config["applications"][0]["args"].update(changed)
        self.service["spec"]["serveConfigV2"] = yaml.safe_dump(config)


def env(container: Any, name: str, value: str) -> None:
    container["env"].append({"name": name, "value": value})


Spoil = Callable[[Spoilt], Any]
POOL = "karpenter.sh/nodepool"
_HOURS = {"start": "0 8 * * *", "end": "0 18 * * *"}
CAPACITY = "karpenter.sh/capacity-type"

MISTAKES: Mapping[str, tuple[Spoil, ...]] = {
    "ray-service-name": (
        lambda s: s.service["metadata"].update(name="a" * 48),
        lambda s: s.service["metadata"].update(name="1st"),
    ),
    "initializing-timeout": (
        lambda s: s.service["metadata"]["annotations"].update(
            {"ray.io/initializing-timeout": "half an hour"}
        ),
    ),
    "upgrade-strategy": (
        lambda s: s.service["spec"].update(upgradeStrategy={"type": "RollingUpdate"}),
        lambda s: s.service["spec"].update(
            upgradeStrategy={"type": "NewClusterWithIncrementalUpgrade"}
        ),
    ),
    "replicas-in-order": (
        lambda s: s.spot.update(minReplicas=9),
        lambda s: s.spot.update(minReplicas=-1),
        lambda s: s.spot.update(replicas=99),
    ),
    "group-names-unique": (lambda s: s.spot.update(groupName="ingest"),),
    "resources-said-once": (lambda s: s.spot["rayStartParams"].update({"num-gpus": "1"}),),
    "group-labels": (
        lambda s: s.spot["rayStartParams"].update(labels="a=b"),
        lambda s: s.spot.update(labels={"-a": "b"}),
    ),
    "redis-by-options": (
        lambda s: s.cluster.pop("gcsFaultToleranceOptions"),
        lambda s: env(s.head["template"]["spec"]["containers"][0], "RAY_REDIS_ADDRESS", "r:1"),
        lambda s: s.head["rayStartParams"].update({"redis-password": "x"}),
        lambda s: s.service["metadata"]["annotations"].update({"ray.io/ft-enabled": "true"}),
        lambda s: s.cluster["gcsFaultToleranceOptions"].update(redisAddress="nobody:6379"),
        lambda s: s.cluster["gcsFaultToleranceOptions"].update(redisAddress="easel-redis:6380"),
        lambda s: s.cluster["gcsFaultToleranceOptions"].pop("redisAddress"),
    ),
    "restart-policy-never": (lambda s: s.pod.update(restartPolicy="Always"),),
    "autoscaler-v2": (
        lambda s: s.cluster.update(enableInTreeAutoscaling=False),
        lambda s: s.cluster["autoscalerOptions"].update(version="v1"),
        lambda s: env(s.head["template"]["spec"]["containers"][0], "RAY_enable_autoscaler_v2", "1"),
        lambda s: s.cluster["autoscalerOptions"].pop("env"),
    ),
    "times-not-negative": (
        lambda s: s.service["spec"].update(rayClusterDeletionDelaySeconds=-1),
        lambda s: s.spot.update(idleTimeoutSeconds=-1),
    ),
    "ray-version": (
        lambda s: s.cluster.update(rayVersion="2.9.0"),
        lambda s: s.cluster.pop("rayVersion"),
    ),
    "token": (
        lambda s: s.cluster.pop("authOptions"),
        lambda s: s.cluster["authOptions"].update(enableK8sTokenAuth=True),
    ),
    "head-service-unnamed": (lambda s: s.head.update(headService={"metadata": {"name": "mine"}}),),
    "resource-not-a-gpu": (lambda s: s.spot["resources"].update({"my-gpu": "1"}),),
    "one-proxy": (
        lambda s: s.ray.update(ports=[{"name": "serve", "containerPort": 8000}]),
        lambda s: s.ray.pop("readinessProbe"),
        lambda s: s.service["spec"].pop("serveService"),
        lambda s: s.head["template"]["spec"]["containers"][0].pop("ports"),
    ),
    "pool-exists": (
        lambda s: s.pod["nodeSelector"].update({POOL: "easel-runtime-picture"}),
        lambda s: s.pod["nodeSelector"].pop(POOL),
    ),
    "node-class-exists": (lambda s: s.one("EC2NodeClass")["metadata"].update(name="other"),),
    "pool-has-what-is-selected": (
        lambda s: s.pod["nodeSelector"].update({CAPACITY: "Spot"}),
        lambda s: s.pod["nodeSelector"].update({"zone": "a"}),
        lambda s: _require(s, CAPACITY, "In", "spot"),
    ),
    "taints-tolerated": (
        lambda s: s.pod["tolerations"].pop(),
        lambda s: s.pod["tolerations"][1].update(value="picture"),
        lambda s: s.pod["tolerations"][0].update(effect="NoExecute"),
    ),
    "gpu-nodes-tainted": (lambda s: s.one("NodePool")["spec"]["template"]["spec"].pop("taints"),),
    "groups-within-limits": (
        lambda s: s.spot.update(maxReplicas=50),
        lambda s: s.one("NodePool")["spec"].update(limits={}),
    ),
    "drift-waits": (
        lambda s: s.one("NodePool")["spec"]["disruption"]["budgets"][2].update(nodes="1"),
        lambda s: s.one("NodePool")["spec"]["disruption"].pop("budgets"),
        lambda s: s.one("NodePool")["spec"]["disruption"]["budgets"][2].update(
            schedule="@daily", duration="8h"
        ),
        lambda s: s.one("NodePool")["spec"]["disruption"]["budgets"][2].pop("reasons"),
    ),
    "requirements-agree": (
        lambda s: _require(s, CAPACITY, "In", "reserved"),
        lambda s: _require(s, "kubernetes.io/arch", "In", "arm64"),
        lambda s: _require(s, "node.kubernetes.io/instance-type", "In", "g4dn.xlarge"),
        lambda s: _require(s, CAPACITY, "NotIn", "spot", "on-demand"),
        lambda s: _require(s, "runtime", "In", "others"),
    ),
    "spot-first": (lambda s: s.on_demand.update(priority=10),),
    "limits-in-whole-nodes": (
        lambda s: _on(s, "g6.48xlarge").update(limits={"nvidia.com/gpu": "6"}),
        lambda s: _on(s, "g6.48xlarge").update(limits={"nvidia.com/gpu": "15"}),
        lambda s: _on(s, "g6.2xlarge").update(limits={"cpu": "79", "nvidia.com/gpu": "10"}),
        lambda s: _on(s, "g9.huge").update(limits={"nvidia.com/gpu": "10"}),
    ),
    "pod-fits-instance": (
        lambda s: s.ray["resources"]["requests"].update(memory="31Gi"),
        lambda s: s.ray["resources"]["requests"].update(cpu="8"),
    ),
    "head-fits": (
        lambda s: _first(s.head)["resources"]["requests"].update(cpu="8"),
        lambda s: _first(s.head)["resources"]["requests"].update(memory="64Gi"),
    ),
    "ingest-fits": (
        lambda s: _first(s.ingest)["resources"]["requests"].update(cpu="16"),
        lambda s: s.ingest.update(minReplicas=40, maxReplicas=40),
    ),
    "group-can-start": (lambda s: s.spot.update(maxReplicas=0),),
    "images-cached-in-one-way": (
        lambda s: s.one("EC2NodeClass")["spec"]["blockDeviceMappings"][1]["ebs"].update(
            snapshotID="snap-0a"
        ),
    ),
    "volumes-said": (
        lambda s: s.one("EC2NodeClass")["spec"].pop("blockDeviceMappings"),
        lambda s: s.one("EC2NodeClass")["spec"]["blockDeviceMappings"].pop(),
    ),
    "volumes-encrypted-alike": (
        lambda s: s.one("EC2NodeClass")["spec"]["blockDeviceMappings"][0]["ebs"].update(
            encrypted=False
        ),
        lambda s: s.one("EC2NodeClass")["spec"]["blockDeviceMappings"][1]["ebs"].update(
            kmsKeyID="arn:aws:kms:eu-west-1:111122223333:key/1b2c"
        ),
    ),
    "nvme-for-images": (
        lambda s: s.one("NodePool")["spec"]["template"]["spec"]["requirements"][0].update(
            values=["m7i.4xlarge", "g6.2xlarge"]
        ),
    ),
    "user-data-is-toml": (
        lambda s: s.one("EC2NodeClass")["spec"].update(userData="[settings]\n[settings]\n"),
    ),
    "system-pinned": (
        lambda s: s.one("EC2NodeClass")["spec"].update(
            amiSelectorTerms=[{"alias": "bottlerocket@latest"}]
        ),
    ),
    "metadata-guarded": (
        lambda s: s.one("EC2NodeClass")["spec"]["metadataOptions"].update(
            httpPutResponseHopLimit=2
        ),
        lambda s: s.one("EC2NodeClass")["spec"].pop("metadataOptions"),
    ),
    "drains-in-time": (
        lambda s: s.serve(tasks={"drainSeconds": 110}),
        lambda s: s.pod.pop("terminationGracePeriodSeconds"),
        lambda s: s.pod.update(terminationGracePeriodSeconds=180),
        lambda s: s.ray.update(env=[]),
        lambda s: s.ingest["template"]["spec"].update(terminationGracePeriodSeconds=110),
    ),
    "no-pre-stop": (
        lambda s: s.ray.update(lifecycle={"preStop": {"exec": {"command": ["ray", "stop"]}}}),
    ),
    "replica-fits-pod": (
        lambda s: s.serve(modelsRuntime=[_asking(cpus=7)]),
        lambda s: s.serve(modelsRuntime=[_asking(gpus=2)]),
    ),
    "replicas-within-gpus": (lambda s: s.serve(modelsRuntime=[_asking(replicas=11)]),),
    "settings-come-back": (
        lambda s: s.serve(tasks={"drainSeconds": 300}),
        lambda s: s.serve(modelBucketARN="x"),
    ),
    "own-place": (
        lambda s: s.serve(modelsRuntime=[{"name": "pictures"}]),
        lambda s: s.serve(modelsRuntime=[_asking(name="others")]),
        lambda s: s.serve(ingress={}),
        lambda s: s.spot["resources"].update({"ingest-place": "1"}),
        lambda s: s.head.update(rayStartParams={}),
    ),
    "no-credential": (
        lambda s: env(s.ray, "HF_TOKEN", "sesame"),
        lambda s: s.objects.insert(0, {"kind": "Secret", "metadata": {"name": "keys"}}),
        lambda s: s.serve(callbacks={"secret": "whsec_"}),
    ),
    "restricted": (
        lambda s: s.ray.pop("securityContext"),
        lambda s: s.ray["securityContext"]["capabilities"].update(drop=[]),
        lambda s: s.pod.update(securityContext={}),
        lambda s: s.one("StatefulSet")["spec"]["template"]["spec"].pop("securityContext"),
        lambda s: s.pod["securityContext"].pop("seccompProfile"),
        lambda s: s.cluster["autoscalerOptions"].pop("securityContext"),
        lambda s: s.pod["securityContext"].update(runAsUser=0),
        lambda s: s.ray["securityContext"].update(runAsUser=0),
        lambda s: s.ray["securityContext"].update(privileged=True),
        lambda s: s.pod.update(hostNetwork=True),
        lambda s: s.pod.update(hostPID=True),
        lambda s: s.pod["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
    ),
    "references": (
        lambda s: s.pod.update(serviceAccountName="default"),
        lambda s: s.pod["volumes"][0]["persistentVolumeClaim"].update(
            claimName="easel-checkpoints"
        ),
        lambda s: s.one("PersistentVolume")["spec"]["claimRef"].update(name="another"),
        lambda s: s.one("PersistentVolumeClaim")["spec"].update(volumeName="another"),
    ),
    "checkpoints-read-only": (
        lambda s: s.one("PersistentVolume")["spec"].update(mountOptions=["allow-delete"]),
        lambda s: s.ray["volumeMounts"][0].pop("readOnly"),
    ),
    "weights-mounted": (lambda s: s.ray.pop("volumeMounts"),),
    "budget-counts": (
        lambda s: s.one("PodDisruptionBudget")["spec"].update(minAvailable="50%"),
        lambda s: s.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].update(a="b"),
        lambda s: s.without("PodDisruptionBudget"),
    ),
    "kept": (
        lambda s: s.head["template"]["metadata"].pop("annotations"),
        lambda s: s.one("StatefulSet")["spec"]["template"]["metadata"].pop("annotations"),
        lambda s: s.head["template"]["spec"].pop("affinity"),
        lambda s: s.ingest["template"]["spec"].pop("affinity"),
    ),
    "token-of-kubernetes": (
        lambda s: s.head["template"]["spec"].update(automountServiceAccountToken=False),
        lambda s: s.pod.pop("automountServiceAccountToken"),
    ),
    "images-pinned": (
        lambda s: s.ray.update(image="registry:5000/mine"),
        lambda s: s.ray.update(image="mine:latest"),
    ),
    "front-fits-workers": (
        lambda s: s.serve(ingress={"replicas": 10, "resources": {"ingest-place": 1}}),
        lambda s: s.serve(ingest={"replicas": 10}),
    ),
    "ingest-has-cores": (
        lambda s: s.serve(ingest=_ingests(replicas=2)),
        lambda s: s.serve(ingest=_ingests(maxReplicas=2)),
        lambda s: _of_two(s, resources={}),
        lambda s: _of_two(s)["resources"].pop("ingest-core"),
    ),
    "volumes-large-enough": (
        lambda s: _volume(s, 0).update(volumeSize="2Gi"),
        lambda s: _volume(s, 1).update(volumeSize="2Gi"),
    ),
    "checkpoints-beside-images": (
        lambda s: s.one("EC2NodeClass")["spec"].pop("instanceStorePolicy"),
        lambda s: (
            s.one("PersistentVolume")["spec"]["csi"]["volumeAttributes"].update(
                cacheEmptyDirSizeLimit="1Ti"
            )
            or s.one("EC2NodeClass")["spec"].pop("instanceStorePolicy")
        ),
    ),
    "volume-fast-enough": (
        lambda s: _volume(s, 0).update(iops=6_000),
        lambda s: _volume(s, 1).update(throughput=1_000),
    ),
    "memory-to-start": (
        lambda s: s.cluster["autoscalerOptions"]["resources"]["limits"].update(memory="256Mi"),
        lambda s: _first(s.head)["resources"]["limits"].update(memory="1Gi"),
        lambda s: _first(s.ingest)["resources"]["limits"].update(memory="512Mi"),
        lambda s: _valkey(s)["containers"][0]["resources"]["limits"].update(memory="8Mi"),
    ),
    "mounts-have-volumes": (
        lambda s: _valkey(s).pop("volumes"),
        lambda s: s.pod.pop("volumes"),
    ),
    "read-only-roots": (
        lambda s: _first(s.one("StatefulSet")["spec"])["args"].__setitem__(-1, "/var/lib/valkey"),
        lambda s: _first(s.one("StatefulSet")["spec"])["args"].extend(["--logfile", "/var/log/v"]),
        lambda s: _first(s.one("StatefulSet")["spec"]).update(args=["--pidfile", "/run/v.pid"]),
        lambda s: _first(s.one("StatefulSet")["spec"]).update(args=["--aclfile", "/etc/users.acl"]),
        lambda s: _first(s.one("StatefulSet")["spec"]).update(args=["--appenddirname", "/var/a"]),
        lambda s: _first(s.one("StatefulSet")["spec"])["volumeMounts"][0].update(readOnly=True),
        lambda s: _first(s.one("StatefulSet")["spec"]).pop("volumeMounts"),
        lambda s: _valkey(s).update(volumes=[{"name": "data", "configMap": {"name": "redis"}}]),
        lambda s: s.ray["securityContext"].update(readOnlyRootFilesystem=True),
    ),
    "state-fits-volume": (
        lambda s: _valkey(s)["volumes"][0]["emptyDir"].update(sizeLimit="512Mi"),
    ),
    "namespace-restricted": (
        lambda s: s.without("Namespace"),
        lambda s: s.one("Namespace")["metadata"].pop("labels"),
        lambda s: s.service["metadata"].update(namespace="default"),
    ),
    "one-namespace": (
        lambda s: s.one("ServiceAccount")["metadata"].update(namespace="default"),
        lambda s: s.one("PodDisruptionBudget")["metadata"].update(namespace="default"),
        lambda s: s.one("StatefulSet")["metadata"].pop("namespace"),
        lambda s: s.one("PersistentVolume")["spec"]["claimRef"].update(namespace="default"),
    ),
    "pods-closed": (
        lambda s: s.without("NetworkPolicy"),
        lambda s: s.one("NetworkPolicy")["spec"].pop("egress"),
        lambda s: s.spot["template"]["metadata"]["labels"].pop("app.kubernetes.io/instance"),
    ),
    "open-to-somebody": (
        lambda s: s.one("NetworkPolicy")["spec"].update(ingress=[{}]),
        lambda s: s.one("NetworkPolicy")["spec"].update(egress=[{"ports": [{"port": 22}]}]),
    ),
}


def _volume(spoilt: Spoilt, number: int) -> Any:
    """Return a volume of the first node class."""
    return spoilt.one("EC2NodeClass")["spec"]["blockDeviceMappings"][number]["ebs"]


def _valkey(spoilt: Spoilt) -> Any:
    """Return Valkey's pod."""
    return spoilt.one("StatefulSet")["spec"]["template"]["spec"]


def _first(spec: Any) -> Any:
    """Return the first container of a group or a set."""
    return spec["template"]["spec"]["containers"][0]


def _on(spoilt: Spoilt, instance_type: str) -> Any:
    """Set the instance type of the first pool's nodes."""
    spec = spoilt.one("NodePool")["spec"]
    spec["template"]["spec"]["requirements"][0].update(values=[instance_type])
    return spec


def _require(spoilt: Spoilt, key: str, operator: str, *values: str) -> None:
    """Add a requirement to the first pool's nodes."""
    spec = spoilt.one("NodePool")["spec"]["template"]["spec"]
    spec["requirements"].append({"key": key, "operator": operator, "values": list(values)})


def _asking(**more: Any) -> dict[str, Any]:
    return {"name": "pictures", "resources": {"pictures-place-of-runtime": 1}, **more}


def _ingests(**more: Any) -> dict[str, Any]:
    return {"resources": {"ingest-core": 1}, **more}


def _of_two(spoilt: Spoilt, **more: Any) -> Any:
    """Set two replicas of ingest, with a pod for each; return their group."""
    spoilt.ingest.update(replicas=2, minReplicas=2, maxReplicas=3)
    spoilt.serve(ingest=_ingests(replicas=2, **more))
    return spoilt.ingest


def test_two_replicas_of_ingest_with_a_pod_for_each_break_none() -> None:
    spoilt = Spoilt()
    _of_two(spoilt)

    assert broken(spoilt.objects) == []


def test_what_is_built_breaks_none() -> None:
    assert broken(Spoilt().objects) == []


def test_there_is_a_mistake_for_each_rule() -> None:
    assert [rule.name for rule in RULES] == list(MISTAKES)


@pytest.mark.parametrize(
    ("rule", "number"), [(name, n) for name, all_ in MISTAKES.items() for n in range(len(all_))]
)
def test_a_mistake_is_caught_by_the_rule_that_names_it(rule: str, number: int) -> None:
    spoilt = Spoilt()
    MISTAKES[rule][number](spoilt)

    assert rule in {one.partition(":")[0] for one in broken(spoilt.objects)}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (runtime(pod={"memory": 40}), "pod-fits-instance: pictures-spot: a pod of 6 cores, 40 GiB"),
        (runtime(cpus=7), "replica-fits-pod: pictures-spot: a replica wants cpus: 7"),
        (
            runtime(gpus=8, nodes={"maxGpus": 5}),
            "group-can-start: pictures-spot: maxGpus is less than the GPUs of one",
        ),
        (
            runtime(replicas=6, nodes={"maxGpus": 5}),
            "replicas-within-gpus: pictures: replicas: 6, and nodes.maxGpus allow 5",
        ),
        (
            runtime(scaling={"schedule": [_HOURS | {"minReplicas": 6}]}, nodes={"maxGpus": 5}),
            "replicas-within-gpus: pictures: scaling.schedule[0].minReplicas: 6, and nodes.maxGpus",
        ),
        (
            runtime(scaling={"minReplicas": 6}, nodes={"maxGpus": 5}),
            "replicas-within-gpus: pictures: scaling.minReplicas: 6, and nodes.maxGpus allow 5",
        ),
        (
            runtime(nodes={"instanceTypes": ["c7i.4xlarge"], "imageCache": "none"}),
            "pod-fits-instance: pictures-spot: a pod of 12 cores, 24 GiB and 1 GPUs fits on none",
        ),
        (
            runtime(gpus=0, nodes={"instanceTypes": ["c7i.4xlarge"]}),
            "nvme-for-images: easel-runtime-pictures: c7i.4xlarge has no NVMe disk",
        ),
        (
            runtime(nodes={"userData": "[settings.container-runtime]\n"}),
            "user-data-is-toml: easel-runtime-pictures: Cannot declare",
        ),
        (runtime(pod={"env": {"HF_TOKEN": "x"}}), "no-credential: pictures-spot: HF_TOKEN stands"),
        (runtime(pod={"image": "mine"}), "images-pinned: pictures-spot: mine has no version"),
        (runtime(resources={"my_gpu": 1}), "resource-not-a-gpu: pictures-spot: KubeRay would"),
        (
            runtime(nodes={"imageCache": "none", "dataVolume": {"size": 60}}),
            "checkpoints-beside-images: easel-runtime-pictures: 60 GiB for images, and for storage",
        ),
        (
            runtime(nodes={"osVolume": {"size": 4, "iops": 6000}}),
            "volume-fast-enough: easel-runtime-pictures: /dev/xvda: 6000 IOPS need 12 GiB",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_the_rules_name(wrong: Any, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        made(wrong)

    assert said in str(refused.value)


def test_more_fronts_than_workers_hold_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"front-fits-workers: ingest: 1 cores for ingress"):
        made(ingress={"replicas": 10})

    assert made(ingress={"replicas": 10}, rayCluster={"ingestWorkers": 2})
    assert made(ingress={"replicas": 10}, ingest={"replicas": 2})


def test_more_of_ingest_than_the_pool_has_cores_for_are_refused() -> None:
    assert made(ingest={"maxReplicas": 29})

    with pytest.raises(SettingsError, match=r"ingest-fits: .* of 32 \(ingest.replicas or maxRep"):
        made(ingest={"maxReplicas": 30})


def test_an_instance_that_nobody_listed_is_not_judged() -> None:
    assert made(runtime(nodes={"instanceTypes": ["g9.huge"]}, pod={"memory": 500}))


@pytest.mark.parametrize(
    ("text", "number"), [("2500m", "2.5"), ("6", "6"), ("1Gi", str(2**30)), ("512Mi", str(2**29))]
)
def test_a_quantity_is_a_number(text: str, number: str) -> None:
    assert str(quantity(text).normalize()) == str(quantity(number).normalize())
