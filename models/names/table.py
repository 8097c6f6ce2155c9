"""Keys and indexes of the ledger's table, made by infrastructure and read by the ledger."""

KEY = ("id", "submission")
"""Partition and sort key."""
INDEX = "by-runtime-and-status"
INDEX_PARTITION = ("runtime", "status")
# Moments may be equal; with id and submission each row has one place, where a page can go on.
INDEX_ORDER = ("created", "id", "submission")
KEY_INDEX = "by-key"
"""Name of the index of the tasks of each API key, in the order of `INDEX_ORDER`."""
KEY_INDEX_PARTITION = ("key",)
INDEXES = {INDEX: INDEX_PARTITION, KEY_INDEX: KEY_INDEX_PARTITION}
"""Attributes that partition each index, by its name; all indexes have whole rows."""
NUMBERS = frozenset({"created"})
"""Attributes of the keys that are numbers; the others are strings."""
KEYS_ROW = ("api-keys", "#api-keys")
"""Key of the row with the API keys that `atelier keys` makes; no task's submission has a ``#``."""
KEYS_DOCUMENT = "keys"
"""Attribute with the API keys as JSON text, digests only."""
KEYS_VERSION = "version"
"""Attribute that counts the document's changes: a writer names the count that was read."""
EXPIRES = "expires"
"""Attribute with the moment from which a row may go, in seconds since 1970."""
