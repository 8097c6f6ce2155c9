"""Model bucket: created if missing, and filled from a folder."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig

from cli.aws.sdk import NOT_ALLOWED, Aws, AwsError, RequirementMissing, suppressed
from models.names.tags import PROJECT, TAG, tag
from models.settings import Settings

CHECKPOINTS = "Stable-diffusion/"
"""Prefix of the keys of checkpoints."""
# A HEAD is answered without a body, which a code would stand in: so the status is the code.
_MISSING = frozenset({"404", "NoSuchBucket"})
_NO_TAGS = NOT_ALLOWED | {"NoSuchTagSet"}
_NO_POLICY = "NoSuchBucketPolicy"
_ONLY_TLS = "OnlyTls"  # id of the policy's statement
_TAKEN = "403"
_PUBLIC = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True)
class ModelBucket:
    """S3 bucket of an installation's weights."""

    aws: Aws
    name: str
    stack: str

    @property
    def s3(self) -> Any:
        return self.aws.client("s3")

    def exists(self) -> bool:
        """Tell whether the bucket exists and may be read.

        Raises:
            AwsError: it belongs to somebody else.
        """
        with suppressed(*_MISSING):
            with suppressed(_TAKEN):
                return bool(self.s3.head_bucket(Bucket=self.name))
            raise AwsError(f"bucket {self.name} is not yours to read; name another with --bucket")
        return False

    def make(self) -> None:
        """Create the bucket: private, TLS only, tagged as ours. Safe to call again."""
        region = str(self.aws.region)
        where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with suppressed("BucketAlreadyOwnedByYou"):
            # S3 refuses us-east-1, alone of all regions, as a location constraint.
            self.s3.create_bucket(Bucket=self.name, **({} if region == "us-east-1" else where))
        self.s3.put_public_access_block(
            Bucket=self.name, PublicAccessBlockConfiguration=dict.fromkeys(_PUBLIC, True)
        )
        self.s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps(self._tls_policy()))
        # Last: what an interrupted run has left is known by the missing tag.
        tags = [tag(key, self.stack) for key in (TAG, PROJECT)]
        self.s3.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": tags})

    def is_ours(self, by: str = TAG) -> bool:
        """Tell whether the bucket has our tag; ``by``: the tag's key, else that of `deploy`."""
        with suppressed(*_NO_TAGS):
            return tag(by, self.stack) in self.s3.get_bucket_tagging(Bucket=self.name)["TagSet"]
        return False

    def enable_events(self) -> bool:
        """Turn on EventBridge notifications; return whether they were off.

        Other notifications of the bucket stay.
        """
        configuration = self.s3.get_bucket_notification_configuration(Bucket=self.name)
        # Not S3's but boto3's, which refuses it in the call below.
        configuration.pop("ResponseMetadata", None)
        if "EventBridgeConfiguration" in configuration:
            return False
        # S3 replaces the whole of it, so what others have set goes along.
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name,
            NotificationConfiguration={**configuration, "EventBridgeConfiguration": {}},
        )
        return True

    def is_half_made(self) -> bool:
        """Tell whether a `deploy` that chose the name stopped before tagging it.

        The bucket is empty then.
        """
        chosen = self.name.startswith(model_bucket_prefix(self.stack))
        return chosen and not self.is_ours() and not self.keys()

    def wants_samples(self, folder: Path, *, of_stack: bool) -> bool:
        """Tell whether `deploy` uploads this folder unasked, to a bucket of ours.

        It does if the bucket holds no checkpoint but some of the folder's, and not all of those.
        """
        wanted = {path.relative_to(folder).as_posix() for path in _files(folder / CHECKPOINTS)}
        own = of_stack or self.is_ours() or self.is_half_made()
        return own and self.keys(CHECKPOINTS) < wanted

    def delete_policy(self) -> None:
        """Delete the policy that `make` put: the stack makes its own, only where there is none."""
        with suppressed(_NO_POLICY):
            policy = self.s3.get_bucket_policy(Bucket=self.name)["Policy"]
            if _ONLY_TLS in policy and policy.count('"Effect"') == 1:
                self.s3.delete_bucket_policy(Bucket=self.name)

    def keys(self, prefix: str = "") -> set[str]:
        found = self.aws.paginated(
            "s3", "list_objects_v2", "Contents", Bucket=self.name, Prefix=prefix
        )
        return {object_["Key"] for object_ in found}

    def _tls_policy(self) -> Mapping[str, Any]:
        arn = f"arn:{self.aws.partition}:s3:::{self.name}"
        statement = {
            "Sid": _ONLY_TLS,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        return {"Version": "2012-10-17", "Statement": [statement]}


@dataclass(frozen=True)
class Upload:
    """Files of a folder that the bucket does not have yet."""

    bucket: ModelBucket
    files: Sequence[tuple[Path, str]]
    """Files and their keys."""

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path, _ in self.files)

    def run(self, tell: Callable[[int], None]) -> None:
        """Upload the files, large ones in parallel parts.

        ``tell`` gets the bytes of each piece sent.
        """
        # S3 takes 10,000 parts of a file: at 64 MiB enough for 625 GiB.
        config = TransferConfig(max_concurrency=8, multipart_chunksize=64 * 2**20)
        for path, key in self.files:
            self.bucket.s3.upload_file(
                str(path), self.bucket.name, key, Callback=tell, Config=config
            )


def missing_files(bucket: ModelBucket, folder: Path) -> Upload:
    """Collect the files that are missing in the bucket, or have another size there.

    Raises:
        RequirementMissing: there is no such folder, or it is empty.
    """
    if not folder.is_dir():
        raise RequirementMissing(f"{folder}: there is no such folder of checkpoints")
    files = [(path, path.relative_to(folder).as_posix()) for path in _files(folder)]
    if not files:
        raise RequirementMissing(
            f"{folder}: there is nothing in it; it is laid out as Stable-diffusion/, Lora/ …"
        )
    uploaded = {
        object_["Key"]: object_["Size"]
        for object_ in bucket.aws.paginated("s3", "list_objects_v2", "Contents", Bucket=bucket.name)
    }
    missing = [(path, key) for path, key in files if uploaded.get(key) != path.stat().st_size]
    return Upload(bucket, missing)


def model_bucket_prefix(stack: str) -> str:
    """Return the prefix of model bucket names that `deploy` chooses."""
    return f"{stack.lower()}-model-bucket-"


def model_bucket(aws: Aws, settings: Settings) -> ModelBucket | None:
    name = settings.model_bucket
    return ModelBucket(aws, name, settings.stack_name) if name else None


def _files(folder: Path) -> Iterator[Path]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    yield from (path for path in paths if not path.name.startswith("."))
