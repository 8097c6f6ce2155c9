"""Security contexts of pods, within the Pod Security Standard `restricted`."""

from cdk.manifests.base import Manifest

USER = 1000
"""User id that the images are built for."""


def pod(user: int = USER) -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
