"""Settings of resources that the emulator's CloudFormation leaves out, made by API calls."""

from collections.abc import Callable, Mapping
from typing import Any

Properties = Mapping[str, Any]
Client = Callable[[str], Any]


def fill(resources: Mapping[str, Mapping[str, Any]], client: Client) -> None:
    """Set expiry, backups and lifecycles; the services check them as they would on AWS."""
    for resource in resources.values():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::DynamoDB::Table":
                _table(client("dynamodb"), properties)
            case "AWS::S3::Bucket":
                _bucket(client("s3"), properties)
            case _:
                pass


def _table(dynamodb: Any, given: Properties) -> None:
    name = given["TableName"]
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification=given["TimeToLiveSpecification"]
    )
    dynamodb.update_continuous_backups(
        TableName=name,
        PointInTimeRecoverySpecification=given["PointInTimeRecoverySpecification"],
    )


def _bucket(s3: Any, given: Properties) -> None:
    if "LifecycleConfiguration" in given:
        rules = [_rule(rule) for rule in given["LifecycleConfiguration"]["Rules"]]
        s3.put_bucket_lifecycle_configuration(
            Bucket=given["BucketName"], LifecycleConfiguration={"Rules": rules}
        )


def _rule(given: Properties) -> dict[str, Any]:
    """Translate a rule to S3's words; unknown ones are passed on, so that S3 refuses them."""
    # CloudFormation has words of its own for what S3's API calls otherwise.
    rest = dict(given)
    rule = {"ID": rest.pop("Id"), "Filter": {"Prefix": rest.pop("Prefix", "")}}
    if days := rest.pop("ExpirationInDays", None):
        rule["Expiration"] = {"Days": days}
    if moves := rest.pop("Transitions", []):
        rule["Transitions"] = [
            {"Days": move["TransitionInDays"], "StorageClass": move["StorageClass"]}
            for move in moves
        ]
    return rule | rest
