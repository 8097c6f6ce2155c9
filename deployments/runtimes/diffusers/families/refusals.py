"""Refusals of checkpoints that are not whole: which part, and which of its tensors, is at fault."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from models.errors import TaskFailed

_MOST_NAMES = 3
"""Most names of tensors that a message lists."""

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
"""Shapes of tensors by their names."""


@dataclass(frozen=True)
class Whole:
    """Check of one network of a checkpoint: each of its tensors is there, and nothing else."""

    checkpoint: str
    part: str
    """Words for the network in a message, such as ``the UNet``."""

    def check(self, wanted: Shapes, given: Shapes, leftover: Collection[str] = ()) -> None:
        """Compare the tensors of a network with those that its architecture has.

        ``leftover``: names in the checkpoint that no tensor of the architecture was made of.

        Raises:
            TaskFailed: tensors are missing, have another shape, or are too many.
        """
        self.refuse_missing([name for name in wanted if name not in given], len(wanted))
        self.refuse_leftover([*(name for name in given if name not in wanted), *leftover])
        self.refuse_shapes(
            f"{name} is {_sized(given[name])}, not {_sized(wanted[name])}"
            for name in wanted
            if given[name] != wanted[name]
        )

    def refuse_missing(self, names: Collection[str], count: int) -> None:
        """Refuse a network that lacks some of its ``count`` tensors.

        Raises:
            TaskFailed: there are such names.
        """
        if names:
            self._refuse(f"lacks {len(names)} of its {count} tensors: {_listed(names)}")

    def refuse_leftover(self, names: Collection[str]) -> None:
        """Refuse a network with tensors that its architecture has no place for.

        Raises:
            TaskFailed: there are such names.
        """
        if names:
            self._refuse(f"has {len(names)} tensors that do not belong to it: {_listed(names)}")

    def refuse_shapes(self, wrong: Iterable[str]) -> None:
        """Refuse a network some tensors of which have another shape, as ``wrong`` says of each.

        Raises:
            TaskFailed: there are such tensors.
        """
        if said := list(wrong):
            self._refuse(f"has tensors of another shape: {_listed(said)}")

    def _refuse(self, why: str) -> None:
        raise TaskFailed(f"checkpoint {self.checkpoint} is not whole: {self.part} {why}")


def unreadable(checkpoint: str, part: str, why: str) -> TaskFailed:
    """Make the refusal of a checkpoint that has a broken part."""
    return TaskFailed(f"checkpoint {checkpoint}: {part} cannot be read ({why})")


def refuse_channels(checkpoint: str, channels: int, usual: int) -> None:
    """Refuse a UNet that takes another number of channels than ordinary checkpoints do.

    Raises:
        TaskFailed: it does.
    """
    if channels != usual:
        raise TaskFailed(
            f"checkpoint {checkpoint} has {channels} input channels (made for inpainting "
            f"only?); this runtime inpaints with ordinary checkpoints of {usual}"
        )


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:_MOST_NAMES]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")


def _sized(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "a single number"
