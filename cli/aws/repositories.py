"""Image repositories in the account's ECR, created before the stack and then imported by it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from cli.aws.sdk import Aws, suppressed
from models.names import images
from models.names.tags import PROJECT, tag
from models.settings import Settings

_THERE = "RepositoryAlreadyExistsException"


@dataclass(frozen=True)
class Repositories:
    """Image repositories of an installation."""

    aws: Aws
    settings: Settings

    def existing(self) -> Iterator[tuple[str, bool]]:
        """Yield names, also of removed types, and whether each has our tag."""
        for repository in self.aws.paginated("ecr", "describe_repositories", "repositories"):
            if repository["repositoryName"].startswith(images.repository(self.settings.names, "")):
                yield repository["repositoryName"], self._is_ours(repository["repositoryArn"])

    def make(self, kind: str) -> None:
        """Create a repository as `cdk/registry.py` defines it; the stack imports it unchanged."""
        ecr, name = self.aws.client("ecr"), images.repository(self.settings.names, kind)
        with suppressed(_THERE):
            ecr.create_repository(
                repositoryName=name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
                tags=[self._tag],
            )
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=self._lifecycle)

    def _is_ours(self, arn: str) -> bool:
        return self._tag in self.aws.client("ecr").list_tags_for_resource(resourceArn=arn)["tags"]

    @property
    def _tag(self) -> dict[str, str]:
        return tag(PROJECT, self.settings.stack_name)

    @property
    def _lifecycle(self) -> str:
        keep = self.settings.images.keep
        many = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep}
        rule = {"rulePriority": 1, "description": f"keeps {keep}", "selection": many}
        return json.dumps({"rules": [{**rule, "action": {"type": "expire"}}]})
