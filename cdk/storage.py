"""Ledger's table and buckets, and grants on them.

S3 answers a read of a missing object with 404 only to those that may list the bucket, and with 403
to others: whoever reads what a task names may list, so that "missing" is told from "refused".
"""

from typing import cast

from aws_cdk import Duration, RemovalPolicy, Stack, Tags
from aws_cdk.aws_dynamodb import (
    Attribute,
    AttributeType,
    BillingMode,
    PointInTimeRecoverySpecification,
    Table,
    TableEncryption,
)
from aws_cdk.aws_iam import AnyPrincipal, Effect, IRole, PolicyDocument, PolicyStatement
from aws_cdk.aws_s3 import (
    BlockPublicAccess,
    Bucket,
    BucketEncryption,
    CfnBucket,
    IBucket,
    LifecycleRule,
    ObjectOwnership,
    StorageClass,
    Transition,
)
from constructs import Construct

from cdk.grants import grant
from cdk.nag import acknowledge
from models.names import table
from models.names.queues import LONGEST_DAYS
from models.names.tags import TAG
from models.settings import Settings, cloud

_PAYLOADS = "payloads/"
_LOG_DAYS = 90
_UPLOAD_LIFETIME = Duration.days(7)  # parts of a broken one cost, and no listing shows them


class Storage(Construct):
    """Table and buckets, which stay when the stack goes."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings) -> None:
        super().__init__(scope, name)
        self._settings = settings
        # CDK's feature flag: without it an ACL admits the logs, and new buckets refuse ACLs.
        self.node.set_context("@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy", value=True)
        self.ledger = self._ledger()
        self.logs = self._bucket(
            "Logs", settings.names.access_logs_bucket, rules=[_expiry(_LOG_DAYS)]
        )
        self.outputs = self._bucket(
            "Outputs", settings.names.output_bucket, self.logs, rules=_lifecycle(settings.storage)
        )
        self.checkpoints = self._checkpoints()
        """Model bucket; `None` where runtimes have their weights on volumes of their own."""
        self._readable = [self._readable_bucket(name) for name in sorted(settings.readable_buckets)]

    def grant_ledger_access(self, grantee: IRole) -> None:
        """Grant reading and changing tasks and claims, and querying tasks by the indexes."""
        rows = ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"]
        grant(grantee, [f"dynamodb:{each}" for each in rows], [self.ledger.table_arn])
        indexes = [f"{self.ledger.table_arn}/index/{name}" for name in table.INDEXES]
        grant(grantee, ["dynamodb:Query"], indexes)

    def grant_payload_writes(self, grantee: IRole) -> None:
        """Grant storing a task that is too large for a message, and withdrawing it."""
        _grant_objects(grantee, ["s3:PutObject", "s3:DeleteObject"], self.outputs, _PAYLOADS)

    def grant_artifact_reads(self, grantee: IRole) -> None:
        """Grant presigning links to artifacts, telling missing ones, and listing checkpoints."""
        _grant_objects(grantee, ["s3:GetObject"], self.outputs)
        _grant_listing(grantee, self.outputs)
        if self.checkpoints is not None:
            _grant_listing(grantee, self.checkpoints)

    def grant_payload_reads_and_report_writes(self, grantee: IRole) -> None:
        """Grant fetching tasks too large for a message, and storing the reports of failed ones.

        With it comes removing what the runs of cancelled ones have stored.
        """
        _grant_objects(grantee, ["s3:GetObject"], self.outputs, _PAYLOADS)
        _grant_objects(grantee, ["s3:PutObject", "s3:DeleteObject"], self.outputs)
        _grant_listing(grantee, self.outputs)

    def grant_input_reads_and_artifact_writes(self, grantee: IRole) -> None:
        """Grant fetching what a task's links may name, and storing artifacts."""
        _grant_objects(grantee, ["s3:PutObject"], self.outputs)
        for bucket in self._readable:
            _grant_objects(grantee, ["s3:GetObject"], bucket)
            _grant_listing(grantee, bucket)
        self._grant_checkpoint_decryption(grantee)

    def grant_checkpoint_reads(self, grantee: IRole) -> None:
        """Grant reading all weights, and changing none."""
        if self.checkpoints is not None:
            _grant_objects(grantee, ["s3:GetObject"], self.checkpoints)
            _grant_listing(grantee, self.checkpoints)
        self._grant_checkpoint_decryption(grantee)

    def _grant_checkpoint_decryption(self, grantee: IRole) -> None:
        key = self._settings.storage.model_bucket_key_arn
        if key is not None:
            grant(grantee, ["kms:Decrypt"], [key])

    def _ledger(self) -> Table:
        name = self._settings.names.ledger
        # Written out: a policy of the table's own that refers to the table would be a circle.
        arn = Stack.of(self).format_arn(service="dynamodb", resource="table", resource_name=name)
        ledger = Table(
            self,
            "Ledger",
            table_name=name,
            partition_key=_attribute(table.KEY[0]),
            sort_key=_attribute(table.KEY[1]),
            billing_mode=BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=table.EXPIRES,
            encryption=TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
            resource_policy=PolicyDocument(statements=[_only_tls([arn, f"{arn}/index/*"])]),
        )
        for index, partition in table.INDEXES.items():
            ledger.add_global_secondary_index(
                index_name=index,
                partition_keys=[_attribute(each) for each in partition],
                sort_keys=[_attribute(each) for each in table.INDEX_ORDER],
            )
        return ledger

    def _bucket(
        self, noun: str, name: str, logs: IBucket | None = None, *, rules: list[LifecycleRule]
    ) -> Bucket:
        return Bucket(
            self,
            noun,
            bucket_name=name,
            encryption=BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            object_ownership=ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=rules,
            server_access_logs_bucket=logs,
            server_access_logs_prefix=f"{noun.lower()}/" if logs else None,
        )

    def _checkpoints(self) -> IBucket | None:
        name = self._settings.model_bucket
        if name is None:
            return None
        if not self._settings.storage.create_model_bucket:
            return Bucket.from_bucket_name(self, "Checkpoints", name)
        bucket = self._bucket("Checkpoints", name, self.logs, rules=[_expiry()])
        Tags.of(bucket).add(TAG, self._settings.stack_name)  # ours still, once the stack let it go
        # By the L1 construct: the L2 makes a Lambda function that may configure all buckets.
        cfn_bucket = cast("CfnBucket", bucket.node.default_child)
        cfn_bucket.notification_configuration = CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        return bucket

    def _readable_bucket(self, name: str) -> IBucket:
        """Return a bucket that links may name; one of somebody else's has to admit the role."""
        own = {
            self._settings.names.output_bucket: self.outputs,
            self._settings.model_bucket: self.checkpoints,
        }
        return own.get(name) or Bucket.from_bucket_name(self, f"Readable-{name}", name)


def _attribute(name: str) -> Attribute:
    kind = AttributeType.NUMBER if name in table.NUMBERS else AttributeType.STRING
    return Attribute(name=name, type=kind)


def _only_tls(resources: list[str]) -> PolicyStatement:
    return PolicyStatement(
        sid="OnlyTls",
        effect=Effect.DENY,
        principals=[AnyPrincipal()],
        actions=["dynamodb:*"],
        resources=resources,
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )


def _lifecycle(storage: cloud.Storage) -> list[LifecycleRule]:
    days, infrequent = storage.output_days, storage.infrequent_days
    seldom = infrequent and Transition(
        storage_class=StorageClass.INFREQUENT_ACCESS, transition_after=Duration.days(infrequent)
    )
    pictures = LifecycleRule(
        id="pictures",
        expiration=Duration.days(days) if days else None,
        transitions=[seldom] if seldom else None,
        abort_incomplete_multipart_upload_after=_UPLOAD_LIFETIME,
    )
    # A payload is needed as long as its message may lie in a queue, and then in dead letters.
    payloads = LifecycleRule(
        id="payloads", prefix=_PAYLOADS, expiration=Duration.days(2 * LONGEST_DAYS)
    )
    return [pictures, payloads]


def _expiry(days: int | None = None) -> LifecycleRule:
    return LifecycleRule(
        id="tidied",
        expiration=Duration.days(days) if days else None,
        abort_incomplete_multipart_upload_after=_UPLOAD_LIFETIME,
    )


def _grant_listing(grantee: IRole, bucket: IBucket) -> None:
    grant(grantee, ["s3:ListBucket"], [bucket.bucket_arn])


def _grant_objects(grantee: IRole, actions: list[str], bucket: IBucket, prefix: str = "") -> None:
    grant(grantee, actions, [bucket.arn_for_objects(f"{prefix}*")])
    cfn_bucket = bucket.node.default_child
    # cdk-nag reports a bucket of the stack by its logical id, and one from outside by its name.
    own_arn = (
        isinstance(cfn_bucket, CfnBucket) and f"<{Stack.of(bucket).get_logical_id(cfn_bucket)}.Arn>"
    )
    arn = own_arn or f"arn:<AWS::Partition>:s3:::{bucket.bucket_name}"
    why = "Objects of one bucket: they come and go, and no policy can name them."
    acknowledge(grantee, f"IAM5[Resource::{arn}/{prefix}*]", why)
