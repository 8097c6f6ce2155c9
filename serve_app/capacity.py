"""Capacity of one replica of the ingress, and the share of it that each client may take."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from models.settings.limits import Limits
from serve_app.body import Bodies
from serve_app.slots import Slots
from serve_app.wrong_key_throttle import WrongKeyThrottle


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Slots of this process; with several replicas, a client may have as many in each."""

    streams: Slots
    waits: Slots
    bodies: Bodies
    wrong_keys: WrongKeyThrottle

    @classmethod
    def of(cls, limits: Limits, clock: Callable[[], float] = time.monotonic) -> "Capacity":
        """Make the slots that the settings' limits give."""
        streams, waits = limits.streams, limits.waits
        return cls(
            streams=Slots("streams of events", per_key=streams.per_key, in_all=streams.in_all),
            waits=Slots("submissions that wait", per_key=waits.per_key, in_all=waits.in_all),
            bodies=Bodies(limits.bodies),
            wrong_keys=WrongKeyThrottle(limits.wrong_keys, clock),
        )
