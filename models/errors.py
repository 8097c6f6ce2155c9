"""Errors of the platform; a class's docstring is its message where none is given.

AtelierError
├── SettingsError           the configuration is wrong
├── Unavailable             a part we depend on did not answer; wait and try again
│   └── PublicationRefused  for good: another try would be refused, too
├── WeightsError            a file of weights was not read, written or found
│   ├── WeightsChanged      it is no longer the version that was asked for
│   ├── WeightsDamaged      its bytes are not those of its checksum
│   ├── NameRefused         the name leads outside, or means several files
│   └── NameTaken           another file has the name, and was not to be replaced
├── HeldElsewhere           handed back, until whoever has the task is done with it
└── TaskError
    ├── InvalidTask         dead-lettered, or refused at the door
    ├── TaskFailed          reported at once, never retried
    │   ├── InputRefused    a link was not fetched
    │   └── TaskExpired     its ttl or deadline is over
    └── RuntimeUnavailable  handed back and tried again
        └── PlaceGone       handed back at once, for nothing is at fault
"""

import re
from typing import Any

# Takes "<_io.BytesIO object at 0x7f…>" with the blank before it; the address tells nobody anything.
_OBJECT = re.compile(r" ?<[\w.]+(?: object)? at 0x[0-9a-fA-F]+>")
"""Object as Python prints it, which libraries put into their messages."""


class AtelierError(Exception):
    """Something in the platform went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(_OBJECT.sub("", message or type(self).__doc__ or ""))


class SettingsError(AtelierError):
    """The configuration is wrong."""


class Unavailable(AtelierError):
    """A service that the platform stands on did not answer."""


class PublicationRefused(Unavailable):
    """A topic or a queue refused a message, and would refuse it again."""


class WeightsError(AtelierError):
    """A file of weights could not be read, written or found."""


class WeightsChanged(WeightsError):
    """The file has changed since it was looked up."""


class WeightsDamaged(WeightsError):
    """The bytes are not those that the checksum is of."""


class NameRefused(WeightsError):
    """The name leads out of the store, or means several files."""


class NameTaken(WeightsError):
    """Another file has the name."""


class HeldElsewhere(AtelierError):
    """Another delivery of the task is worked on."""


class TaskError(AtelierError):
    """A task could not be brought to its end."""


class InvalidTask(TaskError):
    """The message is not a task."""


class TaskFailed(TaskError):
    """The runtime refused the task; trying again would end the same way."""

    def __init__(self, message: str | None = None, *, reason: Any = None) -> None:
        super().__init__(message)
        self.reason = reason
        """Answer of the runtime (any JSON), for the task's ``.out``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _failed_again, (type(self), str(self), self.reason)


class InputRefused(TaskFailed):
    """A link in the task was not fetched."""


class TaskExpired(TaskFailed):
    """The task's time is over."""


class RuntimeUnavailable(TaskError):
    """The runtime did not answer; another try may find it."""


class PlaceGone(RuntimeUnavailable):
    """The task was at a replica or an ingest that goes away, and is to start elsewhere at once."""


def _failed_again(kind: type[TaskFailed], message: str, reason: Any) -> TaskFailed:
    return kind(message, reason=reason)
