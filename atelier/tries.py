"""When to try again, and when to give up."""

import random
import time
from dataclasses import dataclass, field

from atelier.channel import Channel
from atelier.errors import Unreachable
from models.backoff import Backoff

_BACKOFF = Backoff(first=0.5, longest=8)


@dataclass
class Tries:
    """The tries of one call, the first included."""

    channel: Channel
    most: int
    until: float
    """The deadline of all of them, by `time.monotonic`."""
    made: int = field(default=0, init=False)

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()

    async def again(self, why: Unreachable) -> None:
        """Pause before the next try; raise why the last one failed if there is to be none."""
        self.made += 1
        # Jitter: everybody who was refused at that moment was told the same time.
        pause = why.retry_after + _BACKOFF.pause(self.made) * random.uniform(0.5, 1)
        if not why.passing or self.made >= self.most or pause > self.left:
            raise why
        await self.channel.sleep(pause)
