"""Files that a build of an image sees: those that ``.dockerignore`` lets through."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))


def allowed() -> list[str]:
    """Return the patterns that it lets through, for it begins with refusing all."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    return [rule.removeprefix("!") for rule in rules if rule.startswith("!")]


def copied(to: Path) -> Path:
    """Copy what a build sees."""
    for pattern in allowed():
        found = list(ROOT.glob(pattern))
        assert found, pattern
        for path in found:
            place = to / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(path, place)
    return to
