"""Translate the HTTP API's errors about a request into the words of a command line."""

import re

FIELDS = (
    "negative_prompt",
    "steps",
    "width",
    "height",
    "cfg_scale",
    "sampler_name",
    "scheduler",
    "seed",
    "batch_size",
    "denoising_strength",
)
"""Fields of a task's content that have options of the same names."""

# A wrong field begins its line, and a colon ends its path; `?status=` may stand anywhere.
_PARAMETER = re.compile(r"\?(submission|status|runtime|key|since|until|limit)=")
_CONTENT = re.compile(rf"^content\.({'|'.join(FIELDS)})(?=:)", re.MULTILINE)


def as_options(text: str) -> str:
    """Name the option beside a field of the content, and in place of a URL's parameter."""
    named = _CONTENT.sub(lambda field: f"{field[0]} (--{field[1].replace('_', '-')})", text)
    return _PARAMETER.sub(r"--\1 ", named)
