"""The documents' code: fenced blocks, and command lines that stand within a sentence or a table.

An HTML comment before a block, a table or a paragraph marks it, and is not seen by readers:

- ``<!-- needs: aws, minutes -->``: its commands are parsed and not run; `NEEDS` says why.
- ``<!-- shows: layout -->``: it is no command; `SHOWS` says what holds it to the code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
    "docker/README.md",
    "charts/atelier/README.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "samples").rglob("README.md")),
)

RUNBOOKS = ("docs/deploy.md", "docs/operations.md")
"""Pages whose commands of `atelier` and `aws` are run on emulators: tests/cli/aws/runbook."""

NEEDS = {
    "aws": "an account of AWS",
    "cluster": "a Kubernetes cluster",
    "comfyui": "an installed ComfyUI",
    "docker": "a Docker engine",
    "gpu": "a GPU",
    "minutes": "minutes of work",
    "network": "downloads from outside",
    "platform": "a platform of its own, beside the one that all blocks share",
    "webui": "an installed Stable Diffusion Web UI",
}
SHOWS = {
    "answer": "the platform's answer to the task that follows in the mark",
    "build arguments": "the tests of docker/",
    "call": "the signature, verified with the document's own receiver",
    "diagram": "nobody: it is a drawing",
    "errors": "the classes of the client",
    "first task": "a test that takes its steps in a copy of the repository",
    "layout": "the folders that the runtime reads",
    "message": "the parser of messages",
    "notification": "the notification of the task that the page sends",
    "program": "a test of its own, which calls it",
    "stack": "the template that CDK synthesizes",
}
COMMANDS = (
    "atelier",
    "aws",
    "cdk",
    "crane",
    "curl",
    "docker",
    "helm",
    "kubectl",
    "make",
    "openssl",
    "python",
    "ray",
    "serve",
    "skopeo",
)
"""Programs by whose name a command line is known within a sentence."""

_MARK = re.compile(r"<!-- (needs|shows): ([^>]*?) -->")
_INLINE = re.compile(rf"(?:\w+=\S* )*(?:\.venv/bin/)?(?:{'|'.join(COMMANDS)}) (?!\|)\S")


@dataclass(frozen=True)
class Block:
    """A fenced block, or a command line of a table or a sentence."""

    page: str
    line: int
    language: str
    """``sh``, ``python``, ``yaml``, ``json``, ``toml``; empty for what a command prints."""
    text: str
    needs: tuple[str, ...] = ()
    shows: str | None = None
    """A word of `SHOWS`."""
    request: str = ""
    """The task in JSON whose answer it shows."""
    place: str = "fence"
    """``fence``, ``table`` or ``sentence``."""
    after: "Block | None" = field(default=None, repr=False)
    """The fence before it, whose output it may be."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, text: str | None = None) -> Iterator[Block]:
    """Yield the blocks of a page, in order; `text` is the page's own unless given."""
    tokens = _markdown().parse((ROOT / page).read_text() if text is None else text)
    needs: tuple[str, ...] = ()
    shows: str | None = None
    in_table = False
    last: Block | None = None
    line = 0
    for token in tokens:
        line = token.map[0] + 1 if token.map else line
        match token.type:
            case "html_block":
                needs, shows = _marks(token.content)
                continue
            case "fence" | "code_block":
                last = replace(_fence(page, line, token, needs, shows or ""), after=last)
                yield last
            case "table_open":
                in_table = True
                continue
            case "table_close":
                in_table = False
            case "inline":
                place = "table" if in_table else "sentence"
                for code in _codes(token):
                    yield Block(page, line, "sh", code, needs, place=place)
                if in_table:
                    continue
        if not in_table and token.type in {"fence", "code_block", "table_close", "inline"}:
            needs, shows = (), None


def _fence(page: str, line: int, token: Token, needs: tuple[str, ...], shows: str) -> Block:
    word, _, request = shows.partition(" to ")
    return Block(page, line, token.info, token.content, needs, word or None, request)


def spans(page: str) -> Iterator[str]:
    """Yield the code spans of a page's sentences and tables."""
    for token in _markdown().parse((ROOT / page).read_text()):
        for child in token.children or ():
            if child.type == "code_inline":
                yield child.content


def links(page: str) -> Iterator[str]:
    """Yield the targets of a page's links and pictures."""
    for token in _markdown().parse((ROOT / page).read_text()):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield str(target)


def headings(page: str) -> Iterator[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    tokens = _markdown().parse((ROOT / page).read_text())
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            yield re.sub(r"[^\w\- ]", "", inline.content.lower()).replace(" ", "-")


def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def _marks(html: str) -> tuple[tuple[str, ...], str | None]:
    found = dict(_MARK.findall(html))
    needs = tuple(filter(None, (part.strip() for part in found.get("needs", "").split(","))))
    return needs, found.get("shows")


def _codes(token: Token) -> Iterator[str]:
    for child in token.children or ():
        if child.type == "code_inline" and _INLINE.match(child.content):
            yield child.content
