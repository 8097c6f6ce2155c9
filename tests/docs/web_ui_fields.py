"""Write the tables of the Web UI's fields into its page: `python -m tests.docs.web_ui_fields`."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from models.runtimes.diffusers import fields, setting_names
from models.runtimes.diffusers.extras import ExtraBatch, ExtraSingle
from models.runtimes.diffusers.fates import Ignored, Refusals
from models.runtimes.diffusers.generation_requests import ImageToImage, TextToImage
from models.runtimes.diffusers.overrides import HONOURED, Overrides
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/diffusers.md"
BEGIN, END = "## Fields and settings\n", "\n## Compared with the Web UI\n"
KINDS: Mapping[str, type[BaseModel]] = {
    "text": TextToImage,
    "image": ImageToImage,
    "single": ExtraSingle,
    "batch": ExtraBatch,
}
_WRITTEN = 2**53
"""Largest bound that is worth a word."""
_INTRODUCTION = """
All fields of the Web UI's requests and all its settings are in these tables, which are made from
the code (`python -m tests.docs.web_ui_fields`): honoured, refused unless they have a value that
changes nothing, or taken with any value since they change nothing. Others are refused as misspelt.
"""


def section() -> str:
    """Write the section, without its heading."""
    return "\n".join(
        [
            _INTRODUCTION,
            "### Fields that count\n",
            *_honoured_fields(),
            "\n### Fields that are refused unless\n",
            *_refused({**fields.DRAWN, **fields.SECOND_PASS_REFUSED, **fields.PAINTED_OVER}),
            *list(_refused(fields.UPSCALED))[2:],
            "\n### Fields that change nothing\n",
            *_ignored(fields.IGNORED),
            "\n### Settings that count\n",
            *_rows("setting", ((name, _told(Overrides, name)) for name in HONOURED)),
            "\n### Settings that are refused unless\n",
            *_refused(setting_names.REFUSED),
            "\n### Settings that change nothing\n",
            *_ignored(setting_names.IGNORED),
            "",
        ]
    )


def page() -> str:
    """Return the page with the section as the code has it."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return before + BEGIN + section() + END + rest.partition(END)[2]


def _honoured_fields() -> Iterator[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for kind, model in KINDS.items():
        for name in model.model_fields:
            if model is not ImageToImage or name not in fields.SECOND_PASS:
                found.setdefault((name, _told(model, name)), []).append(kind)
    rows = (
        f"| `{name}` | {'all' if len(kinds) == len(KINDS) else ', '.join(kinds)} | {told} |"
        for (name, told), kinds in found.items()
    )
    gathered = (
        f"| `{name}` | {kinds} | {told} |" for name, (kinds, told) in fields.GATHERED.items()
    )
    return iter(("| field | of | |", "|---|---|---|", *rows, *gathered))


def _told(model: type[BaseModel], name: str) -> str:
    """Say what a field is, between which bounds it lies and what it is if left out."""
    schema = model.model_json_schema()["properties"][name]
    text = (model.model_fields[name].description or "").replace("``", "`")
    bounds = _bounds(schema)
    default = schema.get("default")
    untold = default in (None, "", []) or isinstance(default, dict)
    shown = "" if untold else f"default {_shown(default)}"
    return "; ".join(filter(None, (" ".join(text.split()).removesuffix("."), bounds, shown)))


def _bounds(schema: Mapping[str, Any]) -> str:
    numbers = schema.get("anyOf", [schema])[0]
    least, most = numbers.get("minimum"), numbers.get("maximum")
    if least is None or abs(least) > _WRITTEN:
        return ""
    return f"at least {least}" if most is None else f"{least} to {most}"


def _refused(refusals: Refusals) -> Iterator[str]:
    yield from ("| name | taken with | because |", "|---|---|---|")
    for name, refusal in refusals.items():
        unless = ", ".join(
            "empty" if value == "" else f"`{_shown(value)}`" for value in refusal.unless
        )
        yield f"| `{name}` | {unless} | {refusal.reason} |"


def _ignored(ignored: Ignored) -> Iterator[str]:
    reasons = dict.fromkeys(ignored.values())
    groups = {why: [name for name in ignored if ignored[name] == why] for why in reasons}
    yield from ("| because | names |", "|---|---|")
    for why, names in groups.items():
        yield f"| {why} | {', '.join(f'`{name}`' for name in sorted(names))} |"


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rows(heading: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"| {heading} | |", "|---|---|")
    for name, told in rows:
        yield f"| `{name}` | {told} |"


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.exit()
