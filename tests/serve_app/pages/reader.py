"""Reader of pages, as a browser reads them."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html.parser import HTMLParser

from typing_extensions import override

_NO_END = frozenset({"br", "link", "meta", "hr"})


class Page(HTMLParser):
    """Elements, links, anchors and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.pre: list[str] = []
        self.open: list[str] = []
        self.style = ""
        self.feed(source)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _NO_END:
            self.open.append(tag)
        if tag == "pre":
            self.pre.append("")

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    @override
    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.style += data
        else:
            self.texts.append(data)
        if "pre" in self.open:
            self.pre[-1] += data

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    @property
    def links(self) -> list[str]:
        return [value for name, value in self.attributes if name == "href"]

    @property
    def anchors(self) -> list[str]:
        return [value for name, value in self.attributes if name == "id"]


def check(page: Page, policy: str) -> None:
    """Check that a page is whole, loads and runs nothing, and has only the style that it may."""
    digest = b64encode(sha256(page.style.encode()).digest()).decode()
    assert page.open == []
    assert not {"script", "img", "iframe", "object", "form", "link"} & set(page.elements)
    assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]
    assert "url(" not in page.style
    assert "@import" not in page.style
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
