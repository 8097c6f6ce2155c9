"""Results of a run: artifacts, the answer, and how long each stage took."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.adapter import Answer, Artifact
from models import strict_json
from models.task import Task


@dataclass
class Results:
    """Results of a task so far, and the seconds that each stage took."""

    task: Task
    artifacts: list[Artifact] = field(default_factory=list)
    answer: Any = None
    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)

    def keep(self, step: Artifact | Answer) -> None:
        match step:
            case Artifact():
                self.artifacts.append(step)
            case Answer():
                self.answer = step.body

    def end_stage(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._since, 4)
        self._since = now

    def rendered(self, uris: Sequence[str]) -> bytes:
        """Write the answer as JSON, each artifact in it as its URI."""
        # By identity: two pictures of the same bytes are two artifacts, each with a URI of its own.
        uri_of = {id(each): uri for each, uri in zip(self.artifacts, uris, strict=True)}

        def uri(value: Any) -> str:
            if isinstance(value, Artifact):
                return uri_of[id(value)]
            raise TypeError(f"the runtime's answer holds a {type(value).__name__}")

        return strict_json.written(self.answer, default=uri).encode()
