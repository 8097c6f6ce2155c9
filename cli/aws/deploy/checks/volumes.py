"""KMS keys of the nodes' volumes: with one that Karpenter may not use, nodes end as they start."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cli.aws.deploy.checks.finding import Finding
from cli.aws.errors import code_of
from cli.aws.sdk import Aws
from models.settings import Settings

_AWS_OWN = "alias/aws/ebs"
_SETTING = "cluster.volumeKeyArn"
_NAME_IT = f"set {_SETTING} to it: Karpenter may use no other (docs/deploy.md)"
_MAKE_ONE = "make one with the nodes' key: `atelier aws snapshot -k`"
_SYMMETRIC = {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"}
_REMEDIES = {
    "Disabled": "enable it",
    "PendingDeletion": "cancel its deletion and enable it",
    "PendingReplicaDeletion": "cancel its deletion and enable it",
    "PendingImport": "import its key material",
    "Unavailable": "connect its key store",
}


@dataclass(frozen=True)
class _Key:
    """Key of KMS, as it is named in settings or by EC2."""

    name: str
    said: Mapping[str, Any]
    """Answer of KMS about it; empty where it has none of this name."""

    @classmethod
    def of(cls, aws: Aws, name: str) -> "_Key":
        try:
            return cls(name, aws.client("kms").describe_key(KeyId=name)["KeyMetadata"])
        except ClientError as exc:
            if code_of(exc) != "NotFoundException":
                raise
            return cls(name, {})

    @property
    def arn(self) -> str:
        return str(self.said.get("Arn", self.name))

    @property
    def is_customers(self) -> bool:
        """Not AWS's own, which whoever starts a node may use."""
        return self.said.get("KeyManager") != "AWS"

    @property
    def fault(self) -> tuple[str, str] | None:
        """Return what is wrong with it for a volume, and what to do; None where nothing is."""
        if not self.said:
            return "is not there", f"name a key of this region in {_SETTING}"
        state = self.said["KeyState"]
        if state != "Enabled":
            remedy = _REMEDIES.get(state, "wait until it is Enabled")
            return f"is {state}", f"{remedy}, or name another in {_SETTING}"
        kind = {name: self.said.get(name, right) for name, right in _SYMMETRIC.items()}
        if kind != _SYMMETRIC:
            return f"is {' for '.join(kind.values())}", f"name a symmetric key in {_SETTING}"
        return None


def default_key(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Tell whose key nodes get: the setting's, else the account's for EBS in this region."""
    named = settings.cluster.volume_key_arn
    if named is not None:
        yield _looked(_SETTING, _Key.of(aws, named))
        return
    default = aws.client("ec2").get_ebs_default_kms_key_id()["KmsKeyId"]
    key = None if default.endswith(_AWS_OWN) else _Key.of(aws, default)
    name = "EBS's default key"
    if key is None or not key.is_customers:  # the former may not be there before its first use
        yield Finding(name, "there", "AWS's own")
    elif key.fault:
        yield _looked(name, key)
    else:
        yield Finding(name, "missing", f"{key.arn}, a customer's", _NAME_IT)


def snapshot_keys(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Tell whether nodes may read their snapshots; those without a customer's key, all may."""
    named = settings.cluster.volume_key_arn
    for runtime in settings.models_runtime:
        snapshot = runtime.nodes.snapshot
        key = _key_of(aws, snapshot) if snapshot else None
        if key is None or key == named:  # KMS may not let everybody ask
            continue
        if found := _unreadable(_Key.of(aws, key)):
            text, remedy = found
            name = f"key of the snapshot of {runtime.name}"
            yield Finding(name, "missing", f"{snapshot} has {text}", remedy)


def _unreadable(key: _Key) -> tuple[str, str] | None:
    """Return what is wrong with a snapshot's key, other than the nodes', and what to do."""
    if not key.is_customers:
        return None
    if key.fault:
        return f"{key.arn}, which {key.fault[0]}", _MAKE_ONE
    return f"{key.arn}, a customer's", f"{_NAME_IT}, or {_MAKE_ONE}"


def _looked(name: str, key: _Key) -> Finding:
    """Tell whether the key is there, and may be used."""
    if key.fault is None:
        return Finding(name, "there", key.arn)
    text, remedy = key.fault
    return Finding(name, "missing", f"{key.arn} {text}", remedy)


def _key_of(aws: Aws, snapshot: str) -> str | None:
    """Key of a snapshot; None, too, where there is none by this id, which another look tells."""
    ids = [{"Name": "snapshot-id", "Values": [snapshot]}]
    found = aws.all("ec2", "describe_snapshots", "Snapshots", Filters=ids)
    return next((one.get("KmsKeyId") for one in found), None)
