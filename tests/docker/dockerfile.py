"""Dockerfile as BuildKit reads it: what an image stands on, as whom it runs, and where.

By BuildKit 0.32.2 (`frontend/dockerfile/dockerfile2llb/convert.go`, read in July 2026). Knows ARG,
ENV, FROM, USER and WORKDIR, and refuses what it would misread: heredocs, another escape character,
quotes and escapes but for quoted words of ARG and ENV, `ENV NAME VALUE`, further platforms.
"""

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

_PARTS = ("PLATFORM", "OS", "ARCH", "VARIANT")
AUTOMATIC = frozenset(f"{of}{part}" for of in ("BUILD", "TARGET") for part in _PARTS)
"""Names of the arguments that BuildKit sets by itself."""
PLATFORMS = frozenset({"linux/amd64", "linux/arm64"})
"""Platforms without a variant, which BuildKit would take away or add."""
_ESCAPE = re.compile(r"^\s*#\s*escape\s*=", re.IGNORECASE | re.MULTILINE)
_HEREDOC = re.compile(r"(?:^|\s)\d*<<-?[\"']?\w")
_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^${}]*))?\})")


@dataclass(frozen=True)
class Instruction:
    """Keyword of an instruction, and the words after it over continued lines."""

    keyword: str
    words: str

    @property
    def pairs(self) -> Iterator[tuple[str, str | None]]:
        """Yield names and values of an ARG or ENV; `None` for an ARG without a default."""
        if "\\" in self.words or ("'" in self.words and "$" in self.words):
            raise ValueError(f"an escape, or a $ near a single quote: {self.words}")
        for word in shlex.split(self.words):
            name, given, value = word.partition("=")
            if self.keyword == "ENV" and not given:
                raise ValueError(f"ENV without =: {self.words}")
            yield name, value if given else None

    @property
    def plain(self) -> str:
        """Yield words as they stand, without quotes or escapes."""
        if set(self.words) & set("\"'\\"):
            raise ValueError(f"a quote or an escape: {self.words}")
        return self.words


@dataclass(frozen=True)
class Build:
    """Platform to build for, platform that builds, and arguments that the build is given."""

    platform: str = "linux/amd64"
    machine: str = "linux/amd64"
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def automatic(self) -> Mapping[str, str]:
        """Return the automatic arguments' values; the build's own win."""
        known = _platform_arguments("BUILD", self.machine)
        known |= _platform_arguments("TARGET", self.platform)
        return {name: self.arguments.get(name, value) for name, value in known.items()}


@dataclass(frozen=True)
class Stage:
    """Stage of a Dockerfile, up to one of its instructions."""

    base: str
    """Image that the registry is asked for."""
    platform: str
    user: str = ""
    folder: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)

    def after(self, instruction: Instruction, build: Build, outer: Mapping[str, str]) -> "Stage":
        """Return the stage after one more instruction; ``outer`` are the global arguments."""
        seen = {**self.arguments, **self.environment}
        match instruction.keyword:
            case "ARG":
                new = _arguments(instruction, build, seen, outer)
                return replace(self, arguments={**self.arguments, **new})
            case "ENV":
                env = {name: expanded(value or "", seen) for name, value in instruction.pairs}
                return replace(self, environment={**self.environment, **env})
            case "USER":
                return replace(self, user=expanded(instruction.plain, seen))
            case "WORKDIR":
                folder = posixpath.join(self.folder, expanded(instruction.plain, seen))
                return replace(self, folder=posixpath.normpath(folder))
            case _:
                return self


def image(text: str, build: Build) -> Stage:
    """Return the last stage of a Dockerfile, as a build makes an image of it.

    Raises:
        ValueError: there is no stage, a base has no name, or something is not known here.
    """
    outer, stages, name = dict(build.automatic), dict[str, Stage](), None
    for instruction in instructions(text):
        if instruction.keyword == "FROM":
            name, stage = _begun(instruction, build, outer, stages)
            stages[name] = stage
        elif name is None:
            outer |= _arguments(instruction, build, outer, outer)
        else:
            stages[name] = stages[name].after(instruction, build, outer)
    if name is None:
        raise ValueError("no stage")
    return stages[name]


def instructions(text: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile, without its comments.

    Raises:
        ValueError: lines would be parted in another way than here.
    """
    lines = (line.rstrip() for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n", "", "\n".join(filter(None, lines))).splitlines()
    if _ESCAPE.search(text) or any(map(_HEREDOC.search, joined)):
        raise ValueError("another escape character, or a heredoc")
    found = (line.split(maxsplit=1) for line in joined)
    return [Instruction(words[0].upper(), " ".join(words[1:])) for words in found]


def expanded(text: str, known: Mapping[str, str]) -> str:
    """Put variables in their places; one that is not known is empty.

    Raises:
        ValueError: an expression is not known here.
    """
    if "$" in _VARIABLE.sub("", text):
        raise ValueError(text)
    return _VARIABLE.sub(lambda found: _value(found, known), text)


def _value(found: re.Match[str], known: Mapping[str, str]) -> str:
    plain, braced, operator, word = found.groups()
    value = known.get(plain or braced)
    match operator:
        case ":-":
            return value or word
        case "-":
            return word if value is None else value
        case ":+":
            return word if value else ""
        case "+":
            return "" if value is None else word
        case _:
            return value or ""


def _begun(
    instruction: Instruction, build: Build, outer: Mapping[str, str], stages: Mapping[str, Stage]
) -> tuple[str, Stage]:
    """Return name and begin of the stage that a FROM opens: of an earlier one, or an image."""
    match instruction.plain.split():
        case [*flags, base, word, name] if word.lower() == "as" and _NAME.fullmatch(name.lower()):
            pass
        case [*flags, base] if not base.startswith("--"):
            name = ""
        case _:
            raise ValueError(f"FROM {instruction.words}")
    base = expanded(base, outer)
    if not base:
        raise ValueError(f"a base without a name: {instruction.words}")
    if base.lower() in stages:
        return name.lower(), stages[base.lower()]
    return name.lower(), Stage(base, _platform(flags, build, outer))


def _platform(flags: Sequence[str], build: Build, outer: Mapping[str, str]) -> str:
    """Return the platform that the flags of a FROM name, else the build's."""
    match flags:
        case []:
            return build.platform
        case [flag] if flag.startswith("--platform="):
            found = expanded(flag.removeprefix("--platform="), outer)
            if found in PLATFORMS:
                return found
    raise ValueError(f"FROM {' '.join(flags)}")


def _arguments(
    instruction: Instruction, build: Build, seen: Mapping[str, str], outer: Mapping[str, str]
) -> dict[str, str]:
    """Return an ARG's values: the build's own, else the default, else the global scope's.

    An automatic one is no exception: its default takes the place of what BuildKit knows.
    """
    found: dict[str, str] = {}
    for name, default in instruction.pairs:
        if name in build.arguments:
            found[name] = build.arguments[name]
        elif default is not None:
            found[name] = expanded(default, {**seen, **found})
        elif name in outer:
            found[name] = outer[name]
    return found


def _platform_arguments(of: str, platform: str) -> dict[str, str]:
    if platform not in PLATFORMS:
        raise ValueError(platform)
    values = (platform, *platform.split("/"), "")
    return dict(zip((f"{of}{part}" for part in _PARTS), values, strict=True))
