"""What may be left when a stack is gone: looked for by name and tag, with what to do about it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cli.aws.inbox import prefix_of
from cli.aws.retained import Kept
from cli.aws.sdk import Aws
from models.queues import queues, queues_of_services
from models.settings import Settings

_GONE = frozenset({"terminated", "shutting-down", "deleted", "deleting"})
_BATCH = 20  # load balancers whose tags are told at once


@dataclass(frozen=True)
class Leftover:
    """One thing that should be gone."""

    kind: str
    name: str
    remedy: str


@dataclass(frozen=True)
class Leftovers:
    """Of one installation, whose cluster has the stack's name."""

    aws: Aws
    settings: Settings

    def __call__(self) -> list[Leftover]:
        looks: Sequence[Callable[[], Iterator[Leftover]]] = (
            self.instances,
            self.volumes,
            self.interfaces,
            self.security_groups,
            self.launch_templates,
            self.load_balancers,
            self.log_groups,
            self.queues,
            self.topics,
        )
        return list(dict.fromkeys(left for look in looks for left in look()))

    def instances(self) -> Iterator[Leftover]:
        """Karpenter's nodes: CloudFormation does not know them."""
        for group in self._tagged("describe_instances", "Reservations"):
            for one in group["Instances"]:
                if one["State"]["Name"] not in _GONE:
                    name = one["InstanceId"]
                    yield self._ec2("instance", name, f"terminate-instances --instance-ids {name}")

    def volumes(self) -> Iterator[Leftover]:
        for one in self._tagged("describe_volumes", "Volumes"):
            if one["State"] not in _GONE:
                name = one["VolumeId"]
                yield self._ec2("volume", name, f"delete-volume --volume-id {name}")

    def interfaces(self) -> Iterator[Leftover]:
        """Of pods' addresses; one that is left keeps its subnet, and so the network."""
        for one in self._tagged("describe_network_interfaces", "NetworkInterfaces"):
            name = one["NetworkInterfaceId"]
            call = f"delete-network-interface --network-interface-id {name}"
            yield self._ec2("network interface", name, call)

    def security_groups(self) -> Iterator[Leftover]:
        for one in self._tagged("describe_security_groups", "SecurityGroups"):
            name = one["GroupId"]
            yield self._ec2("security group", name, f"delete-security-group --group-id {name}")

    def launch_templates(self) -> Iterator[Leftover]:
        for one in self._tagged("describe_launch_templates", "LaunchTemplates"):
            name = one["LaunchTemplateId"]
            call = f"delete-launch-template --launch-template-id {name}"
            yield self._ec2("launch template", name, call)

    def load_balancers(self) -> Iterator[Leftover]:
        """Those that a controller in the cluster made."""
        elb = self.aws.client("elbv2")
        found = self.aws.all("elbv2", "describe_load_balancers", "LoadBalancers")
        arns = [one["LoadBalancerArn"] for one in found]
        for start in range(0, len(arns), _BATCH):
            some = elb.describe_tags(ResourceArns=arns[start : start + _BATCH])
            for one in some["TagDescriptions"]:
                if _is_of(one["Tags"], self._cluster):
                    arn = one["ResourceArn"]
                    remedy = f"aws elbv2 delete-load-balancer --load-balancer-arn {arn}"
                    yield Leftover("load balancer", arn, self._in_region(remedy))

    def log_groups(self) -> Iterator[Leftover]:
        """Agents in the cluster, and services of AWS, make theirs anew while they go."""
        prefixes = [f"/aws/eks/{self._cluster}/", f"/aws/containerinsights/{self._cluster}/"]
        functions = (f"{self.settings.stack_name}Stack-", f"{self._stack}-edge")
        prefixes += [f"/aws/lambda/{name}" for name in functions]
        prefixes += [f"/atelier/{self._stack}/"]
        for prefix in prefixes:
            found = self.aws.all(
                "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix
            )
            for one in found:
                name = one["logGroupName"]
                remedy = self._in_region(f"aws logs delete-log-group --log-group-name {name}")
                yield Leftover("log group", name, remedy)

    def queues(self) -> Iterator[Leftover]:
        """Ours by their names; and ears that an interrupted test left."""
        plans = (*queues(self.settings), *queues_of_services(self.settings))
        own = {self.settings.interruptions, *(plan.name for plan in plans)}
        found = self.aws.all("sqs", "list_queues", "QueueUrls", QueueNamePrefix=f"{self._stack}-")
        for url in found:
            name = url.rpartition("/")[2]
            if name in own or name.startswith(prefix_of(self.settings)):
                remedy = self._in_region(f"aws sqs delete-queue --queue-url {url}")
                yield Leftover("queue", name, remedy)

    def topics(self) -> Iterator[Leftover]:
        settings = self.settings
        names = (settings.tasks_topic, settings.results_topic)
        own = {settings.arn("sns", name) for name in names}
        for one in self.aws.all("sns", "list_topics", "Topics"):
            if one["TopicArn"] in own:
                remedy = self._in_region(f"aws sns delete-topic --topic-arn {one['TopicArn']}")
                yield Leftover("topic", one["TopicArn"], remedy)

    @property
    def _cluster(self) -> str:
        return self.settings.stack_name

    @property
    def _stack(self) -> str:
        return self.settings.stack

    def _tagged(self, call: str, key: str) -> Iterator[Any]:
        """Things of EC2 that carry one of the cluster's tags; those that carry two come twice."""
        for filter_ in _filters(self._cluster):
            yield from self.aws.all("ec2", call, key, Filters=[filter_])

    def _ec2(self, kind: str, name: str, call: str) -> Leftover:
        return Leftover(kind, name, self._in_region(f"aws ec2 {call}"))

    def _in_region(self, call: str) -> str:
        return f"{call} --region {self.aws.region}"


def as_leftover(kept: Kept) -> Leftover:
    """What was to be erased, and is still there."""
    return Leftover(kept.kind, kept.name, "run destroy --delete-data again")


def _filters(cluster: str) -> list[dict[str, Any]]:
    """Tags of Karpenter, of the network plugin, of the load balancers' controller, and of EKS."""
    keys = (
        "aws:eks:cluster-name",
        "eks:eks-cluster-name",
        "cluster.k8s.amazonaws.com/name",
        "elbv2.k8s.aws/cluster",
        "karpenter.k8s.aws/cluster",
    )
    named = [{"Name": f"tag:{key}", "Values": [cluster]} for key in keys]
    return [*named, {"Name": "tag-key", "Values": [f"kubernetes.io/cluster/{cluster}"]}]


def _is_of(tags: list[dict[str, str]], cluster: str) -> bool:
    there = {one["Key"]: one["Value"] for one in tags}
    owned = f"kubernetes.io/cluster/{cluster}" in there
    return owned or there.get("elbv2.k8s.aws/cluster") == cluster
