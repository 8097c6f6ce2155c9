"""Bar chart of monthly costs by part; needs matplotlib, an optional dependency."""

from collections.abc import Sequence
from pathlib import Path

from atelier import Misused
from cli.cost.comparison import Estimate
from cli.cost.usage_lines import Part, cents

_INCHES = (9.0, 4.8)
_DPI = 120


def draw(estimates: Sequence[Estimate], title: str, path: Path) -> None:
    """Draw a stacked bar for each estimate, in the format of the file's suffix.

    Raises:
        Misused: matplotlib is not installed, or does not know the format.
    """
    try:
        from matplotlib import colormaps  # noqa: PLC0415 - it is an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        raise Misused("--chart needs matplotlib: pip install 'atelier[charts]'") from None
    # Not by pyplot, which would look for a display and keep the figure.
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    names = [f"{estimate.name}\n${cents(estimate.total)}" for estimate in estimates]
    left = [0.0] * len(names)
    for part, colour in zip(Part, colormaps["tab20"].colors, strict=False):  # type: ignore[attr-defined]
        widths = [float(estimate.parts.get(part, 0)) for estimate in estimates]
        if any(widths):
            axes.barh(names, widths, left=left, color=colour, label=part.value)
            left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="USD a month", title=title)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    try:
        # Without matplotlib's version in it, the same chart is the same file.
        figure.savefig(path, metadata={"Software": None} if path.suffix == ".png" else None)
    except ValueError as exc:
        raise Misused(f"--chart {path}: {exc}") from None
