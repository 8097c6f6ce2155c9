"""Tries of a call: when to make another, and when to give up."""

import random
import time
from dataclasses import dataclass, field

from atelier.channel import Channel
from atelier.errors import Unreachable
from models.backoff import Backoff

_BACKOFF = Backoff(first=0.5, longest=8)


@dataclass
class Tries:
    """Tries of one call, the first included."""

    channel: Channel
    most: int
    """Most tries in all."""
    until: float
    """Deadline of all tries, by `time.monotonic`."""
    made: int = field(default=0, init=False)
    """Count of tries that failed."""

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.until - time.monotonic()

    async def again(self, why: Unreachable) -> None:
        """Pause before the next try, for at least as long as ``Retry-After`` said.

        Raises:
            Unreachable: ``why``, if another try cannot help, or there is no try or no time left.
        """
        self.made += 1
        # Jitter: everybody who was refused at that moment was told the same time.
        pause = why.retry_after + _BACKOFF.pause(self.made) * random.uniform(0.5, 1)
        # No pause that ends after the deadline is begun: the caller hears of it now.
        if not why.passing or self.made >= self.most or pause > self.left:
            raise why
        await self.channel.sleep(pause)
