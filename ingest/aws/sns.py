"""Topic of SNS."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.aws.client import Clients, translated
from models.ports import Topic


@dataclass(frozen=True)
class SnsTopic(Topic):
    """Topic of SNS."""

    clients: Clients
    arn: str

    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        sns = await self.clients.sns()
        with translated("SNS Publish"):
            await sns.publish(
                TopicArn=self.arn,
                Message=message,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
            )
