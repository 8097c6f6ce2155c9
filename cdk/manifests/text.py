"""Objects as YAML text, with marks at the lines that a person has to edit."""

from collections.abc import Iterable, Mapping

import yaml

from cdk.manifests.base import Manifest


class _Dumper(yaml.SafeDumper):
    """YAML dumper without anchors, which writes texts of several lines as blocks."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def render(objects: Iterable[Manifest], marks: Mapping[str, str] | None = None) -> str:
    """Render a document for each object; ``marks`` says what to edit in lines with a text."""
    text = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=100, explicit_start=True)
    return "".join(_marked(line, marks or {}) for line in text.splitlines(keepends=True))


def _marked(line: str, marks: Mapping[str, str]) -> str:
    said = [what for value, what in marks.items() if value in line]
    return f"{line.rstrip()}  # EDIT: {'; '.join(said)}\n" if said else line
