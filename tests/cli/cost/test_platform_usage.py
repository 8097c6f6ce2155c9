"""Usage of this platform by load and settings; each figure here is worked out by hand."""

from decimal import Decimal
from typing import Any

import pytest

from atelier import Misused
from cli.cost import gpu_hours
from cli.cost.load import Load
from cli.cost.platform_usage import usage
from cli.cost.prices import shipped
from cli.cost.usage_lines import HOURS, Part, UsageLine, priced
from models.settings import Settings

LOAD = Load(images=3_600, seconds=1, busy=1, spot=0, bursts=0)
"""Load of one hour's work."""


def settings(**given: Any) -> Settings:
    runtime = {"name": "one", "type": "fake", **given.pop("runtime", {})}
    return Settings.read(
        None,
        {
            "stackName": "atelier",
            "modelBucketArn": "arn:aws:s3:::models",
            "modelsRuntime": [runtime],
            **given,
        },
    )


def used(load: Load = LOAD, **given: Any) -> list[UsageLine]:
    of = settings(**given)
    runtime = of.models_runtime[0]
    taken = gpu_hours.hours(load, runtime)
    return [line for line in usage(load, taken, of, runtime, "g6.2xlarge") if line.quantity]


def quantity(lines: list[UsageLine], service: str, dimension: str) -> Decimal:
    found = [x.quantity for x in lines if (x.service, x.dimension) == (service, dimension)]
    return sum(found, Decimal())


def hours(load: Load = LOAD, **runtime: Any) -> gpu_hours.Hours:
    return gpu_hours.hours(load, settings(runtime=runtime).models_runtime[0])


def changed(**to: Any) -> Load:
    return Load(**{"images": 3_600, "seconds": 1, "busy": 1, "spot": 0, "bursts": 0, **to})


def test_an_hour_of_work_is_an_hour_of_a_node() -> None:
    taken = hours()

    assert [taken.on_demand, taken.on_spot, taken.nodes] == [1, 0, 1]


def test_pods_of_ingest_beyond_the_first_have_nodes_of_their_own() -> None:
    alone, several = used(), used(ingest={"minReplicas": 4, "maxReplicas": 64})
    node = "m7g.large on demand"

    assert quantity(several, "ec2", node) - quantity(alone, "ec2", node) == 2 * HOURS
    assert quantity(several, "ebs", "gp3") - quantity(alone, "ebs", "gp3") == 2 * 60
    assert [line.why for line in several if "ingest" in line.why] == [
        "2 nodes for 3 pods of ingest beyond the first"
    ]


def test_pods_of_ingest_that_need_a_larger_node_cost_as_much_as_its_cores() -> None:
    large = used(ingest={"replicas": 4}, rayCluster={"ingestCpu": 2, "ingestMemory": 8})

    assert quantity(large, "ec2", "m7g.large on demand") == (2 + 2) * HOURS


def test_interruptions_make_only_spots_work_be_done_again() -> None:
    taken = hours(changed(spot=0.5, rework=0.1))

    assert (taken.on_spot, taken.on_demand) == (Decimal("0.55"), Decimal("0.5"))


def test_a_burst_waits_for_its_node_and_leaves_it_idle() -> None:
    """A node takes 240 s to come; then replica, pod and node stay for 270, 30 and 60 s: 1/6 h."""
    scaling = {"cooldownSeconds": 270}

    assert hours(changed(bursts=6), scaling=scaling).idle == 1
    assert hours(changed(bursts=6), scaling={"cooldownSeconds": 870}).idle == 2
    assert hours(changed(bursts=6), scaling=scaling, nodes={"idleSeconds": 630}).idle == 2
    assert hours(changed(bursts=6), scaling=scaling, nodes={"consolidateAfter": "11m"}).idle == 2


def test_replicas_that_never_go_cost_the_whole_month() -> None:
    """A node works for an hour and idles for 729; one more comes for six sixths of an hour."""
    kept = hours(changed(bursts=6), scaling={"minReplicas": 1})
    load = changed(images=2 * 3_600, hours=1, bursts=6)
    more = hours(load, scaling={"minReplicas": 1, "cooldownSeconds": 270})

    assert [kept.idle, more.idle] == [729, 728 + 1]
    assert [kept.starts, more.starts] == [0, 6]


def test_replicas_that_a_schedule_keeps_cost_its_hours() -> None:
    """An hour's work spread over the month: a twelfth of a year of 365 days has 365/12 * 10 h."""
    hours_of_day = {"start": "0 8 * * *", "end": "0 18 * * *", "timezone": "Europe/Berlin"}
    scheduled = {"schedule": [hours_of_day | {"minReplicas": 2}]}
    lines = used(runtime={"scaling": scheduled})

    assert float(hours(scaling=scheduled).idle) == pytest.approx(10 / 24 * (2 * 730 - 1))
    assert hours(changed(bursts=24), scaling=scheduled).starts == 14
    assert any("(608.3 h kept by schedule)" in line.why for line in lines)
    assert not any("kept by" in line.why for line in used())


def test_of_a_schedule_and_the_fewest_replicas_the_higher_counts() -> None:
    night = {"start": "0 20 * * *", "end": "0 8 * * *", "minReplicas": 3}
    taken = hours(scaling={"minReplicas": 1, "schedule": [night, night | {"minReplicas": 2}]})
    low = hours(scaling={"minReplicas": 3, "schedule": [night | {"minReplicas": 2}]})

    assert float(taken.idle) == pytest.approx((3 * 730 - 1) / 2 + 729 / 2)
    assert taken.kept == " (1460.0 h kept by minReplicas and schedule)"
    assert low.idle == 3 * 730 - 1
    assert low.kept == " (2190.0 h kept by minReplicas)"


def test_a_node_that_never_goes_stays_after_a_schedules_hours() -> None:
    day = {"start": "0 8 * * *", "end": "0 18 * * *", "minReplicas": 2}
    taken = hours(scaling={"schedule": [day]}, nodes={"consolidateAfter": "Never"})

    assert taken.idle == 2 * 730 - 1


def test_every_node_of_a_burst_idles() -> None:
    """Four hours of work within two: two nodes."""
    load = changed(images=4 * 3_600, hours=2, bursts=6)
    taken = hours(load, scaling={"cooldownSeconds": 270})

    assert [taken.nodes, taken.idle, taken.starts] == [2, 2, 12]


def test_a_node_that_never_goes_is_paid_for_the_whole_month() -> None:
    taken = hours(changed(bursts=6), nodes={"consolidateAfter": "Never"})

    assert [taken.on_demand, taken.starts] == [730, 0]


def test_two_replicas_share_a_gpu() -> None:
    assert hours(gpus=0.5).work == Decimal("0.5")


def test_spot_goes_as_the_nodes_let() -> None:
    assert hours(changed(spot=None)).spot == Decimal("0.9")
    assert hours(changed(spot=None), nodes={"capacity": ["spot"]}).spot == 1
    assert hours(changed(spot=None), nodes={"capacity": ["on-demand"]}).spot == 0


@pytest.mark.parametrize(
    ("load", "runtime", "why"),
    [
        (changed(spot=1), {"nodes": {"capacity": ["on-demand"]}}, "has no spot"),
        (changed(spot=0), {"nodes": {"capacity": ["spot"]}}, "nothing but spot"),
        (changed(images=360_000, hours=1), {}, "100 nodes at once .* may have 5"),
        (
            changed(images=36_000, hours=1),
            {"gpus": 2, "nodes": {"maxGpus": 5}},
            "10 nodes at once .* may have 2",
        ),
        (changed(), {"gpus": 0}, "computes on the CPU"),
    ],
)
def test_a_load_that_the_runtime_cannot_take_is_refused(
    load: Load, runtime: dict[str, Any], why: str
) -> None:
    with pytest.raises(Misused, match=why):
        hours(load, **runtime)


def test_volumes_are_paid_while_their_node_is_there() -> None:
    node = {"nodes": {"imageCache": "none", "dataVolume": {"size": 90, "throughput": 1_000}}}
    lines = [x for x in used(changed(images=730 * 3_600), runtime=node) if x.part is Part.GPUS]

    assert quantity(lines, "ebs", "gp3") == 100
    assert quantity(lines, "ebs", "gp3 throughput") == 875
    assert quantity(lines, "ebs", "gp3 iops") == 0


def test_images_on_the_nodes_own_disks_need_no_large_volume() -> None:
    lines = [x for x in used(changed(images=730 * 3_600)) if x.part is Part.GPUS]

    assert quantity(lines, "ebs", "gp3") == 30


def test_a_snapshot_is_kept_with_and_without_nodes() -> None:
    node = {"nodes": {"imageCache": "ebs-snapshot", "snapshot": "snap-0a"}}

    assert quantity(used(runtime=node), "ebs", "snapshot") == 100


def test_nat_gateways_are_those_of_a_new_network() -> None:
    existing = {"id": "vpc-0a", "privateSubnets": ["subnet-0a", "subnet-0b", "subnet-0c"]}

    assert quantity(used(), "vpc", "nat gateway") == 730
    assert quantity(used(vpc={"natGateways": 3}), "vpc", "nat gateway") == 3 * 730
    assert quantity(used(vpc=existing), "vpc", "nat gateway") == 0


def test_images_of_another_registry_come_through_the_gateway() -> None:
    load = changed(bursts=30, nat_kib=0, image_gib=10)
    lines = used(load, images={"repository": "registry.example.org/atelier"})

    assert quantity(lines, "vpc", "nat gateway data") == 300
    assert quantity(lines, "ecr", "storage") == 0
    assert quantity(used(load), "ecr", "storage") == 10


def test_without_the_edge_there_is_no_api_to_pay() -> None:
    assert {x.service for x in used()} >= {"apigateway", "lambda"}
    assert not {x.service for x in used(edge={"enabled": False})} & {"apigateway", "lambda"}


def test_a_task_takes_fifteen_writes_by_http_and_ten_by_sns() -> None:
    """Four of the writes are to the index of its key's tasks, which a task by SNS is not in."""
    million = changed(images=1_000_000)

    assert quantity(used(million), "dynamodb", "writes") == 15
    assert quantity(used(million, edge={"enabled": False}), "dynamodb", "writes") == 10


def test_long_tasks_renew_their_lease() -> None:
    """A lease of 30 s is renewed every 10 s: a task of 25 s does it twice."""
    short = quantity(used(changed(images=1_000_000)), "sqs", "requests")
    many = {"scaling": {"maxReplicas": 10}}
    long = quantity(used(changed(images=1_000_000, seconds=25), runtime=many), "sqs", "requests")

    assert long - short == 2


def test_an_idle_queue_is_asked_every_twenty_seconds() -> None:
    """Queues of a runtime and of callbacks are polled: 2 x 730 h / 20 s."""
    requests = quantity(used(changed(images=1)), "sqs", "requests")

    assert requests == Decimal("0.262803")


def test_pictures_are_kept_as_long_as_their_lifecycle_says() -> None:
    of_a_month = changed(images=2**20, picture_kib=1, models_gib=0)

    def days(kind: str, **storage: Any) -> Decimal:
        """A kibibyte a picture makes one GB of the month's: its GB-months are days of a month."""
        lines = used(of_a_month, storage=storage)
        return round(quantity(lines, "s3", kind) * 730 / 24, 6)

    assert days("standard") == round(Decimal(730) / 24, 6)
    assert days("standard", outputDays=90) == 90
    assert days("standard", outputDays=90, infrequentDays=30) == 30
    assert days("infrequent access", outputDays=90, infrequentDays=30) == 60


def test_each_runtime_is_watched() -> None:
    """Seven metrics in four alarms for each, four of the platform, and 15 of API Gateway's."""
    two = [{"name": name, "type": "fake"} for name in ("one", "two")]

    assert quantity(used(), "cloudwatch", "metric of an alarm") == 11
    assert quantity(used(modelsRuntime=two), "cloudwatch", "metric of an alarm") == 18
    assert quantity(used(modelsRuntime=two), "cloudwatch", "metric") == 15 + 4


def test_of_each_second_the_first_call_is_traced_and_a_twentieth_of_the_rest() -> None:
    """A thousand in an hour that has room for 3,600; ten thousand are 6,400 more than those."""
    few = used(changed(images=1_000, hours=1))
    many = used(changed(images=10_000, hours=1, seconds=0.1))

    assert quantity(few, "xray", "traces") == Decimal("0.001")
    assert quantity(many, "xray", "traces") == Decimal("0.00392")
    assert not quantity(used(edge={"enabled": False}), "xray", "traces")


def test_a_front_is_paid_where_there_is_one() -> None:
    assert not [x for x in used() if x.part is Part.FRONT]
    plain = [x for x in used(front={"enabled": True}) if x.part is Part.FRONT]
    guarded = [x for x in used(front={"enabled": True, "waf": True}) if x.part is Part.FRONT]

    assert {x.service for x in plain} == {"elb", "cloudfront"}
    assert {x.service for x in guarded} == {"elb", "cloudfront", "waf"}


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_every_line_has_a_price_in_each_region(region: str) -> None:
    node = {"nodes": {"imageCache": "none", "osVolume": {"size": 10, "iops": 4_000}}}
    of = {
        "front": {"enabled": True, "waf": True},
        "storage": {"infrequentDays": 30, "outputDays": 60},
    }
    load = changed(extended_support=True, spot=0.5, downloads=1)

    assert len(priced(used(load, runtime=node, **of), shipped(region))) > 30
