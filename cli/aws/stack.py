"""CloudFormation stack of an installation: its state, outputs and resources."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from cli.aws.sdk import Aws, NotDeployed, suppressed

_MISSING = "ValidationError"  # also CloudFormation's code for a stack that is not there
_CREATED_ANEW = {"none", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
_RESUMED = {"CREATE_IN_PROGRESS", "CREATE_FAILED", "UPDATE_FAILED"}  # with --no-rollback


class Stack:
    """CloudFormation stack, described on first use and cached."""

    def __init__(self, aws: Aws, name: str) -> None:
        self.aws = aws
        self.name = name

    @cached_property
    def found(self) -> Mapping[str, Any] | None:
        with suppressed(_MISSING):
            described = self.aws.client("cloudformation").describe_stacks(StackName=self.name)
            stack: Mapping[str, Any] = described["Stacks"][0]
            return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack
        return None

    @property
    def description(self) -> Mapping[str, Any]:
        """Description of the stack by CloudFormation.

        Raises:
            NotDeployed: there is no such stack.
        """
        if self.found is None:
            raise NotDeployed(
                f"there is no stack {self.name} in {self.aws.region}; `atelier aws deploy` makes it"
            )
        return self.found

    @property
    def status(self) -> str:
        """Status such as ``CREATE_COMPLETE``; ``none`` if there is no stack."""
        return str(self.found["StackStatus"]) if self.found else "none"

    @property
    def is_whole(self) -> bool:
        """Flag: the last change of the stack succeeded."""
        return self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}

    @property
    def is_begun(self) -> bool:
        """Flag: no complete stack exists that a failed change could be rolled back to."""
        return self.status in _CREATED_ANEW | _RESUMED

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        return {
            output["OutputKey"]: output["OutputValue"]
            for output in self.description.get("Outputs", ())
        }

    @cached_property
    def resources(self) -> tuple[Mapping[str, Any], ...]:
        """Resources as CloudFormation lists them, failed and deleted ones included."""
        found = self.aws.paginated(
            "cloudformation",
            "list_stack_resources",
            "StackResourceSummaries",
            StackName=self.description["StackName"],
        )
        return tuple(found)

    def of_type(self, kind: str) -> list[str]:
        """Return the physical ids of the resources of a type, such as ``AWS::Logs::LogGroup``."""
        named = (
            (resource["ResourceType"], resource.get("PhysicalResourceId", ""))
            for resource in self.resources
        )
        return [name for type_, name in named if type_ == kind and name]
