"""Events of a task, as models of `models.native`."""

from collections.abc import Mapping

from httpx_sse import ServerSentEvent

from atelier.errors import Misaddressed, read
from models.native import ArtifactView, PreviewEvent, ProgressView, StatusEvent, TaskView

Event = StatusEvent | ProgressView | PreviewEvent | ArtifactView | TaskView
"""Event of a task; the last one is the ended task's `TaskView`."""

_MODELS: Mapping[str, type[Event]] = {
    "status": StatusEvent,
    "progress": ProgressView,
    "preview": PreviewEvent,
    "artifact": ArtifactView,
    "end": TaskView,
}
_NAMES = {model: name for name, model in _MODELS.items()}


def name_of(event: Event) -> str:
    """Return an event's name on the wire, such as ``progress``."""
    return _NAMES[type(event)]


def event_of(sent: ServerSentEvent) -> Event | None:
    """Read a server-sent event; return None for one that only a newer platform knows.

    Raises:
        Misaddressed: its data is something else.
    """
    model = _MODELS.get(sent.event)
    if model is None:
        return None
    try:
        return read(model, sent.data)
    except ValueError:
        raise Misaddressed(f"the data of an event {sent.event!r} is no {model.__name__}") from None
