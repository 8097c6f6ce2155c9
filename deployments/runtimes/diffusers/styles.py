"""Styles of the folder of weights: words that a request adds to its prompts by name."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from models.checkpoints import listed
from models.errors import TaskFailed
from models.runtimes.content import refuse
from models.runtimes.diffusers.generation_requests import TextToImage
from models.runtimes.diffusers.prompts import MOST_CHARACTERS, prompt_faults, without_comments

AnyRequest = TypeVar("AnyRequest", bound=TextToImage)

FILE = "styles.csv"
_PLACE = "{prompt}"
"""Word of a style that stands for the prompt itself."""
_MOST_BYTES = 4_000_000
"""Largest file that is read: some ten thousand styles."""


@dataclass(frozen=True)
class Style:
    """Words of a style for both prompts."""

    prompt: str
    negative_prompt: str


def styled(request: AnyRequest, folder: Path) -> AnyRequest:
    """Return the request with the words of its styles in its prompts, and without their names.

    Raises:
        TaskFailed: a style is unknown, the file is none, or a prompt becomes too long.
    """
    names = [name for name in request.styles if name]
    if not names:
        return request
    known = _styles(folder / FILE)
    if unknown := [name for name in names if name not in known]:
        there = listed(sorted(known))
        raise TaskFailed(f"styles: no {unknown[0][:80]!r} in {FILE}; there is: {there}")
    styles = [known[name] for name in names]
    words = _with(request.prompt, [style.prompt for style in styles])
    negative = _with(request.negative_prompt, [style.negative_prompt for style in styles])
    changed = {"prompt": words, "negative_prompt": negative}
    if request.hr_prompt:
        changed["hr_prompt"] = _with(request.hr_prompt, [style.prompt for style in styles])
    if own := request.hr_negative_prompt:
        changed["hr_negative_prompt"] = _with(own, [style.negative_prompt for style in styles])
    if long := next((name for name, text in changed.items() if len(text) > MOST_CHARACTERS), None):
        raise TaskFailed(f"{long}: with its styles it is longer than {MOST_CHARACTERS} characters")
    made = request.model_copy(update=changed)
    refuse(list(prompt_faults(made.prompts)))
    return made


def _with(prompt: str, styles: list[str]) -> str:
    """Put each style round a prompt, or behind it where it has no place for it."""
    for style in map(without_comments, styles):
        if _PLACE in style:
            prompt = style.replace(_PLACE, prompt)
        else:
            prompt = ", ".join(filter(None, (prompt.strip(), style.strip())))
    return prompt


def _styles(path: Path) -> Mapping[str, Style]:
    """Read the file of styles; none where there is no file."""
    if not path.is_file():
        return {}
    if path.stat().st_size > _MOST_BYTES:
        raise TaskFailed(f"styles: {FILE} is larger than {_MOST_BYTES} bytes")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get("name")]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise TaskFailed(f"styles: {FILE} cannot be read ({type(exc).__name__})") from None
    return {
        str(row["name"]): Style(row.get("prompt") or "", row.get("negative_prompt") or "")
        for row in rows
    }
