"""Ports in the memory of one process, for tests and for what keeps nothing.

They behave as the ports on AWS do (the same contract tests run over both), but know no network.
"""

from ingest.memory.claims import MemoryClaims
from ingest.memory.fleet import MemoryFleetStore
from ingest.memory.keys import MemoryKeys
from ingest.memory.ledger import MemoryLedger
from ingest.memory.objects import MemoryObjects
from ingest.memory.queue import DeadLetter, MemoryQueue
from ingest.memory.topic import MemoryTopic, Published

__all__ = [
    "DeadLetter",
    "MemoryClaims",
    "MemoryFleetStore",
    "MemoryKeys",
    "MemoryLedger",
    "MemoryObjects",
    "MemoryQueue",
    "MemoryTopic",
    "Published",
]
