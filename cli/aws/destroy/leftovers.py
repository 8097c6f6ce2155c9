"""Leftovers of a deleted stack: found by name and tag, with the command that removes each."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from cli.aws.proof.listener import queue_prefix
from cli.aws.retained import Retained
from cli.aws.sdk import NOT_ALLOWED, Aws, suppressed
from models.names.queues import queue_names
from models.names.tags import PROJECT, TAG
from models.settings import Settings

# EC2 goes on listing what has ended, instances for about an hour.
_GONE = frozenset({"terminated", "shutting-down", "deleted", "deleting"})
_OF_EC2 = (
    ("volume", "describe_volumes", "Volumes", "VolumeId", "delete-volume --volume-id"),
    (
        "network interface",
        "describe_network_interfaces",
        "NetworkInterfaces",
        "NetworkInterfaceId",
        "delete-network-interface --network-interface-id",
    ),
    (
        "security group",
        "describe_security_groups",
        "SecurityGroups",
        "GroupId",
        "delete-security-group --group-id",
    ),
    (
        "launch template",
        "describe_launch_templates",
        "LaunchTemplates",
        "LaunchTemplateId",
        "delete-launch-template --launch-template-id",
    ),
)
"""Resources of EC2: what they are called, how they are listed, their id, how one is deleted."""
_ORIGINS = "CloudFront-VPCOrigins-Service-SG"
_BATCH = 20  # load balancers that one call describes the tags of


@dataclass(frozen=True)
class Leftover:
    """Resource that should be gone."""

    kind: str
    name: str
    remedy: str


@dataclass(frozen=True)
class Leftovers:
    """Finds leftovers of an installation, whose cluster has the stack's name."""

    aws: Aws
    settings: Settings

    def __call__(self) -> list[Leftover]:
        looks: Sequence[Callable[[], Iterator[Leftover]]] = (
            self.instances,
            self.ec2_resources,
            self.security_groups_of_origins,
            self.load_balancers,
            self.profiles,
            self.roles,
            self.log_groups,
            self.queues,
            self.topics,
        )
        return list(dict.fromkeys(left for look in looks for left in look()))

    def instances(self) -> Iterator[Leftover]:
        """Yield Karpenter's nodes, which CloudFormation does not know."""
        for group in self._tagged("describe_instances", "Reservations"):
            for instance in group["Instances"]:
                if instance["State"]["Name"] not in _GONE:
                    name = instance["InstanceId"]
                    yield self._ec2("instance", name, f"terminate-instances --instance-ids {name}")

    def ec2_resources(self) -> Iterator[Leftover]:
        """Yield what controllers in the cluster made; a network interface keeps the network."""
        for kind, call, key, id_, delete in _OF_EC2:
            for resource in self._tagged(call, key):
                if resource.get("State") not in _GONE:
                    yield self._ec2(kind, resource[id_], f"{delete} {resource[id_]}")

    def security_groups_of_origins(self) -> Iterator[Leftover]:
        for group in self._of_origins():
            name = group["GroupId"]
            yield self._ec2("security group", name, f"delete-security-group --group-id {name}")

    def load_balancers(self) -> Iterator[Leftover]:
        """Yield load balancers that a controller in the cluster made."""
        elb = self.aws.client("elbv2")
        found = self.aws.paginated("elbv2", "describe_load_balancers", "LoadBalancers")
        arns = [balancer["LoadBalancerArn"] for balancer in found]
        for start in range(0, len(arns), _BATCH):
            described = elb.describe_tags(ResourceArns=arns[start : start + _BATCH])
            for balancer in described["TagDescriptions"]:
                if _is_of(balancer["Tags"], self._cluster):
                    arn = balancer["ResourceArn"]
                    remedy = f"aws elbv2 delete-load-balancer --load-balancer-arn {arn}"
                    yield Leftover("load balancer", arn, self._in_region(remedy))

    def profiles(self) -> Iterator[Leftover]:
        """Yield instance profiles of a killed `snapshot`; their roles can only go after them."""
        for profile in self._temporary("list_instance_profiles", "InstanceProfile"):
            name = profile["InstanceProfileName"]
            of = f"--instance-profile-name {name}"
            calls = [
                f"aws iam remove-role-from-instance-profile {of} --role-name {role['RoleName']}"
                for role in profile["Roles"]
            ]
            remedy = " && ".join([*calls, f"aws iam delete-instance-profile {of}"])
            yield Leftover("instance profile", name, remedy)

    def roles(self) -> Iterator[Leftover]:
        for role in self._temporary("list_roles", "Role"):
            name = role["RoleName"]
            # IAM deletes no role that has a policy.
            policy = f"aws iam delete-role-policy --role-name {name} --policy-name {name}"
            yield Leftover("role", name, f"{policy} && aws iam delete-role --role-name {name}")

    def log_groups(self) -> Iterator[Leftover]:
        """Yield log groups, also of CDK's functions; one may be of a stack ``NAMEStack-…``."""
        of_cdk = self._log_names(f"/aws/lambda/{self._cluster}Stack-")
        for name in chain(self.log_names(), of_cdk):
            remedy = self._in_region(f"aws logs delete-log-group --log-group-name {name}")
            yield Leftover("log group", name, remedy)

    def log_names(self) -> Iterator[str]:
        """Yield names of log groups that agents and AWS services create again while they run."""
        edge = f"/aws/lambda/{self._stack}-edge"
        yield from self._log_names(f"/aws/eks/{self._cluster}/")
        yield from self._log_names(f"/aws/containerinsights/{self._cluster}/")
        yield from self._log_names(f"/atelier/{self._stack}/")
        yield from (name for name in self._log_names(edge) if name == edge)  # not of NAME-edge

    def queues(self) -> Iterator[Leftover]:
        """Yield queues with our names, and proof listeners that an interrupted test left."""
        own = {
            *queue_names(
                self.settings.names,
                self.settings.models_runtime,
                self.settings.tasks,
                self.settings.model_bucket,
            )
        }
        found = self.aws.paginated(
            "sqs", "list_queues", "QueueUrls", QueueNamePrefix=f"{self._stack}-"
        )
        for url in found:
            name = url.rpartition("/")[2]
            if name in own or name.startswith(queue_prefix(self.settings)):
                remedy = self._in_region(f"aws sqs delete-queue --queue-url {url}")
                yield Leftover("queue", name, remedy)

    def topics(self) -> Iterator[Leftover]:
        settings = self.settings
        names = (settings.names.tasks_topic, settings.names.results_topic)
        own = {settings.names.arn("sns", name) for name in names}
        for topic in self.aws.paginated("sns", "list_topics", "Topics"):
            if topic["TopicArn"] in own:
                remedy = self._in_region(f"aws sns delete-topic --topic-arn {topic['TopicArn']}")
                yield Leftover("topic", topic["TopicArn"], remedy)

    @property
    def _cluster(self) -> str:
        return self.settings.stack_name

    @property
    def _stack(self) -> str:
        return self.settings.names.stack

    def _tagged(self, call: str, key: str) -> Iterator[Any]:
        """Yield EC2 resources that carry one of the cluster's tags.

        Those that carry two come twice.
        """
        # One call each, for what is found by several filters must match all of them.
        for filter_ in _filters(self._cluster):
            yield from self.aws.paginated("ec2", call, key, Filters=[filter_])

    def _of_origins(self) -> Iterator[Any]:
        """Yield the untagged security group that CloudFront leaves behind for origins in a network.

        A network of ours cannot be deleted before it; in another's network it may belong to others.
        """
        ours = {"Name": f"tag:{PROJECT}", "Values": [self.settings.stack_name]}
        if self.settings.vpc.id is None:
            for network in self.aws.paginated("ec2", "describe_vpcs", "Vpcs", Filters=[ours]):
                filters = {"vpc-id": network["VpcId"], "group-name": _ORIGINS}
                wanted = [{"Name": name, "Values": [value]} for name, value in filters.items()]
                yield from self.aws.paginated(
                    "ec2", "describe_security_groups", "SecurityGroups", Filters=wanted
                )

    def _temporary(self, call: str, kind: str) -> Iterator[Any]:
        """Yield IAM resources that `snapshot` made; who may not list them has made none."""
        own = re.compile(f"{self._cluster}-snapshot-[0-9a-f]{{6}}")
        with suppressed(*NOT_ALLOWED):
            found = list(self.aws.paginated("iam", call, f"{kind}s"))
            yield from (resource for resource in found if own.fullmatch(resource[f"{kind}Name"]))

    def _log_names(self, prefix: str) -> Iterator[str]:
        found = self.aws.paginated(
            "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix
        )
        yield from (str(group["logGroupName"]) for group in found)

    def _ec2(self, kind: str, name: str, call: str) -> Leftover:
        return Leftover(kind, name, self._in_region(f"aws ec2 {call}"))

    def _in_region(self, call: str) -> str:
        return f"{call} --region {self.aws.region}"


def as_leftover(kept: Retained) -> Leftover:
    """Describe a resource that was to be erased and is still there."""
    return Leftover(kept.kind, kept.name, "run destroy --delete-data again")


def _filters(cluster: str) -> list[dict[str, Any]]:
    """Filters for tags of ours, Karpenter, the VPC CNI, the load balancer controller, and EKS."""
    keys = (
        TAG,
        "aws:eks:cluster-name",
        "eks:eks-cluster-name",
        "cluster.k8s.amazonaws.com/name",
        "elbv2.k8s.aws/cluster",
        "karpenter.k8s.aws/cluster",
    )
    named = [{"Name": f"tag:{key}", "Values": [cluster]} for key in keys]
    return [*named, {"Name": "tag-key", "Values": [f"kubernetes.io/cluster/{cluster}"]}]


def _is_of(tags: list[dict[str, str]], cluster: str) -> bool:
    values = {pair["Key"]: pair["Value"] for pair in tags}
    owned = f"kubernetes.io/cluster/{cluster}" in values
    return owned or values.get("elbv2.k8s.aws/cluster") == cluster
