"""Tags that tell what is an installation's from what only bears its names."""

PROJECT = "Project"
"""Key of the tag on everything, the stack's resources too: costs are told apart by it."""
TAG = "atelier:stack"
"""Key of the tag on what the commands make outside the stack, and on a model bucket that the stack
makes."""


def tag(key: str, stack_name: str) -> dict[str, str]:
    """Write a tag in the Key/Value form that most AWS APIs use."""
    return {"Key": key, "Value": stack_name}
