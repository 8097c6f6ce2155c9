"""Rules between groups of settings: what AWS would refuse in mid-deployment, or alarm about."""

from collections import Counter
from typing import TYPE_CHECKING

from models.addons import NEWEST_FOR_KARPENTER
from models.names.queues import queue_names

if TYPE_CHECKING:
    from models.settings import Settings

_SPOT_DRAIN_SECONDS = 75
"""Seconds for a drain, of the two minutes from AWS's notice to the end; the rest is Ray's and
Kubernetes's."""

_LONGEST_BUCKET = 63
_LONGEST_QUEUE = 80


def refuse_contradictions(settings: "Settings") -> None:
    """Refuse settings that contradict each other between groups.

    Pods check theirs as well, which have defaults for what is not served: what is looked at here
    is served, or right by default beside anything (`cdk.manifests.serve_config`).

    Raises:
        ValueError: what is, by its keys.
    """
    _drained_in_time(settings)
    _buckets(settings)
    _queues(settings)
    _front(settings)
    _volume_key(settings)
    _kubernetes(settings)
    # A single task that takes its full time would look like replicas that all hang.
    if settings.alarms.starved_minutes * 60 <= settings.tasks.deadline_seconds:
        raise ValueError("alarms.starvedMinutes must be longer than tasks.deadlineSeconds")


def _drained_in_time(settings: "Settings") -> None:
    if settings.tasks.drain_seconds <= _SPOT_DRAIN_SECONDS:
        return
    spot = [each.name for each in settings.models_runtime if "spot" in each.nodes.capacity]
    if spot:
        raise ValueError(
            f"tasks.drainSeconds: at most {_SPOT_DRAIN_SECONDS} where a runtime runs on Spot"
            f" ({', '.join(spot)}), or its nodes.capacity must be [on-demand]"
        )


def _buckets(settings: "Settings") -> None:
    if settings.storage.create_model_bucket and settings.model_bucket is None:
        raise ValueError("storage.createModelBucket: modelBucketArn must name the bucket to make")
    for bucket in (settings.names.output_bucket, settings.names.access_logs_bucket):
        if len(bucket) > _LONGEST_BUCKET:
            raise ValueError(f"stackName: too long, S3 takes no bucket of {len(bucket)} letters")


def _queues(settings: "Settings") -> None:
    for name, times in Counter(
        queue_names(settings.names, settings.models_runtime, settings.tasks, settings.model_bucket)
    ).items():
        if times > 1:
            raise ValueError(f"modelsRuntime[].name: two queues would be named {name}")
        if len(name) > _LONGEST_QUEUE:
            raise ValueError(
                f"stackName and modelsRuntime[].name: too long, SQS takes no queue named {name}"
            )


def _front(settings: "Settings") -> None:
    if settings.front.enabled and settings.aws.partition == "aws-cn":
        raise ValueError("front.enabled: CloudFront in China reaches into no private network")
    certificate, region = settings.front.listener_certificate_arn, settings.aws.region
    if certificate and f":acm:{region}:" not in certificate:
        raise ValueError(f"front.listenerCertificateArn must be of aws.region, {region}")


def _volume_key(settings: "Settings") -> None:
    key, region = settings.cluster.volume_key_arn, settings.aws.region
    right = f"arn:{settings.aws.partition}:kms:{region}:"
    if key and not key.startswith(right):
        raise ValueError(f"cluster.volumeKeyArn must be of aws.region, {region}: {right}…")


def _kubernetes(settings: "Settings") -> None:
    if settings.cluster.version > NEWEST_FOR_KARPENTER:  # both of two digits
        raise ValueError(
            f"cluster.version: at most {NEWEST_FOR_KARPENTER}, the newest that Karpenter supports"
        )
