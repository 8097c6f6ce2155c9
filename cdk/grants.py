"""The statement by which a role gets actions on resources: constructs' grants are made of it."""

from collections.abc import Sequence

from aws_cdk.aws_iam import Grant, IRole


def grant(grantee: IRole, actions: Sequence[str], resources: Sequence[str]) -> None:
    """Add a statement to the role's own policy: these actions, on these resources alone."""
    Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=list(resources))
