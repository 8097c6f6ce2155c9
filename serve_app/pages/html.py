"""HTML from templates, with the headers of every page."""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from serve_app.pages.schemas import default_of, fields_of, kind_of, limits_of, prose

_TEMPLATES = Path(__file__).parent / "templates"


def rendered(template: str, **values: Any) -> str:
    """Render a page from a template; every value is escaped but for `Markup`."""
    style = Markup(_style())  # noqa: S704 - a file of ours
    return _environment().get_template(template).render(style=style, **values)


def answer(page: str) -> HTMLResponse:
    """Answer with a page."""
    return HTMLResponse(page, headers=headers())


@cache
def headers() -> Mapping[str, str]:
    """Make the headers of a page, by which browsers load, run, frame and send on nothing."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    policy = (
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-cache",
    }


@cache
def _style() -> str:
    return (_TEMPLATES / "style.css").read_text()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "prose": prose,
        "kind": kind_of,
        "fields": fields_of,
        "limits": limits_of,
        "left_out": default_of,
    }
    return environment
