"""Chart of scenarios over time: what waits, replicas and nodes, and how long each task took."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.scaling.scenarios import Outcome

_INCHES = (11.0, 7.0)
_DPI = 110


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Draw the scenarios one after the other, in seconds since the first began."""
    # Not by pyplot, which would look for a display and keep the figure.
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    backlog, fleet, latency = figure.subplots(3, sharex=True, height_ratios=(2, 3, 2))
    zero = outcomes[0].samples[0].at
    for number, outcome in enumerate(outcomes):
        at = [sample.at - zero for sample in outcome.samples]
        names = number == 0  # else each line would stand in the legend once a scenario
        _fleet(fleet, at, outcome, named=names)
        backlog.fill_between(at, [one.backlog for one in outcome.samples], step="post", color="C7")
        backlog.text(at[0], 1.04, outcome.name, transform=backlog.get_xaxis_transform())
        latency.plot(
            [one.at - zero for one in outcome.told],
            [one.at - outcome.published[one.task] for one in outcome.told],
            ".",
            color="C3",
        )
        for axes in (backlog, fleet, latency):
            axes.axvline(at[0], color="0.6", linewidth=0.8)
    backlog.set(ylabel="tasks not done")
    fleet.set(ylabel="replicas, nodes")
    fleet.yaxis.get_major_locator().set_params(integer=True)
    latency.set(ylabel="latency of a task, s", xlabel="s", ylim=(0, None))
    fleet.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)
    # Without matplotlib's version in it, the same chart is the same file.
    figure.savefig(path, metadata={"Software": None})


def _fleet(axes: Axes, at: Sequence[float], outcome: Outcome, *, named: bool) -> None:
    samples = outcome.samples
    nodes = {
        "Spot nodes": [one.spot for one in samples],
        "on-demand nodes": [one.on_demand for one in samples],
    }
    labels = list(nodes) if named else ()
    axes.stackplot(at, *nodes.values(), step="post", colors=("#bcd9ee", "#f3cfa5"), labels=labels)
    lines = {
        "wanted": ("C0", "--", [one.wanted for one in samples]),
        "running": ("C2", "-", [one.running for one in samples]),
    }
    for name, (colour, style, values) in lines.items():
        label = name if named else None
        axes.step(at, values, style, where="post", color=colour, label=label)
