"""Sample installation: `ray-cluster.yaml` is made of it, with marks where to edit."""

from collections.abc import Mapping
from typing import Any

from models.settings import Settings

INSTANCE_PROFILE = "atelier-gpu-nodes"
_ACCOUNT, _REGION, _MODELS = "111122223333", "us-east-1", "atelier-models"
SETTINGS: Mapping[str, Any] = {
    "stackName": "atelier",
    "modelBucketArn": f"arn:aws:s3:::{_MODELS}",
    "aws": {"account": _ACCOUNT, "region": _REGION},
    "modelsRuntime": [
        {
            "name": "sdruntime",
            "type": "sdwebui",
            "modelFilename": "v1-5-pruned-emaonly.safetensors",
            "dynamicModel": True,
        },
        {"name": "comfy", "type": "comfyui"},
    ],
}
EDIT: Mapping[str, str] = {
    f"{_ACCOUNT}.dkr": "your registry",
    f"account: '{_ACCOUNT}'": "your account",
    _REGION: "your region",
    _MODELS: "your bucket of weights",
    INSTANCE_PROFILE: "the instance profile of GPU nodes",
    "karpenter.sh/discovery:": "the tag of your cluster's subnets",
    "aws:eks:cluster-name:": "your cluster",
    "cidr: 10.0.0.0/16": "your network",
}
"""Notes on what to edit, by a text that the line to edit holds."""
NOTE = """\
# atelier on a Kubernetes cluster of yours, as far as Kubernetes goes. Made by
#   python -m cdk.manifests > ray-cluster.yaml
# from cdk/manifests/sample.py; of your own config.yaml:
#   python -m cdk.manifests config.yaml --instance-profile NAME > my-cluster.yaml
#
# It needs EKS with Karpenter 1.14, KubeRay 1.7 and the Mountpoint S3 CSI driver; the topics,
# queues, ledger and buckets; and Pod Identity for the service accounts. `atelier aws deploy`
# makes all of that and this too. By hand: edit what is marked EDIT, make the two Secrets that no
# file should hold, and apply it.
#   kubectl create namespace atelier
#   kubectl -n atelier create secret generic atelier-redis \\
#     --from-literal=password="$(openssl rand -hex 24)"
#   kubectl -n atelier create secret generic atelier-keys \\
#     --from-literal=ATELIER_APIKEYS='[{"name": "me", "key": "…"}]'
#   kubectl apply --server-side -f ray-cluster.yaml
"""


def sample() -> Settings:
    return Settings.read(args=SETTINGS)
