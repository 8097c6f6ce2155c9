"""Check the KMS keys of node volumes; with one that Karpenter may not use, launches fail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli.aws.deploy.checks.finding import Finding
from cli.aws.sdk import Aws, suppressed
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
    """KMS key as the settings or EC2 name it."""

    name: str
    said: Mapping[str, Any]
    """KMS's description of the key; empty if KMS knows none of this name."""

    @classmethod
    def of(cls, aws: Aws, name: str) -> "_Key":
        with suppressed("NotFoundException"):
            return cls(name, aws.client("kms").describe_key(KeyId=name)["KeyMetadata"])
        return cls(name, {})

    @property
    def arn(self) -> str:
        return str(self.said.get("Arn", self.name))

    @property
    def is_customers(self) -> bool:
        """Flag: a customer-managed key; AWS-managed ones are open to whoever starts a node."""
        # One that KMS does not know is taken for a customer's, so that its fault is reported.
        return self.said.get("KeyManager") != "AWS"

    @property
    def fault(self) -> tuple[str, str] | None:
        """Fault that keeps the key from encrypting volumes, and its remedy.

        None if there is none.
        """
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
    """Check the key of node volumes: the configured one, else the region's default key for EBS."""
    named = settings.cluster.volume_key_arn
    if named is not None:
        yield _key_finding(_SETTING, _Key.of(aws, named))
        return
    default = aws.client("ec2").get_ebs_default_kms_key_id()["KmsKeyId"]
    key = None if default.endswith(_AWS_OWN) else _Key.of(aws, default)
    name = "EBS's default key"
    if key is None or not key.is_customers:  # EC2 makes AWS's own on first use
        yield Finding(name, "there", "AWS's own")
    elif key.fault:
        yield _key_finding(name, key)
    else:
        yield Finding(name, "missing", f"{key.arn}, a customer's", _NAME_IT)


def snapshot_keys(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Check that nodes may decrypt their snapshots.

    Those without a customer-managed key always may.
    """
    named = settings.cluster.volume_key_arn
    for runtime in settings.models_runtime:
        snapshot = runtime.nodes.snapshot
        key = _key_of(aws, snapshot) if snapshot else None
        if key is None or key == named:  # not asked: KMS may refuse the caller
            continue
        if found := _unreadable(_Key.of(aws, key)):
            text, remedy = found
            name = f"key of the snapshot of {runtime.name}"
            yield Finding(name, "missing", f"{snapshot} has {text}", remedy)


def _unreadable(key: _Key) -> tuple[str, str] | None:
    """Return why nodes cannot decrypt with a snapshot's key, and a remedy; None if they can."""
    if not key.is_customers:
        return None
    if key.fault:
        return f"{key.arn}, which {key.fault[0]}", _MAKE_ONE
    return f"{key.arn}, a customer's", f"{_NAME_IT}, or {_MAKE_ONE}"


def _key_finding(name: str, key: _Key) -> Finding:
    """Make the finding of a key: there, or missing with its fault."""
    if key.fault is None:
        return Finding(name, "there", key.arn)
    text, remedy = key.fault
    return Finding(name, "missing", f"{key.arn} {text}", remedy)


def _key_of(aws: Aws, snapshot: str) -> str | None:
    """Return a snapshot's key; None if it has none, or is missing (`snapshots` reports that)."""
    # By a filter, which finds nothing where an id that is missing is an error.
    ids = [{"Name": "snapshot-id", "Values": [snapshot]}]
    found = aws.paginated("ec2", "describe_snapshots", "Snapshots", Filters=ids)
    return next((described.get("KmsKeyId") for described in found), None)
