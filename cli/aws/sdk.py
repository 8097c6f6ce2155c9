"""AWS SDK: one session, a client for each service, and the caller's identity."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4}
)


@dataclass(frozen=True)
class Caller:
    """Identity of who is signed in."""

    account: str
    arn: str


class Aws:
    """AWS in one region; ``AWS_ENDPOINT_URL`` names an endpoint other than AWS's."""

    def __init__(self, region: str | None, profile: str | None = None) -> None:
        self.session = boto3.Session(region_name=region, profile_name=profile)
        self.profile = profile
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str | None:
        return self.session.region_name

    @property
    def partition(self) -> str:
        """Partition of the region, such as ``aws-cn`` in China."""
        return self.session.get_partition_for_region(str(self.region))

    @cached_property
    def caller(self) -> Caller:
        identity = self.client("sts").get_caller_identity()
        return Caller(identity["Account"], identity["Arn"])

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables that give another process the same region and caller."""
        region = str(self.region)
        named = {"AWS_PROFILE": self.profile} if self.profile else {}
        return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, **named}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.session.client(service, config=_CONFIG)
        return self._clients[service]

    def paginated(self, service: str, call: str, key: str, **given: Any) -> Iterator[Any]:
        """Yield the items under this key from all pages of an answer."""
        for page in self.client(service).get_paginator(call).paginate(**given):
            yield from page.get(key, ())


def admin_of(aws: Aws) -> str | None:
    """Return the IAM user or role that EKS should know as administrator; None for the root user."""
    kind, _, rest = aws.caller.arn.rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        role = rest.partition("/")[0]
        return str(aws.client("iam").get_role(RoleName=role)["Role"]["Arn"])
    return aws.caller.arn if kind == "user" else None
