"""ECR repositories of the containers' images, unless the settings name another registry."""

from collections.abc import Sequence

from aws_cdk import RemovalPolicy
from aws_cdk.aws_ecr import LifecycleRule, Repository, TagMutability
from constructs import Construct


class Registry(Construct):
    """Repository for each image, kept when the stack goes."""

    def __init__(
        self, scope: Construct, name: str, *, repositories: Sequence[str], keep: int
    ) -> None:
        super().__init__(scope, name)
        self.repositories = {each: self._repository(each, keep) for each in repositories}
        """ECR repositories by their names."""

    def _repository(self, name: str, keep: int) -> Repository:
        return Repository(
            self,
            name,
            repository_name=name,
            image_scan_on_push=True,
            # Nodes that come up later would pull another image by a tag that moved.
            image_tag_mutability=TagMutability.IMMUTABLE,
            lifecycle_rules=[LifecycleRule(description=f"keeps {keep}", max_image_count=keep)],
            removal_policy=RemovalPolicy.RETAIN,
        )
