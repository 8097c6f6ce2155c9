"""KMS keys of the nodes' volumes: with one that Karpenter may not use, nodes end as they start."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from cli.aws.errors import code_of
from cli.aws.looks.finding import Finding
from cli.aws.sdk import Aws
from models.settings import Settings

_AWS_OWN = "alias/aws/ebs"
_NAME_IT = "set cluster.volumeKeyArn to it: Karpenter may use no other (docs/deploy.md)"


def default_key(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Whose key nodes get: the setting's, else what the account has for EBS in this region."""
    named = settings.cluster.volume_key_arn
    if named is not None:
        yield _named(aws, named)
        return
    key = aws.client("ec2").get_ebs_default_kms_key_id()["KmsKeyId"]
    if customers := _customers(aws, key):
        yield Finding("EBS's default key", "missing", f"{customers}, a customer's", _NAME_IT)
    else:
        yield Finding("EBS's default key", "there", "AWS's own")


def snapshot_keys(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Whether nodes may read the snapshots they start with; those without a customer's key, all."""
    named = settings.cluster.volume_key_arn
    for runtime in settings.models_runtime:
        snapshot = runtime.nodes.snapshot
        key = _key_of(aws, snapshot) if snapshot else None
        customers = _customers(aws, key) if key else None
        if customers not in (None, named):
            text = f"{snapshot} has {customers}, a customer's"
            remedy = f"{_NAME_IT}, or make one with the nodes' key: `atelier aws snapshot -k`"
            yield Finding(f"key of the snapshot of {runtime.name}", "missing", text, remedy)


def _named(aws: Aws, key: str) -> Finding:
    """Whether the key of the setting is there, and may be used."""
    name = "cluster.volumeKeyArn"
    try:
        state = aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    except ClientError as exc:
        if code_of(exc) != "NotFoundException":
            raise
        return Finding(name, "missing", f"{key} is not there", "name a key of this region")
    if state != "Enabled":
        return Finding(name, "missing", f"{key} is {state}", "enable it, or name another")
    return Finding(name, "there", key)


def _customers(aws: Aws, key: str) -> str | None:
    """ARN of a customer's own key; of AWS's own, None: whoever starts a node may use that."""
    if key.endswith(_AWS_OWN):  # it is made when it is first used, and may not be there yet
        return None
    found = aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]
    return None if found["KeyManager"] == "AWS" else str(found["Arn"])


def _key_of(aws: Aws, snapshot: str) -> str | None:
    """Key of a snapshot; None, too, where there is none by this id, which another look tells."""
    ids = [{"Name": "snapshot-id", "Values": [snapshot]}]
    found = aws.all("ec2", "describe_snapshots", "Snapshots", Filters=ids)
    return next((one.get("KmsKeyId") for one in found), None)
