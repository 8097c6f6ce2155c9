"""Tags, by which what is an installation's is told from what only bears its names."""

PROJECT = "Project"
"""On everything, the stack's resources too: costs are told apart by it."""
TAG = "atelier:stack"
"""On what the commands make outside the stack, and on a model bucket that the stack makes."""


def tag(key: str, stack_name: str) -> dict[str, str]:
    """As most of AWS's services take one, and tell it."""
    return {"Key": key, "Value": stack_name}
