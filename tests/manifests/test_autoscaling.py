"""Pods that Ray's own autoscaler would start for what the real application asks."""

from collections.abc import Mapping
from typing import Any

import pytest

from cdk.manifests import Manifest
from models.errors import SettingsError
from models.serve_replicas import CPUS
from tests.manifests.autoscaler import Demand, idle_seconds, patience, plan
from tests.manifests.world import demands, ray_service, runtime, served

FIVE = {"maxGpus": 5}


@pytest.fixture(scope="module")
def service() -> Manifest:
    """Return a RayService of two runtimes, with five GPUs of each kind of capacity for each."""
    return ray_service(runtime(nodes=FIVE), runtime("other", "sdwebui", nodes=FIVE))


def test_with_nothing_to_do_there_is_no_gpu(service: Manifest) -> None:
    assert plan(service).started == {"ingest": 1}


def test_the_front_and_ingest_need_no_more_than_that(service: Manifest) -> None:
    asked = demands(service)
    done = plan(service, [*asked["Ingress"], *asked["Ingest"]])

    assert (done.started, done.impossible) == ({"ingest": 1}, 0)


@pytest.mark.parametrize(
    ("replicas", "started"),
    [
        (1, {"pictures-spot": 1}),
        (5, {"pictures-spot": 5}),
        (7, {"pictures-spot": 5, "pictures-on-demand": 2}),
        (12, {"pictures-spot": 5, "pictures-on-demand": 5}),
    ],
)
def test_spot_comes_first_and_on_demand_for_the_rest(
    service: Manifest, replicas: int, started: Mapping[str, int]
) -> None:
    done = plan(service, demands(service)["pictures"] * replicas)

    assert done.started == {"ingest": 1, **started}
    assert done.impossible == max(0, replicas - 10)


def test_where_spot_was_asked_in_vain_it_is_on_demand(service: Manifest) -> None:
    done = plan(service, demands(service)["pictures"] * 2, {"pictures-spot": 0.0})

    assert done.started == {"ingest": 1, "pictures-on-demand": 2}


def test_ray_sees_that_it_was_in_vain_long_before_its_own_hour(service: Manifest) -> None:
    assert patience(service) == (600, 300)
    assert patience(ray_service(rayCluster={"startMinutes": 15})) == (900, 300)


@pytest.mark.parametrize(
    "given",
    [
        {"rayCluster": {"startMinutes": 20}},
        {"rayCluster": {"readyMinutes": 10}},
        {"alarms": {"starvedMinutes": 10}, "tasks": {"deadlineSeconds": 300}},
    ],
    ids=["alarmed before", "given up before", "an impatient alarm"],
)
def test_a_start_that_leaves_no_time_for_another_is_refused(given: Mapping[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"rayCluster\.startMinutes must be less"):
        ray_service(**given)


def test_a_runtimes_replicas_start_its_own_pods_only(service: Manifest) -> None:
    done = plan(service, demands(service)["other"] * 12)

    assert not [group for group in done.started if group.startswith("pictures")]
    assert done.impossible == 2


def test_what_needs_no_gpu_starts_none_even_where_there_is_no_room_else(service: Manifest) -> None:
    done = plan(service, demands(service)["Ingress"] * 100)

    assert done.started == {"ingest": 2}
    assert done.impossible == 80


def _ingests(service: Manifest, replicas: int) -> list[Demand]:
    """Return what so many replicas of ingest ask Ray for: the HTTP API's, and their own."""
    args = served(service)["applications"][0]["args"]
    resources = {**args["ingress"]["resources"], **args["ingest"]["resources"]}
    return [{"CPU": float(CPUS), **resources}] * replicas


@pytest.mark.parametrize(
    ("replicas", "pods", "impossible"), [(1, 1, 0), (2, 2, 0), (4, 4, 0), (5, 5, 0), (6, 5, 1)]
)
def test_each_of_several_replicas_of_ingest_starts_a_pod_and_one_may_go_away(
    replicas: int, pods: int, impossible: int
) -> None:
    service = ray_service(ingest={"maxReplicas": 4})
    done = plan(service, _ingests(service, replicas))

    assert plan(service).started == {"ingest": 1}
    assert (done.started, done.impossible) == ({"ingest": pods}, impossible)


def test_a_fixed_number_of_replicas_of_ingest_has_its_pods_at_once() -> None:
    assert plan(ray_service(ingest={"replicas": 3})).started == {"ingest": 3}
    assert plan(ray_service(ingest={"minReplicas": 2})).started == {"ingest": 2}


def test_replicas_of_ingest_share_a_pod_that_has_a_core_for_each() -> None:
    service = ray_service(ingest={"replicas": 5}, rayCluster={"ingestCpu": 2})
    done = plan(service, [*_ingests(service, 5), *demands(service)["Ingress"]])

    assert (done.started, done.impossible) == ({"ingest": 3}, 0)


def test_workers_of_ingest_that_are_asked_for_are_there_without_replicas_too() -> None:
    workers = {"ingestWorkers": 3}

    assert plan(ray_service(ingest={"replicas": 2}, rayCluster=workers)).started == {"ingest": 3}


def test_resources_that_ingest_asks_for_are_on_its_pods() -> None:
    service = ray_service(ingest={"replicas": 2, "resources": {"fast": 0.5}})
    done = plan(service, _ingests(service, 2))

    assert (done.started, done.impossible) == ({"ingest": 2}, 0)


def test_ones_own_resources_are_on_a_pod_for_each_replica_that_it_has_room_for() -> None:
    asked = {"fast": 1, "slow": 1.4}
    several = ray_service(ingest={"replicas": 4, "resources": asked}, rayCluster={"ingestCpu": 2})
    shared = ray_service(runtime(gpus=0.5, resources=asked))

    done = plan(several, _ingests(several, 4))
    assert (done.started, done.impossible) == ({"ingest": 2}, 0)
    done = plan(shared, demands(shared)["pictures"] * 2)
    assert (done.started, done.impossible) == ({"ingest": 1, "pictures-spot": 1}, 0)


def test_resources_that_the_http_api_asks_for_are_on_the_pods_of_ingest() -> None:
    service = ray_service(ingress={"replicas": 3, "resources": {"front": 1.5}})
    done = plan(service, [*demands(service)["Ingest"], *demands(service)["Ingress"] * 3])

    assert (done.started, done.impossible) == ({"ingest": 1}, 0)


def test_a_replica_that_wants_more_cores_than_its_pod_has_is_found(service: Manifest) -> None:
    (one,) = demands(service)["pictures"]

    assert plan(service, [{**one, "CPU": 6}]).impossible == 0
    assert plan(service, [{**one, "CPU": 7}]).impossible == 1


def test_replicas_that_share_a_gpu_share_a_pod() -> None:
    service = ray_service(runtime(gpus=0.5, replicas=4))
    done = plan(service, demands(service)["pictures"])

    assert done.started == {"ingest": 1, "pictures-spot": 2}


def test_replicas_of_two_gpus_take_half_as_many_pods() -> None:
    nodes = {"instanceTypes": ["g5.12xlarge"], "maxGpus": 5, "capacity": ["on-demand"]}
    service = ray_service(runtime(gpus=2, nodes=nodes))
    done = plan(service, demands(service)["pictures"] * 3)

    assert done.started == {"ingest": 1, "pictures-on-demand": 2}
    assert done.impossible == 1


def test_a_runtime_without_a_gpu_scales_the_same_way() -> None:
    nodes = {"instanceTypes": ["c7i.2xlarge"], "imageCache": "none", "maxGpus": 2}
    service = ray_service(runtime("fake", "fake", gpus=0, cpus=4, options={}, nodes=nodes))
    done = plan(service, demands(service)["fake"] * 3)

    assert done.started == {"ingest": 1, "fake-spot": 2, "fake-on-demand": 1}


def test_resources_of_ones_own_are_on_its_pods() -> None:
    service = ray_service(runtime(resources={"fast": 2, "slow": 0.5}))
    done = plan(service, demands(service)["pictures"])

    assert (done.started, done.impossible) == ({"ingest": 1, "pictures-spot": 1}, 0)


def test_each_runtime_idles_as_long_as_it_is_told() -> None:
    nodes: dict[str, Any] = {"idleSeconds": 77, "capacity": ["spot"]}

    assert idle_seconds(ray_service(runtime(nodes=nodes)))["pictures-spot"] == 77
