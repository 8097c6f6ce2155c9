"""Topic of SNS."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.aws.client import Clients, publishing
from models.ports import Topic


@dataclass(frozen=True)
class SnsTopic(Topic):
    """Topic of SNS."""

    clients: Clients
    arn: str

    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        parameters = {
            "TopicArn": self.arn,
            "Message": message,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        }
        async with publishing(self.clients.direct("sns"), "SNS Publish") as sns:
            await sns.publish(parameters)
