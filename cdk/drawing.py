"""Draws `docs/architecture.svg` from what stands here: `python -m cdk.drawing`.

A test holds the picture to this file, and the kinds of resources to the synthesized stack.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

PICTURE = Path(__file__).parents[1] / "docs" / "architecture.svg"

_WIDTH, _HEIGHT = 176, 62
_STEP_X, _STEP_Y = 236, 116
_LEFT, _TOP = 34, 58
_COLOURS = {
    "out": "#6b7280",
    "in": "#2563eb",
    "mid": "#b45309",
    "run": "#047857",
    "kept": "#7c3aed",
}

_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" font-family="Helvetica, sans-serif">"""
_MARKER = """\
<marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0L8 4L0 8z" fill="#374151"/></marker>"""


@dataclass(frozen=True)
class Box:
    """One part; its place counts columns and rows."""

    name: str
    title: str
    about: str
    column: int
    row: int
    colour: str
    kinds: tuple[str, ...] = ()
    """CloudFormation's types that it is made of."""

    @property
    def x(self) -> float:
        return _LEFT + self.column * _STEP_X

    @property
    def y(self) -> float:
        return _TOP + self.row * _STEP_Y


BOXES = (
    Box("clients", "Clients", "POST, x-api-key", 0, 0, "out"),
    Box("publishers", "SNS publishers", "attribute: runtime", 0, 1, "out"),
    Box("people", "Browsers", "sign-in optional", 0, 2, "out"),
    Box("gateway", "API Gateway", "keys, throttle", 1, 0, "in", ("AWS::ApiGateway::RestApi",)),
    Box("edge", "Lambda: the edge", "the same front", 2, 0, "in", ("AWS::Lambda::Function",)),
    Box("tasks", "Tasks topic", "filters by runtime", 2, 1, "mid", ("AWS::SNS::Topic",)),
    Box(
        "cdn",
        "CloudFront, ALB",
        "internal; optional",
        1,
        2,
        "in",
        ("AWS::CloudFront::Distribution", "AWS::ElasticLoadBalancingV2::LoadBalancer"),
    ),
    Box("front", "Serve: HTTP front", "on the Ray head's proxy", 2, 2, "in"),
    Box("ledger", "Ledger", "DynamoDB: the truth", 3, 0, "kept", ("AWS::DynamoDB::Table",)),
    Box("queues", "Queue per runtime", "with dead letters", 3, 1, "mid", ("AWS::SQS::Queue",)),
    Box("ingest", "Ingest", "CPU workers; leases", 4, 1, "run", ("AWS::EKS::Cluster",)),
    Box("results", "Results topic", "notifications", 4, 0, "mid", ("AWS::SNS::Topic",)),
    Box("replicas", "Replicas", "GPU nodes, Spot first, 0…n", 4, 2, "run", ("AWS::EKS::Cluster",)),
    Box("karpenter", "Karpenter", "starts and ends nodes", 3, 2, "run", ("AWS::Events::Rule",)),
    Box("outputs", "Output bucket", "pictures, .out", 5, 1, "kept", ("AWS::S3::Bucket",)),
    Box("weights", "Model bucket", "mounted, read-only", 5, 2, "kept", ("AWS::S3::Bucket",)),
)
ARROWS = (
    ("clients", "gateway"),
    ("gateway", "edge"),
    ("edge", "tasks"),
    ("edge", "ledger"),
    ("publishers", "tasks"),
    ("people", "cdn"),
    ("cdn", "front"),
    ("front", "tasks"),
    ("tasks", "queues"),
    ("queues", "ingest"),
    ("ingest", "ledger"),
    ("ingest", "results"),
    ("ingest", "replicas"),
    ("karpenter", "replicas"),
    ("replicas", "outputs"),
    ("weights", "replicas"),
)


def drawn() -> str:
    """The picture as SVG."""
    width = _LEFT * 2 + 5 * _STEP_X + _WIDTH
    height = _TOP + 2 * _STEP_Y + _HEIGHT + 30
    parts = [
        _HEAD.format(width, height),
        _MARKER,
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="32" font-size="18" font-weight="bold">atelier on AWS</text>',
        *_arrows(),
        *(line for box in BOXES for line in _box(box)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _arrows() -> Iterator[str]:
    boxes = {box.name: box for box in BOXES}
    for start, end in ARROWS:
        (x1, y1), (x2, y2) = _ends(boxes[start], boxes[end])
        yield (
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"'
            ' stroke="#374151" stroke-width="1.5" marker-end="url(#end)"/>'
        )


def _ends(start: Box, end: Box) -> tuple[tuple[float, float], tuple[float, float]]:
    """From side to side; within a column from edge to edge."""
    middle = _HEIGHT / 2
    if start.column == end.column:
        down = start.row < end.row
        x = start.x + _WIDTH / 2
        return (x, start.y + _HEIGHT * down), (x, end.y + _HEIGHT * (not down))
    right = start.column < end.column
    return (
        (start.x + _WIDTH * right, start.y + middle),
        (end.x + _WIDTH * (not right), end.y + middle),
    )


def _box(box: Box) -> Iterator[str]:
    colour, x = _COLOURS[box.colour], box.x + _WIDTH / 2
    yield (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"'
        f' fill="#ffffff" stroke="{colour}" stroke-width="2"/>'
    )
    text = '<text x="{}" y="{}" text-anchor="middle" font-size="{}" fill="{}">{}</text>'
    yield text.format(f"{x:g}", f"{box.y + 27:g}", 15, colour, escape(box.title))
    yield text.format(f"{x:g}", f"{box.y + 46:g}", 12, "#374151", escape(box.about))


if __name__ == "__main__":
    PICTURE.write_text(drawn())
