"""API keys in the ledger's table: one row of digests that `atelier keys` writes from outside."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.aws.client import Clients, calling
from ingest.aws.row import key_of
from models.names.table import KEYS_DOCUMENT, KEYS_ROW
from models.ports import KeyStore
from models.settings.api_keys import ApiKey, stored_keys
from models.yaml_text import yaml_document


@dataclass(frozen=True, kw_only=True)
class DynamoKeys(KeyStore):
    """Store in a row without a status, which no ledger takes for a report."""

    clients: Clients
    table: str

    async def read(self) -> Sequence[ApiKey]:
        async with calling(self.clients.dynamodb(), "DynamoDB GetItem") as dynamodb:
            answer = await dynamodb.get_item(
                TableName=self.table, Key=key_of(*KEYS_ROW), ConsistentRead=True
            )
            text = answer.get("Item", {}).get(KEYS_DOCUMENT, {}).get("S", "{}")
        name = f"the row {KEYS_ROW[0]} of table {self.table}"
        return stored_keys(yaml_document(text, name), name)
