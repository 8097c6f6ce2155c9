"""Page for people: every setting, its default, and what it changes on AWS."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel

from models.settings.reference_table import INSTEAD, REMEDIES
from models.settings.unused import unused_on_aws
from tests.cdk.walk.changes import after, before, read
from tests.cdk.walk.effects import effects
from tests.cdk.walk.extra import AS_IT_IS, EXAMPLES, MEANINGLESS, becomes
from tests.cdk.walk.leaves import Leaf, leaves
from tests.cdk.walk.template import Templates

_HEAD = """\
# What each setting changes on AWS

Made by `python -m tests.cdk.walk`, which changes each setting alone and compares what is deployed;
a test holds this page to it. What a setting means, and its bounds: `atelier config schema`.
What is set in vain is told by `atelier config check`, `atelier up` and `atelier aws deploy`.

- **application**: the arguments of Ray Serve, for the HTTP API, ingest and the replicas. They
  start anew by a change.
- **edge**: the HTTP API behind API Gateway, a function of its own.
- **Secret**: the Secret `NAME-keys` in the cluster. What is in it is in no template.
- `NodePool`, `RayService` and other words: objects in Kubernetes. `EC2::VPC` and others with two
  colons: resources of the stack, the ones that have the value itself; `stackName` is in all names.
"""
_SCALING = Path(__file__).with_name("replicas.md").read_text()
_INGEST = Path(__file__).with_name("ingest.md").read_text()
_EXTRA_HEAD = """\
## `modelsRuntime[].extraValues`

The reference system's chart values, as its own files have them. What a runtime says itself wins.
`runtime.scaling.enabled: false` makes `runtime.replicas` the number of replicas, 1 if that is not
set. `extraHPAConfig` has `scaleUp` and `scaleDown`, in a `behavior` or without one.
"""


def page(templates: Templates) -> str:
    """Return the page's text."""
    rows = (_row(leaf, templates) for leaf in leaves())
    tables = [_table("setting | default | what it changes", rows)]
    values = _table("value | here", _extra_rows())
    return "\n".join([_HEAD, *tables, _SCALING, _INGEST, _EXTRA_HEAD, values])


def _table(head: str, rows: Iterable[str]) -> str:
    line = "|".join(["---"] * (head.count("|") + 1))
    return "\n".join([f"| {head} |", f"|{line}|", *rows, ""])


def _row(leaf: Leaf, templates: Templates) -> str:
    old, new = before(leaf.path), after(leaf)
    found = effects(leaf, old, new) | templates.effects(leaf)
    told = [each for each in unused_on_aws(read(new)) if each not in unused_on_aws(read(old))]
    changes = ", ".join(map(_named, sorted(found, key=_order)))
    nothing = "; ".join(each.partition(": ")[2] for each in told)
    return f"| `{leaf.path}` | {_default(leaf)} | {changes or nothing} |"


def _order(effect: str) -> tuple[bool, str]:
    """Sort the platform's own parts before Kubernetes's and CloudFormation's."""
    return effect[0].isupper() and effect != "Secret", effect


def _named(effect: str) -> str:
    return effect if effect in {"application", "edge", "Secret"} else f"`{effect}`"


def _default(leaf: Leaf) -> str:
    if leaf.info.is_required():
        return "needed"
    return _shown(leaf.info.get_default(call_default_factory=True))


def _shown(value: Any) -> str:
    if value is None or value in ("", (), {}):
        return ""
    return f"`{json.dumps(_plain(value))}`"


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return value.model_dump(mode="json", by_alias=True)
        case tuple():
            return [_plain(each) for each in value]
        case bool() | int() | float() | str():
            return value
        case PurePath():
            return str(value)
    return str(value)


def _in_runtime(leaf: Leaf) -> str:
    return leaf.path.partition("[].")[2].partition("[]")[0]


def _extra_rows() -> Iterator[str]:
    for path in EXAMPLES:
        settings = dict.fromkeys(_in_runtime(leaf) for leaf in becomes(path))
        yield f"| `{path}` | {', '.join(f'`{each}`' for each in settings)} |"
    for path, only in AS_IT_IS.items():
        yield f"| `{path}` | only `{only}`, as it is anyway |"
    for path, told in REMEDIES.items():
        which = f": {MEANINGLESS.get(path, 'other keys')}" if path in {*EXAMPLES} else ""
        yield f"| `{path}{which}` | no effect here: {told} |"
    for path, told in INSTEAD.items():
        yield f"| `{path}` | refused: {told} |"
    rest = (f"`{path}`" for path in MEANINGLESS if not path.startswith(tuple(REMEDIES)))
    yield f"| {', '.join(rest)} | no effect: the reference's own machinery |"
