"""Rules of the fault proxy: which fault a call meets, by its service, operation and a rate."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from bench.chaos.calls import AwsCall


class ProxyFault(StrEnum):
    """Fault of a call, between the platform and AWS."""

    REQUEST_LOST = "request lost"
    """The connection ends before the request reaches AWS."""
    ANSWER_LOST = "answer lost"
    """AWS has done what it was asked for, and the connection ends before the answer."""
    DELAYED = "delayed"
    CUT = "cut"
    """The answer ends in the middle of its body."""
    GARBLED = "garbled"
    """The answer's body is noise, of the length that its head says."""
    THROTTLED = "throttled"
    """The call is refused by the service's own error for too many calls."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Share of some calls that meets a fault."""

    fault: ProxyFault
    rate: float = 1
    """Share of the calls, from 0 to 1."""
    services: tuple[str, ...] = ()
    """Services whose calls are meant; empty: all."""
    operations: tuple[str, ...] = ()
    """Operations that are meant; empty: all."""
    seconds: float = 0
    """Longest delay."""

    def is_about(self, call: AwsCall) -> bool:
        if self.fault is ProxyFault.GARBLED and call.operation == "GetObject":
            # Nobody can tell noise from a picture: what guards an object's bytes is TLS.
            return False
        return (not self.services or call.service in self.services) and (
            not self.operations or call.operation in self.operations
        )


def fault_of(call: AwsCall, rules: Iterable[Rule], random: Random) -> Rule | None:
    """Draw which rule a call meets: the first one that is about it and comes up; None: no one."""
    return next(
        (rule for rule in rules if rule.is_about(call) and random.random() < rule.rate), None
    )
