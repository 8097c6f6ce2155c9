"""What pods may do on their node: what the Pod Security Standard `restricted` allows."""

from cdk.manifests.base import Manifest

USER = 1000
"""As the images are built for."""


def pod(user: int = USER) -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
