from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.atelier.served_platform import KEY, Platform, running


class Atelier(Protocol):
    """Command, called as a shell does."""

    def __call__(self, *args: str | Path, stdin: str | None = None) -> Result: ...


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running() as platform:
        yield platform


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Atelier:
    """Command of a person who has set nothing up."""
    for name in ("URL", "API_KEY", "PROFILE"):
        monkeypatch.delenv(f"ATELIER_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def call(*args: str | Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, list(map(str, args)), input=stdin)

    return call


@pytest.fixture
def atelier(bare: Atelier, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Atelier:
    """Command of a person who uses a platform."""
    monkeypatch.setenv("ATELIER_URL", platform.url)
    monkeypatch.setenv("ATELIER_API_KEY", KEY)
    return bare
