"""Patches of running Ray clusters, and reports of what KubeRay leaves unchanged."""

import json
from typing import Any

import pytest

from cdk.manifests.ray_service import ray_service
from cli.aws.deploy.muted_fields import CLUSTER_FIELDS, GROUP_FIELDS
from cli.aws.deploy.ray_cluster_patcher import RayClusterPatcher
from cli.aws.deploy.readiness import Readiness
from cli.aws.kubernetes.cluster import Cluster
from cli.aws.sdk import AwsError, ObjectMissing
from models.settings import Settings
from tests.cli.aws.conftest import CLUSTER
from tests.cli.aws.kuberay import KubeRay, path_of
from tests.cli.aws.kubernetes_api import KubeApi
from tests.cli.aws.platform import file_of
from tests.manifests import crds
from tests.manifests.autoscaler import plan

SERVICE = path_of("rayservices", "studio")
FIRST = path_of("rayclusters", "studio-1")
TAINT = {"key": "team", "value": "art"}


def wanted(*more: dict[str, Any], ray: dict[str, Any] | None = None, **nodes: Any) -> Settings:
    """Make settings with a runtime on GPUs, and after it those of ``more``."""
    runtimes = [{"name": "pictures", "type": "diffusers", "nodes": nodes}, *more]
    return Settings.read(args=file_of(CLUSTER, modelsRuntime=runtimes, rayCluster=ray or {}))


class Stack:
    """Installation that serves: its settings applied, KubeRay's reaction, and deploy's."""

    def __init__(self, cluster: Cluster, api: KubeApi) -> None:
        self.cluster, self.api, self.kuberay = cluster, api, KubeRay(api)

    def apply(self, settings: Settings) -> None:
        self.kuberay.apply(ray_service(settings))
        self.kuberay.look()

    def serves(self, settings: Settings) -> None:
        for _ in range(2):  # the first look names a cluster, the second makes it
            self.apply(settings)
        self.kuberay.promote()

    def carry(self, settings: Settings) -> list[str]:
        said: list[str] = []
        RayClusterPatcher(self.cluster, settings, said.append, pause=0).patch()
        return said

    def group(self, name: str, cluster: str = FIRST) -> Any:
        (found,) = (
            group
            for group in self.api.answers[cluster]["spec"]["workerGroupSpecs"]
            if group["groupName"] == name
        )
        return found

    @property
    def patches(self) -> list[Any]:
        return [json.loads(one.body) for one in self.api.asked if one.method == "PATCH"]


@pytest.fixture
def stack(cluster: Cluster, kube: KubeApi) -> Stack:
    return Stack(cluster, kube)


def test_raised_bounds_reach_the_cluster_that_runs(stack: Stack) -> None:
    stack.serves(wanted(maxGpus=5))
    more = wanted(maxGpus=9, ray={"ingestWorkers": 3})
    stack.apply(more)
    said = stack.carry(more)

    assert said == [
        "RayCluster studio-1: group ingest has at least 3 pods, had 1",
        "RayCluster studio-1: group ingest may have 4 pods, had 2",
        "RayCluster studio-1: group pictures-spot may have 9 pods, had 5",
        "RayCluster studio-1: group pictures-on-demand may have 9 pods, had 5",
    ]
    assert stack.group("pictures-spot")["maxReplicas"] == 9
    assert stack.group("ingest")["minReplicas"] == 3


def test_lowered_bounds_reach_the_cluster_that_runs(stack: Stack) -> None:
    stack.serves(wanted(maxGpus=5))
    fewer = wanted(maxGpus=1)
    stack.apply(fewer)
    stack.carry(fewer)

    assert stack.group("pictures-spot")["maxReplicas"] == 1


def test_rays_own_autoscaler_starts_more_once_bounds_are_carried(stack: Stack) -> None:
    def started() -> int:
        spec = stack.api.answers[FIRST]["spec"]
        ray_cluster = {"metadata": {"name": "x", "namespace": "y"}}
        demand = {"CPU": 1.0, "GPU": 1.0}
        made = plan({**ray_cluster, "spec": {"rayClusterConfig": spec}}, [demand] * 30)
        return made.started["pictures-spot"]

    stack.serves(wanted(maxGpus=5))
    before = started()
    stack.apply(wanted(maxGpus=9))
    ignored = started()
    stack.carry(wanted(maxGpus=9))

    assert (before, ignored, started()) == (5, 5, 9)


def test_new_taints_are_tolerated_by_the_cluster_that_runs(stack: Stack) -> None:
    """New pods would else fit on no node that Karpenter makes from now on."""
    stack.serves(wanted())
    tainted = wanted(taints=[TAINT])
    stack.apply(tainted)
    said = stack.carry(tainted)
    tolerated = stack.group("pictures-spot")["template"]["spec"]["tolerations"]

    assert {"operator": "Equal", "effect": "NoSchedule", **TAINT} in tolerated
    assert len(tolerated) == 3
    assert said[0] == (
        "RayCluster studio-1: new pods of group pictures-spot tolerate team=art:NoSchedule, too"
    )


def test_what_was_carried_is_not_carried_again(stack: Stack) -> None:
    stack.serves(wanted(maxGpus=5))
    more = wanted(maxGpus=9, taints=[TAINT])
    stack.apply(more)
    stack.carry(more)
    carried, patches = stack.api.answers[FIRST], len(stack.patches)
    stack.kuberay.look()

    assert stack.carry(more) == []
    assert (stack.api.answers[FIRST], len(stack.patches)) == (carried, patches)


def test_a_stack_that_was_not_changed_writes_nothing(stack: Stack) -> None:
    """KubeRay's copy is spelt as Go does it: that is no difference either."""
    stack.serves(wanted())

    assert stack.carry(wanted()) == []
    assert not stack.patches


def test_what_the_autoscaler_writes_is_left_to_it(stack: Stack) -> None:
    stack.serves(wanted(maxGpus=5))
    stack.group("pictures-spot").update(
        replicas=4, scaleStrategy={"workersToDelete": ["studio-1-pictures-spot-x"]}
    )
    fewer = wanted(maxGpus=2)
    stack.apply(fewer)
    stack.carry(fewer)
    group = stack.group("pictures-spot")

    assert (group["maxReplicas"], group["replicas"]) == (2, 4)
    assert group["scaleStrategy"] == {"workersToDelete": ["studio-1-pictures-spot-x"]}


def test_what_others_put_into_a_cluster_stays(stack: Stack) -> None:
    stack.serves(wanted())
    others = [{"key": "queue", "operator": "Exists"}]
    head = stack.api.answers[FIRST]["spec"]["headGroupSpec"]["template"]["spec"]
    head["tolerations"] = others

    assert stack.carry(wanted()) == []
    assert head["tolerations"] == others


@pytest.mark.parametrize("taints", [[], [TAINT]], ids=["no change", "a new taint"])
def test_tolerations_that_others_put_into_a_group_stay(
    stack: Stack, taints: list[dict[str, str]]
) -> None:
    """Kueue gives pods those of the nodes that it has chosen for them."""
    stack.serves(wanted())
    pod = stack.group("pictures-spot")["template"]["spec"]
    others = {"key": "queue", "operator": "Exists"}
    pod["tolerations"].insert(0, others)
    before = list(pod["tolerations"])
    changed = wanted(taints=taints)
    stack.apply(changed)
    said = stack.carry(changed)
    tolerated = stack.group("pictures-spot")["template"]["spec"]["tolerations"]

    assert tolerated[: len(before)] == before
    assert len(tolerated) == len(before) + len(taints)
    assert bool(said) == bool(taints)


def test_a_taint_that_is_asked_for_no_more_stays_tolerated(stack: Stack) -> None:
    """The toleration's owner is not known any more; nothing is reported, for nothing changes."""
    stack.serves(wanted(taints=[TAINT]))
    stack.apply(wanted())

    assert stack.carry(wanted()) == []
    assert len(stack.group("pictures-spot")["template"]["spec"]["tolerations"]) == 3


def test_every_patch_tests_what_it_is_about_to_change(stack: Stack) -> None:
    """A list of groups has no names for a patch, only numbers."""
    stack.serves(wanted(maxGpus=5))
    stack.apply(wanted(maxGpus=9))
    stack.carry(wanted(maxGpus=9))
    (patch,) = stack.patches
    tested = {each["path"]: each["value"] for each in patch if each["op"] == "test"}
    changed = [each["path"] for each in patch if each["op"] != "test"]

    assert changed == [f"/spec/workerGroupSpecs/{number}/maxReplicas" for number in (1, 2)]
    for path in changed:
        assert tested[path] == 5
    assert tested["/spec/workerGroupSpecs/1/groupName"] == "pictures-spot"


def test_where_there_was_nothing_its_surroundings_are_tested(stack: Stack) -> None:
    stack.serves(wanted())
    del stack.group("pictures-spot")["template"]["spec"]["tolerations"]
    pod = stack.group("pictures-spot")["template"]["spec"]
    stack.carry(wanted())
    (patch,) = stack.patches

    assert {"op": "test", "path": "/spec/workerGroupSpecs/1/template/spec", "value": pod} in patch
    assert len(stack.group("pictures-spot")["template"]["spec"]["tolerations"]) == 2


def test_groups_in_another_order_get_their_own_bounds(stack: Stack) -> None:
    """Groups are matched by name: with `upgrade: None` a running cluster keeps its order."""
    two, one = (
        {"name": name, "type": "diffusers", "gpus": 2, "nodes": {"maxGpus": 4}}
        for name in ("two", "one")
    )
    stack.serves(wanted(two, one, ray={"upgrade": "None"}, maxGpus=5))
    turned = wanted(one, two | {"nodes": {"maxGpus": 8}}, ray={"upgrade": "None"}, maxGpus=5)
    stack.apply(turned)
    said = stack.carry(turned)

    assert stack.group("two-spot")["maxReplicas"] == 4
    assert stack.group("one-spot")["maxReplicas"] == 2
    assert "workerGroupSpecs (their order)" in said[-1]


def test_a_group_that_is_asked_for_no_more_is_left_alone(stack: Stack) -> None:
    old = {"name": "old", "type": "diffusers"}
    stack.serves(wanted(old, ray={"upgrade": "None"}))
    before = stack.group("old-spot")
    without = wanted(ray={"upgrade": "None"}, maxGpus=9)
    stack.apply(without)
    said = stack.carry(without)

    assert stack.group("old-spot") == before
    assert stack.group("pictures-spot")["maxReplicas"] == 9
    assert "workerGroupSpecs[old-spot]" in said[-1]


def test_a_runtime_more_at_the_end_is_kuberays_to_bring(stack: Stack) -> None:
    stack.serves(wanted(maxGpus=5))
    more = wanted({"name": "more", "type": "diffusers"}, maxGpus=9)
    stack.apply(more)

    assert stack.carry(more) == []
    assert stack.group("pictures-spot")["maxReplicas"] == 9
    assert stack.group("more-spot")["maxReplicas"] == 5


def test_what_comes_between_a_look_and_a_patch_is_looked_at_again(stack: Stack) -> None:
    stack.serves(wanted(maxGpus=5))
    stack.apply(wanted(maxGpus=9))

    def turned() -> None:
        stack.api.answers[FIRST]["spec"]["workerGroupSpecs"].reverse()

    stack.api.meanwhile = [_nothing, _nothing, turned]
    said = stack.carry(wanted(maxGpus=9))

    assert len(stack.patches) == 2
    assert stack.group("ingest")["maxReplicas"] == 2
    assert stack.group("pictures-spot")["maxReplicas"] == 9
    assert len([one for one in said if "may have" in one]) == 2


def test_a_cluster_that_changes_all_the_time_is_given_up_and_told(stack: Stack) -> None:
    stack.serves(wanted(maxGpus=5))
    stack.apply(wanted(maxGpus=9))

    def turned() -> None:
        stack.api.answers[FIRST]["spec"]["workerGroupSpecs"].reverse()

    stack.api.meanwhile = [_nothing, *[_nothing, turned] * 50]
    with pytest.raises(AwsError, match="RayCluster studio-1 changes all the time"):
        stack.carry(wanted(maxGpus=9))

    assert len(stack.patches) == 5


def test_a_change_that_is_denied_is_told_in_the_apis_words_and_not_tried_again(
    stack: Stack,
) -> None:
    stack.serves(wanted(maxGpus=5))
    stack.apply(wanted(maxGpus=9))
    stack.api.denial = "ValidatingAdmissionPolicy 'few-gpus' denied request: at most 8"
    with pytest.raises(AwsError, match="few-gpus' denied request: at most 8"):
        stack.carry(wanted(maxGpus=9))

    assert len(stack.patches) == 1


@crds.needed
def test_a_cluster_that_its_schema_refuses_is_told_in_the_apis_words(stack: Stack) -> None:
    stack.serves(wanted(maxGpus=5))
    stack.apply(wanted(maxGpus=9))
    stack.api.answers[FIRST]["spec"]["unknownField"] = 1
    with pytest.raises(AwsError, match=r"422 .*RayCluster is invalid: .*unknownField"):
        stack.carry(wanted(maxGpus=9))

    assert len(stack.patches) == 1


@pytest.mark.parametrize("gone", ["vanished", "denied", "malformed"])
def test_what_one_cluster_does_not_take_the_other_gets(stack: Stack, gone: str) -> None:
    stack.serves(wanted(maxGpus=5))
    changed = wanted(maxGpus=5, ray={"headCpu": 1})
    for _ in range(2):
        stack.apply(changed)
    more = wanted(maxGpus=9, ray={"headCpu": 1})
    stack.apply(more)

    def vanishes() -> None:
        stack.api.answers.pop(FIRST)

    def denies() -> None:
        stack.api.denial = "no"

    def permits() -> None:
        stack.api.denial = ""

    if gone == "vanished":
        stack.api.meanwhile = [_nothing, _nothing, vanishes]
        stack.carry(more)
    elif gone == "denied":
        stack.api.meanwhile = [_nothing, _nothing, denies, permits]
        with pytest.raises(AwsError, match=r"422 .*: no"):
            stack.carry(more)
    else:
        stack.api.answers[FIRST] = {"kind": "RayCluster"}
        with pytest.raises(AwsError, match=r"RayCluster studio-1 has no spec\.headGroupSpec"):
            stack.carry(more)

    second = stack.group("pictures-spot", path_of("rayclusters", "studio-2"))
    assert second["maxReplicas"] == 9


@pytest.mark.parametrize("odd", [{"spec": {}}, {"spec": None, "metadata": None}, []])
@pytest.mark.parametrize("place", [SERVICE, FIRST])
def test_an_answer_that_is_no_such_object_is_told(stack: Stack, place: str, odd: Any) -> None:
    """A proxy on the way may answer such a thing."""
    stack.serves(wanted())
    stack.api.answers[place] = odd

    with pytest.raises(AwsError, match=r"has no spec|with no object"):
        stack.carry(wanted())


def test_a_cluster_that_comes_up_gets_later_bounds_as_well(stack: Stack) -> None:
    """KubeRay leaves them out of what it compares there, too."""
    stack.serves(wanted(maxGpus=5))
    fewer = wanted({"name": "first", "type": "diffusers"}, maxGpus=5, ray={"headCpu": 1})
    for _ in range(2):
        stack.apply(fewer)
    more = wanted({"name": "first", "type": "diffusers"}, maxGpus=9, ray={"headCpu": 1})
    stack.apply(more)
    said = stack.carry(more)

    assert stack.group("pictures-spot")["maxReplicas"] == 9
    assert stack.group("pictures-spot", path_of("rayclusters", "studio-2"))["maxReplicas"] == 9
    assert said[-1] == "RayCluster studio-2 comes up beside studio-1"


def test_the_first_cluster_gets_later_bounds_before_it_serves(stack: Stack) -> None:
    """KubeRay does not say there that it has looked, however long one waits."""
    for _ in range(2):
        stack.apply(wanted(maxGpus=5))
    stack.apply(wanted(maxGpus=9))
    stack.carry(wanted(maxGpus=9))
    service = stack.api.answers[SERVICE]

    assert service["status"]["observedGeneration"] < service["metadata"]["generation"]
    assert stack.group("pictures-spot")["maxReplicas"] == 9


def test_a_new_cluster_beside_the_old_one_is_told(stack: Stack) -> None:
    stack.serves(wanted())
    changed = wanted(ray={"headCpu": 1})
    stack.apply(changed)

    assert stack.carry(changed) == ["RayCluster studio-2 comes up beside studio-1"]


def test_a_change_that_kuberay_ignores_is_told_with_what_takes_it(stack: Stack) -> None:
    stack.serves(wanted(ray={"upgrade": "None"}, maxGpus=5))
    changed = wanted(ray={"upgrade": "None", "headCpu": 1}, maxGpus=9)
    stack.apply(changed)
    said = stack.carry(changed)

    assert stack.group("pictures-spot")["maxReplicas"] == 9
    assert said[-1] == (
        "KubeRay leaves RayCluster studio-1 as it was (rayCluster.upgrade: None); it differs from"
        " what is asked for in headGroupSpec.template.spec.containers[ray-head]"
        ".resources.requests.cpu. This makes it anew, while tasks wait:"
        " atelier aws kubectl -n Studio -- delete raycluster studio-1 -n atelier"
    )


def test_the_command_makes_it_anew_of_what_is_asked_for_then(stack: Stack) -> None:
    stack.serves(wanted(ray={"upgrade": "None"}))
    changed = wanted(ray={"upgrade": "None", "headCpu": 1})
    stack.apply(changed)
    del stack.api.answers[FIRST]  # as the command in the note does
    for _ in range(2):
        stack.kuberay.look()
    stack.kuberay.promote()

    assert stack.carry(changed) == []
    assert not stack.patches


def test_a_first_cluster_that_never_served_is_told_as_well(stack: Stack) -> None:
    """The image may have been wrong, for example.

    With `upgrade: None` the right one never comes.
    """
    for _ in range(2):
        stack.apply(wanted(ray={"upgrade": "None"}))
    changed = wanted(ray={"upgrade": "None", "headCpu": 1})
    stack.apply(changed)
    (said,) = stack.carry(changed)

    assert "KubeRay leaves RayCluster studio-1 as it was" in said


def test_many_differences_are_counted_and_some_named(stack: Stack) -> None:
    more = [{"name": f"more{number}", "type": "diffusers"} for number in range(4)]
    stack.serves(wanted(ray={"upgrade": "None"}))
    changed = wanted(*more, ray={"upgrade": "None", "headCpu": 1})
    stack.apply(changed)
    (said,) = stack.carry(changed)

    assert "workerGroupSpecs[more0-spot]" in said
    assert " and 3 more." in said


def test_kuberay_is_given_time_to_see_what_was_applied(stack: Stack) -> None:
    """A cluster that it makes only afterwards might be of what was asked for before."""
    stack.serves(wanted())
    changed = wanted(ray={"headCpu": 1})
    stack.kuberay.apply(ray_service(changed))
    stack.api.meanwhile = [_nothing, _nothing, stack.kuberay.look]

    assert stack.carry(changed) == ["RayCluster studio-2 comes up beside studio-1"]


def test_a_kuberay_that_does_not_look_is_told_and_bounds_are_carried(stack: Stack) -> None:
    """Differences are not known before KubeRay has looked."""
    stack.serves(wanted(ray={"upgrade": "None"}, maxGpus=5))
    changed = wanted(ray={"upgrade": "None", "headCpu": 1}, maxGpus=9)
    stack.kuberay.apply(ray_service(changed))
    said = stack.carry(changed)

    assert stack.group("pictures-spot")["maxReplicas"] == 9
    assert said[-1] == (
        "KubeRay has not looked at RayService studio yet;"
        " run this again, to hear what it leaves as it was"
    )
    assert not any("leaves RayCluster" in one for one in said)


def test_a_cluster_that_goes_is_not_written_to(stack: Stack) -> None:
    stack.serves(wanted(maxGpus=5))
    stack.api.answers[FIRST]["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"
    stack.apply(wanted(maxGpus=9))

    assert stack.carry(wanted(maxGpus=9)) == []
    assert not stack.patches


def test_without_a_ray_service_there_is_nothing_to_carry(stack: Stack) -> None:
    with pytest.raises(ObjectMissing):
        stack.carry(wanted())


def test_a_service_that_serves_says_on_which_cluster(stack: Stack) -> None:
    stack.serves(wanted())
    said: list[str] = []
    Readiness(stack.cluster, wanted(), said.append, pause=0).wait()

    assert said == ["RayService studio serves on RayCluster studio-1"]


@crds.needed
def test_every_muted_field_is_one_of_a_ray_cluster() -> None:
    spec = crds.schema("ray.io/v1", "RayCluster")["properties"]["spec"]["properties"]
    group = spec["workerGroupSpecs"]["items"]["properties"]
    for known, fields in ((spec, CLUSTER_FIELDS), (group, GROUP_FIELDS)):
        for field in fields:
            found: Any = {"properties": known}
            for key in field.keys:
                found = found["properties"][key]


@crds.needed
def test_the_list_of_groups_can_be_patched_by_number_only() -> None:
    spec = crds.schema("ray.io/v1", "RayCluster")["properties"]["spec"]["properties"]

    assert "x-kubernetes-list-type" not in spec["workerGroupSpecs"]


def _nothing() -> None:
    """Do nothing before a request."""
