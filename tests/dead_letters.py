"""Dead letters over queues in memory, for worlds of tests."""

from collections.abc import Mapping

from ingest.dead_letters import DeadLetters
from ingest.letter import DeadLetterQueue
from ingest.memory import MemoryQueue, MemoryTopic
from models.ledger import Ledger
from models.ports import Topic


def dead_letters(
    queues: Mapping[str, MemoryQueue], calls: MemoryQueue, unrouted: MemoryQueue, ledger: Ledger
) -> DeadLetters:
    """Make the work on the dead letters of runtimes' queues, of calls, and of what is unrouted."""
    sources = {name: leading_to(queue) for name, queue in queues.items()}
    made = [
        *(
            DeadLetterQueue(
                name=name,
                letters=queue.letters,
                source=sources[name],
                usual_reason="received too often",
            )
            for name, queue in queues.items()
        ),
        DeadLetterQueue(
            name="results-callbacks",
            letters=calls.letters,
            source=leading_to(calls),
            usual_reason="received too often",
            of_calls=True,
        ),
        DeadLetterQueue(
            name="tasks-unrouted", letters=unrouted, source=None, usual_reason="no runtime takes it"
        ),
    ]
    return DeadLetters(queues={each.name: each for each in made}, sources=sources, ledger=ledger)


def leading_to(queue: MemoryQueue) -> Topic:
    topic = MemoryTopic()
    topic.subscribe(queue, raw=True)
    return topic
