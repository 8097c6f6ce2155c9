"""Events of submissions: what their followers are told, and what one who comes late begins with."""

from dataclasses import dataclass

from models.report import Progress, Report, Stage

Update = Report | Stage | Progress
"""News of a submission: a report when its status changes, stage and progress while it runs."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """An update of a submission, numbered among all that one board published."""

    submission: str
    boot: str
    """Random id of the board that published it; the numbers of another board start again at 1."""
    number: int
    """Position among all events of the board, from 1."""
    update: Update


class Snapshot:
    """Newest state of a submission: its reports, the newest stage, progress and preview."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}
        """Events by the slot that they fill, the newest last; one may fill two slots."""

    def add(self, event: Event) -> None:
        """Take in an event; an older stage, progress or preview makes way for it."""
        slots = _slots(event)
        # A stage is one of a run: a report that another began, or none, ends it.
        outdated = (*slots, "stage") if isinstance(event.update, Report) else slots
        for slot in outdated:
            self._events.pop(slot, None)
        for slot in slots:
            self._events[slot] = event

    def drop_preview(self) -> None:
        """Forget the newest preview, which is most of what a snapshot weighs."""
        self._events.pop("preview", None)

    def since(self, number: int) -> list[Event]:
        """Events with a higher number, each once, oldest first."""
        events = {event.number: event for event in self._events.values() if event.number > number}
        return [event for _, event in sorted(events.items())]


def _slots(event: Event) -> tuple[str, ...]:
    match event.update:
        case Report():
            # Every report is a change of status, and stays; of progress only the newest counts.
            return (f"report {event.number}",)
        case Stage():
            return ("stage",)
        case Progress(preview=None):
            # Most progress comes without a picture; then the last one is still the newest.
            return ("progress",)
        case Progress():
            return ("progress", "preview")
