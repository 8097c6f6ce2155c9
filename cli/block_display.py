"""Base of displays that are drawn while a block of code runs."""

from types import TracebackType
from typing import Self


class BlockDisplay:
    """Display from entering a block to leaving it; by default nothing is drawn."""

    def start(self) -> None:
        """Begin to draw."""

    def stop(self) -> None:
        """Leave what was drawn as it is."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
